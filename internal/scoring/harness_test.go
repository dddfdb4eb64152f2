package scoring

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/model"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/registry/sqlite"
)

const document = `
event_type: payment
currency: EUR
entities: {card: {}, device: {optional: true}}
attributes: {channel: {type: category}, note: {type: category}}
numbers: {risk: {}}
labels: {delay: 7d, kinds: {chargeback: {arm_neutral: true}, review: {}}}
features:
  amount: {field: amount}
  risk_now: {field: risk}
  card_gap: {time_since_last: events, by: card}
  card_count: {count: events, by: card, windows: [30d], include_current: true}
  card_fraud_share: {fraud_share: events, by: card, windows: [30d], delay: 0s}
policy:
  fallback: review
  hash_entity: card
  rules:
    - {name: atm, when: channel == "atm", then: decline, reason: "No cash machines"}
`

// columns are the definitions that feed the columns of model/testdata's models, in their order.
func columns() []string {
	return []string{"amount", "card_gap", "risk_now", "card_count_30d", "card_fraud_share_30d"}
}

func readDocument(text []byte) (EventType, error) {
	t, err := project.LoadEventType(text)
	if err != nil {
		return EventType{}, err
	}
	p, err := policy.Compile(t.Policy, &t.Schema, t.Definitions)
	if err != nil {
		return EventType{}, err
	}
	return EventType{Name: t.Name, Hash: t.Hash, Document: t.Document, Schema: t.Schema, Definitions: t.Definitions, Policy: p, LabelKinds: []string{"chargeback", "review"}}, nil
}

// bench is a scorer over a real log and a real registry with two versions, the first of which is champion.
type bench struct {
	t             *testing.T
	dir           string
	options       Options
	log           eventlog.Options
	registry      *sqlite.Store
	typ           EventType
	first, second string
	*Scorer
}

func newBench(t *testing.T, adjust ...func(*bench)) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	var err error
	b.typ, err = readDocument([]byte(document))
	require.NoError(t, err)
	b.registry, err = sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(b.dir, "registry")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.registry.Close()) })
	b.first, b.second = b.publish("binary"), b.publish("dart")
	b.promote(b.first)
	b.log = eventlog.Options{Dir: filepath.Join(b.dir, "log"), SegmentBytes: 1 << 20}
	b.options = Options{Registry: b.registry, EventTypes: []EventType{b.typ}, ReadDocument: readDocument, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range adjust {
		f(b)
	}
	b.open()
	t.Cleanup(func() { b.close() })
	return b
}

func (b *bench) publish(name string) string {
	text, err := os.ReadFile(filepath.Join("..", "..", "model", "testdata", name+".txt"))
	require.NoError(b.t, err)
	m, err := model.Parse(text)
	require.NoError(b.t, err)
	review, decline := -2.0, 1.0
	v := registry.Version{
		Digest: m.Digest(), EventType: "payment", Name: name, Source: registry.SourceImport, CreatedBy: "tester", CreatedAt: time.Now().UTC(),
		Thresholds: registry.Thresholds{Review: &review, Decline: &decline}, EventTypeHash: b.typ.Hash, Verified: registry.VerifiedByLightGBM,
	}
	for _, name := range columns() {
		for i := range b.typ.Definitions {
			if d := &b.typ.Definitions[i]; d.Name == name {
				v.Features = append(v.Features, registry.Feature{Name: name, Hash: d.Hash(), Canonical: d.Canonical()})
			}
		}
	}
	require.NoError(b.t, b.registry.PutEventType(b.t.Context(), b.typ.Hash, b.typ.Name, b.typ.Document))
	require.NoError(b.t, b.registry.PutVersion(b.t.Context(), v, text))
	golden, err := os.ReadFile(filepath.Join("..", "..", "model", "testdata", name+".golden.json"))
	require.NoError(b.t, err)
	require.NoError(b.t, b.registry.PutEvidence(b.t.Context(), registry.Evidence{
		Version: v.Digest, Kind: registry.EvidenceGolden, Body: golden, CreatedAt: v.CreatedAt, CreatedBy: "tester"}))
	return v.Digest
}

func (b *bench) promote(version string) {
	b.t.Helper()
	state, err := b.registry.Head(b.t.Context(), "payment")
	if err != nil {
		require.ErrorIs(b.t, err, registry.ErrNotFound)
	}
	_, err = b.registry.Assign(b.t.Context(), state.Revision, []registry.Assignment{{
		EventType: "payment", Role: registry.Champion, Version: version, ValidFrom: time.Now().UTC(), Actor: "tester", Reason: "test"}})
	require.NoError(b.t, err)
}

func (b *bench) open() {
	b.t.Helper()
	l, err := eventlog.Open(b.log)
	require.NoError(b.t, err)
	b.options.Log = l
	b.Scorer, err = New(b.options)
	require.NoError(b.t, err)
	require.NoError(b.t, b.Recover(context.WithoutCancel(b.t.Context()), nil))
}

func (b *bench) close() { require.NoError(b.t, b.options.Log.Close()) }

func (b *bench) reopen() {
	b.t.Helper()
	b.close()
	b.open()
}

func (b *bench) lane0() *lane { return b.lanes["payment"] }

// start is when the tests' events begin.
func start() int64 { return time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC).UnixMicro() }

const second = int64(time.Second / time.Microsecond)

// pay is a payment of 50.00 so many seconds after the start.
func pay(id, card string, at int64) *features.Event {
	return &features.Event{
		ID: id, Time: start() + at*second, Amount: 5000, Entities: []string{card, ""}, Attributes: []string{"web", ""}, Numbers: []float64{3},
	}
}

func (b *bench) score(ev *features.Event) *Decision {
	b.t.Helper()
	d, err := b.Score(b.t.Context(), "payment", ev)
	require.NoError(b.t, err)
	return d
}

func value(t *testing.T, d *Decision, name string) float64 {
	t.Helper()
	for i, n := range d.FeatureNames {
		if n == name {
			return d.Vector[i]
		}
	}
	require.Fail(t, "no such feature", "%s in %v", name, d.FeatureNames)
	return math.NaN()
}

// replays wants every decision to replay to the bit, together and this one alone.
func (b *bench) replays(decisions uint64, ids ...string) {
	b.t.Helper()
	totals, err := b.ReplayAll(b.t.Context(), ReplayOptions{Visit: func(r *Replayed) { b.t.Errorf("%s: %v", r.Logged.EventID, r.Differences) }})
	require.NoError(b.t, err)
	require.Equal(b.t, decisions, totals.Decisions)
	for _, id := range ids {
		r, err := b.Replay(b.t.Context(), "payment", id)
		require.NoError(b.t, err)
		require.Empty(b.t, r.Differences, id)
	}
}

func number(prefix string, i int) string { return fmt.Sprintf("%s-%d", prefix, i) }
