package evaluate

import (
	"fmt"
	"math"
)

// lengths refuses slices that do not all have n elements. The pairs are name, length.
func lengths(n int, named ...any) error {
	for i := 0; i+1 < len(named); i += 2 {
		if got := named[i+1].(int); got != n {
			return fmt.Errorf("evaluate: %w: %d %s for %d labels", ErrLength, got, named[i], n)
		}
	}
	if n == 0 {
		return fmt.Errorf("evaluate: %w: widen the test span", ErrEmpty)
	}
	return nil
}

// finite refuses NaN and infinities.
func finite(name string, values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("evaluate: %w: the %s of event %d is %v", ErrNotFinite, name, i, v)
		}
	}
	return nil
}

// bothClasses counts the frauds and refuses labels that are all alike.
func bothClasses(fraud []bool) (int, error) {
	frauds := count(fraud)
	if frauds == 0 || frauds == len(fraud) {
		return 0, fmt.Errorf("evaluate: %w: %d frauds among %d events; widen the test span", ErrOneClass, frauds, len(fraud))
	}
	return frauds, nil
}

// rankable checks labels and scores that are to be ranked against each other and counts the frauds.
func rankable(fraud []bool, score []float64) (int, error) {
	if err := lengths(len(fraud), "scores", len(score)); err != nil {
		return 0, err
	}
	if err := finite("score", score); err != nil {
		return 0, err
	}
	return bothClasses(fraud)
}

// amounts checks what the events were worth: finite, and not negative where money can be lost.
func amounts(fraud []bool, amount []float64) error {
	if err := lengths(len(fraud), "amounts", len(amount)); err != nil {
		return err
	}
	if err := finite("amount", amount); err != nil {
		return err
	}
	for i, v := range amount {
		if fraud[i] && v < 0 {
			return fmt.Errorf("evaluate: %w: event %d is a fraud with the amount %v; leave refunds out of the test", ErrRange, i, v)
		}
	}
	return nil
}

func count(values []bool) int {
	n := 0
	for _, v := range values {
		if v {
			n++
		}
	}
	return n
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
