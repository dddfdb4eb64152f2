package evaluate_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/retrain/evaluate"
)

// sample is a random test with both classes, few distinct scores, a few days and entities.
type sample struct {
	day, entity []int
	fraud       []bool
	score       []float64
	amount      []float64
}

func draw(t *rapid.T) sample {
	n := rapid.IntRange(2, 60).Draw(t, "n")
	levels := rapid.IntRange(1, 40).Draw(t, "levels")
	s := sample{
		day:    rapid.SliceOfN(rapid.IntRange(-1, 3), n, n).Draw(t, "day"),
		entity: rapid.SliceOfN(rapid.IntRange(-1, 7), n, n).Draw(t, "entity"),
		fraud:  rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "fraud"),
	}
	for _, v := range rapid.SliceOfN(rapid.IntRange(0, levels), n, n).Draw(t, "score") {
		s.score = append(s.score, float64(v)/4-3)
	}
	for _, v := range rapid.SliceOfN(rapid.IntRange(0, 30_000), n, n).Draw(t, "cents") {
		s.amount = append(s.amount, float64(v)/100)
	}
	slices.Sort(s.day)
	one := rapid.IntRange(0, n-1).Draw(t, "a fraud")
	s.fraud[one], s.fraud[(one+1)%n] = true, false
	return s
}

func (s sample) at(threshold float64) (tp, fp int) {
	for i, v := range s.score {
		if v >= threshold && s.fraud[i] {
			tp++
		} else if v >= threshold {
			fp++
		}
	}
	return tp, fp
}

func (s sample) classes() (frauds, others float64) {
	tp, fp := s.at(math.Inf(-1))
	return float64(tp), float64(fp)
}

// thresholds are the distinct scores, the highest first.
func (s sample) thresholds() []float64 {
	t := slices.Clone(s.score)
	slices.Sort(t)
	slices.Reverse(t)
	return slices.Compact(t)
}

func TestRankingAgainstPairsAndThresholds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		frauds, others := s.classes()
		won := 0.0
		for i, a := range s.score {
			for j, b := range s.score {
				if s.fraud[i] && !s.fraud[j] {
					if a > b {
						won++
					} else if a == b {
						won += .5
					}
				}
			}
		}
		auc, err := evaluate.AUC(s.fraud, s.score)
		require.NoError(t, err)
		require.Equal(t, won/(frauds*others), auc, "counted in integers, so equal to the bit")

		limit := rapid.Float64Range(0, 1).Draw(t, "limit")
		average, recall, before := 0.0, 0.0, 0.0
		for _, threshold := range s.thresholds() {
			tp, fp := s.at(threshold)
			average += (float64(tp)/frauds - before) * float64(tp) / float64(tp+fp)
			before = float64(tp) / frauds
			if float64(fp)/others <= limit {
				recall = max(recall, before)
			}
		}
		ap, err := evaluate.AveragePrecision(s.fraud, s.score)
		require.NoError(t, err)
		require.InDelta(t, average, ap, 1e-12)
		got, err := evaluate.RecallAtFPR(s.fraud, s.score, limit)
		require.NoError(t, err)
		require.Equal(t, recall, got)
	})
}

func TestRankingIgnoresTheOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		order := rapid.Permutation(indexes(len(s.fraud))).Draw(t, "order")
		var fraud []bool
		var score []float64
		for _, i := range order {
			fraud, score = append(fraud, s.fraud[i]), append(score, s.score[i])
		}
		for _, f := range []func([]bool, []float64) (float64, error){evaluate.AUC, evaluate.AveragePrecision} {
			a, err := f(s.fraud, s.score)
			require.NoError(t, err)
			b, err := f(fraud, score)
			require.NoError(t, err)
			require.Equal(t, a, b)
		}
	})
}

func TestCurvesAgainstThresholds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		frauds, others := s.classes()
		roc, err := evaluate.ROC(s.fraud, s.score)
		require.NoError(t, err)
		pr, err := evaluate.PR(s.fraud, s.score)
		require.NoError(t, err)
		thresholds := s.thresholds()
		require.Len(t, roc, len(thresholds))
		require.Len(t, pr, len(thresholds))
		area, x, y := 0.0, 0.0, 0.0
		for i, threshold := range thresholds {
			tp, fp := s.at(threshold)
			require.Equal(t, evaluate.ROCPoint{Threshold: threshold, FalsePositiveRate: float64(fp) / others, Recall: float64(tp) / frauds}, roc[i])
			require.Equal(t, evaluate.PRPoint{Threshold: threshold, Precision: float64(tp) / float64(tp+fp), Recall: float64(tp) / frauds}, pr[i])
			area += (roc[i].FalsePositiveRate - x) * (roc[i].Recall + y) / 2
			x, y = roc[i].FalsePositiveRate, roc[i].Recall
		}
		auc, err := evaluate.AUC(s.fraud, s.score)
		require.NoError(t, err)
		require.InDelta(t, auc, area, 1e-12, "the area under the trapezoids")

		n := rapid.IntRange(2, 20).Draw(t, "points")
		thin := evaluate.ThinROC(slices.Clone(roc), n)
		require.LessOrEqual(t, len(thin), n+2)
		require.Equal(t, roc[0], thin[0])
		require.Equal(t, roc[len(roc)-1], thin[len(thin)-1])
		require.LessOrEqual(t, len(evaluate.ThinPR(pr, n)), n+2)
	})
}

// topUnits is the slow way to the k best entities of a day: pick the best that is left, k times.
func (s sample) topUnits(day, k int, left map[int]bool) (top []int) {
	for range k {
		best, score := -1, math.Inf(-1)
		for i, e := range s.entity { // in order of events: the first of equals stays
			if s.day[i] != day || e < 0 || left[e] || slices.Contains(top, e) {
				continue
			}
			if m := s.maximum(day, e); m > score {
				best, score = e, m
			}
		}
		if best >= 0 {
			top = append(top, best)
		}
	}
	return top
}

func (s sample) maximum(day, entity int) float64 {
	m := math.Inf(-1)
	for i, v := range s.score {
		if s.day[i] == day && s.entity[i] == entity {
			m = max(m, v)
		}
	}
	return m
}

func (s sample) defrauded(day, entity int) bool {
	for i := range s.score {
		if s.day[i] == day && s.entity[i] == entity && s.fraud[i] {
			return true
		}
	}
	return false
}

func TestCardPrecisionAndBudgetAgainstPicking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		k := rapid.IntRange(1, 6).Draw(t, "k")
		found := map[int]bool{}
		days := slices.Compact(slices.Clone(s.day))
		sum, alerts, hits := 0.0, 0, 0
		var marked []bool
		for _, d := range days {
			n := 0
			for _, e := range s.topUnits(d, k, found) {
				if s.defrauded(d, e) {
					n++
					found[e] = true
				}
			}
			sum += float64(n) / float64(k)
			top := s.topUnits(d, k, nil)
			alerts += len(top)
			for _, e := range top {
				if s.defrauded(d, e) {
					hits++
				}
			}
			for i := range s.day {
				if s.day[i] == d {
					marked = append(marked, slices.Contains(top, s.entity[i]))
				}
			}
		}
		cp, err := evaluate.CardPrecision(s.day, s.entity, s.fraud, s.score, k)
		require.NoError(t, err)
		require.InDelta(t, sum/float64(len(days)), cp, 1e-12)

		got, err := evaluate.Alerted(s.day, s.entity, s.score, k)
		require.NoError(t, err)
		require.Equal(t, marked, got)
		b, err := evaluate.AtBudget(s.day, s.entity, s.fraud, s.score, k)
		if err != nil {
			require.ErrorIs(t, err, evaluate.ErrOneClass)
			return
		}
		require.Equal(t, []int{alerts, hits, len(days)}, []int{b.Alerts, b.Hits, b.Days})
	})
}

func TestThresholdChoosersAgainstTryingAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		costs := evaluate.Costs{FalseDecline: rapid.Float64Range(0, 300).Draw(t, "false decline"), Review: rapid.Float64Range(0, 100).Draw(t, "review")}
		choice, err := evaluate.ThresholdsForCost(s.fraud, s.score, s.amount, costs)
		require.NoError(t, err)
		best := math.Inf(1)
		marks := append(s.thresholds(), math.Inf(1))
		for _, review := range marks {
			for _, decline := range marks {
				c, err := evaluate.CostPerTransaction(s.fraud, s.amount, evaluate.Decide(s.score, &review, &decline), costs)
				require.NoError(t, err)
				best = min(best, c.Total)
			}
		}
		require.InDelta(t, best, choice.Cost.Total, 1e-6)

		floor := rapid.Float64Range(.01, 1).Draw(t, "floor")
		lowest, reached := 0.0, false
		for _, threshold := range s.thresholds() {
			if tp, fp := s.at(threshold); float64(tp)/float64(tp+fp) >= floor {
				lowest, reached = threshold, true
			}
		}
		c, err := evaluate.ThresholdForPrecision(s.fraud, s.score, floor)
		if !reached {
			require.ErrorIs(t, err, evaluate.ErrNoThreshold)
			return
		}
		require.NoError(t, err)
		require.Equal(t, lowest, c.Threshold)
	})
}

func TestBudgetThresholdIsTheLowestThatHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		perDay := rapid.Float64Range(.1, 12).Draw(t, "per day")
		days := slices.Compact(slices.Clone(s.day))
		alerts := func(threshold float64) (n int) {
			for _, d := range days {
				for e := 0; e <= 7; e++ {
					if s.maximum(d, e) >= threshold {
						n++
					}
				}
			}
			return n
		}
		lowest, reached := 0.0, false
		for _, threshold := range s.thresholds() {
			if n := alerts(threshold); n > 0 && float64(n) <= perDay*float64(len(days)) {
				lowest, reached = threshold, true
			}
		}
		c, err := evaluate.ThresholdForBudget(s.day, s.entity, s.fraud, s.score, perDay)
		if !reached {
			require.ErrorIs(t, err, evaluate.ErrNoThreshold)
			return
		}
		require.NoError(t, err)
		// Between two scores of entities lie scores that are nobody's best of the day: they alert the same entities.
		require.Equal(t, alerts(lowest), alerts(c.Threshold))
		require.InDelta(t, float64(alerts(c.Threshold))/float64(len(days)), c.AlertsPerDay, 1e-12)
	})
}

func TestCalibrationBinsHoldEveryEventOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		p := make([]float64, len(s.score))
		for i, v := range s.score {
			p[i] = 1 / (1 + math.Exp(-v))
		}
		bins, err := evaluate.CalibrationBins(s.fraud, p, rapid.IntRange(1, 12).Draw(t, "bins"))
		require.NoError(t, err)
		events, frauds, sum := 0, 0, 0.0
		for i, b := range bins {
			require.LessOrEqual(t, b.From, b.To)
			if i > 0 {
				require.Less(t, bins[i-1].To, b.From, "equal probabilities stay together")
			}
			events, frauds, sum = events+b.Events, frauds+b.Frauds, sum+b.MeanProbability*float64(b.Events)
		}
		all := 0.0
		for _, v := range p {
			all += v
		}
		positives, _ := s.classes()
		require.Equal(t, len(p), events)
		require.Equal(t, int(positives), frauds)
		require.InDelta(t, all, sum, 1e-9)
	})
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
