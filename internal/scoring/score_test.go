package scoring

import (
	"context"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/model"
	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
	"github.com/haechi-fraud/haechi/registry"
)

// TestModelThatFails: a model that panics, one that refuses its row, and a bug beside it, each end in the declared
// fallback, say so, and are the same in replay.
func TestModelThatFails(t *testing.T) {
	b := newBench(t)
	l := b.lane0()
	good := l.serving.Load()
	b.score(pay("before", "c", 0))

	panics := *good.champion
	panics.model = nil
	l.serving.Store(&serving{revision: good.revision, champion: &panics, row: good.row})
	one := b.score(pay("panics", "c", 1))
	require.Contains(t, one.Cause, b.first)

	l.serving.Store(&serving{revision: good.revision, champion: good.champion, row: good.row[:2]})
	two := b.score(pay("short", "c", 2))
	atm := pay("atm", "c", 3)
	atm.Attributes[0] = "atm"
	ruled := b.score(atm)
	require.Equal(t, policy.Decline, ruled.Verdict, "rules go on without a model")

	l.serving.Store(good)
	definitions := l.typ.Definitions
	l.typ.Definitions = append(definitions[:len(definitions):len(definitions)], definitions...)
	three := b.score(pay("bug", "c", 4))
	l.typ.Definitions = definitions
	for _, d := range []*Decision{one, two, three} {
		require.Equal(t, policy.Review, d.Verdict)
		require.Contains(t, d.Flags, FlagFallback)
		require.NotEmpty(t, d.Cause)
		require.Empty(t, d.ModelVersion)
	}
	after := b.score(pay("after", "c", 5))
	require.Equal(t, b.first, after.ModelVersion)
	require.InDelta(t, 6, value(t, after, "card_count_30d"), 0, "each was counted")
	require.Equal(t, one.Sequence, b.score(pay("panics", "c", 1)).Sequence)
	b.replays(6, "panics", "short", "atm", "bug", "after")
	b.reopen()
	require.Equal(t, one.Cause, b.score(pay("panics", "c", 1)).Cause)
	b.replays(6, "panics", "short", "bug")
}

func TestDeadlines(t *testing.T) {
	b := newBench(t, func(b *bench) { b.log.FlushInterval = 300 * time.Millisecond })
	b.score(pay("first", "c", 0))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	last := b.options.Log.Last()
	_, err := b.Score(gone, "payment", pay("early", "c", 1))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, last, b.options.Log.Last(), "no trace")
	_, err = b.Lookup(t.Context(), "payment", "early")
	require.ErrorIs(t, err, ErrNotFound)

	leaving, leave := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := b.Score(leaving, "payment", pay("left", "c", 2))
		answered <- err
	}()
	require.Eventually(t, func() bool { return b.options.Log.Last() == last+2 }, 10*time.Second, 50*time.Microsecond)
	leave()
	if err := <-answered; err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	d := b.score(pay("left", "c", 2))
	require.Equal(t, last+2, d.Sequence, "the decision that was made then")
	require.InDelta(t, 2, value(t, d, "card_count_30d"), 0)
	b.reopen()
	require.Equal(t, d.Sequence, b.score(pay("left", "c", 2)).Sequence)
	b.replays(2)
}

func TestRefusedBeforeTheLog(t *testing.T) {
	b := newBench(t, func(b *bench) {
		b.options.RefuseCardNumbers = true
		b.options.Now = func() time.Time { return time.UnixMicro(start()) }
	})
	last := b.options.Log.Last()
	refuse := func(word string, change func(ev *features.Event)) {
		t.Helper()
		ev := pay("refused", "c", 0)
		change(ev)
		_, err := b.Score(t.Context(), "payment", ev)
		var field *features.FieldError
		require.ErrorAs(t, err, &field)
		require.ErrorContains(t, err, word)
	}
	refuse("card number", func(ev *features.Event) { ev.Attributes[1] = "4111 1111 1111 1111" })
	refuse("card number", func(ev *features.Event) { ev.Entities[0] = "4111111111111111" })
	refuse("ahead", func(ev *features.Event) { ev.Time += 5*60*second + 1 })
	_, err := b.Score(t.Context(), "login", pay("refused", "c", 0))
	require.ErrorIs(t, err, ErrUnknownEventType)
	require.Equal(t, last, b.options.Log.Last())
	ahead := pay("refused", "c", 5*60)
	ahead.Attributes[1] = "4111 1111 1111 1112" // its check digit is wrong: no card number
	require.InDelta(t, 1, value(t, b.score(ahead), "card_count_30d"), 0)
}

func TestLooksLikeCard(t *testing.T) {
	for value, want := range map[string]bool{
		"4111111111111111": true, "4111-1111-1111-1111": true, "378282246310005": true, "4222222222222": true, "6304000000000000000": true,
		"4111111111111112": false, "0000000000000000": false, "411111111111": false, "41111111111111111111": false,
		"4111 1111 1111 111x": false, "": false, "-----------------": false,
	} {
		require.Equal(t, want, looksLikeCard(value), value)
	}
}

// TestRevisionsAreLogged: what serves stands in the log before its first decision, once, also when it was assigned while
// nobody served.
func TestRevisionsAreLogged(t *testing.T) {
	b := newBench(t)
	revisions := func() (out []string) {
		_, err := b.walk(t.Context(), 1, func(_ uint64, rec *logv1.Record) error {
			if r := rec.GetRevision(); r != nil {
				out = append(out, string([]byte("0123456789")[r.Revision])+" "+hexOf(r.Champion))
			}
			return nil
		})
		require.NoError(t, err)
		return out
	}
	want := []string{"1 " + b.first}
	require.Equal(t, want, revisions())
	b.reopen()
	require.Equal(t, want, revisions(), "nothing has changed")
	b.promote(b.second)
	require.NoError(t, b.Apply(t.Context(), "payment"))
	require.NoError(t, b.Apply(t.Context(), "payment"))
	b.score(pay("one", "c", 0))
	want = append(want, "2 "+b.second)
	require.Equal(t, want, revisions())
	b.close()
	b.promote(b.first)
	b.open()
	require.Equal(t, append(want, "3 "+b.first), revisions())
	require.Equal(t, uint64(3), b.score(pay("two", "c", 1)).Revision)
}

// TestEverythingAtOnce runs all that a scorer does in parallel; the race detector looks on.
func TestEverythingAtOnce(t *testing.T) {
	b := newBench(t, func(b *bench) { b.log.SegmentBytes = 64 << 10 })
	const callers, each = 8, 60
	var events atomic.Uint64
	var wg sync.WaitGroup
	check := func(err error) bool {
		if err != nil {
			t.Error(err)
		}
		return err == nil
	}
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				ev := pay(number(number("e", c/2), i), number("c", i%5), int64(i)) // two callers send each id
				if i%3 == 0 {
					ev.Attributes[0] = "atm"
				}
				d, err := b.Score(t.Context(), "payment", ev)
				if !check(err) {
					return
				}
				events.Add(1)
				_, err = b.PutLabel(t.Context(), "payment", number(number("e", c/2), i+5), LabelStatement{Verdict: features.Fraud, Kind: "chargeback", KnownAt: start()})
				check(err)
				found, err := b.Lookup(t.Context(), "payment", d.EventID)
				if check(err) {
					require.Equal(t, d.Sequence, found.Decision.Sequence)
				}
			}
		})
	}
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { // the champion changes
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				b.promote([]string{b.second, b.first}[i%2])
				check(b.Apply(t.Context(), "payment"))
			}
		}
	})
	others.Go(func() { // the engine is made anew
		l := b.lane0()
		for {
			select {
			case <-done:
				return
			default:
				l.changing.Lock()
				check(b.rebuild(t.Context(), l, l.serving.Load().champion))
				l.changing.Unlock()
			}
		}
	})
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_, err := b.ReplayAll(t.Context(), ReplayOptions{Visit: func(r *Replayed) { t.Errorf("%s: %v", r.Logged.EventID, r.Differences) }})
				check(err)
			}
		}
	})
	wg.Wait()
	close(done)
	others.Wait()
	require.Equal(t, uint64(callers*each), events.Load())
	b.replays(callers * each / 2)
	live := b.lane0().engine.Checksum()
	b.reopen()
	require.Equal(t, live, b.lane0().engine.Checksum(), "state equals what the log gives")
	b.replays(callers * each / 2)
}

// TestOverload: a full buffer refuses events before anything is appended, never a decision whose event stands there.
func TestOverload(t *testing.T) {
	b := newBench(t, func(b *bench) { b.log.MaxBuffered = 2000; b.log.FlushInterval = 20 * time.Millisecond })
	var wg sync.WaitGroup
	var refused, decided atomic.Int64
	for c := range 64 {
		wg.Go(func() {
			for i := range 5 {
				_, err := b.Score(t.Context(), "payment", pay(number(number("o", c), i), number("c", c), int64(i)))
				if err == nil {
					decided.Add(1)
				} else if refused.Add(1); !isOverload(err) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NotZero(t, decided.Load())
	require.NotZero(t, refused.Load())
	b.replays(uint64(decided.Load()))
	b.reopen()
	b.replays(uint64(decided.Load()))
	for i := range 5 {
		require.NotContains(t, b.score(pay(number("o-0", i), "c-0", int64(i))).Flags, FlagRecovered)
	}
}

func isOverload(err error) bool { return errors.Is(err, eventlog.ErrOverloaded) }

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// TestReplayOfInterleavedRecords: events of others lie between an event and its decision.
func TestReplayOfInterleavedRecords(t *testing.T) {
	b := newBench(t)
	l := b.lane0()
	var events []*features.Event
	var observed []observation
	for i := range 6 {
		ev := pay(number("i", i), number("c", i%2), int64(i))
		if i%2 == 0 {
			ev.Attributes[0] = "atm"
		}
		k := b.ids.key("payment", ev.ID)
		_, mine, err := b.ids.reserve(t.Context(), k)
		require.NoError(t, err)
		require.True(t, mine)
		o := b.observe(l, k, ev, observation{received: ev.Time, origin: logv1.Origin_ORIGIN_SCORED, scored: true})
		require.NoError(t, o.err)
		events, observed = append(events, ev), append(observed, o)
	}
	for i, ev := range events {
		d := b.answer(l, ev, observed[i])
		require.Equal(t, i%2 == 0, d.Verdict == policy.Decline)
		sequence, err := b.appendDecision(l.index, d)
		require.NoError(t, err)
		b.ids.land(b.ids.key("payment", ev.ID), place{event: observed[i].sequence, decision: sequence})
	}
	require.NoError(t, b.Flush(t.Context()))
	b.replays(6, "i-0", "i-1", "i-5")
	b.reopen()
	b.replays(6, "i-0", "i-1", "i-5")
}

// TestReplayOfChosenDecisions: of a sample or a span exactly the chosen decisions are computed again, from the histories of
// their entities alone, and are equal; one that was logged wrong is found.
func TestReplayOfChosenDecisions(t *testing.T) {
	b := newBench(t)
	ids := map[string]int64{}
	for i := range 400 {
		ev := pay(number("s", i), number("c", i%23), int64(i-i%5*3))
		ev.Entities[1] = number("d", i%7)
		if i%3 == 0 {
			ev.Entities[1] = ""
		}
		b.score(ev)
		ids[ev.ID] = ev.Time
		if i%10 == 9 {
			_, err := b.PutLabel(t.Context(), "payment", number("s", i-5), LabelStatement{Verdict: features.Fraud, Kind: "chargeback", KnownAt: ev.Time})
			require.NoError(t, err)
		}
	}
	replay := func(o ReplayOptions) (ReplayTotals, []string) {
		var differ []string
		o.Visit = func(r *Replayed) { differ = append(differ, r.Logged.EventID) }
		totals, err := b.ReplayAll(t.Context(), o)
		require.NoError(t, err)
		return totals, differ
	}
	check := func(o ReplayOptions) {
		want := uint64(0)
		for id, at := range ids {
			if o.takes(&logv1.Event{Id: id, Time: at}) {
				want++
			}
		}
		totals, differ := replay(o)
		require.Empty(t, differ)
		require.Equal(t, want, totals.Decisions)
		require.Equal(t, want*uint64(len(columns())), totals.Values)
		require.Positive(t, want)
	}
	check(ReplayOptions{})
	check(ReplayOptions{OneIn: 7})
	check(ReplayOptions{OneIn: 40, Share: .9})
	check(ReplayOptions{From: start() + 100*second, To: start() + 150*second})
	check(ReplayOptions{From: start() + 300*second, OneIn: 3})

	l := b.lane0()
	wrong := *l.serving.Load()
	wrong.row = []int{wrong.row[1], wrong.row[0], wrong.row[2], wrong.row[3], wrong.row[4]}
	good := l.serving.Swap(&wrong)
	b.score(pay("wrong", "c-1", 500))
	l.serving.Store(good)
	_, differ := replay(ReplayOptions{From: start() + 450*second})
	require.Equal(t, []string{"wrong"}, differ)
	_, differ = replay(ReplayOptions{To: start() + 450*second})
	require.Empty(t, differ)
}

// TestExplainFeature: the events that are listed are those of the window, and their number is the count's value.
func TestExplainFeature(t *testing.T) {
	b := newBench(t)
	for i := range 30 {
		ev := pay(number("x", i), number("c", i%2), int64(i))
		if i%4 == 3 {
			ev.Time -= 5 * second // late
		}
		_, err := b.AppendEvent(t.Context(), "payment", ev)
		require.NoError(t, err)
	}
	d := b.score(pay("last", "c-1", 40))
	x, err := b.ExplainFeature(t.Context(), "payment", "last", "card_count_30d", 100)
	require.NoError(t, err)
	require.InDelta(t, value(t, d, "card_count_30d"), x.Value, 0)
	require.Len(t, x.Entries, 16)
	require.Equal(t, 16, x.Events)
	for i, e := range x.Entries {
		id, err := b.EventID(e.Sequence)
		require.NoError(t, err)
		found, err := b.Lookup(t.Context(), "payment", id)
		require.NoError(t, err)
		require.Equal(t, "c-1", found.Event.Entities[0])
		require.Equal(t, found.Event.Time, e.Time)
		require.True(t, i == 0 || x.Entries[i-1].Time <= e.Time)
		require.Equal(t, i == 15, e.Current)
	}
	short, err := b.ExplainFeature(t.Context(), "payment", "last", "card_count_30d", 3)
	require.NoError(t, err)
	require.Equal(t, x.Entries[12:], short.Entries)
	early, err := b.ExplainFeature(t.Context(), "payment", "x-1", "card_gap", 3)
	require.NoError(t, err)
	require.True(t, math.IsNaN(early.Value))
	require.Empty(t, early.Entries)
	_, err = b.ExplainFeature(t.Context(), "payment", "last", "nothing", 3)
	require.ErrorContains(t, err, "features list")
	_, err = b.ExplainFeature(t.Context(), "payment", "nobody", "card_gap", 3)
	require.ErrorIs(t, err, ErrNotFound)
}

// TestUnverifiedVersion: a version without LightGBM's scores is tried against the reference evaluator, and served.
func TestUnverifiedVersion(t *testing.T) {
	b := newBench(t)
	v, err := b.registry.Version(t.Context(), b.first)
	require.NoError(t, err)
	text, err := b.registry.Model(t.Context(), b.first)
	require.NoError(t, err)
	text = append(text, '\n')
	m, err := model.Parse(text)
	require.NoError(t, err)
	v.Digest, v.Verified = m.Digest(), registry.Unverified
	require.NoError(t, b.registry.PutVersion(t.Context(), v, text))
	want := b.score(pay("one", "c", 0))
	b.promote(v.Digest)
	require.NoError(t, b.Apply(t.Context(), "payment"))
	got := b.score(pay("two", "other", 0))
	require.Equal(t, v.Digest, got.ModelVersion)
	require.InDelta(t, want.Raw, got.Raw, 0)
}

// TestReplayOfValuesOfOtherEntities: a sample and a single decision replay right also where a value depends on entities of
// other events that were not chosen.
func TestReplayOfValuesOfOtherEntities(t *testing.T) {
	b := newBench(t, func(b *bench) {
		typ, err := readDocument([]byte(strings.Replace(document, "policy:", "  card_devices: {distinct: device, by: card, windows: [30d], include_current: true}\n"+
			"policy:", 1)))
		require.NoError(t, err)
		typ.Policy, err = policy.Compile(policy.Spec{Fallback: policy.Review, HashEntity: "card", Rules: []policy.RuleSpec{
			{Name: "many", When: "card_devices_30d > 2.0", Then: policy.Challenge, Reason: "many devices"}}}, &typ.Schema, typ.Definitions)
		require.NoError(t, err)
		b.options.EventTypes[0] = typ
	})
	challenged := 0
	for i := range 60 {
		ev := pay(number("v", i), number("c", i%5), int64(i))
		ev.Entities[1] = number("d", i)
		if d := b.score(ev); d.Verdict == policy.Challenge {
			challenged++
		}
	}
	require.Positive(t, challenged)
	totals, err := b.ReplayAll(t.Context(), ReplayOptions{OneIn: 6, Visit: func(r *Replayed) { t.Errorf("%s: %v", r.Logged.EventID, r.Differences) }})
	require.NoError(t, err)
	require.Positive(t, totals.Decisions)
	b.replays(60, "v-59", "v-30")
	x, err := b.ExplainFeature(t.Context(), "payment", "v-59", "card_devices_30d", 5)
	require.NoError(t, err)
	require.InDelta(t, 12, x.Value, 0)
}
