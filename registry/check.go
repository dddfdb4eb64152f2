package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Digest names bytes: the hex SHA-256 of them.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Check refuses a version that could not be served later, as ErrInvalid, all problems at once.
func (v Version) Check() error {
	var problems []error
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if raw, err := hex.DecodeString(v.Digest); err != nil || len(raw) != sha256.Size || hex.EncodeToString(raw) != v.Digest {
		refuse("digest %q is not the hex of a SHA-256 in lower case", v.Digest)
	}
	if v.EventType == "" {
		refuse("the event type is not named")
	}
	if v.Source != SourceRetrain && v.Source != SourceImport {
		refuse("source %q is neither %s nor %s", v.Source, SourceRetrain, SourceImport)
	}
	if v.Verified != VerifiedByLightGBM && v.Verified != Unverified {
		refuse("verified %q is neither %q nor %q", v.Verified, VerifiedByLightGBM, Unverified)
	}
	for _, f := range slices.Concat(v.Features, v.Needs) {
		if f.Name == "" || Digest([]byte(f.Canonical)) != f.Hash {
			refuse("feature %q: its hash is not that of its canonical text", f.Name)
		}
	}
	if v.Span.To.Before(v.Span.From) {
		refuse("the training span ends before it begins")
	}
	for name, t := range map[string]*float64{"review": v.Thresholds.Review, "decline": v.Thresholds.Decline} {
		if t != nil && (math.IsNaN(*t) || math.IsInf(*t, 0)) {
			refuse("the %s threshold is not a finite number; leave it out to never fire", name)
		}
	}
	return invalid("version", problems)
}

func invalid(what string, problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrInvalid, what, errors.Join(problems...))
}

// Normal gives the version as every driver keeps it: times to the microsecond in UTC, nothing empty that is not nil.
func (v Version) Normal() Version {
	for _, t := range []*time.Time{&v.CreatedAt, &v.Span.From, &v.Span.To} {
		*t = t.UTC().Truncate(time.Microsecond)
	}
	if len(v.Features) == 0 {
		v.Features = nil
	}
	if len(v.Needs) == 0 {
		v.Needs = nil
	}
	if len(v.Parameters) == 0 {
		v.Parameters = nil
	}
	return v
}

// Same says whether two versions are one, whoever stored them and when.
func (v Version) Same(w Version) bool {
	v, w = v.Normal(), w.Normal()
	v.CreatedAt, v.CreatedBy = w.CreatedAt, w.CreatedBy
	a, err := json.Marshal(v)
	b, errB := json.Marshal(w)
	return err == nil && errB == nil && bytes.Equal(a, b)
}

// Check refuses evidence without a kind or a JSON body, as ErrInvalid.
func (e Evidence) Check() error {
	var problems []error
	if e.Kind == "" {
		problems = append(problems, errors.New("its kind is not named"))
	}
	if !json.Valid(e.Body) {
		problems = append(problems, errors.New("its body is not JSON"))
	}
	return invalid("evidence", problems)
}

// Check refuses a run that breaks the contract of Runs, as ErrInvalid.
func (r Run) Check() error {
	var problems []error
	if r.ID == "" || r.EventType == "" {
		problems = append(problems, errors.New("its id and event type are needed"))
	}
	if !slices.Contains([]RunState{RunPending, RunRunning, RunDone, RunFailed, RunHeld, RunCancelled}, r.State) {
		problems = append(problems, fmt.Errorf("%q is not a state of a run", r.State))
	}
	for name, text := range map[string]json.RawMessage{"config": r.Config, "report": r.Report} {
		if len(text) > 0 && !json.Valid(text) {
			problems = append(problems, fmt.Errorf("its %s is not JSON", name))
		}
	}
	return invalid("run", problems)
}

// Normal gives the run as every driver keeps it: times to the microsecond in UTC, JSON compact, null and nothing both nil.
func (r Run) Normal() Run {
	r.CreatedAt, r.UpdatedAt = r.CreatedAt.UTC().Truncate(time.Microsecond), r.UpdatedAt.UTC().Truncate(time.Microsecond)
	for _, text := range []*json.RawMessage{&r.Config, &r.Report} {
		var b bytes.Buffer
		if json.Compact(&b, *text) != nil || b.String() == "null" {
			*text = nil
			continue
		}
		*text = b.Bytes()
	}
	return r
}

// Check refuses a step without a name or a JSON output, as ErrInvalid.
func (s Step) Check() error {
	var problems []error
	if s.Name == "" {
		problems = append(problems, errors.New("its name is missing"))
	}
	if !json.Valid(s.Output) {
		problems = append(problems, errors.New("its output is not JSON"))
	}
	return invalid("step", problems)
}
