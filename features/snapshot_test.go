package features_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/features"
)

// step is a record of a log.
type step struct {
	event    features.Event
	sequence uint64 // of the event
	place    features.Placement
	label    *features.Label
}

func (s *step) at() uint64 {
	if s.label != nil {
		return s.label.Sequence
	}
	return s.sequence
}

// randomLog draws events and labels of them.
func randomLog(t *rapid.T, schema *features.Schema) []step {
	var clock features.Clock
	var now int64
	var log []step
	for sequence := uint64(1); sequence < uint64(rapid.IntRange(2, 150).Draw(t, "records")); sequence++ {
		if len(log) > 0 && rapid.IntRange(0, 3).Draw(t, "label") == 0 {
			of := log[rapid.IntRange(0, len(log)-1).Draw(t, "of")]
			log = append(log, step{event: of.event, sequence: of.sequence, label: &features.Label{Sequence: sequence,
				Verdict: features.Verdict(rapid.IntRange(1, 3).Draw(t, "verdict")), KnownAt: now + rapid.Int64Range(-20, 40).Draw(t, "known")*features.Second}})
			continue
		}
		ev := randomEvent(t, &now, features.Second)
		log = append(log, step{event: ev, sequence: sequence, place: features.Placement{Sequence: sequence,
			Outcome: clock.Admit(ev.Time, schema.AllowedLateness), Since: clock.Since(), Watermark: clock.Watermark()}})
	}
	return log
}

func (s *step) into(t require.TestingT, e *features.Engine, vector []float64) (features.Result, []uint64) {
	if s.label != nil {
		require.NoError(t, e.Label(&s.event, s.sequence, func() (features.Label, error) { return *s.label, nil }))
		return features.Result{}, nil
	}
	var ordinals []uint64
	result, err := e.Replay(&s.event, vector, s.sequence, func(got []uint64) (features.Placement, error) {
		ordinals = append(ordinals, got...)
		return s.place, nil
	})
	require.NoError(t, err)
	return result, ordinals
}

// TestRestoredEqualsWhole: an engine restored from shards that were written at different moments, whose log is then replayed from the earliest of them,
// holds what the engine that saw everything holds, and answers as it does.
func TestRestoredEqualsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := randomSchema(t)
		names, specs, _ := randomSpecs(t)
		whole := rapidEngine(t, schema, names, specs, rapid.IntRange(1, 5).Draw(t, "shards"))
		restored := rapidEngine(t, schema, names, specs, rapid.IntRange(1, 5).Draw(t, "other shards"))
		log := randomLog(t, schema)
		moments := make([]int, whole.Shards())
		for i := range moments {
			moments[i] = rapid.IntRange(0, len(log)).Draw(t, "moment")
		}
		var vectors [][]float64
		var results []features.Result
		var ordinals [][]uint64
		evict := rapid.IntRange(0, len(log)).Draw(t, "evict") // before any shard is written, or those written would differ in what rests
		for i := range moments {
			moments[i] = max(moments[i], evict)
		}
		for i := 0; i <= len(log); i++ {
			if i == evict && i > 0 {
				whole.Evict(log[i-1].place.Watermark)
			}
			for shard, moment := range moments {
				if moment == i {
					var out bytes.Buffer
					position, err := whole.WriteShard(&out, shard)
					require.NoError(t, err)
					again, err := restored.ReadShard(&out)
					require.NoError(t, err)
					require.Equal(t, position, again)
					require.Zero(t, out.Len())
				}
			}
			if i == len(log) {
				break
			}
			vector := make([]float64, len(names))
			result, ordinal := log[i].into(t, whole, vector)
			vectors, results, ordinals = append(vectors, vector), append(results, result), append(ordinals, ordinal)
		}
		after, err := restored.Restored()
		require.NoError(t, err)
		for i := range log {
			if log[i].at() <= after {
				continue
			}
			vector := make([]float64, len(names))
			result, ordinal := log[i].into(t, restored, vector)
			for k := range ordinal {
				require.True(t, ordinal[k] == 0 || ordinal[k] == ordinals[i][k])
			}
			if result.Ahead {
				continue
			}
			require.Equal(t, results[i], result)
			require.Equal(t, ordinals[i], ordinal)
			for k, x := range vectors[i] {
				require.Equal(t, math.Float64bits(x), math.Float64bits(vector[k]), names[k])
			}
		}
		require.Equal(t, dump(t, whole), dump(t, restored))
		require.Equal(t, whole.Checksum(), restored.Checksum())
		now := int64(0)
		for i := range log {
			now = max(now, log[i].event.Time)
		}
		for i := range 10 {
			ev := randomEvent(t, &now, features.Second)
			s := step{event: ev, sequence: uint64(1000 + i), place: features.Placement{Sequence: uint64(1000 + i), Outcome: features.InOrder, Watermark: now}}
			a, b := make([]float64, len(names)), make([]float64, len(names))
			want, wanted := s.into(t, whole, a)
			got, given := s.into(t, restored, b)
			require.Equal(t, want, got)
			require.Equal(t, wanted, given)
			require.Equal(t, fmt.Sprintf("%x", a), fmt.Sprintf("%x", b))
		}
	})
}

func dump(t require.TestingT, e *features.Engine) string {
	var out bytes.Buffer
	require.NoError(t, e.Dump(&out))
	return out.String()
}

// TestSnapshotsWhileObserving: shards are written again and again while goroutines observe and label; each set restores to the state of the log.
func TestSnapshotsWhileObserving(t *testing.T) {
	schema := shop()
	schema.AllowedLateness = 30 * features.Second
	names := []string{"n", "max", "kinds", "risk"}
	specs := map[string]features.Spec{"n": {Sum: "amount", By: "customer", Windows: []string{"1h"}, IncludeCurrent: ptr(false)},
		"max":   {Max: "amount", By: "customer", Windows: []string{"30s"}, IncludeCurrent: ptr(false)},
		"kinds": {Distinct: "note", By: "device", Windows: []string{"20s"}, IncludeCurrent: ptr(true)},
		"risk":  {FraudShare: "events", By: "customer", Windows: []string{"1h"}, Delay: "0s"}}
	definitions, err := features.Expand(schema, names, specs)
	require.NoError(t, err)
	build := func() *features.Engine {
		e, err := features.NewEngine(schema, definitions, features.EngineOptions{Shards: 3}.Small(6, 3))
		require.NoError(t, err)
		return e
	}
	whole := build()
	var mu sync.Mutex // of the log
	var clock features.Clock
	var log []step
	var writers, readers sync.WaitGroup
	for g := range 8 {
		writers.Go(func() {
			random := rand.New(rand.NewSource(int64(g)))
			for i := range 400 {
				var s step
				s.event = features.Event{ID: "e", Time: max(0, int64(i)-random.Int63n(20)) * features.Second / 4, Amount: random.Int63n(1000),
					Entities: []string{fmt.Sprint(random.Intn(4)), fmt.Sprint(random.Intn(3))}, Attributes: []string{"", "", fmt.Sprint(random.Intn(60))},
					Numbers: []float64{math.NaN(), math.NaN(), math.NaN(), 1}}
				_, err := whole.Observe(&s.event, nil, func([]uint64) (features.Placement, error) {
					mu.Lock()
					defer mu.Unlock()
					s.sequence = uint64(len(log) + 1)
					s.place = features.Placement{Sequence: s.sequence, Outcome: clock.Admit(s.event.Time, schema.AllowedLateness)}
					log = append(log, s)
					return s.place, nil
				})
				if err == nil && i%3 == 0 {
					err = whole.Label(&s.event, s.sequence, func() (features.Label, error) {
						mu.Lock()
						defer mu.Unlock()
						l := features.Label{Sequence: uint64(len(log) + 1), Verdict: features.Fraud, KnownAt: s.event.Time}
						log = append(log, step{event: s.event, sequence: s.sequence, label: &l})
						return l, nil
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	sets := make([][]bytes.Buffer, 6)
	readers.Go(func() {
		for i := range sets {
			sets[i] = make([]bytes.Buffer, whole.Shards())
			for shard := range sets[i] {
				if _, err := whole.WriteShard(&sets[i][shard], shard); err != nil {
					t.Error(err)
				}
			}
		}
	})
	writers.Wait()
	readers.Wait()
	for _, set := range sets {
		restored := build()
		for shard := range set {
			_, err := restored.ReadShard(&set[shard])
			require.NoError(t, err)
		}
		after, err := restored.Restored()
		require.NoError(t, err)
		for i := range log {
			if log[i].at() > after {
				log[i].into(t, restored, nil)
			}
		}
		require.Equal(t, dump(t, whole), dump(t, restored))
	}
}

// TestRefusedSnapshots: shards of other definitions, of another engine, twice, too few, or damaged anywhere.
func TestRefusedSnapshots(t *testing.T) {
	names, specs := personalSpecs()
	write := func(e *features.Engine, shard int) []byte {
		var out bytes.Buffer
		_, err := e.WriteShard(&out, shard)
		require.NoError(t, err)
		return out.Bytes()
	}
	build := func(names []string) *features.Engine {
		definitions, err := features.Expand(handbookSchema(), names, specs)
		require.NoError(t, err)
		e, err := features.NewEngine(handbookSchema(), definitions, features.EngineOptions{Shards: 2})
		require.NoError(t, err)
		for i := range uint64(300) {
			s := step{event: features.Event{ID: "e", Time: int64(i), Entities: []string{fmt.Sprint(i % 7), "t"}}, sequence: i + 1}
			s.place = features.Placement{Sequence: i + 1, Outcome: features.InOrder}
			s.into(t, e, nil)
		}
		return e
	}
	one, two := build(names), build(names)
	read := func(e *features.Engine, data []byte) error {
		_, err := e.ReadShard(bytes.NewReader(data))
		return err
	}
	fresh := newEngine(t, handbookSchema(), names, specs)
	_, err := fresh.Restored()
	require.ErrorContains(t, err, "no shard was read")
	require.NoError(t, read(fresh, write(one, 0)))
	_, err = fresh.Restored()
	require.ErrorContains(t, err, "1 of 2 shards were not read")
	require.ErrorContains(t, read(fresh, write(one, 0)), "was read before")
	require.ErrorContains(t, read(fresh, write(two, 1)), "of another engine")
	require.ErrorContains(t, read(newEngine(t, handbookSchema(), names, specs), write(build(names[:1]), 0)), "other definitions")
	data := write(one, 0)
	for i := 0; i < len(data); i += 1 + i/60 {
		broken := bytes.Clone(data)
		broken[i] ^= 4
		require.ErrorIs(t, read(newEngine(t, handbookSchema(), names, specs), broken), features.ErrDamaged, i)
		require.ErrorIs(t, read(newEngine(t, handbookSchema(), names, specs), data[:i]), features.ErrDamaged, i)
	}
	_, err = one.WriteShard(brokenWriter{}, 0)
	require.ErrorIs(t, err, errFull)
}

type brokenWriter struct{}

var errFull = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errFull }
