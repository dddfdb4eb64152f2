package features

import (
	"fmt"
	"strings"
)

// Description says what a definition means, for people.
type Description struct {
	Words   string // one phrase, without a stop at its end
	Formula string // with the window's edges; e is the event, m an event before it
	Unit    string
	Empty   string // what it gives when there is nothing to read
}

const noValue = "missing (NaN)"

// Describe puts the definition into words, as one of the event type of a schema.
func (d *Definition) Describe(s *Schema) Description {
	w := wording{f: &d.form, events: strings.ReplaceAll(s.EventType, "_", " ") + "s"}
	t, _ := traitOf(d.form.Kind)
	switch {
	case t.labels:
		return w.frauds()
	case t.windowed:
		return w.aggregate()
	case t.previous:
		return w.previous()
	}
	return w.own()
}

// wording is one definition being described.
type wording struct {
	f      *form
	events string // "card payments"
}

// events of the entity that the window holds, in words.
func (w *wording) inside() string {
	return fmt.Sprintf("the %s's %s %s%s", w.f.By, w.events, w.window(w.f.Window), w.counting())
}

// window in words.
func (w *wording) window(length int64) string {
	t, _ := traitOf(w.f.Kind)
	switch {
	case w.f.Delay > 0:
		return fmt.Sprintf("in the %s that ended %s before this one", lengthWords(length), spanWords(w.f.Delay))
	case t.labels || t.previous:
		return fmt.Sprintf("in the %s before this one", lengthWords(length))
	case w.f.Current:
		return fmt.Sprintf("in the %s up to this one, this one included", lengthWords(length))
	}
	return fmt.Sprintf("in the %s up to this one, this one not counted", lengthWords(length))
}

func (w *wording) counting() string {
	if w.f.Where == nil {
		return ""
	}
	return ", only those where " + w.f.Where.Text
}

// members is the window as a set.
func (w *wording) members(length int64) string {
	ended := ""
	if w.f.Delay > 0 {
		ended = " - " + spanText(w.f.Delay)
	}
	set := fmt.Sprintf("m.%s = e.%s, m.sequence < e.sequence", w.f.By, w.f.By)
	if length > 0 {
		set += fmt.Sprintf(", e.time%s - %s < m.time <= e.time%s", ended, spanText(length), ended)
	} else {
		set += ", m.time <= e.time"
	}
	if w.f.Where != nil {
		set += ", " + w.f.Where.Text
	}
	set = "{m: " + set + "}"
	if w.f.Current {
		set += " + {e}"
		if w.f.Where != nil {
			set += " if it counts"
		}
	}
	return set
}

// over is the window as part of a formula.
func (w *wording) over() string { return " over " + w.members(w.f.Window) }

// unit of what is read.
func (w *wording) unit(name string) string {
	if name == overAmount {
		return w.f.Currency
	}
	return name
}

func (w *wording) aggregate() Description {
	of := w.f.Of
	switch w.f.Kind {
	case "count":
		if of == overEvents {
			return Description{"number of " + w.inside(), "count(m)" + w.over(), w.events, "0"}
		}
		with := &wording{w.f, w.events + " with " + of}
		return Description{"number of " + with.inside(), fmt.Sprintf("count(m.%s)", of) + w.over(), w.events, "0"}
	case "sum":
		return Description{"total " + of + " of " + w.inside(), fmt.Sprintf("sum(m.%s)", of) + w.over(), w.unit(of), "0"}
	case "mean":
		return Description{"mean " + of + " of " + w.inside(), fmt.Sprintf("sum(m.%s) / count(m.%s)", of, of) + w.over(), w.unit(of), noValue}
	case "std":
		return Description{"standard deviation (of the sample) of the " + of + " of " + w.inside(),
			fmt.Sprintf("sqrt((n sum(m.%s^2) - sum(m.%s)^2) / (n (n - 1))), n = count(m.%s)", of, of, of) + w.over(), w.unit(of), noValue + " below two values"}
	case "min":
		return Description{"smallest " + of + " of " + w.inside(), fmt.Sprintf("min(m.%s)", of) + w.over(), w.unit(of), noValue}
	case "max":
		return Description{"largest " + of + " of " + w.inside(), fmt.Sprintf("max(m.%s)", of) + w.over(), w.unit(of), noValue}
	case "distinct":
		return Description{fmt.Sprintf("number of different values of %s among %s (exact up to %d, then estimated)", of, w.inside(), maxExact),
			fmt.Sprintf("count(distinct m.%s)", of) + w.over(), "values", "0"}
	case "share_of_value":
		return Description{fmt.Sprintf("share of this one's %s among %s", of, w.inside()),
			fmt.Sprintf("count(m.%s = e.%s) / count(m)", of, of) + w.over(), "share, 0 to 1", "0; " + noValue + " when this one has no " + of}
	}
	what, total := "", "count(m)"
	if of != overEvents {
		what, total = of+" of ", fmt.Sprintf("sum(m.%s)", of)
	}
	long := *w.f
	long.Window = w.f.Over
	return Description{fmt.Sprintf("rate of %s%s, relative to that over %s", what, w.inside(), spanWords(w.f.Over)), fmt.Sprintf("(S / L) (%s / %s), S = %s%s, L = the same over %s", spanText(w.f.Over), spanText(w.f.Window), total,
		w.over(), (&wording{&long, w.events}).members(w.f.Over)), "ratio, 1 = as usual", noValue + " when the long window's is 0"}
}

func (w *wording) frauds() Description {
	inside, known := w.inside(), "count(m is fraud by the label known at e.time)"
	switch w.f.Kind {
	case "fraud_count":
		return Description{"number of known frauds among " + inside, known + w.over(), "events", "0"}
	case "fraud_share":
		return Description{"share of known frauds among " + inside, known + " / count(m)" + w.over(), "share, 0 to 1", "0"}
	case "last_fraud_age":
		return Description{"time since the latest known fraud among " + inside, "e.time - max(m.time: m is fraud by the label known at e.time)" + w.over(), "seconds", noValue}
	}
	return Description{"time since the earliest known fraud among " + inside, "e.time - min(m.time: m is fraud by the label known at e.time)" + w.over(), "seconds", noValue}
}

// before names the event that kinds of one event before read.
func (w *wording) before() string {
	last := fmt.Sprintf("the %s's %s before this one", w.f.By, strings.TrimSuffix(w.events, "s"))
	if w.f.Window == 0 {
		return "the last of " + strings.Replace(last, strings.TrimSuffix(w.events, "s"), w.events, 1)
	}
	return "the last of " + w.inside()
}

func (w *wording) previous() Description {
	last, of := ", m = the last of "+w.members(w.f.Window), w.f.Of
	switch w.f.Kind {
	case "time_since_last":
		return Description{"time since " + w.before(), "e.time - m.time" + last, "seconds", noValue}
	case "first_seen_age":
		if w.f.Window == 0 {
			return Description{fmt.Sprintf("time since the %s's first of all %s", w.f.By, w.events), "e.time - min(m.time) over " + w.members(0), "seconds", noValue}
		}
		return Description{"time since the first of " + w.inside(), "e.time - min(m.time)" + w.over(), "seconds", noValue}
	case "distance_from_last":
		return Description{"distance from " + w.before(), w.way("m", "e", w.f.From, w.f.From) + last, "km", noValue}
	case "speed_from_last":
		return Description{"speed from " + w.before(), w.way("m", "e", w.f.From, w.f.From) + " / max(e.time - m.time, 1us)" + last, "km/h", noValue}
	case "speed":
		return Description{"speed that the way of this one takes in the time since " + w.before(), w.way("e", "e", w.f.From, w.f.To) +
			" / max(e.time - m.time, 1us)" + last, "km/h", noValue}
	case "last":
		unit := w.unit(of)
		switch w.f.As {
		case asCategory:
			unit = w.codes()
		case asFlag:
			unit = "1 or 0"
		}
		return Description{of + " of " + w.before(), "m." + of + last, unit, noValue}
	case "changed":
		return Description{fmt.Sprintf("whether %s differs from that of %s", of, w.before()), fmt.Sprintf("m.%s != e.%s", of, of) + last, "1 or 0", noValue}
	}
	return Description{fmt.Sprintf("whether %s equals that of %s", of, w.before()), fmt.Sprintf("m.%s = e.%s", of, of) + last, "1 or 0", noValue}
}

func (w *wording) way(from, to string, a, b []string) string {
	return fmt.Sprintf("haversine(%s.%s, %s.%s; %s.%s, %s.%s)", from, a[0], from, a[1], to, b[0], to, b[1])
}

func (w *wording) codes() string {
	return fmt.Sprintf("code: place in [%s], -1 for any other value", strings.Join(w.f.Values, ", "))
}

// own describes what needs no history.
func (w *wording) own() Description {
	of := w.f.Of
	switch w.f.Kind {
	case "field":
		return Description{of + " of this one", "e." + of, w.unit(of), noValue}
	case "category":
		return Description{of + " of this one", "e." + of, w.codes(), noValue}
	case "flag":
		return Description{"whether this one is " + of, "e." + of, "1 or 0", noValue}
	case "distance":
		return Description{"distance between the two places of this one", w.way("e", "e", w.f.From, w.f.To), "km", noValue}
	case "expr":
		return Description{"computed from other features", w.f.Expr, "as it is written", "see the table of expressions"}
	}
	words, unit := fmt.Sprintf("%s of this one in %s", w.f.Kind, w.f.Zone), map[string]string{"hour": "0 to 23", "weekday": "0 (Monday) to 6"}[w.f.Kind]
	if w.f.Between == nil {
		return Description{words, fmt.Sprintf("%s(e.time)", w.f.Kind), unit, "never empty"}
	}
	first, last := fmt.Sprint(w.f.Between[0]), fmt.Sprint(w.f.Between[1])
	if w.f.Kind == "weekday" {
		days := [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
		first, last = days[w.f.Between[0]], days[w.f.Between[1]]
	}
	return Description{fmt.Sprintf("whether the %s lies between %s and %s, both included", words, first, last),
		fmt.Sprintf("%d <= %s(e.time) <= %d", w.f.Between[0], w.f.Kind, w.f.Between[1]), "1 or 0", "never empty"}
}

// largestUnit is the largest unit of which a span is a whole number.
func largestUnit(us int64) (n int64, suffix string) {
	for i := len(spanUnits) - 2; i > 0; i-- { // days at most
		if us%spanUnits[i].length == 0 {
			return us / spanUnits[i].length, spanUnits[i].suffix
		}
	}
	return us, spanUnits[0].suffix
}

// spanText is a span as event types write it.
func spanText(us int64) string {
	n, suffix := largestUnit(us)
	return fmt.Sprint(n, suffix)
}

// spanWords is a span in words: 1 day, 30 days.
func spanWords(us int64) string {
	n, suffix := largestUnit(us)
	unit := map[string]string{"us": "microsecond", "ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day"}[suffix]
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// lengthWords is a span as it stands behind an article: day, 30 days.
func lengthWords(us int64) string { return strings.TrimPrefix(spanWords(us), "1 ") }
