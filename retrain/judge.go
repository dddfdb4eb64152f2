package retrain

import (
	"context"
	"errors"
	"fmt"

	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/model"
	"github.com/haechi-fraud/haechi/retrain/evaluate"
	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// Report is the evidence of a run.
type Report struct {
	Plan       *Plan                `json:"plan"`
	Training   *Trained             `json:"training"`
	Test       evaluate.Report      `json:"test"`
	Thresholds map[string]Threshold `json:"thresholds"`
	Version    string               `json:"version"`
	Early      int                  `json:"test_events_too_young,omitempty"` // counted as legitimate although no label could be known by AsOf
}

// Threshold is a raw score from which on something happens, and how it was found. It was chosen on the test rows, so what
// it achieves there is how it was chosen, not a forecast.
type Threshold struct {
	Raw      *float64         `json:"raw"` // nil: nothing fulfils the rule, it never fires
	Achieved *evaluate.Choice `json:"achieved,omitempty"`
	Problem  string           `json:"problem,omitempty"`
}

// Judged is the outcome of the evaluation.
type Judged struct {
	Report Report
	Golden model.Golden
	Scores []float64 // raw, of Rows.Test
}

// Judge scores the test rows with the code that serves and measures them.
func Judge(ctx context.Context, p *Plan, rows *Rows, trained *Trained, w lightgbm.Worker, progress func(Progress)) (*Judged, error) {
	m, err := model.Parse(trained.Model)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	out := &Judged{}
	in := evaluate.Input{Title: p.EventType + " " + dateTime(p.Test.From) + ".." + dateTime(p.Test.To), Start: p.Test.From, End: p.Test.To}
	var real [][]float64
	for n, i := range rows.Test {
		row := rows.Values[i*rows.Columns : (i+1)*rows.Columns]
		raw, err := m.Predict(row)
		if err != nil {
			return nil, fmt.Errorf("evaluate event %s: %w", rows.ID[i], err)
		}
		in.Raw, in.Probability = append(in.Raw, raw), append(in.Probability, m.Probability(raw))
		in.Time, in.Fraud, in.Amount = append(in.Time, rows.Time[i]), append(in.Fraud, rows.Fraud[i]), append(in.Amount, rows.Amount[i])
		if n%(len(rows.Test)/500+1) == 0 {
			real = append(real, row)
		}
		if n%20_000 == 0 {
			progress(Progress{Step: "evaluate", Done: uint64(n), Total: uint64(len(rows.Test))})
		}
	}
	out.Scores = in.Raw
	if p.Schema.Currency == "" {
		in.Amount = nil
	}
	p.entities(rows, &in)
	out.Report = Report{Plan: p, Training: trained, Version: m.Digest(), Early: rows.Early}
	if out.Report.Thresholds, err = p.thresholds(&in); err != nil {
		return nil, err
	}
	in.Review, in.Decline = out.Report.Thresholds["review"].Raw, out.Report.Thresholds["decline"].Raw
	in.Costs = costs(p.Costs)
	if out.Report.Test, err = evaluate.Evaluate(in); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	out.Golden, err = golden(ctx, w, trained.Model, m, real, p.categorical())
	return out, err
}

// entities adds the kinds of entity that alerts and the rule of known ones go by.
func (p *Plan) entities(rows *Rows, in *evaluate.Input) {
	of := func(kind int) []int {
		out := make([]int, len(rows.Test))
		for n, i := range rows.Test {
			out[n] = rows.Entity[kind][i]
		}
		return out
	}
	if kind := p.entity(p.AlertEntity); kind >= 0 {
		in.Entity, in.EntityKind = of(kind), p.AlertEntity
	}
	if p.Known == nil {
		return
	}
	kind := p.entity(p.Known.Kind)
	in.Known = &evaluate.Known{Rule: *p.Known, Entity: of(kind), History: evaluate.History{
		Time: rows.History.Time, Entity: rows.History.Entity[kind], Fraud: make([]bool, len(rows.History.Time))}}
	for i := range in.Known.History.Fraud {
		in.Known.History.Fraud[i] = true
	}
}

// costs of the policy as the evaluation takes them: only a missed fraud may cost the event's own amount.
func costs(c *policy.Costs) *evaluate.Costs {
	if c == nil {
		return nil
	}
	out := &evaluate.Costs{FalseDecline: c.FalseDecline.Fixed, Review: c.Review.Fixed}
	if !c.MissedFraud.Amount {
		out.MissedFraud = &c.MissedFraud.Fixed
	}
	return out
}

// thresholds chooses the scores for review and decline as the policy asks.
func (p *Plan) thresholds(in *evaluate.Input) (map[string]Threshold, error) {
	out := map[string]Threshold{}
	for name, spec := range map[string]*policy.ThresholdSpec{"review": p.Thresholds.Review, "decline": p.Thresholds.Decline} {
		if spec == nil {
			continue
		}
		t, err := p.threshold(name, spec, in)
		if err != nil {
			return nil, fmt.Errorf("threshold for %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

func (p *Plan) threshold(name string, spec *policy.ThresholdSpec, in *evaluate.Input) (Threshold, error) {
	var choice evaluate.Choice
	var err error
	switch {
	case spec.LeastCost:
		var both evaluate.CostChoice
		if both, err = evaluate.ThresholdsForCost(in.Fraud, in.Raw, in.Amount, *costs(p.Costs)); err == nil {
			chosen := both.Review
			if name == "decline" {
				chosen = both.Decline
			}
			if chosen == nil {
				return Threshold{Problem: "never firing costs least"}, nil
			}
			choice = *chosen
		}
	case spec.AlertsPerDay > 0:
		var entity []int
		if spec.Per != "" {
			entity = in.Entity
		}
		choice, err = evaluate.ThresholdForBudget(evaluate.Days(in.Time, p.Test.From), entity, in.Fraud, in.Raw, spec.AlertsPerDay)
	default:
		choice, err = evaluate.ThresholdForPrecision(in.Fraud, in.Raw, spec.PrecisionAtLeast)
	}
	if errors.Is(err, evaluate.ErrNoThreshold) {
		return Threshold{Problem: unreached(spec)}, nil
	}
	if err != nil {
		return Threshold{}, err
	}
	return Threshold{Raw: &choice.Threshold, Achieved: &choice}, nil
}

// unreached says in words what no score does.
func unreached(spec *policy.ThresholdSpec) string {
	if spec.AlertsPerDay > 0 {
		return fmt.Sprintf("even the events of the highest score alone are more than %g alerts a day", spec.AlertsPerDay)
	}
	return fmt.Sprintf("from no score on is a share of %g fraud", spec.PrecisionAtLeast)
}
