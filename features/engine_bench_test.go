package features_test

import (
	"fmt"
	"io"
	"math/rand"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
)

// busySchema has four entities; busySpecs are twenty features over them.
func busySchema() *features.Schema {
	return &features.Schema{EventType: "payment", Currency: "EUR", MinorDigits: 2, AllowedLateness: features.Day,
		Entities: []features.EntityKind{{Name: "customer"}, {Name: "card"}, {Name: "terminal"}, {Name: "device"}}}
}

func busySpecs() ([]string, map[string]features.Spec) {
	windows := []string{"1h", "1d", "7d"}
	specs := map[string]features.Spec{
		"customer_n":    {Count: "events", By: "customer", Windows: windows, IncludeCurrent: ptr(true)},
		"customer_mean": {Mean: "amount", By: "customer", Windows: windows, IncludeCurrent: ptr(false)},
		"customer_max":  {Max: "amount", By: "customer", Windows: windows[2:], IncludeCurrent: ptr(false)},
		"card_sum":      {Sum: "amount", By: "card", Windows: windows, IncludeCurrent: ptr(true)},
		"card_std":      {Std: "amount", By: "card", Windows: windows[2:], IncludeCurrent: ptr(true)},
		"card_gap":      {TimeSinceLast: "events", By: "card"},
		"terminal_n":    {Count: "events", By: "terminal", Windows: windows, Delay: "1d"},
		"terminal_risk": {FraudShare: "events", By: "terminal", Windows: windows, Delay: "1d"},
		"device_seen":   {FirstSeenAge: "events", By: "device"},
		"ratio":         {Expr: "missing(customer_mean_7d) ? 1 : amount / customer_mean_7d"},
	}
	return []string{"customer_n", "customer_mean", "customer_max", "card_sum", "card_std", "card_gap", "terminal_n", "terminal_risk", "device_seen", "ratio"}, specs
}

// stream makes events of a few thousand entities, ten seconds apart.
func stream(n int) func(i int) *features.Event {
	random := rand.New(rand.NewSource(1))
	keys := make([]string, 4_000)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	ring := make([]features.Event, n)
	for i := range ring {
		ring[i] = features.Event{ID: "e", Amount: random.Int63n(100_000), Entities: []string{keys[random.Intn(4_000)], keys[random.Intn(4_000)],
			keys[random.Intn(1_000)], keys[random.Intn(2_000)]}}
	}
	return func(i int) *features.Event {
		ev := &ring[i%n]
		ev.Time = int64(i) * 10 * features.Second
		return ev
	}
}

// TestObserveDoesNotAllocate once the windows are full.
func TestObserveDoesNotAllocate(t *testing.T) {
	if underRace {
		t.Skip("make data runs this, without the race detector")
	}
	names, specs := busySpecs()
	engine := newEngine(t, busySchema(), names, specs)
	require.Len(t, engine.Definitions(), 20)
	vector := make([]float64, 20)
	next, sequence := stream(100_000), uint64(0)
	commit := func([]uint64) (features.Placement, error) {
		sequence++
		return features.Placement{Sequence: sequence, Outcome: features.InOrder}, nil
	}
	i := 0
	observe := func() {
		if _, err := engine.Observe(next(i), vector, commit); err != nil {
			t.Error(err)
		}
		i++
	}
	for range 150_000 { // 17 days, windows of 9
		observe()
	}
	require.Zero(t, testing.AllocsPerRun(20_000, observe))
}

// world makes events of many entities: every event has one of each kind, drawn evenly, and a tenth of them come up to a day late.
type world struct {
	random *rand.Rand
	keys   [4][]string
	gap    int64 // between events
	late   int   // one in so many
	at     int64 // time of the next event
	read   int
}

func newWorld(gap int64, late int, sizes ...int) *world {
	w := &world{random: rand.New(rand.NewSource(1)), gap: gap, late: late}
	for kind, n := range sizes {
		for i := range n {
			w.keys[kind] = append(w.keys[kind], fmt.Sprintf("%s-%07d", []string{"customer", "card", "terminal", "device"}[kind], i))
		}
	}
	return w
}

// next fills an event.
func (w *world) next(ev *features.Event) {
	w.at += w.gap
	ev.Time = w.at
	if w.late > 0 && w.random.Intn(w.late) == 0 {
		ev.Time = max(0, w.at-w.random.Int63n(features.Day))
	}
	ev.ID, ev.Amount = "e", w.random.Int63n(100_000)
	for kind := range w.keys {
		ev.Entities[kind] = w.keys[kind][w.random.Intn(len(w.keys[kind]))]
		w.read += strings.Count(ev.Entities[kind], "0") // a server has just read the key
	}
}

// observer gives sequences to one engine.
type observer struct {
	engine   *features.Engine
	event    features.Event
	vector   []float64
	sequence uint64
	commit   features.Commit
}

func newObserver(b *testing.B, limit int) *observer {
	schema := busySchema()
	schema.Cap = limit
	names, specs := busySpecs()
	o := &observer{engine: newEngine(b, schema, names, specs), event: features.Event{Entities: make([]string, 4)}, vector: make([]float64, 20)}
	o.commit = func([]uint64) (features.Placement, error) {
		o.sequence++
		return features.Placement{Sequence: o.sequence, Outcome: features.InOrder}, nil
	}
	return o
}

func (o *observer) observe(b *testing.B, vector []float64) {
	if _, err := o.engine.Observe(&o.event, vector, o.commit); err != nil {
		b.Fatal(err)
	}
}

// latencies counts operations by how long they took, in steps of a hundredth of a microsecond up to a millisecond.
type latencies [100_000]uint32

func (l *latencies) add(took time.Duration) { l[min(int(took/10), len(l)-1)]++ }

func (l *latencies) report(b *testing.B) {
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50-ns", 0.5}, {"p99-ns", 0.99}, {"p99.9-ns", 0.999}} {
		n := uint32(q.share * float64(b.N))
		i := 0
		for seen := l[0]; seen < n && i < len(l)-1; seen += l[i] {
			i++
		}
		b.ReportMetric(float64(i*10), q.name)
	}
}

// measure times each update and read of four entities and twenty features.
func measure(b *testing.B, o *observer, w *world) {
	runtime.GC()
	var took latencies
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		w.next(&o.event)
		start := time.Now()
		o.observe(b, o.vector)
		took.add(time.Since(start))
	}
	b.StopTimer()
	took.report(b)
}

// BenchmarkLive: a million live entities. BenchmarkHot: one terminal with a million events in its window; both with one event in ten late by up to a day.
// Bytes are those of rows, chunks and what is kept between them, by entries of all four entities.
func BenchmarkLive(b *testing.B) {
	o, w := newObserver(b, 0), newWorld(features.Second/10, 10, 400_000, 400_000, 100_000, 100_000)
	for range 2_500_000 {
		w.next(&o.event)
		o.observe(b, nil)
	}
	memory := o.engine.Memory()
	b.Run("alone", func(b *testing.B) {
		measure(b, o, w)
		b.ReportMetric(float64(memory.Entities+memory.Resting), "entities")
		b.ReportMetric(float64(memory.RowBytes)/float64(memory.Entries), "B/entry")
	})
	b.Run("while shards are written", func(b *testing.B) {
		stop, written := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(written)
			for shard := 0; ; shard = (shard + 1) % o.engine.Shards() {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				if _, err := o.engine.WriteShard(io.Discard, shard); err != nil {
					b.Error(err)
				}
			}
		}()
		measure(b, o, w)
		close(stop)
		<-written
	})
}

func BenchmarkHot(b *testing.B) {
	o, w := newObserver(b, features.MaxCap), newWorld(features.Second/2, 10, 40_000, 40_000, 1, 10_000)
	for range 1_500_000 {
		w.next(&o.event)
		o.observe(b, nil)
	}
	measure(b, o, w)
	memory := o.engine.Memory()
	b.ReportMetric(float64(memory.RowBytes)/float64(memory.Entries), "B/entry")
}

// BenchmarkRebuild: events added and not read, as a log is replayed; four entities each, of few entities and of many.
func BenchmarkRebuild(b *testing.B) {
	for _, entities := range []int{400, 55_000} {
		b.Run(fmt.Sprintf("%d entities", entities), func(b *testing.B) {
			o, w := newObserver(b, 0), newWorld(720_000*features.Second/int64(entities), 0, entities*4/11, entities*4/11, entities/11, entities*2/11)
			events := make([]features.Event, 1<<18)
			for i := range events {
				events[i].Entities = make([]string, 4)
				w.next(&events[i])
			}
			add := func(n int) {
				for range n {
					o.event = events[o.sequence%uint64(len(events))]
					o.event.Time = int64(o.sequence) * w.gap
					o.observe(b, nil)
				}
			}
			add(20 * entities)
			b.ReportAllocs()
			b.ResetTimer()
			add(b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkObserve: four entities, twenty features, full windows; one operation is one event.
func BenchmarkObserve(b *testing.B) {
	names, specs := busySpecs()
	for _, serial := range []bool{true, false} {
		b.Run(map[bool]string{true: "serial", false: "parallel"}[serial], func(b *testing.B) {
			engine := newEngine(b, busySchema(), names, specs)
			var sequence atomic.Uint64
			commit := func([]uint64) (features.Placement, error) {
				return features.Placement{Sequence: sequence.Add(1), Outcome: features.InOrder}, nil
			}
			vector, next := make([]float64, 20), stream(100_000)
			events := make([]*features.Event, 100_000)
			for i := range events {
				events[i] = next(i)
			}
			for i := range 200_000 {
				if _, err := engine.Observe(next(i), vector, commit); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			if serial {
				for i := range b.N {
					if _, err := engine.Observe(next(200_000+i), vector, commit); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			var clock atomic.Int64 // one event clock for all, as a server has
			clock.Store(200_000)
			b.SetParallelism(32)
			b.RunParallel(func(p *testing.PB) {
				vector, ev := make([]float64, 20), features.Event{}
				for p.Next() {
					i := clock.Add(1)
					ev = *events[int(i)%len(events)]
					ev.Time = i * 10 * features.Second
					if _, err := engine.Observe(&ev, vector, commit); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
