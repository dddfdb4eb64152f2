package evaluate

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Text renders the report as a page for people: aligned columns, no escape codes, times in UTC.
func (r Report) Text() string {
	var b strings.Builder
	if r.Title != "" {
		fmt.Fprintf(&b, "%s\n", r.Title)
	}
	fmt.Fprintf(&b, "test %s to %s UTC, %s\n", stamp(r.Start), stamp(r.End), plural(r.Days, "day"))
	fmt.Fprintf(&b, "%s events, %s frauds (%.3f %%)\n", grouped(r.Events), grouped(r.Frauds), 100*r.FraudRate)
	if r.ExcludedRule != nil {
		fmt.Fprintf(&b, "%s events left out: their %s was known to be compromised (%s:%gd, labels %g days late)\n",
			grouped(r.Excluded), r.ExcludedRule.Kind, r.ExcludedRule.Kind, inDays(r.ExcludedRule.Span), inDays(r.ExcludedRule.Delay))
	}
	r.textRanking(&b)
	r.textBudgets(&b)
	r.textThresholds(&b)
	r.textMoney(&b)
	r.textProbability(&b)
	return b.String()
}

// table writes rows of tab-separated cells under a heading; cells after the first are aligned to the right.
func table(b *strings.Builder, heading string, rows ...string) {
	fmt.Fprintf(b, "\n%s\n", heading)
	width := 0
	for _, row := range rows {
		first, _, _ := strings.Cut(row, "\t")
		width = max(width, len([]rune(first)))
	}
	var cells strings.Builder
	w := tabwriter.NewWriter(&cells, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		first, rest, _ := strings.Cut(row, "\t")
		fmt.Fprintf(w, "%s%s\t%s\t\n", first, strings.Repeat(" ", width-len([]rune(first))), rest)
	}
	_ = w.Flush() // a strings.Builder does not fail
	for line := range strings.Lines(cells.String()) {
		b.WriteString(strings.TrimRight(line, " \n"))
		b.WriteByte('\n')
	}
}

func (r Report) textRanking(b *strings.Builder) {
	rows := []string{
		fmt.Sprintf("ROC AUC\t%.4f", r.AUC),
		fmt.Sprintf("average precision\t%.4f", r.AP),
		fmt.Sprintf("recall at 1 %% false positives\t%.4f", r.RecallAtFPR1),
		fmt.Sprintf("recall at 5 %% false positives\t%.4f", r.RecallAtFPR5),
	}
	for _, t := range r.CardPrecision {
		rows = append(rows, fmt.Sprintf("card precision top %d (perfect %.4f)\t%.4f", t.Top, t.Ceiling, t.Value))
	}
	table(b, "Ranking", rows...)
}

func (r Report) textBudgets(b *strings.Builder) {
	if len(r.Budgets) == 0 {
		return
	}
	rows := []string{"alerts a day\talerts\twith fraud\tprecision\trecall\tof the money"}
	for _, v := range r.Budgets {
		rows = append(rows, fmt.Sprintf("%d per %s\t%s\t%s\t%.4f\t%.4f\t%s",
			v.PerDay, v.Per, grouped(v.Alerts), grouped(v.Hits), v.Precision, v.Recall, share(v.AmountRecall)))
	}
	table(b, "Alert budget", rows...)
}

func (r Report) textThresholds(b *strings.Builder) {
	rows := []string{"threshold\traw\talerts a day\tevents\tprecision\trecall\tfalse positives\tof the money"}
	for _, v := range []struct {
		name string
		at   *Operating
	}{{"review", r.Review}, {"decline", r.Decline}} {
		if v.at == nil {
			continue
		}
		rows = append(rows, fmt.Sprintf("%s\t%.5f\t%.1f\t%s\t%.4f\t%.4f\t%.5f\t%s", v.name, v.at.Threshold, v.at.AlertsPerDay,
			grouped(v.at.Events), v.at.Precision, v.at.Recall, v.at.FalsePositiveRate, share(v.at.AmountRecall)))
	}
	if len(rows) > 1 {
		table(b, "Thresholds, at or above", rows...)
	}
}

func (r Report) textMoney(b *strings.Builder) {
	if len(r.Decisions) > 0 {
		var rows []string
		for d := Approve; d <= Decline; d++ {
			if n := r.Decisions[d.String()]; n > 0 {
				rows = append(rows, fmt.Sprintf("%s\t%s\t%.3f %%", d, grouped(n), 100*ratio(n, r.Events)))
			}
		}
		table(b, "Decisions", rows...)
	}
	if r.Cost == nil {
		return
	}
	rows := []string{
		fmt.Sprintf("missed fraud\t%.2f", r.Cost.MissedFraud),
		fmt.Sprintf("false declines\t%.2f", r.Cost.FalseDecline),
		fmt.Sprintf("reviews\t%.2f", r.Cost.Review),
	}
	if r.Cost.Challenge > 0 {
		rows = append(rows, fmt.Sprintf("challenges\t%.2f", r.Cost.Challenge))
	}
	rows = append(rows,
		fmt.Sprintf("total\t%.2f", r.Cost.Total),
		fmt.Sprintf("per transaction\t%.4f", r.Cost.PerTransaction),
		fmt.Sprintf("per transaction, if all were approved\t%.4f", r.Cost.ApproveAll))
	table(b, "Cost, by declared costs", rows...)
}

func (r Report) textProbability(b *strings.Builder) {
	if r.Brier == nil {
		return
	}
	table(b, "Probability",
		fmt.Sprintf("Brier score\t%.6f", *r.Brier),
		fmt.Sprintf("log loss (nats)\t%.6f", *r.LogLoss),
		fmt.Sprintf("calibration error\t%.6f", *r.CalibrationError))
	rows := []string{"bin\tfrom\tto\tevents\tmean probability\tfraud rate"}
	for i, c := range r.Calibration {
		rows = append(rows, fmt.Sprintf("%d\t%.5f\t%.5f\t%s\t%.5f\t%.5f", i+1, c.From, c.To, grouped(c.Events), c.MeanProbability, c.FraudRate))
	}
	table(b, "Calibration, bins of equal numbers", rows...)
}

func stamp(us int64) string { return time.UnixMicro(us).UTC().Format("2006-01-02 15:04") }

func share(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.4f", *v)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return grouped(n) + " " + word + "s"
}

// grouped writes a count with a comma every three digits.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
