package app_test

import (
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestFirstTwoPaymentsInOneSecond(t *testing.T) {
	dir, made := newPayments(t)
	a := open(t, dir, true)
	defer stop(t, a)
	one := score(t, a.Conn(), pay("a", "c1", begin()))
	two := score(t, a.Conn(), pay("b", "c1", begin().Add(300*time.Millisecond)))
	require.Equal(t, made.first, one.ModelVersion)
	require.Contains(t, one.Flags, "window_incomplete", "nothing is known of 30 days before the first event")
	require.InDelta(t, 1, value(t, one, "card_count_30d"), 0)
	require.True(t, math.IsNaN(value(t, one, "card_gap")))
	require.InDelta(t, 2, value(t, two, "card_count_30d"), 0)
	require.InDelta(t, 0.3, value(t, two, "card_gap"), 0)
	require.InDelta(t, 50, value(t, two, "amount"), 0)
	require.Greater(t, two.Sequence.Number, one.Sequence.Number)

	capped := pay("c", "c2", begin())
	capped.Amount.MinorUnits = 100001
	d := score(t, a.Conn(), capped)
	require.Equal(t, haechiv1.Verdict_VERDICT_CHALLENGE, d.Decision)
	require.Equal(t, "cap", d.Reasons[0].Code)
	replayAll(t, a.Conn(), 3)
}

func TestRefusedRequests(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	defer stop(t, a)
	long := strings.Repeat("x", 200)
	for name, c := range map[string]struct {
		spoil func(ev *haechiv1.Event)
		code  codes.Code
		word  string
	}{
		"unknown event type": {func(ev *haechiv1.Event) { ev.Type = "login" }, codes.InvalidArgument, "payment"},
		"unknown entity":     {func(ev *haechiv1.Event) { ev.Entities["merchant"] = "m" }, codes.InvalidArgument, "entities.merchant"},
		"absent entity":      {func(ev *haechiv1.Event) { ev.Entities = map[string]string{"device": "d"} }, codes.InvalidArgument, "entities.card"},
		"empty entity":       {func(ev *haechiv1.Event) { ev.Entities["device"] = "" }, codes.InvalidArgument, "entities"},
		"unknown attribute":  {func(ev *haechiv1.Event) { ev.Attributes["colour"] = "red" }, codes.InvalidArgument, "attributes.colour"},
		"bad flag":           {func(ev *haechiv1.Event) { ev.Attributes["vip"] = "yes" }, codes.InvalidArgument, "attributes.vip"},
		"unknown number":     {func(ev *haechiv1.Event) { ev.Numbers["weight"] = 1 }, codes.InvalidArgument, "numbers.weight"},
		"NaN":                {func(ev *haechiv1.Event) { ev.Numbers["risk"] = math.NaN() }, codes.InvalidArgument, "risk"},
		"infinite":           {func(ev *haechiv1.Event) { ev.Numbers["risk"] = math.Inf(1) }, codes.InvalidArgument, "risk"},
		"too many decimals":  {func(ev *haechiv1.Event) { ev.Numbers["distance"] = 1.005 }, codes.InvalidArgument, "numbers.distance"},
		"wrong currency":     {func(ev *haechiv1.Event) { ev.Amount.Currency = "USD" }, codes.InvalidArgument, "amount.currency"},
		"missing amount":     {func(ev *haechiv1.Event) { ev.Amount = nil }, codes.InvalidArgument, "amount"},
		"absurd amount":      {func(ev *haechiv1.Event) { ev.Amount.MinorUnits = math.MaxInt64 }, codes.InvalidArgument, "amount"},
		"missing time":       {func(ev *haechiv1.Event) { ev.Time = nil }, codes.InvalidArgument, "time"},
		"absurd time":        {func(ev *haechiv1.Event) { ev.Time = &timestamppb.Timestamp{Seconds: -1} }, codes.InvalidArgument, "time"},
		"time too fine":      {func(ev *haechiv1.Event) { ev.Time.Nanos = 1001 }, codes.InvalidArgument, "time"},
		"too far ahead": {func(ev *haechiv1.Event) {
			ev.Time = timestamppb.New(time.Now().Add(6 * time.Minute).Truncate(time.Second))
		}, codes.InvalidArgument, "max_skew"},
		"long key":            {func(ev *haechiv1.Event) { ev.Entities["card"] = long }, codes.InvalidArgument, "entities"},
		"long value":          {func(ev *haechiv1.Event) { ev.Attributes["note"] = long }, codes.InvalidArgument, "attributes"},
		"event beyond 64 KiB": {func(ev *haechiv1.Event) { ev.Attributes["note"] = strings.Repeat("x", 64<<10) }, codes.ResourceExhausted, "65536"},
	} {
		t.Run(name, func(t *testing.T) {
			ev := pay("refused", "c1", begin())
			c.spoil(ev)
			_, err := scoreErr(t.Context(), a.Conn(), ev)
			requireCode(t, c.code, err, c.word)
			if name == "absurd time" {
				return // JSON cannot say it
			}
			code, body := post(t, a, "/v1/score", &haechiv1.ScoreRequest{Event: ev})
			require.Equal(t, map[codes.Code]int{codes.InvalidArgument: 400, codes.ResourceExhausted: 429}[c.code], code, body)
			require.Contains(t, body, c.word)
		})
	}
	noDecision(t, a.Conn(), "refused")
	require.InDelta(t, 1, value(t, score(t, a.Conn(), pay("refused", "c1", begin())), "card_count_30d"), 0, "what was refused left no trace")
	refusedIDs(t, a.Conn(), func(ev *haechiv1.Event) int {
		code, _ := post(t, a, "/v1/score", &haechiv1.ScoreRequest{Event: ev})
		return code
	})
	code, body := postText(t, a, "/v1/score", []byte(`{"event":{"type":"payment","colour":"red"}}`))
	require.Equal(t, http.StatusBadRequest, code, body)
	code, body = postText(t, a, "/v1/score", []byte(`{}`))
	require.Equal(t, http.StatusBadRequest, code, body)
}

func TestRepeatedIDs(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	ev := pay("same", "c1", begin())
	answers := make([]*haechiv1.Decision, 64)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			d, err := scoreErr(t.Context(), a.Conn(), ev)
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = d
		})
	}
	wg.Wait()
	for _, d := range answers {
		require.Equal(t, answers[0].Sequence.Number, d.Sequence.Number)
		require.Equal(t, answers[0].GetRaw(), d.GetRaw())
		require.Equal(t, answers[0].Features[3].GetValue(), d.Features[3].GetValue())
	}
	other := func(change func(*haechiv1.Event), word string) {
		ev := pay("same", "c1", begin())
		change(ev)
		_, err := scoreErr(t.Context(), a.Conn(), ev)
		requireCode(t, codes.AlreadyExists, err, "another "+word)
		code, body := post(t, a, "/v1/score", &haechiv1.ScoreRequest{Event: ev})
		require.Equal(t, http.StatusConflict, code, body)
	}
	conflicts := func() {
		other(func(ev *haechiv1.Event) { ev.Amount.MinorUnits++; ev.Numbers["risk"] = 4 }, "amount")
		other(func(ev *haechiv1.Event) { ev.Time = timestamppb.New(begin().Add(time.Second)) }, "time")
		other(func(ev *haechiv1.Event) { ev.Entities["card"] = "c2" }, "entities.card")
		other(func(ev *haechiv1.Event) { ev.Entities["device"] = "d" }, "entities.device")
		other(func(ev *haechiv1.Event) { ev.Attributes["channel"] = "pos" }, "attributes.channel")
		other(func(ev *haechiv1.Event) { ev.Attributes["phone"] = "1" }, "attributes.phone")
		other(func(ev *haechiv1.Event) { delete(ev.Numbers, "risk") }, "numbers.risk")
	}
	conflicts()
	require.InDelta(t, 2, value(t, score(t, a.Conn(), pay("next", "c1", begin())), "card_count_30d"), 0, "64 requests counted once")
	stop(t, a)

	a = open(t, dir, true)
	defer stop(t, a)
	require.Equal(t, answers[0].Sequence.Number, score(t, a.Conn(), ev).Sequence.Number)
	conflicts()
	require.InDelta(t, 3, value(t, score(t, a.Conn(), pay("last", "c1", begin())), "card_count_30d"), 0)
	replayAll(t, a.Conn(), 3)
}

func TestLateEvents(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	score(t, a.Conn(), pay("now", "c1", begin()))
	late := score(t, a.Conn(), pay("late", "c1", begin().Add(-time.Hour)))
	require.NotContains(t, late.Flags, "late")
	require.InDelta(t, 1, value(t, late, "card_count_30d"), 0, "at its time there was nothing before it")
	old := score(t, a.Conn(), pay("old", "c1", begin().Add(-7*24*time.Hour-time.Second)))
	require.Contains(t, old.Flags, "late")
	after := score(t, a.Conn(), pay("after", "c1", begin().Add(time.Minute)))
	require.InDelta(t, 3, value(t, after, "card_count_30d"), 0, "the late one is in its place, the old one in no history")
	stop(t, a)

	a = open(t, dir, true)
	defer stop(t, a)
	require.Contains(t, score(t, a.Conn(), pay("old", "c1", begin().Add(-7*24*time.Hour-time.Second))).Flags, "late")
	require.InDelta(t, 4, value(t, score(t, a.Conn(), pay("again", "c1", begin().Add(time.Minute))), "card_count_30d"), 0)
	replayAll(t, a.Conn(), 5)
}

func TestScoreBatch(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	defer stop(t, a)
	in := &haechiv1.ScoreBatchRequest{Options: &haechiv1.ScoreOptions{Features: true}}
	for i := range 100 {
		ev := pay(number("b", i), number("c", i%5), begin().Add(time.Duration(i)*time.Second))
		switch i {
		case 40:
			ev.Amount.Currency = "USD"
		case 41:
			ev.Id = ""
		case 42:
			ev.Attributes["note"] = strings.Repeat("x", 65<<10)
		case 43:
			ev.Id = "b-3" // other content
		}
		in.Events = append(in.Events, ev)
	}
	out, err := haechiv1.NewScoringClient(a.Conn()).ScoreBatch(t.Context(), in)
	require.NoError(t, err)
	require.Len(t, out.Items, 100)
	bad := map[int]codes.Code{40: codes.InvalidArgument, 41: codes.InvalidArgument, 42: codes.ResourceExhausted, 43: codes.AlreadyExists}
	for i, item := range out.Items {
		want, is := bad[i]
		require.Equal(t, int32(want), item.Status.GetCode(), "%d: %v", i, item.Status)
		if is {
			require.Nil(t, item.Decision)
			continue
		}
		require.Equal(t, number("b", i), item.Decision.EventId)
		if i < 40 {
			require.InDelta(t, i/5+1, value(t, item.Decision, "card_count_30d"), 0, "payments of one card are decided in request order")
		}
	}
	_, err = haechiv1.NewScoringClient(a.Conn()).ScoreBatch(t.Context(), &haechiv1.ScoreBatchRequest{})
	requireCode(t, codes.InvalidArgument, err)
	code, body := post(t, a, "/v1/score:batch", &haechiv1.ScoreBatchRequest{Events: in.Events[:41]})
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, body, "amount.currency")
	replayAll(t, a.Conn(), 96)
}

func TestPages(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	defer stop(t, a)
	for path, word := range map[string]string{
		"/healthz": "ok", "/readyz": "ready", "/openapi.json": `"/v1/score"`, "/metrics": "haechi_eventlog_", "/v1/models": "payment",
	} {
		code, body := get(t, a, path)
		require.Equal(t, http.StatusOK, code, path)
		require.Contains(t, body, word, path)
	}
	health, err := healthv1.NewHealthClient(a.Conn()).Check(t.Context(), &healthv1.HealthCheckRequest{Service: "haechi.v1.Scoring"})
	require.NoError(t, err)
	require.Equal(t, healthv1.HealthCheckResponse_SERVING, health.Status)
	code, _ := get(t, a, "/debug/pprof/")
	require.Equal(t, http.StatusNotFound, code, "profiles are on the admin port only")

	for range 3 {
		code, body := post(t, a, "/v1/score", &haechiv1.ScoreRequest{Event: pay("one", "c", begin())})
		require.Equal(t, http.StatusOK, code, body)
		require.Contains(t, body, `"model_version"`)
	}
	require.InDelta(t, 1, metric(t, a, "haechi_scoring_decisions_total"), 0)
	require.InDelta(t, 2, metric(t, a, "haechi_scoring_repeated_ids_total"), 0)
	require.InDelta(t, 3, metric(t, a, "haechi_server_request_seconds_count", "Scoring/Score", `code="OK"`), 0, "REST passes the interceptors")
}

// refusedIDs sends ids that nobody can have.
func refusedIDs(t *testing.T, conn *grpc.ClientConn, rest func(*haechiv1.Event) int) {
	t.Helper()
	for id, want := range map[string]codes.Code{"": codes.InvalidArgument, strings.Repeat("i", 129): codes.InvalidArgument, strings.Repeat("i", 1<<20): codes.ResourceExhausted} {
		ev := pay(id, "c1", begin())
		_, err := scoreErr(t.Context(), conn, ev)
		requireCode(t, want, err)
		require.Equal(t, map[codes.Code]int{codes.InvalidArgument: 400, codes.ResourceExhausted: 429}[want], rest(ev))
	}
}
