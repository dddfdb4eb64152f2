package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/haechi-fraud/haechi/internal/app"
	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/internal/simulate"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type benchCommand struct {
	Serve benchServeCommand `cmd:"" help:"Score over gRPC beside a bare echo of the same messages, in turns; the ratio is what counts."`
}

type benchServeCommand struct {
	InFlight int           `default:"64" help:"Requests in flight."`
	Rounds   int           `default:"5" help:"Turns of each side."`
	Seconds  float64       `default:"3" help:"Length of a turn."`
	Soak     time.Duration `placeholder:"DURATION" help:"Instead of turns, score for this long while event time runs fast, show memory, and say no when it still grows after every window was full."`
	Warp     float64       `default:"150000" help:"With --soak, how many times faster than the clock event time runs."`
}

// benchHistoryDays is what the bench's model is trained on.
const benchHistoryDays = 60

// Run makes a project with a trained champion in a folder of its own and loads it.
func (c *benchServeCommand) Run(ctx context.Context, e *env) (err error) {
	if c.InFlight < 1 || c.Rounds < 1 || c.Seconds <= 0 || c.Warp <= 0 {
		return &usageError{errors.New("--in-flight, --rounds, --seconds and --warp must be above 0")}
	}
	dir, err := os.MkdirTemp("", "haechi-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := app.Init(filepath.Join(dir, "project"), demoExample); err != nil {
		return err
	}
	// DuckDB fills the memory it is given; with little of it the rest of the process can be seen.
	if err := os.WriteFile(filepath.Join(dir, "project", "haechi.yaml"), []byte("warehouse: {memory_limit: 128MiB}\n"), 0o600); err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{Dir: filepath.Join(dir, "project"), Command: "bench", Serve: true, Self: e.self, Logger: e.logger(slog.LevelWarn),
		Listen: &project.Listen{GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", Admin: "127.0.0.1:0"}})
	if err != nil {
		return err
	}
	if err = a.Start(ctx); err == nil {
		err = c.bench(ctx, e, a, dir)
	}
	return errors.Join(err, stopApp(ctx, a))
}

func (c *benchServeCommand) bench(ctx context.Context, e *env, a *app.App, dir string) error {
	config := simulate.DefaultConfig(1, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	config.Days = benchHistoryDays
	world, err := simulate.New(config)
	if err != nil {
		return err
	}
	d := &demo{env: &env{stdout: io.Discard, stderr: e.stderr, json: true}, command: &demoCommand{Dir: dir}, began: time.Now(), world: world,
		history: filepath.Join(dir, "history.csv.gz")}
	until := world.Day(benchHistoryDays)
	if err := simulate.WriteFile(d.history, func(out io.Writer) error {
		return world.WriteEvents(out, simulate.Export{From: world.Day(0), To: until, KnownBy: until})
	}); err != nil {
		return err
	}
	cl, err := dial(ctx, a.Addresses().GRPC, a.Project())
	if err != nil {
		return err
	}
	defer func() { _ = cl.stop() }()
	if err := d.learn(ctx, cl); err != nil {
		return err
	}
	source := &benchEvents{world: world, start: until}
	if c.Soak > 0 {
		return c.soak(ctx, e, cl, source)
	}
	return c.compare(ctx, e, cl, source)
}

// turn is what one side did in one turn.
type turn struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
}

// compare takes turns: echo, Haechi, echo, Haechi, ...
func (c *benchServeCommand) compare(ctx context.Context, e *env, cl *client, source *benchEvents) error {
	sample, err := haechiv1.NewScoringClient(cl).Score(ctx, &haechiv1.ScoreRequest{Event: source.next()})
	if err != nil {
		return err
	}
	echo, err := startEcho(ctx, sample)
	if err != nil {
		return err
	}
	defer echo.stop()
	length := time.Duration(c.Seconds * float64(time.Second))
	var bare, ours []turn
	var ratios []float64
	for round := range c.Rounds + 1 {
		b, err := drive(ctx, haechiv1.NewScoringClient(echo.conn), source, c.InFlight, length)
		if err != nil {
			return err
		}
		o, err := drive(ctx, haechiv1.NewScoringClient(cl), source, c.InFlight, length)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // the first turn of each warms up
		}
		bare, ours, ratios = append(bare, b), append(ours, o), append(ratios, o.PerSecond/b.PerSecond)
	}
	slices.Sort(ratios)
	median := ratios[len(ratios)/2]
	if e.json {
		return e.encode(map[string]any{"in_flight": c.InFlight, "echo": bare, "haechi": ours, "ratio_median": median, "ratio_min": ratios[0], "ratio_max": ratios[len(ratios)-1]})
	}
	e.printf("%d in flight, durability on, %d features, turns of %s\n\n       echo/s  haechi/s  ratio   echo p50/p99 ms   haechi p50/p99 ms\n", c.InFlight, len(cl.project.EventTypes[0].Definitions), length)
	for i := range ours {
		e.printf("  %9.0f %9.0f  %5.3f   %7.2f %7.2f   %7.2f %7.2f\n", bare[i].PerSecond, ours[i].PerSecond, ours[i].PerSecond/bare[i].PerSecond, bare[i].P50, bare[i].P99, ours[i].P50, ours[i].P99)
	}
	e.printf("\nratio: median %.3f, from %.3f to %.3f\n", median, ratios[0], ratios[len(ratios)-1])
	return nil
}
