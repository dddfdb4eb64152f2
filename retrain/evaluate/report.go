package evaluate

import (
	"errors"
	"fmt"
)

// Report is everything that is measured on one test. Absent parts were not asked for or had no input.
type Report struct {
	Title      string  `json:"title,omitempty"`
	Start      int64   `json:"start"` // microseconds since the Unix epoch
	End        int64   `json:"end"`   // not included
	Days       int     `json:"days"`  // days with events
	Events     int     `json:"events"`
	Frauds     int     `json:"frauds"`
	FraudRate  float64 `json:"fraud_rate"`
	EntityKind string  `json:"entity_kind,omitempty"`

	Excluded      int        `json:"excluded"` // events left out because their entity was known
	ExcludedRule  *KnownRule `json:"excluded_rule,omitempty"`
	AUC           float64    `json:"auc"`
	AP            float64    `json:"average_precision"`
	RecallAtFPR1  float64    `json:"recall_at_fpr_1"` // at a false positive rate of 1 %
	RecallAtFPR5  float64    `json:"recall_at_fpr_5"`
	Budgets       []Budget   `json:"budgets,omitempty"`
	CardPrecision []TopK     `json:"card_precision,omitempty"`

	Brier            *float64         `json:"brier,omitempty"`
	LogLoss          *float64         `json:"log_loss,omitempty"`
	CalibrationError *float64         `json:"calibration_error,omitempty"`
	Calibration      []CalibrationBin `json:"calibration,omitempty"`

	Review    *Operating     `json:"review,omitempty"`  // the review threshold on this test
	Decline   *Operating     `json:"decline,omitempty"` // the decline threshold on this test
	Decisions map[string]int `json:"decisions,omitempty"`
	Costs     *Costs         `json:"costs,omitempty"` // as declared
	Cost      *Cost          `json:"cost,omitempty"`

	ROC []ROCPoint `json:"roc"`
	PR  []PRPoint  `json:"pr"`
}

// TopK is a card precision and what a perfect score would reach.
type TopK struct {
	Top     int       `json:"top"`
	Value   float64   `json:"value"`
	Ceiling float64   `json:"ceiling"` // card precision of the labels themselves
	ByDay   []float64 `json:"by_day"`
}

// Operating is a threshold chosen elsewhere, applied to this test.
type Operating struct {
	Choice
	AmountRecall *float64 `json:"amount_recall,omitempty"`
}

// Evaluate measures everything that the input allows. The first thing that cannot be measured is the error.
func Evaluate(in Input) (Report, error) {
	if err := in.check(); err != nil {
		return Report{}, err
	}
	marked, err := in.excluded()
	if err != nil {
		return Report{}, err
	}
	in = in.without(marked)
	if len(in.Fraud) == 0 {
		return Report{}, fmt.Errorf("evaluate: %w: every entity of the test was known before", ErrEmpty)
	}
	r := Report{
		Title: in.Title, Start: in.Start, End: in.End, EntityKind: in.EntityKind,
		Events: len(in.Fraud), Frauds: count(in.Fraud), Excluded: count(marked),
	}
	r.FraudRate = ratio(r.Frauds, r.Events)
	if in.Known != nil {
		rule := in.Known.Rule
		rule.Start = in.Start
		r.ExcludedRule = &rule
	}
	for _, part := range []func(*Input) error{r.ranking, r.alerts, r.probabilities, r.thresholds, r.money} {
		if err := part(&in); err != nil {
			return Report{}, err
		}
	}
	return r, nil
}

func (r *Report) ranking(in *Input) (err error) {
	if r.AUC, err = AUC(in.Fraud, in.Raw); err != nil {
		return err
	}
	if r.AP, err = AveragePrecision(in.Fraud, in.Raw); err != nil {
		return err
	}
	if r.RecallAtFPR1, err = RecallAtFPR(in.Fraud, in.Raw, .01); err != nil {
		return err
	}
	if r.RecallAtFPR5, err = RecallAtFPR(in.Fraud, in.Raw, .05); err != nil {
		return err
	}
	roc, err := ROC(in.Fraud, in.Raw)
	if err != nil {
		return err
	}
	pr, err := PR(in.Fraud, in.Raw)
	r.ROC, r.PR = ThinROC(roc, in.Points), ThinPR(pr, in.Points)
	return err
}

func (r *Report) alerts(in *Input) error {
	day := Days(in.Time, in.Start)
	r.Days = len(byDay(day))
	per := in.EntityKind
	if in.Entity == nil {
		per = "event"
	}
	for _, k := range in.Budgets {
		b, err := AtBudget(day, in.Entity, in.Fraud, in.Raw, k)
		if err != nil {
			return err
		}
		b.Per = per
		marked, err := Alerted(day, in.Entity, in.Raw, k)
		if err != nil {
			return err
		}
		if b.AmountRecall, err = in.amountRecall(marked); err != nil {
			return err
		}
		r.Budgets = append(r.Budgets, b)
	}
	if in.Entity == nil {
		return nil
	}
	for _, k := range in.Tops {
		top, err := topK(day, in, k)
		if err != nil {
			return err
		}
		r.CardPrecision = append(r.CardPrecision, top)
	}
	return nil
}

func topK(day []int, in *Input, k int) (TopK, error) {
	byDay, err := CardPrecisionByDay(day, in.Entity, in.Fraud, in.Raw, k)
	if err != nil {
		return TopK{}, err
	}
	top := TopK{Top: k, ByDay: byDay}
	if top.Value, err = CardPrecision(day, in.Entity, in.Fraud, in.Raw, k); err != nil {
		return TopK{}, err
	}
	perfect := make([]float64, len(in.Fraud))
	for i, f := range in.Fraud {
		if f {
			perfect[i] = 1
		}
	}
	top.Ceiling, err = CardPrecision(day, in.Entity, in.Fraud, perfect, k)
	return top, err
}

// amountRecall is nil where there is no money to recall: no amounts, or frauds that are all worth nothing.
func (in *Input) amountRecall(alerted []bool) (*float64, error) {
	if in.Amount == nil {
		return nil, nil
	}
	v, err := AmountRecall(in.Fraud, alerted, in.Amount)
	if errors.Is(err, ErrOneClass) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func (r *Report) probabilities(in *Input) error {
	if in.Probability == nil {
		return nil
	}
	brier, err := Brier(in.Fraud, in.Probability)
	if err != nil {
		return err
	}
	loss, err := LogLoss(in.Fraud, in.Probability)
	if err != nil {
		return err
	}
	if r.Calibration, err = CalibrationBins(in.Fraud, in.Probability, in.Bins); err != nil {
		return err
	}
	ece, err := CalibrationError(r.Calibration)
	r.Brier, r.LogLoss, r.CalibrationError = &brier, &loss, &ece
	return err
}

func (r *Report) thresholds(in *Input) (err error) {
	if r.Review, err = in.operating(in.Review); err != nil {
		return err
	}
	r.Decline, err = in.operating(in.Decline)
	return err
}

func (in *Input) operating(threshold *float64) (*Operating, error) {
	if threshold == nil {
		return nil, nil
	}
	c, err := AtThreshold(in.Fraud, in.Raw, *threshold)
	if err != nil {
		return nil, err
	}
	units, days := unitScores(Days(in.Time, in.Start), in.Entity, in.Fraud, in.Raw)
	alerts, hits := 0, 0
	for _, u := range units {
		if u.best >= *threshold {
			alerts++
			if u.fraud {
				hits++
			}
		}
	}
	c.AlertsPerDay, c.AlertPrecision = float64(alerts)/float64(days), ratio(hits, alerts)
	alerted := make([]bool, len(in.Raw))
	for i, s := range in.Raw {
		alerted[i] = s >= *threshold
	}
	money, err := in.amountRecall(alerted)
	return &Operating{Choice: c, AmountRecall: money}, err
}

func (r *Report) money(in *Input) error {
	decisions := in.Decision
	if decisions == nil {
		if in.Review == nil && in.Decline == nil {
			return nil
		}
		decisions = Decide(in.Raw, in.Review, in.Decline)
	}
	r.Decisions = map[string]int{}
	for _, d := range decisions {
		r.Decisions[d.String()]++
	}
	if in.Costs == nil {
		return nil
	}
	cost, err := CostPerTransaction(in.Fraud, in.Amount, decisions, *in.Costs)
	r.Costs, r.Cost = in.Costs, &cost
	return err
}
