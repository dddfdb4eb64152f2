package evaluate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// probable checks labels and probabilities.
func probable(fraud []bool, probability []float64) error {
	if err := lengths(len(fraud), "probabilities", len(probability)); err != nil {
		return err
	}
	if err := finite("probability", probability); err != nil {
		return err
	}
	for i, p := range probability {
		if p < 0 || p > 1 {
			return fmt.Errorf("evaluate: %w: the probability of event %d is %v; pass probabilities, not raw scores", ErrRange, i, p)
		}
	}
	_, err := bothClasses(fraud)
	return err
}

// Brier is the mean squared distance between probability and outcome:
//
//	BS = 1/n sum (p - y)^2
//
// Domain: p in [0,1], both classes present. Range [0,1], smaller is better; always saying the share of frauds q gives q(1-q).
//
// Source: Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78 (1950), for two classes.
func Brier(fraud []bool, probability []float64) (float64, error) {
	if err := probable(fraud, probability); err != nil {
		return 0, err
	}
	sum := 0.0
	for i, p := range probability {
		d := p
		if fraud[i] {
			d = 1 - p
		}
		sum += float64(d * d)
	}
	return sum / float64(len(fraud)), nil
}

// LogLoss is the mean negative log-likelihood in nats:
//
//	L = -1/n sum (y ln p + (1-y) ln(1-p))
//
// Probabilities are held within [2^-52, 1 - 2^-52], so that one certain mistake costs 36 nats and not infinity.
// Domain: p in [0,1], both classes present. Range (0, 36.05], smaller is better.
//
// Source: Good, Rational decisions, JRSS B 14 (1952); the bound is the one of scikit-learn's log_loss for float64.
func LogLoss(fraud []bool, probability []float64) (float64, error) {
	if err := probable(fraud, probability); err != nil {
		return 0, err
	}
	const eps = 0x1p-52
	sum := 0.0
	for i, p := range probability {
		p = min(max(p, eps), 1-eps)
		if fraud[i] {
			sum -= math.Log(p)
		} else {
			sum -= math.Log1p(-p)
		}
	}
	return sum / float64(len(fraud)), nil
}

// CalibrationBin compares what was said with what happened among events of similar probability.
type CalibrationBin struct {
	From            float64 `json:"from"` // smallest probability in the bin
	To              float64 `json:"to"`   // largest
	Events          int     `json:"events"`
	Frauds          int     `json:"frauds"`
	MeanProbability float64 `json:"mean_probability"`
	FraudRate       float64 `json:"fraud_rate"` // Frauds / Events
}

// CalibrationBins cuts the events, sorted by probability, into bins of equal numbers: the b-th cut of n events into B
// bins is at round(n b / B), moved up to the end of a run of equal probabilities, which stay together. With
// many equal probabilities there are fewer bins. Domain: p in [0,1], both classes present, bins >= 1.
//
// Source: the quantile strategy of Nguyen and O'Connor, Posterior calibration and exploratory analysis for natural language
// processing models, EMNLP 2015 (adaptive binning).
func CalibrationBins(fraud []bool, probability []float64, bins int) ([]CalibrationBin, error) {
	if bins < 1 {
		return nil, fmt.Errorf("evaluate: %w: %d calibration bins; give at least 1", ErrRange, bins)
	}
	if err := probable(fraud, probability); err != nil {
		return nil, err
	}
	order := make([]int, len(fraud))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(probability[a], probability[b]) })
	var out []CalibrationBin
	start := 0
	for b := 1; b <= bins; b++ {
		end := (2*len(order)*b + bins) / (2 * bins) // round half up
		for end > start && end < len(order) && probability[order[end]] == probability[order[end-1]] {
			end++
		}
		if end <= start {
			continue
		}
		out = append(out, calibrationBin(order[start:end], fraud, probability))
		start = end
	}
	return out, nil
}

func calibrationBin(rows []int, fraud []bool, probability []float64) CalibrationBin {
	bin := CalibrationBin{From: probability[rows[0]], To: probability[rows[len(rows)-1]], Events: len(rows)}
	sum := 0.0
	for _, row := range rows {
		sum += probability[row]
		if fraud[row] {
			bin.Frauds++
		}
	}
	bin.MeanProbability = sum / float64(len(rows))
	bin.FraudRate = ratio(bin.Frauds, bin.Events)
	return bin
}

// CalibrationError is the mean distance between what was said and what happened over bins, weighted by their events:
//
//	ECE = sum over bins of n_b/n |mean p - fraud rate|
//
// Domain: at least one bin with events. Range [0,1], smaller is better; it shrinks with fewer bins, so compare equal numbers of bins.
//
// Source: Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015.
func CalibrationError(bins []CalibrationBin) (float64, error) {
	events, sum := 0, 0.0
	for _, b := range bins {
		events += b.Events
		sum += float64(float64(b.Events) * math.Abs(b.MeanProbability-b.FraudRate))
	}
	if events == 0 {
		return 0, fmt.Errorf("evaluate: %w: no calibration bins", ErrEmpty)
	}
	return sum / float64(events), nil
}
