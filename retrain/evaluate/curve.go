package evaluate

import (
	"cmp"
	"slices"
)

// step is what is alerted at one distinct threshold: the frauds and the others with score >= threshold.
type step struct {
	threshold float64
	tp, fp    int
}

// sweep gives one step for each distinct score, from the highest down. Events with equal scores enter together, so that
// the order in which they were given never matters.
func sweep(fraud []bool, score []float64) []step {
	order := descending(score)
	var steps []step
	var now step
	for i, row := range order {
		if fraud[row] {
			now.tp++
		} else {
			now.fp++
		}
		if i+1 == len(order) || score[order[i+1]] != score[row] {
			now.threshold = score[row]
			steps = append(steps, now)
		}
	}
	return steps
}

// descending gives the positions of the scores from the highest to the lowest, equal ones in the given order.
func descending(score []float64) []int {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if c := cmp.Compare(score[b], score[a]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	return order
}

// ROCPoint is one threshold of the receiver operating characteristic.
type ROCPoint struct {
	Threshold         float64 `json:"threshold"`           // raw score; alerted at or above it
	FalsePositiveRate float64 `json:"false_positive_rate"` // alerted legitimate / legitimate events, [0,1]
	Recall            float64 `json:"recall"`              // alerted frauds / frauds, [0,1]
}

// ROC gives the receiver operating characteristic at every distinct score, from the highest threshold down.
// The origin (0,0), where nothing is alerted, has no threshold and is not in the list; the last point is (1,1).
//
// Source: Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), algorithm 1.
func ROC(fraud []bool, score []float64) ([]ROCPoint, error) {
	frauds, err := rankable(fraud, score)
	if err != nil {
		return nil, err
	}
	steps := sweep(fraud, score)
	points := make([]ROCPoint, len(steps))
	for i, s := range steps {
		points[i] = ROCPoint{s.threshold, ratio(s.fp, len(fraud)-frauds), ratio(s.tp, frauds)}
	}
	return points, nil
}

// PRPoint is one threshold of the precision-recall curve.
type PRPoint struct {
	Threshold float64 `json:"threshold"` // raw score; alerted at or above it
	Precision float64 `json:"precision"` // alerted frauds / alerted events, [0,1]
	Recall    float64 `json:"recall"`    // alerted frauds / frauds, [0,1]
}

// PR gives precision and recall at every distinct score, from the highest threshold down. Points are not to be joined
// by straight lines: precision is not linear in recall (Davis and Goadrich, The relationship between precision-recall
// and ROC curves, ICML 2006).
func PR(fraud []bool, score []float64) ([]PRPoint, error) {
	frauds, err := rankable(fraud, score)
	if err != nil {
		return nil, err
	}
	steps := sweep(fraud, score)
	points := make([]PRPoint, len(steps))
	for i, s := range steps {
		points[i] = PRPoint{s.threshold, ratio(s.tp, s.tp+s.fp), ratio(s.tp, frauds)}
	}
	return points, nil
}

// ThinROC keeps at most about n points of a curve: the first, the last, and those that moved by 2/n in both rates together.
func ThinROC(points []ROCPoint, n int) []ROCPoint {
	return thin(points, n, func(a, b ROCPoint) float64 {
		return (b.FalsePositiveRate - a.FalsePositiveRate + b.Recall - a.Recall) / 2
	})
}

// ThinPR keeps at most about n points of a curve: the first, the last, and those that moved by 1/n in recall.
func ThinPR(points []PRPoint, n int) []PRPoint {
	return thin(points, n, func(a, b PRPoint) float64 { return b.Recall - a.Recall })
}

func thin[P any](points []P, n int, moved func(a, b P) float64) []P {
	if len(points) <= n || n < 2 {
		return points
	}
	kept := points[:1:1]
	for _, p := range points[1 : len(points)-1] {
		if moved(kept[len(kept)-1], p) >= 1/float64(n) {
			kept = append(kept, p)
		}
	}
	return append(kept, points[len(points)-1])
}
