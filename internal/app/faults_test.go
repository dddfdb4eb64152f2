package app_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// segment is the only segment file of a project's log.
func segment(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "data", "log", "*.seg"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

// frame finds where the record of that sequence begins in its segment: behind a header that says how long it is, a frame is
// length, CRC, sequence with one bit of its own, payload.
func frame(t *testing.T, text []byte, sequence uint64) int64 {
	t.Helper()
	for at := int64(binary.LittleEndian.Uint32(text[12:])); at+16 <= int64(len(text)); {
		length := int64(binary.LittleEndian.Uint32(text[at:]))
		if length > 0 && binary.LittleEndian.Uint64(text[at+8:])&^(1<<63) == sequence {
			return at
		}
		at += 16 + length
	}
	require.Fail(t, "no such frame", "%d", sequence)
	return 0
}

// crashed cuts the log of a stopped project at an offset, as a power cut leaves it; the warehouse is made anew from it.
func crashed(t *testing.T, dir string, at int64) {
	t.Helper()
	require.NoError(t, os.Truncate(segment(t, dir), at))
	found, err := filepath.Glob(filepath.Join(dir, "data", "warehouse*"))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, path := range found {
		require.NoError(t, os.RemoveAll(path))
	}
}

func TestUndecidedAndTornAfterACrash(t *testing.T) {
	for name, extra := range map[string]int64{"cut between event and decision": 0, "decision torn": 21} {
		t.Run(name, func(t *testing.T) {
			dir, made := newPayments(t)
			a := open(t, dir, true)
			first := score(t, a.Conn(), pay("first", "c", begin()))
			putLabel(t, a.Conn(), label("first", fraud, begin()))
			decided := score(t, a.Conn(), pay("last", "c", begin().Add(time.Minute)))
			stop(t, a)
			text, err := os.ReadFile(segment(t, dir))
			require.NoError(t, err)
			crashed(t, dir, frame(t, text, decided.Sequence.Number)+extra)

			a = open(t, dir, true)
			defer stop(t, a)
			again := score(t, a.Conn(), pay("last", "c", begin().Add(time.Minute)))
			require.Contains(t, again.Flags, "recovered")
			require.Equal(t, made.first, again.ModelVersion)
			require.Equal(t, decided.GetRaw(), again.GetRaw(), "decided on the vector that it had")
			require.InDelta(t, 60, value(t, again, "card_gap"), 0)
			require.Equal(t, first.Sequence.Number, score(t, a.Conn(), pay("first", "c", begin())).Sequence.Number)
			require.InDelta(t, 3, value(t, score(t, a.Conn(), pay("more", "c", begin().Add(time.Minute))), "card_count_30d"), 0)
			replayAll(t, a.Conn(), 3)
		})
	}
}

// TestUndecidedUnderAnOlderDocument: the event type has changed by the time that an event is decided.
func TestUndecidedUnderAnOlderDocument(t *testing.T) {
	dir, made := newPayments(t)
	a := open(t, dir, true)
	ev := pay("last", "c", begin())
	ev.Attributes = map[string]string{"channel": "atm", "note": "web"}
	decided := score(t, a.Conn(), ev)
	stop(t, a)
	text, err := os.ReadFile(segment(t, dir))
	require.NoError(t, err)
	crashed(t, dir, frame(t, text, decided.Sequence.Number))
	edit(t, dir, "  channel:", "  area: {type: category}\n  channel:", "  card: {}", "  account: {optional: true}\n  card: {}")
	a = open(t, dir, true)
	defer stop(t, a)
	again := score(t, a.Conn(), ev)
	require.Contains(t, again.Flags, "recovered")
	require.Equal(t, "atm", again.Reasons[0].Code)
	require.Equal(t, made.first, again.ModelVersion)
	require.NotEqual(t, decided.EventTypeHash, again.EventTypeHash)
	replayAll(t, a.Conn(), 1)
}

func TestCorruptLogRefusesToStart(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	first := score(t, a.Conn(), pay("first", "c", begin()))
	for i := range 20 {
		score(t, a.Conn(), pay(number("p", i), "c", begin()))
	}
	stop(t, a)
	path := segment(t, dir)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	at := frame(t, text, first.Sequence.Number)
	text[at+20] ^= 4
	require.NoError(t, os.WriteFile(path, text, 0o600))
	for range 2 { // refusing changes nothing
		a, err = app.New(t.Context(), app.Options{Dir: dir, Command: "serve", Serve: true, Self: self(), Logger: quiet()})
		require.NoError(t, err)
		err = a.Start(t.Context())
		require.ErrorContains(t, err, path)
		require.ErrorContains(t, err, "offset "+strconv.FormatInt(at, 10))
		stop(t, a)
		now, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, now)
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	defer stop(t, a)
	for _, serve := range []bool{true, false} {
		_, err := app.New(t.Context(), app.Options{Dir: dir, Command: "serve", Serve: serve, Self: self(), Logger: quiet()})
		require.ErrorContains(t, err, fmt.Sprintf("pid %d", os.Getpid()))
		require.ErrorContains(t, err, a.Addresses().GRPC)
	}
	score(t, a.Conn(), pay("still", "c", begin()))
}

// TestStopDrains stops a server under load: what was begun is answered, what is answered is kept, nothing runs on.
func TestStopDrains(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	conn, err := grpc.NewClient(a.Addresses().GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	var mu sync.Mutex
	acked := map[string]uint64{}
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				ev := pay(fmt.Sprintf("d-%d-%d", c, i), number("c", c), begin())
				d, err := scoreErr(t.Context(), conn, ev)
				if err != nil {
					if status.Code(err) != codes.Unavailable {
						t.Errorf("a request under way was not answered: %v", err)
					}
					return
				}
				mu.Lock()
				acked[ev.Id] = d.Sequence.Number
				mu.Unlock()
			}
		})
	}
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(acked) > 200 }, 30*time.Second, time.Millisecond)
	stop(t, a)
	wg.Wait()
	require.NoError(t, conn.Close())
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, before)

	a = open(t, dir, true)
	defer stop(t, a)
	for id, sequence := range acked {
		out, err := haechiv1.NewDecisionsClient(a.Conn()).GetDecision(t.Context(), &haechiv1.GetDecisionRequest{EventType: "payment", EventId: id})
		require.NoError(t, err)
		require.Equal(t, sequence, out.Decision.Sequence.Number)
		require.NotContains(t, out.Decision.Flags, "recovered")
	}
	replayAll(t, a.Conn(), uint64(len(acked)))
}

// TestDeadlines: a deadline that has passed leaves no trace; a caller that leaves does not take the decision with it.
func TestDeadlines(t *testing.T) {
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	defer stop(t, a)
	var wg sync.WaitGroup
	const n = 200
	unknown := make([]bool, n)
	for i := range n {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*20)*time.Microsecond)
		if i%2 == 1 {
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(time.Duration(i*20)*time.Microsecond, cancel)
		}
		wg.Go(func() {
			defer cancel()
			_, err := scoreErr(ctx, a.Conn(), pay(number("t", i), "c", begin()))
			if err != nil && status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.Canceled {
				t.Error(err)
			}
			unknown[i] = err != nil
		})
	}
	wg.Wait()
	require.Contains(t, unknown, true)
	for i := range n {
		require.NotEmpty(t, score(t, a.Conn(), pay(number("t", i), "c", begin())).ModelVersion, "a retry tells")
	}
	require.InDelta(t, n+1, value(t, score(t, a.Conn(), pay("end", "c", begin())), "card_count_30d"), 0, "each counts once")
	replayAll(t, a.Conn(), n+1)
}
