package retrain

import (
	"fmt"
	"strings"
)

// Text is the report as a page for people.
func (r Report) Text() string {
	var b strings.Builder
	p, t := r.Plan, r.Training
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	from, to := p.Train.text()
	line("model version  %s", r.Version)
	line("event type     %s (%s)", p.EventType, p.EventTypeHash)
	line("log            %s through record %d, as of %s", p.LogID, p.Through, dateTime(p.AsOf))
	line("trained on     %s .. %s: %d events, %d frauds, labels known by %s", from, to, t.Rows, t.Frauds, dateTime(p.LabelsBy))
	if t.Immature > 0 {
		line("               %d more events left out: their labels could not be in yet", t.Immature)
	}
	line("               %d features, %d rounds, seed %d, %d threads", len(p.Inputs), t.Rounds, p.Seed, p.Threads)
	line("thresholds     on raw scores, chosen on the test events themselves:")
	for _, name := range []string{"review", "decline"} {
		threshold, asked := r.Thresholds[name]
		switch {
		case !asked:
			line("  %-8s     not asked for: never", name)
		case threshold.Raw == nil:
			line("  %-8s     never: %s", name, threshold.Problem)
		default:
			line("  %-8s     %.6g: %s, precision %.3f, recall %.3f", name, *threshold.Raw, threshold.Achieved.Rule, threshold.Achieved.Precision, threshold.Achieved.Recall)
		}
	}
	line("")
	if r.Early > 0 {
		line("careful        %d of the test events count as legitimate although their labels could not be in by %s:", r.Early, dateTime(p.AsOf))
		line("               precision and recall below are too low, and thresholds chosen from them wrong; end the test earlier")
		line("")
	}
	b.WriteString(r.Test.Text())
	return b.String()
}
