package app_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// traffic is payments sent by several callers until it is ended; each must be answered.
type traffic struct {
	mu        sync.Mutex
	decisions []*haechiv1.Decision
	sent      atomic.Int64
	stopped   atomic.Bool
	wg        sync.WaitGroup
}

func startTraffic(t *testing.T, conn *grpc.ClientConn, prefix string) *traffic {
	tr := &traffic{}
	for range 8 {
		tr.wg.Go(func() {
			for !tr.stopped.Load() {
				i := int(tr.sent.Add(1))
				d, err := scoreErr(t.Context(), conn, pay(number(prefix, i), number("c", i%50), begin().Add(time.Duration(i)*time.Second)))
				if err != nil {
					t.Errorf("a request was dropped: %v", err)
					return
				}
				tr.mu.Lock()
				tr.decisions = append(tr.decisions, d)
				tr.mu.Unlock()
			}
		})
	}
	return tr
}

// more waits until so many further decisions have come.
func (tr *traffic) more(t *testing.T, n int) {
	t.Helper()
	from := len(tr.seen())
	require.Eventually(t, func() bool { return len(tr.seen()) >= from+n || t.Failed() }, 30*time.Second, time.Millisecond)
}

func (tr *traffic) seen() []*haechiv1.Decision {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.decisions
}

func (tr *traffic) end() []*haechiv1.Decision {
	tr.stopped.Store(true)
	tr.wg.Wait()
	return tr.seen()
}

func TestPromotionUnderLoad(t *testing.T) {
	dir, made := newPayments(t)
	a := open(t, dir, true)
	tr := startTraffic(t, a.Conn(), "load")
	tr.more(t, 100)
	want := map[uint64]string{1: made.first}
	for _, version := range []string{made.second, made.first, made.second} {
		want[promote(t, a.Conn(), version)] = version
		after := score(t, a.Conn(), pay(fmt.Sprintf("after-%d", len(want)), "x", begin()))
		require.Equal(t, version, after.ModelVersion, "in service when the call returns")
		tr.more(t, 100)
	}
	all := tr.end()
	count := map[string]int{}
	for _, d := range all {
		require.Equal(t, want[d.AssignmentRevision], d.ModelVersion)
		require.NotContains(t, d.Flags, "fallback")
		count[d.ModelVersion]++
	}
	require.Len(t, count, 2)
	replayAll(t, a.Conn(), uint64(len(all)+3))
	assignments(t, a.Conn(), made)
	stop(t, a)
}

// assignments looks at what the registry tells of four changes of champion.
func assignments(t *testing.T, conn *grpc.ClientConn, made *paymentProject) {
	t.Helper()
	models := haechiv1.NewModelsClient(conn)
	history, err := models.ListAssignments(t.Context(), &haechiv1.ListAssignmentsRequest{EventType: "payment"})
	require.NoError(t, err)
	var champions []*haechiv1.Assignment
	for _, a := range history.Assignments {
		require.Equal(t, "tester", a.Actor)
		if a.Role == "champion" {
			champions = append(champions, a)
		}
	}
	require.Len(t, champions, 4)
	require.Equal(t, []string{made.first, made.second, made.first, made.second},
		[]string{champions[0].Version, champions[1].Version, champions[2].Version, champions[3].Version})
	at, err := models.ListAssignments(t.Context(), &haechiv1.ListAssignmentsRequest{EventType: "payment", At: champions[2].RecordedAt})
	require.NoError(t, err)
	roles := map[string]string{}
	for _, a := range at.Assignments {
		roles[a.Role] = a.Version
	}
	require.Equal(t, map[string]string{"champion": made.first, "previous": made.second}, roles)
	before, err := models.ListAssignments(t.Context(), &haechiv1.ListAssignmentsRequest{EventType: "payment", At: timestamppb.New(begin())})
	if err != nil {
		requireCode(t, codes.NotFound, err)
	}
	require.Empty(t, before.GetAssignments())
	_, err = models.PromoteModel(t.Context(), &haechiv1.PromoteModelRequest{Version: made.second, Actor: "tester", Reason: "once more"})
	requireCode(t, codes.InvalidArgument, err, "champion already")
	_, err = models.PromoteModel(t.Context(), &haechiv1.PromoteModelRequest{Version: strings.Repeat("0", 64), Actor: "tester", Reason: "unknown"})
	requireCode(t, codes.NotFound, err)
	_, err = models.PromoteModel(t.Context(), &haechiv1.PromoteModelRequest{Version: made.first, Actor: "tester"})
	requireCode(t, codes.InvalidArgument, err, "reason")
}

// edit changes the event type of a project.
func edit(t *testing.T, dir string, oldNew ...string) {
	t.Helper()
	path := filepath.Join(dir, "event_types", "payment.yaml")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	changed := strings.NewReplacer(oldNew...).Replace(string(text))
	require.NotEqual(t, string(text), changed)
	require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
}

func TestChangedEventTypeKeepsTheChampion(t *testing.T) {
	dir, made := newPayments(t)
	a := open(t, dir, true)
	atm := func(id string) *haechiv1.Event {
		ev := pay(id, "c1", begin())
		ev.Attributes = map[string]string{"channel": "atm", "note": "n"}
		return ev
	}
	one := score(t, a.Conn(), atm("one"))
	require.Equal(t, "atm", one.Reasons[0].Code)
	stop(t, a)

	// Fields and features before and after those that were there move everything to other places.
	edit(t, dir, "  channel:", "  area: {type: category}\n  channel:", "  card: {}", "  account: {optional: true}\n  card: {}",
		"  amount: {field", "  card_mean: {mean: amount, by: card, windows: [7d], include_current: true}\n  amount: {field")
	a = open(t, dir, true)
	two := score(t, a.Conn(), atm("two"))
	require.Equal(t, made.first, two.ModelVersion)
	require.NotContains(t, two.Flags, "fallback")
	require.NotEqual(t, one.EventTypeHash, two.EventTypeHash)
	require.InDelta(t, 2, value(t, two, "card_count_30d"), 0, "history goes on")
	require.Equal(t, one.Sequence.Number, score(t, a.Conn(), atm("one")).Sequence.Number)
	replayAll(t, a.Conn(), 2)
	stop(t, a)

	// What only the champion needs may leave the event type.
	edit(t, dir, "  card_gap: {time_since_last: events, by: card}\n", "", "  area: {type: category}\n", "")
	a = open(t, dir, true)
	three := score(t, a.Conn(), atm("three"))
	require.Equal(t, made.first, three.ModelVersion)
	require.InDelta(t, 0, value(t, three, "card_gap"), 0)
	replayAll(t, a.Conn(), 3)
	stop(t, a)
}

// TestRebuildUnderLoad promotes a version that needs a definition which the running engine does not compute.
func TestRebuildUnderLoad(t *testing.T) {
	dir, made := newPayments(t)
	offline := open(t, dir, false)
	features := paymentFeatures()
	features["age"] = "card_count_1h"
	third, err := importModel(t.Context(), offline.Conn(), "sigmoid", features)
	require.NoError(t, err)
	promote(t, offline.Conn(), third)
	stop(t, offline)
	edit(t, dir, "  card_gap: {time_since_last: events, by: card}\n", "")

	a := open(t, dir, true)
	defer stop(t, a)
	require.Equal(t, third, score(t, a.Conn(), pay("before", "x", begin())).ModelVersion)
	require.True(t, putLabel(t, a.Conn(), label("before", fraud, begin())).Added)
	require.True(t, putLabel(t, a.Conn(), label("after", fraud, begin())).Waiting)
	tr := startTraffic(t, a.Conn(), "load")
	tr.more(t, 300)
	revision := promote(t, a.Conn(), made.first)
	d := score(t, a.Conn(), pay("after", "x", begin().Add(time.Minute)))
	require.Equal(t, made.first, d.ModelVersion)
	require.InDelta(t, 60, value(t, d, "card_gap"), 0, "the new definition's state was built from the log")
	require.InDelta(t, 1, value(t, d, "card_fraud_share_30d"), 0)
	tr.more(t, 300)
	all := tr.end()
	for _, d := range all {
		require.Equal(t, map[bool]string{true: made.first, false: third}[d.AssignmentRevision >= revision], d.ModelVersion)
	}
	last := score(t, a.Conn(), pay("last", "x", begin().Add(time.Minute)))
	require.InDelta(t, 1, value(t, last, "card_fraud_share_30d"), 0, "a label that had waited counts in the new state")
	replayAll(t, a.Conn(), uint64(len(all)+3))
}

func TestDamagedArtifact(t *testing.T) {
	dir, made := newPayments(t)
	damage := func(version string) {
		found, err := filepath.Glob(filepath.Join(dir, "data", "registry", "*", version+".txt"))
		require.NoError(t, err)
		require.Len(t, found, 1)
		text, err := os.ReadFile(found[0])
		require.NoError(t, err)
		require.NoError(t, os.Chmod(found[0], 0o600))
		require.NoError(t, os.WriteFile(found[0], []byte(strings.Replace(string(text), "leaf_value=-", "leaf_value=", 1)), 0o600))
	}
	a := open(t, dir, true)
	damage(made.second)
	_, err := haechiv1.NewModelsClient(a.Conn()).PromoteModel(t.Context(), &haechiv1.PromoteModelRequest{Version: made.second, Actor: "tester", Reason: "damaged"})
	requireCode(t, codes.DataLoss, err, "SHA-256")
	require.Equal(t, made.first, score(t, a.Conn(), pay("one", "c", begin())).ModelVersion)
	stop(t, a)

	damage(made.first)
	a = open(t, dir, true)
	defer stop(t, a)
	d := score(t, a.Conn(), pay("two", "c", begin()))
	require.Equal(t, haechiv1.Verdict_VERDICT_REVIEW, d.Decision)
	require.Contains(t, d.Flags, "fallback")
	require.Contains(t, d.FallbackCause, "SHA-256")
	require.Empty(t, d.ModelVersion)
	require.Nil(t, d.Raw)
	code, _ := get(t, a, "/readyz")
	require.Equal(t, http.StatusOK, code)
	require.InDelta(t, 1, metric(t, a, "haechi_scoring_refused_champions_total"), 0)
	require.InDelta(t, 1, metric(t, a, "haechi_scoring_fallbacks_total"), 0)
	out, err := haechiv1.NewDecisionsClient(a.Conn()).ReplayDecision(t.Context(), &haechiv1.ReplayDecisionRequest{EventType: "payment", EventId: "two"})
	require.NoError(t, err)
	require.True(t, out.Equal, "%v", out.Differences)
	_, err = haechiv1.NewDecisionsClient(a.Conn()).ReplayDecision(t.Context(), &haechiv1.ReplayDecisionRequest{EventType: "payment", EventId: "one"})
	requireCode(t, codes.DataLoss, err, made.first)
	require.Equal(t, made.first, score(t, a.Conn(), pay("one", "c", begin())).ModelVersion, "what was decided stays readable")
}

func TestRefusedModelFiles(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, false)
	defer stop(t, a)
	text, err := modelText("binary")
	require.NoError(t, err)
	for name, bad := range map[string][]byte{
		"half":        text[:len(text)/2],
		"a line less": text[:strings.LastIndex(strings.TrimSpace(string(text[:len(text)/2])), "\n")],
		"empty":       nil,
		"not a model": []byte(strings.Repeat("PK\x03\x04", 1000)),
	} {
		_, err := importText(t.Context(), a.Conn(), bad, paymentFeatures())
		require.Error(t, err, name)
		requireCode(t, codes.InvalidArgument, err)
	}
	for _, refused := range []string{"refused_linear_tree", "refused_random_forest", "refused_multiclass"} {
		_, err := importModel(t.Context(), a.Conn(), refused, paymentFeatures())
		requireCode(t, codes.InvalidArgument, err)
	}
	_, err = importText(t.Context(), a.Conn(), text, map[string]string{"amount": "amount"})
	requireCode(t, codes.InvalidArgument, err, "age")
	models, err := haechiv1.NewModelsClient(a.Conn()).ListModels(context.WithoutCancel(t.Context()), &haechiv1.ListModelsRequest{})
	require.NoError(t, err)
	require.Len(t, models.Models, 2, "nothing of them was kept")
}
