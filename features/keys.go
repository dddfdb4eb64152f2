package features

import "slices"

// said lists which of the keys that say what a feature is are written, in the order of the documentation.
func (s *Spec) said() []string {
	var said []string
	for _, kind := range allKinds() {
		if s.text(kind) != "" || s.point(kind) != nil || s.route(kind) != nil {
			said = append(said, kind)
		}
	}
	return said
}

// allKinds are the keys of which a feature has exactly one.
func allKinds() []string {
	return []string{"field", "category", "flag", "calendar", "count", "sum", "mean", "std", "min", "max", "distinct", "share_of_value", "velocity",
		"last", "changed", "same_as_last", "time_since_last", "first_seen_age", "fraud_count", "fraud_share", "last_fraud_age", "first_fraud_age",
		"distance_from_last", "speed_from_last", "distance", "speed", "expr"}
}

// text is the value of such a key, where it is a text.
func (s *Spec) text(kind string) string {
	if at := s.textAt(kind); at != nil {
		return *at
	}
	return ""
}

func (s *Spec) textAt(kind string) *string {
	return map[string]*string{"field": &s.Field, "category": &s.Category, "flag": &s.Flag, "calendar": &s.Calendar, "count": &s.Count, "sum": &s.Sum,
		"mean": &s.Mean, "std": &s.Std, "min": &s.Min, "max": &s.Max, "distinct": &s.Distinct, "share_of_value": &s.ShareOfValue, "velocity": &s.Velocity,
		"last": &s.Last, "changed": &s.Changed, "same_as_last": &s.SameAsLast, "time_since_last": &s.TimeSinceLast, "first_seen_age": &s.FirstSeenAge,
		"fraud_count": &s.FraudCount, "fraud_share": &s.FraudShare, "last_fraud_age": &s.LastFraudAge, "first_fraud_age": &s.FirstFraudAge,
		"expr": &s.Expr}[kind]
}

// point is the value of a key that names one place.
func (s *Spec) point(kind string) *Point {
	return map[string]*Point{"distance_from_last": s.DistanceFromLast, "speed_from_last": s.SpeedFromLast}[kind]
}

// route is the value of a key that names two places.
func (s *Spec) route(kind string) *Route {
	return map[string]*Route{"distance": s.Distance, "speed": s.Speed}[kind]
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
		{"windows", len(spec.Windows) > 0, t.windowed || t.previous},
		{"delay", spec.Delay != "", t.windowed},
		{"include_current", spec.IncludeCurrent != nil, t.windowed},
		{"over", spec.Over != "", kind == "velocity"},
		{"where", spec.Where != "", t.entity},
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
