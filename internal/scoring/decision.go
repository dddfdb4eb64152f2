package scoring

import (
	"encoding/hex"
	"math"

	"github.com/haechi-fraud/haechi/internal/policy"
	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// Flags that a decision can carry.
const (
	FlagLate             = "late"               // older than the allowed lateness: in no history
	FlagDegraded         = "degraded"           // an entity's history was capped
	FlagWindowIncomplete = "window_incomplete"  // history does not reach back over the longest window
	FlagFallback         = policy.FlagFallback  // no model could answer
	FlagRecovered        = "recovered"          // decided at recovery, after a crash
	FlagRuleError        = policy.FlagRuleError // a rule of the policy failed
)

// Reason is one sentence for people, with the rule or feature group that it came from.
type Reason struct{ Code, Text string }

// Decision is the answer to one event, as it stands in the log.
type Decision struct {
	EventType, EventID string
	LogID              string
	Sequence           uint64 // of the decision record
	EventSequence      uint64
	Verdict            policy.Decision
	Reasons            []Reason
	ModelVersion       string // SHA-256, empty when no model answered
	EventTypeHash      string
	Revision           uint64
	Flags              []string
	Raw, Probability   float64 // NaN when no model answered
	Vector             []float64
	FeatureNames       []string // names of Vector's values; nil when the version is not at hand
	Decided            int64    // microseconds since the Unix epoch
	Cause              string   // why the fallback answered
}

var verdicts = [...]policy.Decision{
	logv1.Verdict_VERDICT_APPROVE: policy.Approve, logv1.Verdict_VERDICT_REVIEW: policy.Review,
	logv1.Verdict_VERDICT_CHALLENGE: policy.Challenge, logv1.Verdict_VERDICT_DECLINE: policy.Decline,
}

func recordVerdict(d policy.Decision) logv1.Verdict {
	for v, p := range verdicts {
		if v != 0 && p == d {
			return logv1.Verdict(v)
		}
	}
	return logv1.Verdict_VERDICT_UNSPECIFIED
}

// record is the decision as it goes into the log.
func (d *Decision) record(index uint32) (*logv1.Decision, error) {
	digest, err := hex.DecodeString(d.ModelVersion)
	if err != nil {
		return nil, err
	}
	rec := &logv1.Decision{
		EventSequence: d.EventSequence, EventType: index, EventId: d.EventID, Verdict: recordVerdict(d.Verdict),
		ModelVersion: digest, AssignmentRevision: d.Revision, Flags: d.Flags, Raw: d.Raw, Probability: d.Probability,
		Vector: d.Vector, Decided: d.Decided, Cause: d.Cause,
	}
	for _, r := range d.Reasons {
		rec.Reasons = append(rec.Reasons, &logv1.Reason{Code: r.Code, Text: r.Text})
	}
	return rec, nil
}

// decisionOf reads a record back.
func decisionOf(logID string, sequence uint64, rec *logv1.Decision, stated *logv1.EventType) *Decision {
	d := &Decision{
		EventType: stated.Name, EventID: rec.EventId, LogID: logID, Sequence: sequence, EventSequence: rec.EventSequence,
		Verdict: verdicts[rec.Verdict], ModelVersion: hex.EncodeToString(rec.ModelVersion), EventTypeHash: hex.EncodeToString(stated.Hash),
		Revision: rec.AssignmentRevision, Flags: rec.Flags, Raw: rec.Raw, Probability: rec.Probability, Vector: rec.Vector,
		Decided: rec.Decided, Cause: rec.Cause,
	}
	for _, r := range rec.Reasons {
		d.Reasons = append(d.Reasons, Reason{Code: r.Code, Text: r.Text})
	}
	return d
}

// sameBits compares two floats by their bits, any NaN being equal to any other.
func sameBits(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b)
}
