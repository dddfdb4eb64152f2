package app_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// TestRetention: what is old goes from the log once the warehouse has it, and nothing that is decided, replayed or explained
// afterwards tells the difference, also when the state is made anew from the warehouse and what is left of the log.
func TestRetention(t *testing.T) {
	var apps [2]*app.App
	var dirs [2]string
	for i, config := range []string{"log: {segment_bytes: 1MiB, min_free_bytes: 1MiB, retain: 1d}\nsnapshots: {every: 50ms}\n", "log: {segment_bytes: 1MiB, min_free_bytes: 1MiB}\n"} {
		dir, _ := newPayments(t)
		text := strings.Replace(paymentConfig, "log: {segment_bytes: 1MiB, min_free_bytes: 1MiB}\n", config, 1)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "haechi.yaml"), []byte(text), 0o600))
		document := strings.Replace(payment, "policy:", "  card_age: {first_seen_age: events, by: card}\npolicy:", 1)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "event_types", "payment.yaml"), []byte(document), 0o600))
		dirs[i], apps[i] = dir, open(t, dir, true)
	}
	const events, days = 9000, 120
	from := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, -days-1)
	at := func(i int) *haechiv1.Event {
		return pay(number("e", i), number("c", i%17), from.Add(time.Duration(i)*(days*24*time.Hour/events)))
	}
	for _, a := range apps {
		const turn = 500 // one after the other, so that both logs have the same order within a card
		for begin := 0; begin < events; begin += turn {
			var wg sync.WaitGroup
			for card := range 17 {
				wg.Go(func() {
					for i := begin; i < begin+turn; i++ {
						if i%17 != card {
							continue
						}
						score(t, a.Conn(), at(i))
						if i%40 == 0 {
							_, err := haechiv1.NewLabelsClient(a.Conn()).PutLabel(t.Context(), &haechiv1.PutLabelRequest{Label: &haechiv1.Label{
								EventType: "payment", EventId: number("e", i), Verdict: haechiv1.LabelVerdict_LABEL_VERDICT_FRAUD, Kind: "chargeback"}})
							require.NoError(t, err)
						}
					}
				})
			}
			wg.Wait()
		}
	}
	require.Eventually(t, func() bool {
		r, err := app.InspectLog(dirs[0], false, nil)
		return err == nil && r.First > events/4
	}, time.Minute, 20*time.Millisecond)

	same := func(id string) {
		t.Helper()
		var got [2]*haechiv1.ExplainFeatureResponse
		for _, name := range []string{"card_age", "card_gap", "card_count_30d", "card_fraud_share_30d"} {
			for i, a := range apps {
				var err error
				got[i], err = haechiv1.NewFeaturesClient(a.Conn()).ExplainFeature(t.Context(), &haechiv1.ExplainFeatureRequest{EventId: id, Name: name})
				require.NoError(t, err)
			}
			require.Equal(t, math.Float64bits(got[1].Value), math.Float64bits(got[0].Value), "%s of %s", name, id)
			require.Equal(t, got[1].Events, got[0].Events)
		}
	}
	verify := func(a *app.App) uint64 {
		stream, err := haechiv1.NewDecisionsClient(a.Conn()).ReplayDecisions(t.Context(), &haechiv1.ReplayDecisionsRequest{})
		require.NoError(t, err)
		for {
			m, err := stream.Recv()
			require.NoError(t, err)
			if m.Done {
				require.Zero(t, m.Mismatches, "%v", m.FirstMismatch)
				return m.Decisions
			}
		}
	}
	left := verify(apps[0])
	require.Less(t, left, uint64(events))
	require.Greater(t, left, uint64(events*39/days), "what is needed is there")
	same(number("e", events-1))
	next := 0
	scored := func() {
		t.Helper()
		ev := at(events + next)
		next++
		a, b := score(t, apps[0].Conn(), ev), score(t, apps[1].Conn(), ev)
		require.Equal(t, b.Features, a.Features)
		require.Equal(t, b.GetRaw(), a.GetRaw())
		same(ev.Id)
	}
	scored()
	_, err := haechiv1.NewDecisionsClient(apps[0].Conn()).GetDecision(t.Context(), &haechiv1.GetDecisionRequest{EventId: number("e", 0)})
	require.ErrorContains(t, err, "e-0")

	// from a snapshot, then from the warehouse and the log
	for _, forget := range []bool{false, true} {
		stop(t, apps[0])
		if forget {
			require.NoError(t, os.RemoveAll(filepath.Join(dirs[0], "data", "snapshots")))
		}
		apps[0] = open(t, dirs[0], true)
		scored()
		verify(apps[0])
	}
	stop(t, apps[0])
	require.NoError(t, os.RemoveAll(filepath.Join(dirs[0], "data", "snapshots")))
	require.NoError(t, os.Remove(filepath.Join(dirs[0], "data", "warehouse.duckdb")))
	a, err := app.New(t.Context(), app.Options{Dir: dirs[0], Command: "test", Serve: true, Self: self(), Logger: quiet()})
	require.NoError(t, err)
	require.ErrorContains(t, a.Start(t.Context()), "not loaded the log that far")
	stop(t, a)
	stop(t, apps[1])
}
