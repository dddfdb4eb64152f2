package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

const (
	fraud      = haechiv1.LabelVerdict_LABEL_VERDICT_FRAUD
	legitimate = haechiv1.LabelVerdict_LABEL_VERDICT_LEGITIMATE
	withdrawn  = haechiv1.LabelVerdict_LABEL_VERDICT_WITHDRAWN
)

func label(id string, v haechiv1.LabelVerdict, known time.Time) *haechiv1.Label {
	return &haechiv1.Label{EventType: "payment", EventId: id, Verdict: v, Kind: "chargeback", KnownAt: timestamppb.New(known), Source: "bank"}
}

func putLabel(t *testing.T, conn *grpc.ClientConn, l *haechiv1.Label) *haechiv1.PutLabelResponse {
	t.Helper()
	out, err := haechiv1.NewLabelsClient(conn).PutLabel(t.Context(), &haechiv1.PutLabelRequest{Label: l})
	require.NoError(t, err)
	return out
}

func labelsOf(t *testing.T, conn *grpc.ClientConn, id string) []*haechiv1.ListLabelsResponse_Item {
	t.Helper()
	out, err := haechiv1.NewLabelsClient(conn).ListLabels(t.Context(), &haechiv1.ListLabelsRequest{EventType: "payment", EventId: id})
	require.NoError(t, err)
	return out.Labels
}

func TestLabels(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	hours := func(n int) time.Time { return begin().Add(time.Duration(n) * time.Hour) }
	share := func(id string, at time.Time) float64 {
		t.Helper()
		return value(t, score(t, a.Conn(), pay(id, "c1", at)), "card_fraud_share_30d")
	}
	require.InDelta(t, 0, share("e0", hours(0)), 0)
	first := putLabel(t, a.Conn(), label("e0", fraud, hours(2)))
	require.True(t, first.Added)
	require.False(t, first.Waiting)
	again := putLabel(t, a.Conn(), label("e0", fraud, hours(2)))
	require.False(t, again.Added, "a repeated label is no change")
	require.Equal(t, first.Sequence.Number, again.Sequence.Number)
	require.InDelta(t, 0, share("e1", hours(1)), 0, "it was not known then")
	require.InDelta(t, 1.0/2, share("e2", hours(2)), 0, "known at that very time")
	putLabel(t, a.Conn(), label("e0", withdrawn, hours(4)))
	require.InDelta(t, 1.0/3, share("e3", hours(3)), 0)
	require.InDelta(t, 0, share("e4", hours(4)), 0, "withdrawn")

	waiting := putLabel(t, a.Conn(), label("e6", fraud, hours(6)))
	require.True(t, waiting.Waiting)
	require.True(t, waiting.Added)
	require.Len(t, labelsOf(t, a.Conn(), "e6"), 1)
	require.False(t, putLabel(t, a.Conn(), label("e6", fraud, hours(6))).Added)
	require.InDelta(t, 0, share("e5", hours(6)), 0, "its event has not come yet")
	require.InDelta(t, 0, share("e6", hours(6)), 0)
	require.InDelta(t, 1.0/7, share("e7", hours(6)), 0, "from its event on it counts")
	batch, err := haechiv1.NewLabelsClient(a.Conn()).PutLabels(t.Context(), &haechiv1.PutLabelsRequest{Labels: []*haechiv1.Label{
		label("e7", fraud, hours(6)), {EventType: "payment", EventId: "e7", Verdict: fraud, Kind: "rumour"},
		{EventType: "payment", EventId: "e7", Kind: "review"}, label("late-comer", fraud, hours(7)),
		{EventType: "payment", EventId: "e1", Verdict: legitimate, Kind: "review"},
	}})
	require.NoError(t, err)
	want := []codes.Code{codes.OK, codes.InvalidArgument, codes.InvalidArgument, codes.OK, codes.OK}
	for i, item := range batch.Items {
		require.Equal(t, int32(want[i]), item.Status.GetCode(), "%d: %v", i, item.Status)
	}
	require.Contains(t, batch.Items[1].Status.Message, "chargeback", "the kinds there are")
	require.True(t, batch.Items[3].Result.Waiting)
	require.Equal(t, hours(1).AddDate(0, 0, 7), labelsOf(t, a.Conn(), "e1")[0].Label.KnownAt.AsTime(), "undated: the event type's delay")
	refusedLabels(t, a.Conn())
	code, body := post(t, a, "/v1/labels", label("e2", fraud, hours(5)))
	require.Equal(t, http.StatusOK, code, body)
	code, body = get(t, a, "/v1/labels/payment/e2")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "LABEL_VERDICT_FRAUD")

	// A dropped event's label is kept, and counts nowhere.
	require.Contains(t, score(t, a.Conn(), pay("old", "c1", begin().AddDate(0, 0, -8))).Flags, "late")
	require.True(t, putLabel(t, a.Conn(), label("old", fraud, hours(0))).Added)
	before := share("e8", hours(6))
	require.InDelta(t, 3.0/8, before, 0) // e2, e6, e7
	stop(t, a)

	a = open(t, dir, true)
	defer func() { stop(t, a) }()
	require.Len(t, labelsOf(t, a.Conn(), "e0"), 2)
	require.Len(t, labelsOf(t, a.Conn(), "e6"), 1)
	require.False(t, putLabel(t, a.Conn(), label("e0", fraud, hours(2))).Added, "known after a restart too")
	require.False(t, putLabel(t, a.Conn(), label("late-comer", fraud, hours(7))).Added)
	require.InDelta(t, 3.0/9, share("e9", hours(6)), 0)
	share("late-comer", hours(7))
	require.InDelta(t, 4.0/11, share("e10", hours(7)), 0, "a label that waited through a restart")
	replayAll(t, a.Conn(), 13)
}

func refusedLabels(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	client := haechiv1.NewLabelsClient(conn)
	for word, l := range map[string]*haechiv1.Label{
		"kind":     {EventType: "payment", EventId: "e0", Verdict: fraud, Kind: "rumour"},
		"verdict":  {EventType: "payment", EventId: "e0", Kind: "review"},
		"event_id": {EventType: "payment", Verdict: fraud, Kind: "review"},
		"known_at": {EventType: "payment", EventId: "nobody", Verdict: fraud, Kind: "review"},
		"login":    {EventType: "login", EventId: "e0", Verdict: fraud, Kind: "review"},
	} {
		_, err := client.PutLabel(t.Context(), &haechiv1.PutLabelRequest{Label: l})
		requireCode(t, codes.InvalidArgument, err, word)
	}
	_, err := client.ListLabels(t.Context(), &haechiv1.ListLabelsRequest{EventType: "payment", EventId: "nobody"})
	requireCode(t, codes.NotFound, err)
}

func TestLabelsOfEventsInFlight(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	const n = 150
	var wg sync.WaitGroup
	for i := range n {
		ev := pay(number("f", i), number("c", i%7), begin().Add(time.Duration(i)*time.Second))
		wg.Go(func() {
			if _, err := scoreErr(t.Context(), a.Conn(), ev); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			in := &haechiv1.PutLabelRequest{Label: label(ev.Id, fraud, begin())}
			if _, err := haechiv1.NewLabelsClient(a.Conn()).PutLabel(t.Context(), in); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	total := func() (sum float64) {
		for c := range 7 {
			d := score(t, a.Conn(), pay(fmt.Sprintf("sum-%d-%s", c, t.Name()), number("c", c), begin().Add(time.Hour)))
			sum += value(t, d, "card_fraud_share_30d") * (value(t, d, "card_count_30d") - 1)
		}
		return sum
	}
	require.InDelta(t, n, total(), 1e-9, "every label counts, whichever came first")
	for i := range n {
		require.Len(t, labelsOf(t, a.Conn(), number("f", i)), 1)
	}
	replayAll(t, a.Conn(), n+7)
	stop(t, a)
	a = open(t, dir, true)
	defer stop(t, a)
	require.Len(t, labelsOf(t, a.Conn(), number("f", 3)), 1)
	replayAll(t, a.Conn(), n+7)
}

// TestPersonalData looks for a phone number in every file of the data folder and in every answer.
func TestPersonalData(t *testing.T) {
	const phone, card = "+49-171-5550123", "4111 1111 1111 1111"
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	ev := pay("p", "c1", begin())
	ev.Attributes["phone"] = phone
	score(t, a.Conn(), ev)
	found, err := haechiv1.NewDecisionsClient(a.Conn()).GetDecision(t.Context(), &haechiv1.GetDecisionRequest{EventType: "payment", EventId: "p"})
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{32}$", found.Event.Attributes["phone"])
	require.Equal(t, score(t, a.Conn(), ev).Sequence.Number, found.Decision.Sequence.Number, "the same phone is the same hash")
	text, err := json.Marshal(found)
	require.NoError(t, err)
	require.NotContains(t, string(text), phone)
	metrics := func() float64 { return metric(t, a, "haechi_scoring_card_numbers_total", `field="attributes.note"`) }
	require.InDelta(t, 0, metrics(), 0)
	clear := pay("q", "c1", begin())
	clear.Attributes["note"], clear.Attributes["phone"] = card, card
	score(t, a.Conn(), clear)
	require.InDelta(t, 1, metrics(), 0, "a card number in clear is counted; in a field flagged pii it is none")
	require.InDelta(t, 1, metric(t, a, "haechi_scoring_card_numbers_total"), 0)
	stop(t, a)

	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		files++
		require.False(t, strings.Contains(string(text), phone), "%s holds the phone number in clear", path)
		return err
	}))
	require.Greater(t, files, 3)
}
