package app_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/haechi-fraud/haechi/internal/project"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// process is a serving process that can be killed.
type process struct {
	cmd  *exec.Cmd
	conn *grpc.ClientConn
}

func startProcess(t *testing.T, dir string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "HAECHI_TEST_SERVE="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	errs := &strings.Builder{}
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		_ = cmd.Wait()
		t.Fatalf("the server did not start: %q, %v\n%s", line, err, errs)
	}
	owner, ok, err := project.FindOwner(filepath.Join(dir, "data"))
	require.NoError(t, err)
	require.True(t, ok)
	conn, err := grpc.NewClient(owner.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	return &process{cmd, conn}
}

// kill ends the process as a power cut would, the memory lost.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL))
	_ = p.cmd.Wait()
	require.NoError(t, p.conn.Close())
}

// ledger is what callers know: every decision that was acknowledged to them.
type ledger struct {
	mu       sync.Mutex
	acked    map[string]*haechiv1.Decision
	pending  []*haechiv1.Event // sent, outcome unknown: retried with the same id
	labelled map[string]bool
}

func (l *ledger) ack(t *testing.T, d *haechiv1.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if had, ok := l.acked[d.EventId]; ok && (had.Sequence.Number != d.Sequence.Number || had.GetRaw() != d.GetRaw() || had.Decision != d.Decision) {
		t.Errorf("event %s got two decisions: %v and %v", d.EventId, had, d)
	}
	l.acked[d.EventId] = d
}

// load sends events from many callers until the server dies; next gives events nobody has sent.
func (l *ledger) load(t *testing.T, conn *grpc.ClientConn, next func() *haechiv1.Event, died <-chan struct{}) {
	l.mu.Lock()
	retries := l.pending
	l.pending = nil
	l.mu.Unlock()
	queue := make(chan *haechiv1.Event, len(retries)+64)
	for _, ev := range retries {
		queue <- ev
		queue <- ev // twice at once: still one decision
	}
	var wg sync.WaitGroup
	for range 32 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				var ev *haechiv1.Event
				select {
				case <-died:
					return
				case ev = <-queue:
				default:
					ev = next()
				}
				if !l.send(t, conn, ev) {
					return
				}
			}
		}()
	}
	wg.Wait()
	for len(queue) > 0 {
		ev := <-queue
		l.mu.Lock()
		l.pending = append(l.pending, ev)
		l.mu.Unlock()
	}
}

func (l *ledger) send(t *testing.T, conn *grpc.ClientConn, ev *haechiv1.Event) bool {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := haechiv1.NewScoringClient(conn).Score(ctx, &haechiv1.ScoreRequest{Event: ev})
	if err != nil {
		l.mu.Lock()
		l.pending = append(l.pending, ev)
		l.mu.Unlock()
		return false
	}
	l.ack(t, out.Decision)
	if len(ev.Id)%2 == 0 && rand.IntN(4) == 0 { //nolint:gosec // any spread will do
		known := timestamppb.New(ev.Time.AsTime().Add(time.Hour))
		r, err := haechiv1.NewLabelsClient(conn).PutLabel(ctx, &haechiv1.PutLabelRequest{Label: &haechiv1.Label{
			EventType: ev.Type, EventId: ev.Id, Verdict: haechiv1.LabelVerdict_LABEL_VERDICT_FRAUD, Kind: "chargeback", KnownAt: known, Source: "test"}})
		if err == nil && r.Added {
			l.mu.Lock()
			l.labelled[ev.Id] = true
			l.mu.Unlock()
		}
	}
	return true
}

// TestKilledServer kills the serving process with SIGKILL under concurrent load, twenty times, with retries in flight.
// Every acknowledged decision is there afterwards, no event has two, and every decision replays to the bit.
func TestKilledServer(t *testing.T) {
	w := world(t)
	dir := newProject(t)
	offline := open(t, dir, false)
	importHistory(t, offline.Conn(), w, 40)
	run := retrainRun(t, offline.Conn(), &haechiv1.StartRetrainRequest{EventType: "card_payment", Actor: "tester"})
	require.Equal(t, "done", run.State, run.Error)
	promote(t, offline.Conn(), run.Version)
	stop(t, offline)

	rounds, perRound := 20, 50
	if testing.Short() {
		rounds = 3
	}
	if values, err := strconv.Atoi(os.Getenv("HAECHI_SOAK_VALUES")); err == nil { // make soak: so many values in all
		perRound = values / rounds / len(offline.Project().EventTypes[0].Definitions)
	}
	days := w.Between(w.Day(40), w.Day(60))
	var mu sync.Mutex
	sent := 0
	next := func() *haechiv1.Event {
		mu.Lock()
		defer mu.Unlock()
		ev := wire(w, &days[sent%len(days)])
		ev.Id = fmt.Sprintf("live-%d", sent)
		sent++
		return ev
	}
	l := &ledger{acked: map[string]*haechiv1.Decision{}, labelled: map[string]bool{}}
	snapshots := func() []string {
		paths, err := filepath.Glob(filepath.Join(dir, "data", "snapshots", "*.snap"))
		require.NoError(t, err)
		return paths
	}
	for round := range rounds {
		p := startProcess(t, dir)
		died := make(chan struct{})
		loaded := make(chan struct{})
		go func() { defer close(loaded); l.load(t, p.conn, next, died) }()
		before := l.count()
		had := snapshots()
		for l.count() < before+perRound || round%5 == 0 && slices.Equal(had, snapshots()) { // the kill comes while decisions flow
			select {
			case <-loaded:
				t.Fatal("the server stopped answering before it was killed")
			case <-time.After(time.Millisecond):
			}
		}
		time.Sleep(time.Duration(rand.IntN(80)) * time.Millisecond) //nolint:gosec // any moment will do
		p.kill(t)
		close(died)
		<-loaded
	}
	require.NotEmpty(t, snapshots(), "starts were from snapshots")
	check(t, dir, l)
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *ledger) snapshot() map[string]*haechiv1.Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]*haechiv1.Decision, len(l.acked))
	for id, d := range l.acked {
		out[id] = d
	}
	return out
}

// check holds the log against the ledger.
func check(t *testing.T, dir string, l *ledger) {
	t.Helper()
	a := open(t, dir, true)
	defer stop(t, a)
	decisions := haechiv1.NewDecisionsClient(a.Conn())
	for id, want := range l.snapshot() {
		got, err := decisions.GetDecision(t.Context(), &haechiv1.GetDecisionRequest{EventId: id})
		require.NoError(t, err, "an acknowledged decision is gone")
		require.Equal(t, want.Sequence.Number, got.Decision.Sequence.Number)
		require.Equal(t, want.GetRaw(), got.Decision.GetRaw())
		require.Equal(t, want.Decision, got.Decision.Decision)
		if l.labelled[id] {
			require.NotEmpty(t, got.Labels, "an acknowledged label is gone")
		}
	}
	ids := map[string]bool{}
	for id := range l.acked {
		ids[id] = true
	}
	for _, ev := range l.pending { // of those in flight, each is there once or not at all
		if !ids[ev.Id] {
			if _, err := decisions.GetDecision(t.Context(), &haechiv1.GetDecisionRequest{EventId: ev.Id}); err == nil {
				ids[ev.Id] = true
			}
		}
	}
	totals := replayAll(t, a.Conn(), uint64(len(ids)))
	require.NotZero(t, totals.Values)
	t.Logf("%d acknowledged decisions, %d values replayed, 0 differ", len(l.acked), totals.Values)
}
