package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/haechi-fraud/haechi/examples"
	"github.com/haechi-fraud/haechi/internal/app"
	"github.com/haechi-fraud/haechi/internal/simulate"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// The test binary is also the program whose child processes these tests need.
func TestMain(m *testing.M) {
	if os.Getenv("HAECHI_LIGHTGBM") == "" {
		library, err := filepath.Abs("../../lib/lightgbm/lib_lightgbm.so")
		if err != nil {
			panic(err)
		}
		os.Setenv("HAECHI_LIGHTGBM", library)
	}
	if code, is := app.Child(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); is {
		os.Exit(code)
	}
	if dir := os.Getenv("HAECHI_TEST_SERVE"); dir != "" {
		os.Exit(serveUntilKilled(dir))
	}
	os.Exit(m.Run())
}

func self() []string { return []string{os.Args[0]} }

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// world is a small simulated world: 60 days, most of it history.
func world(t *testing.T) *simulate.World {
	t.Helper()
	c := simulate.DefaultConfig(7, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	c.Days, c.Customers, c.Terminals = 60, 400, 800
	w, err := simulate.New(c)
	require.NoError(t, err)
	return w
}

// newProject makes a project with the demo's event type on free ports.
func newProject(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, examples.Copy("demo-payments", dir))
	config := "listen: {grpc: 127.0.0.1:0, http: 127.0.0.1:0, admin: 127.0.0.1:0}\nlog: {segment_bytes: 1MiB}\nsnapshots: {every: 50ms}\ntraining: {threads: 2}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "haechi.yaml"), []byte(config), 0o600))
	return dir
}

func open(t *testing.T, dir string, serve bool) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: dir, Command: "test", Serve: serve, Self: self(), Logger: logger(t)})
	require.NoError(t, err)
	if serve {
		require.NoError(t, a.Start(t.Context()))
	}
	return a
}

func stop(t *testing.T, a *app.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	require.NoError(t, a.Stop(ctx))
}

// importHistory imports the world's first days and gives what the server answered.
func importHistory(t *testing.T, conn *grpc.ClientConn, w *simulate.World, days int) *haechiv1.ImportFilesResponse_Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history.csv.gz")
	until := w.Day(days)
	require.NoError(t, simulate.WriteFile(path, func(out io.Writer) error {
		return w.WriteEvents(out, simulate.Export{From: w.Day(0), To: until, KnownBy: until})
	}))
	return importFile(t, conn, path)
}

// importFile imports one file of card payments.
func importFile(t *testing.T, conn *grpc.ClientConn, path string) *haechiv1.ImportFilesResponse_Result {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	stream, err := haechiv1.NewImportClient(conn).ImportFiles(t.Context())
	require.NoError(t, err)
	send := func(m *haechiv1.ImportFilesRequest) { require.NoError(t, stream.Send(m)) }
	send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Header_{Header: &haechiv1.ImportFilesRequest_Header{EventType: "card_payment"}}})
	send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_File_{File: &haechiv1.ImportFilesRequest_File{
		Role: haechiv1.ImportFilesRequest_File_ROLE_EVENTS, Name: filepath.Base(path)}}})
	for len(text) > 0 {
		n := min(len(text), 1<<20)
		send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Chunk{Chunk: text[:n]}})
		text = text[n:]
	}
	send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Begin{Begin: true}})
	require.NoError(t, stream.CloseSend())
	for {
		m, err := stream.Recv()
		require.NoError(t, err)
		if m.Result != nil {
			return m.Result
		}
	}
}

// retrainRun runs a retrain to its end.
func retrainRun(t *testing.T, conn *grpc.ClientConn, in *haechiv1.StartRetrainRequest) *haechiv1.Run {
	t.Helper()
	client := haechiv1.NewRetrainsClient(conn)
	started, err := client.StartRetrain(t.Context(), in)
	require.NoError(t, err)
	stream, err := client.WatchRetrain(t.Context(), &haechiv1.WatchRetrainRequest{RunId: started.RunId})
	require.NoError(t, err)
	for {
		m, err := stream.Recv()
		require.NoError(t, err)
		if m.Run != nil {
			return m.Run
		}
	}
}

func promote(t *testing.T, conn *grpc.ClientConn, version string) uint64 {
	t.Helper()
	out, err := haechiv1.NewModelsClient(conn).PromoteModel(t.Context(), &haechiv1.PromoteModelRequest{Version: version, Actor: "tester", Reason: "first champion"})
	require.NoError(t, err)
	return out.Assignment.Revision
}

// wire is a simulated payment as a payment backend sends it.
func wire(w *simulate.World, ev *simulate.Event) *haechiv1.Event {
	c := w.Customers()[ev.Customer]
	return &haechiv1.Event{
		Type: "card_payment", Id: strconv.FormatInt(ev.ID, 10), Time: timestamppb.New(time.UnixMicro(ev.Time)),
		Entities:   map[string]string{"customer": strconv.Itoa(ev.Customer), "terminal": strconv.Itoa(ev.Terminal)},
		Amount:     &haechiv1.Money{Currency: "EUR", MinorUnits: ev.Amount},
		Attributes: map[string]string{"country": c.Country, "age_band": c.AgeBand},
	}
}

func TestFromHistoryToDecisions(t *testing.T) {
	w := world(t)
	dir := newProject(t)

	offline := open(t, dir, false)
	imported := importHistory(t, offline.Conn(), w, 50)
	require.Equal(t, uint64(len(w.Between(w.Day(0), w.Day(50)))), imported.EventsAdded)
	require.Zero(t, imported.RowsRejected)
	require.NotZero(t, imported.LabelsAdded)
	again := importHistory(t, offline.Conn(), w, 50)
	require.Zero(t, again.EventsAdded, "rows are imported once")
	require.Zero(t, again.LabelsAdded)
	require.Equal(t, imported.EventsAdded, again.EventsKnown)

	run := retrainRun(t, offline.Conn(), &haechiv1.StartRetrainRequest{EventType: "card_payment", Actor: "tester"})
	require.Equal(t, "done", run.State, run.Error)
	require.Len(t, run.Version, 64)
	stop(t, offline)

	serving := open(t, dir, true)
	scoring := haechiv1.NewScoringClient(serving.Conn())
	day := w.Between(w.Day(50), w.Day(51))
	first, err := scoring.Score(t.Context(), &haechiv1.ScoreRequest{Event: wire(w, &day[0])})
	require.NoError(t, err)
	require.Equal(t, haechiv1.Verdict_VERDICT_REVIEW, first.Decision.Decision, "without a champion the declared fallback answers")
	require.Contains(t, first.Decision.Flags, "fallback")
	require.Nil(t, first.Decision.Raw)

	require.Equal(t, uint64(1), promote(t, serving.Conn(), run.Version))
	for i := range day[1:200] {
		out, err := scoring.Score(t.Context(), &haechiv1.ScoreRequest{Event: wire(w, &day[1+i]), Options: &haechiv1.ScoreOptions{Features: true}})
		require.NoError(t, err)
		require.Equal(t, run.Version, out.Decision.ModelVersion)
		require.NotEmpty(t, out.Decision.Features)
		require.Equal(t, uint64(1), out.Decision.AssignmentRevision)
	}
	replayAll(t, serving.Conn(), 200)
	stop(t, serving)

	restarted := open(t, dir, true)
	repeated, err := haechiv1.NewScoringClient(restarted.Conn()).Score(t.Context(), &haechiv1.ScoreRequest{Event: wire(w, &day[0])})
	require.NoError(t, err)
	require.Equal(t, first.Decision.Sequence.Number, repeated.Decision.Sequence.Number, "a known id gets the stored decision, also after a restart")
	replayAll(t, restarted.Conn(), 200)
	stop(t, restarted)
}

// replayAll computes every decision of the log again and wants no bit to differ.
func replayAll(t *testing.T, conn *grpc.ClientConn, decisions uint64) *haechiv1.ReplayDecisionsResponse {
	t.Helper()
	stream, err := haechiv1.NewDecisionsClient(conn).ReplayDecisions(t.Context(), &haechiv1.ReplayDecisionsRequest{})
	require.NoError(t, err)
	for {
		m, err := stream.Recv()
		require.NoError(t, err)
		if m.Done {
			require.Zero(t, m.Mismatches, "%s: %v", m.FirstMismatchId, m.FirstMismatch)
			require.Equal(t, decisions, m.Decisions)
			return m
		}
	}
}

// serveUntilKilled is the process that TestKilledServer kills.
func serveUntilKilled(dir string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	a, err := app.New(context.Background(), app.Options{Dir: dir, Command: "serve", Serve: true, Self: self(), Logger: log})
	if err == nil {
		err = a.Start(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	return waitForEver(a)
}

func waitForEver(a *app.App) int {
	err := <-a.Failed()
	fmt.Fprintln(os.Stderr, errors.Join(errors.New("ended"), err))
	return 1
}
