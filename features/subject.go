package features

import (
	"slices"
	"strconv"
)

// subject reads what the entry is about.
func (x *expansion) subject(name string, spec *Spec, f *form) {
	switch f.Kind {
	case "calendar":
		x.calendar(name, spec, f)
	case "distance", "speed":
		f.From, f.To = spec.route(f.Kind).From, spec.route(f.Kind).To
	case "distance_from_last", "speed_from_last":
		f.From = []string{spec.point(f.Kind).Lat, spec.point(f.Kind).Lon}
	case "expr":
		f.Expr = normalExpr(spec.Expr)
	case "category", "flag":
		f.Of, f.Values = spec.text(f.Kind), x.values(f.Kind == "category", spec.text(f.Kind))
	case "distinct", "share_of_value", "last", "changed", "same_as_last":
		x.field(spec, f)
	case "velocity":
		f.Of = spec.Velocity
		x.over(name, spec, f)
	default:
		of := spec.text(f.Kind)
		if t, _ := traitOf(f.Kind); t.labels || t.previous {
			if of != overEvents {
				x.fail(name, f.Kind, "is about events; write %s: events", f.Kind)
			}
			return
		}
		f.Of = of
		x.digits(f)
	}
}

// values are the declared values of an attribute whose codes a feature gives.
func (x *expansion) values(wanted bool, attribute string) []string {
	if i := x.schema.attribute(attribute); i >= 0 && wanted {
		return slices.Clone(x.schema.Attributes[i].Values)
	}
	return nil
}

// field reads what may be a field of any sort.
func (x *expansion) field(spec *Spec, f *form) {
	f.Of = spec.text(f.Kind)
	f.As = x.schema.sort(f.Of)
	if f.Kind == "last" {
		f.Values = x.values(f.As == asCategory, f.Of)
		if f.As == asAmount {
			f.Currency, f.Digits = x.schema.Currency, x.schema.MinorDigits
		}
	}
}

// over reads the long window of a velocity.
func (x *expansion) over(name string, spec *Spec, f *form) {
	if spec.Over == "" {
		x.fail(name, "over", "is missing; name the long window that the windows are held against, such as 30d")
		return
	}
	var err error
	if f.Over, err = ParseSpan(spec.Over); err != nil {
		x.fail(name, "over", "%v", err)
	}
}

// where reads a filter.
func (x *expansion) where(name string, spec *Spec, f *form) {
	if spec.Where == "" {
		return
	}
	read, err := newFilter(x.schema, spec.Where)
	if err != nil {
		x.fail(name, "where", "%v", err)
		return
	}
	f.Where = read
}

// digits writes the decimals of what is read into the form, as they are part of its meaning.
func (x *expansion) digits(f *form) {
	switch i := x.schema.number(f.Of); {
	case f.Kind == "count":
	case f.Of == overAmount:
		f.Currency, f.Digits = x.schema.Currency, x.schema.MinorDigits
	case i >= 0 && f.summed():
		f.Digits = max(x.schema.Numbers[i].Scale, 0)
	}
}

func (x *expansion) calendar(name string, spec *Spec, f *form) {
	f.Kind, f.Zone = spec.Calendar, spec.Zone
	if f.Kind != "hour" && f.Kind != "weekday" {
		x.fail(name, "calendar", "%q is neither hour nor weekday", spec.Calendar)
	}
	for _, text := range spec.Between {
		i := slices.Index([]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, text)
		if f.Kind == "hour" {
			var err error
			if i, err = strconv.Atoi(text); err != nil {
				i = -1
			}
		}
		if i < 0 {
			x.fail(name, "between", "%q is not an hour (0 to 23) or a day (mon to sun)", text)
		}
		f.Between = append(f.Between, i)
	}
}
