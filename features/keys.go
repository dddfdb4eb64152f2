package features

import "slices"

// said lists which of the keys that say what a feature is are written, in the order of the documentation.
func (s *Spec) said() []string {
	var said []string
	for _, kind := range allKinds() {
		switch kind {
		case "distance":
			if s.Distance != nil {
				said = append(said, kind)
			}
		case "distance_from_last":
			if s.DistanceFromLast != nil {
				said = append(said, kind)
			}
		default:
			if s.text(kind) != "" {
				said = append(said, kind)
			}
		}
	}
	return said
}

// allKinds are the keys of which a feature has exactly one.
func allKinds() []string {
	return []string{"field", "category", "flag", "calendar", "count", "sum", "mean", "std", "min", "max", "time_since_last", "first_seen_age",
		"fraud_count", "fraud_share", "last_fraud_age", "first_fraud_age", "distance_from_last", "distance", "expr"}
}

// text is the value of such a key, where it is a text.
func (s *Spec) text(kind string) string {
	switch kind {
	case "field":
		return s.Field
	case "category":
		return s.Category
	case "flag":
		return s.Flag
	case "calendar":
		return s.Calendar
	case "count":
		return s.Count
	case "sum":
		return s.Sum
	case "mean":
		return s.Mean
	case "std":
		return s.Std
	case "min":
		return s.Min
	case "max":
		return s.Max
	case "time_since_last":
		return s.TimeSinceLast
	case "first_seen_age":
		return s.FirstSeenAge
	case "fraud_count":
		return s.FraudCount
	case "fraud_share":
		return s.FraudShare
	case "last_fraud_age":
		return s.LastFraudAge
	case "first_fraud_age":
		return s.FirstFraudAge
	case "expr":
		return s.Expr
	}
	return ""
}

// keys reports the further keys that are written but mean nothing to a feature of that kind.
func (x *expansion) keys(name string, spec *Spec, kind string) {
	t, _ := traitOf(kind)
	for _, key := range []struct {
		name    string
		written bool
		allowed bool
	}{
		{"by", spec.By != "", t.entity},
		{"windows", len(spec.Windows) > 0, t.windowed},
		{"delay", spec.Delay != "", t.windowed},
		{"include_current", spec.IncludeCurrent != nil, t.windowed},
		{"zone", spec.Zone != "", kind == "calendar"},
		{"between", len(spec.Between) > 0, kind == "calendar"},
	} {
		if key.written && !key.allowed {
			x.fail(name, key.name, "has no meaning for %s; leave it out", kind)
		}
	}
	if slices.Contains(spec.Windows, "") {
		x.fail(name, "windows", "holds an empty entry")
	}
}
