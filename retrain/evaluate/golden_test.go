package evaluate_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/retrain/evaluate"
)

// exact is how far our sums may be from the script's: both are right to the last bits, in another order.
const exact = 1e-12

type goldenBudget struct {
	Alerts, Hits, Frauds int
	Precision, Recall    float64
	AmountRecall         float64 `json:"amount_recall"`
}

// golden is testdata/golden.json, made by testdata/make_golden.py.
type golden struct {
	Start       int64
	Time        []int64
	Entity      []int
	Fraud       []bool
	Raw         []float64
	Probability []float64
	Amount      []float64
	History     evaluate.History

	AUC, AP, Recall1, Recall5 float64
	BudgetEvent               goldenBudget `json:"budget_event"`
	BudgetEntity              goldenBudget `json:"budget_entity"`
	CardPrecision             []float64    `json:"card_precision"`
	Brier, ECE                float64
	LogLoss                   float64 `json:"log_loss"`
	Bins                      []evaluate.CalibrationBin
	Cost                      float64
	CostFixed                 float64 `json:"cost_fixed"`
	BestCost                  float64 `json:"best_cost"`
	BestCostDearReview        float64 `json:"best_cost_dear_review"`
	BestCostFixed             float64 `json:"best_cost_fixed"`
	ThresholdEvent            float64 `json:"threshold_event"`
	ThresholdEntity           float64 `json:"threshold_entity"`
	ThresholdPrecision        float64 `json:"threshold_precision"`
	Known147                  []bool  `json:"known_14_7"`
	Known203                  []bool  `json:"known_20_3"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	require.NoError(t, err)
	var g golden
	require.NoError(t, json.Unmarshal(text, &g))
	require.NotEmpty(t, g.Fraud)
	return g
}

func (g golden) input() evaluate.Input {
	review, decline := .5, 2.0
	return evaluate.Input{
		Title: "golden", Start: g.Start, Time: g.Time, Entity: g.Entity, EntityKind: "customer", Fraud: g.Fraud,
		Raw: g.Raw, Probability: g.Probability, Amount: g.Amount, Budgets: []int{5}, Tops: []int{6},
		Review: &review, Decline: &decline, Costs: &evaluate.Costs{FalseDecline: 15, Review: 4},
	}
}

func TestReportAgreesWithTheScript(t *testing.T) {
	g := readGolden(t)
	r, err := evaluate.Evaluate(g.input())
	require.NoError(t, err)
	require.InDelta(t, g.AUC, r.AUC, exact)
	require.InDelta(t, g.AP, r.AP, exact)
	require.InDelta(t, g.Recall1, r.RecallAtFPR1, exact)
	require.InDelta(t, g.Recall5, r.RecallAtFPR5, exact)
	requireBudget(t, g.BudgetEntity, r.Budgets[0])
	require.InDeltaSlice(t, g.CardPrecision, r.CardPrecision[0].ByDay, exact)
	require.InDelta(t, g.Brier, *r.Brier, exact)
	require.InDelta(t, g.LogLoss, *r.LogLoss, exact)
	require.InDelta(t, g.ECE, *r.CalibrationError, exact)
	require.Len(t, r.Calibration, len(g.Bins))
	for i, want := range g.Bins {
		got := r.Calibration[i]
		require.InDelta(t, want.MeanProbability, got.MeanProbability, exact)
		got.MeanProbability = want.MeanProbability
		require.Equal(t, want, got)
	}
	require.InDelta(t, g.Cost, r.Cost.Total, 1e-9)
	require.InDelta(t, g.Cost/float64(len(g.Fraud)), r.Cost.PerTransaction, exact)
	require.Equal(t, 6, r.Days)

	in := g.input()
	in.Entity = nil
	r, err = evaluate.Evaluate(in)
	require.NoError(t, err)
	requireBudget(t, g.BudgetEvent, r.Budgets[0])
	require.Nil(t, r.CardPrecision)
}

func requireBudget(t *testing.T, want goldenBudget, got evaluate.Budget) {
	t.Helper()
	require.Equal(t, []int{want.Alerts, want.Hits, want.Frauds}, []int{got.Alerts, got.Hits, got.Frauds})
	require.InDelta(t, want.Precision, got.Precision, exact)
	require.InDelta(t, want.Recall, got.Recall, exact)
	require.InDelta(t, want.AmountRecall, *got.AmountRecall, exact)
}

func TestThresholdsAgreeWithTheScript(t *testing.T) {
	g := readGolden(t)
	day := evaluate.Days(g.Time, g.Start)
	c, err := evaluate.ThresholdForBudget(day, nil, g.Fraud, g.Raw, 5)
	require.NoError(t, err)
	require.Equal(t, g.ThresholdEvent, c.Threshold)
	require.InDelta(t, c.Precision, c.AlertPrecision, exact, "an alert is an event")
	c, err = evaluate.ThresholdForBudget(day, g.Entity, g.Fraud, g.Raw, 5)
	require.NoError(t, err)
	require.Equal(t, g.ThresholdEntity, c.Threshold)
	require.LessOrEqual(t, c.AlertsPerDay, 5.0)
	c, err = evaluate.ThresholdForPrecision(g.Fraud, g.Raw, .5)
	require.NoError(t, err)
	require.Equal(t, g.ThresholdPrecision, c.Threshold)
	require.GreaterOrEqual(t, c.Precision, .5)
}

func TestLeastCostAgreesWithTheScript(t *testing.T) {
	g := readGolden(t)
	fixed := 60.0
	choice, err := evaluate.ThresholdsForCost(g.Fraud, g.Raw, g.Amount, evaluate.Costs{FalseDecline: 15, Review: 4})
	require.NoError(t, err)
	require.InDelta(t, g.BestCost, choice.Cost.Total, 1e-9)

	choice, err = evaluate.ThresholdsForCost(g.Fraud, g.Raw, g.Amount, evaluate.Costs{FalseDecline: 15, Review: 500})
	require.NoError(t, err)
	require.InDelta(t, g.BestCostDearReview, choice.Cost.Total, 1e-9)
	require.Nil(t, choice.Review, "a review that costs more than any fraud never pays")
	require.NotNil(t, choice.Decline)

	choice, err = evaluate.ThresholdsForCost(g.Fraud, g.Raw, nil, evaluate.Costs{MissedFraud: &fixed, FalseDecline: 200, Review: 7})
	require.NoError(t, err)
	require.InDelta(t, g.BestCostFixed, choice.Cost.Total, 1e-9)

	choice, err = evaluate.ThresholdsForCost([]bool{false, true}, []float64{2, 1}, []float64{9, 9}, evaluate.Costs{FalseDecline: 10, Review: 10})
	require.NoError(t, err)
	require.Nil(t, choice.Review)
	require.Nil(t, choice.Decline)
	require.Equal(t, choice.Cost.ApproveAll, choice.Cost.PerTransaction)

	review, decline := .5, 2.0
	cost, err := evaluate.CostPerTransaction(g.Fraud, nil, evaluate.Decide(g.Raw, &review, &decline), evaluate.Costs{MissedFraud: &fixed, FalseDecline: 15, Review: 4})
	require.NoError(t, err)
	require.InDelta(t, g.CostFixed, cost.Total, 1e-9)
}

func TestKnownEntitiesAgreeWithTheScript(t *testing.T) {
	g := readGolden(t)
	rule := evaluate.KnownRule{Kind: "customer", Start: g.Start, Span: 14 * evaluate.DayUS, Delay: 7 * evaluate.DayUS}
	got, err := evaluate.KnownEntities(g.Time, g.Entity, g.History, rule)
	require.NoError(t, err)
	require.Equal(t, g.Known147, got)
	rule.Span, rule.Delay = 20*evaluate.DayUS, 3*evaluate.DayUS
	got, err = evaluate.KnownEntities(g.Time, g.Entity, g.History, rule)
	require.NoError(t, err)
	require.Equal(t, g.Known203, got)
	require.Contains(t, got, true)
	require.Contains(t, got, false)
}

func TestExcludedEventsAreNotMeasured(t *testing.T) {
	g := readGolden(t)
	in := g.input()
	in.Known = &evaluate.Known{Rule: evaluate.KnownRule{Kind: "customer", Span: 14 * evaluate.DayUS, Delay: 7 * evaluate.DayUS}, History: g.History}
	r, err := evaluate.Evaluate(in)
	require.NoError(t, err)
	left := 0
	var fraud []bool
	var raw []float64
	for i, out := range g.Known147 {
		if out {
			left++
			continue
		}
		fraud, raw = append(fraud, g.Fraud[i]), append(raw, g.Raw[i])
	}
	require.Equal(t, left, r.Excluded)
	require.Equal(t, len(g.Fraud)-left, r.Events)
	auc, err := evaluate.AUC(fraud, raw)
	require.NoError(t, err)
	require.Equal(t, auc, r.AUC)
	require.Equal(t, g.Start, r.ExcludedRule.Start)
	require.Len(t, in.Fraud, len(g.Known147), "the caller's slices stay as they were")
}
