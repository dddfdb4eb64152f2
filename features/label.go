package features

// Verdict is what a label says about its event.
type Verdict uint8

// The verdicts. Legitimate and Withdrawn are alike for features: the event does not count as fraud while one of them is current.
const (
	Fraud Verdict = iota + 1
	Legitimate
	Withdrawn
)

func (v Verdict) String() string {
	switch v {
	case Fraud:
		return "fraud"
	case Legitimate:
		return "legitimate"
	case Withdrawn:
		return "withdrawn"
	}
	return "unknown"
}

// Label is a dated statement about an event. Its current statement at time t is the one with the largest KnownAt <= t, of equal ones the one with
// the larger Sequence.
type Label struct {
	Sequence uint64 // of its record in the log
	Verdict  Verdict
	KnownAt  int64 // microseconds since the Unix epoch, UTC
}
