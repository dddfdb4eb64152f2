package evaluate_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/retrain/evaluate"
)

func TestImpossibleInputIsAnError(t *testing.T) {
	yes, score := []bool{true, false}, []float64{1, 2}
	for name, c := range map[string]struct {
		fraud []bool
		score []float64
		want  error
	}{
		"empty":    {nil, nil, evaluate.ErrEmpty},
		"lengths":  {yes, []float64{1}, evaluate.ErrLength},
		"frauds":   {[]bool{true, true}, score, evaluate.ErrOneClass},
		"none":     {[]bool{false, false}, score, evaluate.ErrOneClass},
		"NaN":      {yes, []float64{1, math.NaN()}, evaluate.ErrNotFinite},
		"infinity": {yes, []float64{1, math.Inf(-1)}, evaluate.ErrNotFinite},
	} {
		t.Run(name, func(t *testing.T) {
			days := make([]int, len(c.score))
			for measure, err := range map[string]error{
				"AUC":       second(evaluate.AUC(c.fraud, c.score)),
				"AP":        second(evaluate.AveragePrecision(c.fraud, c.score)),
				"recall":    second(evaluate.RecallAtFPR(c.fraud, c.score, .01)),
				"ROC":       second(evaluate.ROC(c.fraud, c.score)),
				"PR":        second(evaluate.PR(c.fraud, c.score)),
				"budget":    second(evaluate.AtBudget(days, days, c.fraud, c.score, 1)),
				"card":      second(evaluate.CardPrecision(days, days, c.fraud, c.score, 1)),
				"Brier":     second(evaluate.Brier(c.fraud, c.score)),
				"loss":      second(evaluate.LogLoss(c.fraud, c.score)),
				"bins":      second(evaluate.CalibrationBins(c.fraud, c.score, 2)),
				"threshold": second(evaluate.AtThreshold(c.fraud, c.score, 1)),
				"floor":     second(evaluate.ThresholdForPrecision(c.fraud, c.score, .5)),
				"alerts":    second(evaluate.ThresholdForBudget(days, nil, c.fraud, c.score, 1)),
				"cost":      second(evaluate.ThresholdsForCost(c.fraud, c.score, c.score, evaluate.Costs{})),
			} {
				if measure == "Brier" || measure == "loss" || measure == "bins" {
					if c.want == evaluate.ErrOneClass {
						require.ErrorIs(t, err, evaluate.ErrRange, "a score of 2 is no probability")
						continue
					}
				}
				require.ErrorIs(t, err, c.want, measure)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestParametersOutOfRange(t *testing.T) {
	fraud, score, day := []bool{true, false}, []float64{.4, .2}, []int{0, 0}
	three := -3.0
	for name, err := range map[string]error{
		"rate":     second(evaluate.RecallAtFPR(fraud, score, math.NaN())),
		"rate > 1": second(evaluate.RecallAtFPR(fraud, score, 1.5)),
		"budget":   second(evaluate.AtBudget(day, nil, fraud, score, 0)),
		"alerts":   second(evaluate.ThresholdForBudget(day, nil, fraud, score, math.NaN())),
		"top":      second(evaluate.CardPrecision(day, day, fraud, score, 0)),
		"bins":     second(evaluate.CalibrationBins(fraud, score, 0)),
		"floor":    second(evaluate.ThresholdForPrecision(fraud, score, 0)),
		"costs":    second(evaluate.ThresholdsForCost(fraud, score, score, evaluate.Costs{MissedFraud: &three})),
		"amount":   second(evaluate.AmountRecall(fraud, fraud, []float64{-1, 2})),
		"decision": second(evaluate.CostPerTransaction(fraud, score, []evaluate.Decision{9, 0}, evaluate.Costs{})),
		"known":    second(evaluate.KnownEntities([]int64{0}, []int{1}, evaluate.History{}, evaluate.KnownRule{Span: 1, Delay: 2})),
		"early":    second(evaluate.KnownEntities([]int64{0}, []int{1}, evaluate.History{}, evaluate.KnownRule{Start: 5, Span: 1})),
		"outside":  second(evaluate.Evaluate(evaluate.Input{Start: 1, Time: []int64{0, 1}, Fraud: fraud, Raw: score})),
		"after":    second(evaluate.Evaluate(evaluate.Input{End: 1, Time: []int64{0, 1}, Fraud: fraud, Raw: score})),
	} {
		require.ErrorIs(t, err, evaluate.ErrRange, name)
	}
	require.ErrorIs(t, second(evaluate.CardPrecision(day, nil, fraud, score, 1)), evaluate.ErrLength)
	require.ErrorIs(t, second(evaluate.ThresholdForBudget([]int{0, 0, 0}, nil, fraud, score, 1)), evaluate.ErrLength)
	require.ErrorIs(t, second(evaluate.ThresholdForBudget(day, nil, fraud, []float64{1, 1}, 1)), evaluate.ErrNoThreshold)
	require.ErrorIs(t, second(evaluate.AmountRecall(fraud, fraud, []float64{0, 2})), evaluate.ErrOneClass)
	require.ErrorIs(t, second(evaluate.CalibrationError(nil)), evaluate.ErrEmpty)
	require.ErrorIs(t, second(evaluate.Evaluate(evaluate.Input{Time: []int64{0, 1}, Fraud: fraud, Raw: score, Amount: score[:1]})), evaluate.ErrLength)
}

func TestDaysAreSpansFromTheStart(t *testing.T) {
	start := int64(3600_000_000)
	require.Equal(t, []int{-1, 0, 0, 1, -1}, evaluate.Days([]int64{start - 1, start, start + evaluate.DayUS - 1, start + evaluate.DayUS, start - evaluate.DayUS}, start))
}

func TestCertainMistakeIsFinite(t *testing.T) {
	loss, err := evaluate.LogLoss([]bool{true, false}, []float64{0, 1})
	require.NoError(t, err)
	require.InDelta(t, 52*math.Ln2, loss, 1e-9)
}

func TestEqualScoresGoToTheEarlierEntity(t *testing.T) {
	day, score := []int{0, 0, 0}, []float64{1, 1, 1}
	cp, err := evaluate.CardPrecision(day, []int{7, 3, 7}, []bool{false, true, false}, score, 1)
	require.NoError(t, err)
	require.Zero(t, cp, "entity 7 came first and is no fraud")
	cp, err = evaluate.CardPrecision(day, []int{3, 7, 7}, []bool{true, false, false}, score, 1)
	require.NoError(t, err)
	require.Equal(t, 1.0, cp)
}

func TestFoundEntitiesLeave(t *testing.T) {
	day, entity := []int{0, 0, 1, 1}, []int{1, 2, 1, 2}
	fraud, score := []bool{true, false, true, true}, []float64{9, 1, 9, 1}
	perDay, err := evaluate.CardPrecisionByDay(day, entity, fraud, score, 1)
	require.NoError(t, err)
	require.Equal(t, []float64{1, 1}, perDay, "entity 1 was found on day 0, so entity 2 leads day 1")
	b, err := evaluate.AtBudget(day, entity, fraud, score, 1)
	require.NoError(t, err)
	require.Equal(t, 2.0/3, b.Recall, "at a budget nobody leaves: entity 1 is alerted on both days")
}

func TestReportAsTextAndJSON(t *testing.T) {
	g := readGolden(t)
	in := g.input()
	in.Known = &evaluate.Known{Rule: evaluate.KnownRule{Kind: "customer", Span: 14 * evaluate.DayUS, Delay: 7 * evaluate.DayUS}, History: g.History}
	r, err := evaluate.Evaluate(in)
	require.NoError(t, err)
	text := r.Text()
	for _, part := range []string{"ROC AUC", "average precision", "card precision top 6", "2018-08-08 00:00 to 2018-08-14 00:00 UTC, 6 days", "5 per customer", "review", "decline", "per transaction", "Brier", "(customer:14d, labels 7 days late)"} {
		require.Contains(t, text, part)
	}
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, len(line), 110)
		require.Equal(t, strings.TrimRight(line, " \n"), strings.TrimSuffix(line, "\n"))
	}
	t.Log("\n" + text)

	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	var back evaluate.Report
	require.NoError(t, json.Unmarshal(encoded, &back))
	require.Equal(t, r, back)

	bare, err := evaluate.Evaluate(evaluate.Input{Time: []int64{0, 1}, Fraud: []bool{true, false}, Raw: []float64{1, 0}})
	require.NoError(t, err)
	require.Equal(t, 1.0, bare.AUC)
	require.NotContains(t, bare.Text(), "Brier")
	require.Nil(t, bare.Cost)
}
