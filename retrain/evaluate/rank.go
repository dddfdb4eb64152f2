package evaluate

import "fmt"

// AUC is the area under the ROC curve: the probability that a fraud scores above a legitimate event, ties counting half.
//
//	AUC = (sum of the frauds' mid-ranks - P(P+1)/2) / (P N)
//
// for P frauds and N others, which is the Mann-Whitney U over P N. It is counted in integers and divided once, so that
// it is exact. Domain: both classes present, finite scores on any scale. Range [0,1], .5 for a score that knows nothing.
//
// Source: Hanley and McNeil, The meaning and use of the area under a ROC curve, Radiology 143 (1982).
func AUC(fraud []bool, score []float64) (float64, error) {
	frauds, err := rankable(fraud, score)
	if err != nil {
		return 0, err
	}
	var twice int64 // 2U: pairs won count two, ties one
	var before step
	for _, s := range sweep(fraud, score) {
		twice += int64(s.fp-before.fp) * int64(before.tp+s.tp)
		before = s
	}
	return float64(twice) / (2 * float64(frauds) * float64(len(fraud)-frauds)), nil
}

// AveragePrecision is the precision at each distinct threshold, weighted by the recall gained there:
//
//	AP = sum over thresholds t from the highest down of (R(t) - R(t before)) P(t)
//
// No interpolation; equal scores enter together. Domain: both classes present, finite scores. Range (0,1]; a score that
// knows nothing gives about the share of frauds.
//
// Source: Manning, Raghavan and Schuetze, Introduction to Information Retrieval (2008), section 8.4; the same sum as
// scikit-learn's average_precision_score.
func AveragePrecision(fraud []bool, score []float64) (float64, error) {
	frauds, err := rankable(fraud, score)
	if err != nil {
		return 0, err
	}
	sum, before := 0.0, 0
	for _, s := range sweep(fraud, score) {
		sum += float64(float64(s.tp-before) * ratio(s.tp, s.tp+s.fp))
		before = s.tp
	}
	return sum / float64(frauds), nil
}

// RecallAtFPR is the largest recall of any threshold whose false positive rate is at most limit (a share: 0.01 for 1 %).
// The curve is a staircase and is not interpolated: a threshold in between does not exist. 0 when even the highest
// score alerts too many. Domain: both classes present, finite scores, limit in [0,1]. Range [0,1].
//
// Source: the ROC of Fawcett (2006) read at a fixed false positive rate.
func RecallAtFPR(fraud []bool, score []float64, limit float64) (float64, error) {
	if !(limit >= 0 && limit <= 1) {
		return 0, fmt.Errorf("evaluate: %w: a false positive rate of %v; give a share between 0 and 1", ErrRange, limit)
	}
	frauds, err := rankable(fraud, score)
	if err != nil {
		return 0, err
	}
	recall := 0.0
	for _, s := range sweep(fraud, score) {
		if ratio(s.fp, len(fraud)-frauds) > limit {
			break
		}
		recall = ratio(s.tp, frauds)
	}
	return recall, nil
}
