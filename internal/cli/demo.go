package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/haechi-fraud/haechi/internal/app"
	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/internal/simulate"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type demoCommand struct {
	Dir   string  `default:"demo" placeholder:"DIR" help:"Folder of the demo's project, made anew each time."`
	Days  int     `default:"7" help:"Days of payments to judge live."`
	Speed float64 `default:"600" placeholder:"N" help:"Payments a second."`
	Seed  uint64  `default:"1" help:"Seed of the world."`
	Exit  bool    `help:"End after the summary instead of serving on."`
	Ports bool    `name:"any-ports" help:"Listen on free ports instead of the usual ones."`
}

// The demo's world: history to learn from, then the days that are judged live.
const (
	demoHistoryDays = 120
	demoExample     = "demo-payments"
	demoEventType   = "card_payment"
	demoMark        = ".haechi-demo" // tells the demo's folder from one of somebody's own
)

// Run plays the whole loop: a world, its history imported, a model trained and promoted, and the days that follow judged
// over gRPC while labels come in late.
func (c *demoCommand) Run(ctx context.Context, e *env) error {
	if c.Days < 1 || c.Days > 60 || c.Speed <= 0 {
		return &usageError{errors.New("--days must lie between 1 and 60, --speed above 0")}
	}
	if err := c.prepare(); err != nil {
		return err
	}
	d := &demo{env: e, command: c, began: time.Now()}
	if err := d.makeWorld(); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.Dir, "server.log"))
	if err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{Dir: c.Dir, Command: "demo", Serve: true, Self: e.self,
		Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	if err = a.Start(ctx); err == nil {
		err = d.play(ctx, a)
	}
	return errors.Join(err, stopApp(ctx, a), log.Close())
}

// prepare makes an empty project folder; it removes an earlier demo and nothing else.
func (c *demoCommand) prepare() error {
	mark := filepath.Join(c.Dir, demoMark)
	if entries, err := os.ReadDir(c.Dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(mark); err != nil {
			return fmt.Errorf("%s is not empty and not a demo of before; name another folder with --dir", c.Dir)
		}
		if owner, owned, err := project.FindOwner(filepath.Join(c.Dir, "data")); err == nil && owned {
			return &project.LockedError{Path: c.Dir, Owner: owner}
		}
		if err := os.RemoveAll(c.Dir); err != nil {
			return err
		}
	}
	if _, err := app.Init(c.Dir, demoExample); err != nil {
		return err
	}
	if c.Ports {
		config := filepath.Join(c.Dir, project.ConfigFile)
		if err := os.WriteFile(config, []byte("listen: {grpc: 127.0.0.1:0, http: 127.0.0.1:0, admin: 127.0.0.1:0}\npii_key_file: keys/pii.key\n"), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, []byte("made by haechi demo, which replaces this folder\n"), 0o600)
}

// demo is one performance.
type demo struct {
	env     *env
	command *demoCommand
	began   time.Time
	world   *simulate.World
	history string // file of the days before the live ones
	version string
	budget  int // customers a day that the policy sends to review
}

func (d *demo) say(format string, args ...any) {
	if d.env.json {
		return
	}
	d.env.printf("%6.1fs  "+format+"\n", append([]any{time.Since(d.began).Seconds()}, args...)...)
}

// makeWorld simulates all days and writes what is known when the live ones begin.
func (d *demo) makeWorld() error {
	config := simulate.DefaultConfig(d.command.Seed, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	config.Days = demoHistoryDays + d.command.Days
	world, err := simulate.New(config)
	if err != nil {
		return err
	}
	d.world = world
	until := world.Day(demoHistoryDays)
	d.history = filepath.Join(d.command.Dir, "history.csv.gz")
	err = simulate.WriteFile(d.history, func(out io.Writer) error {
		return world.WriteEvents(out, simulate.Export{From: world.Day(0), To: until, KnownBy: until})
	})
	if err != nil {
		return err
	}
	s := world.Summary(world.Day(0), until)
	d.say("a world of %d customers and %d terminals: %d days, %d payments, %d frauds (%.2f %%)", len(world.Customers()), len(world.Terminals()),
		demoHistoryDays, s.Events, s.Frauds, 100*float64(s.Frauds)/float64(s.Events))
	return nil
}

// play imports, trains, promotes and judges.
func (d *demo) play(ctx context.Context, a *app.App) error {
	cl, err := dial(ctx, a.Addresses().GRPC, a.Project())
	if err != nil {
		return err
	}
	defer func() { _ = cl.stop() }()
	if err := d.learn(ctx, cl); err != nil {
		return err
	}
	if review := cl.project.EventTypes[0].Policy.Thresholds.Review; review != nil {
		d.budget = int(review.AlertsPerDay)
	}
	s := newSession(d.world)
	if err := d.judge(ctx, cl, s); err != nil {
		return err
	}
	if err := d.summary(a, s); err != nil || d.command.Exit {
		return err
	}
	d.env.printf("\nServing until Ctrl-C.\n")
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.Failed():
		return err
	}
}

// learn imports the history, trains on it and makes the model the champion.
func (d *demo) learn(ctx context.Context, cl *client) error {
	quiet := *d.env
	quiet.stdout = io.Discard
	up := &upload{env: &quiet, client: cl, eventType: demoEventType, fallback: d.command.Dir}
	up.add(haechiv1.ImportFilesRequest_File_ROLE_EVENTS, "", d.history)
	if err := up.run(ctx); err != nil {
		return err
	}
	d.say("history imported: event log, feature state and warehouse hold it")
	retrains := haechiv1.NewRetrainsClient(cl)
	started, err := retrains.StartRetrain(ctx, &haechiv1.StartRetrainRequest{EventType: demoEventType, Actor: "demo"})
	if err != nil {
		return err
	}
	run, err := watchRun(ctx, d.env, retrains, started.RunId, nil)
	if err != nil {
		return err
	}
	if err := runError(run); err != nil {
		return err
	}
	d.version = run.Version
	test := run.Report.GetFields()["test"].GetStructValue().GetFields()
	d.say("model %s trained: on its test week ROC AUC %.3f, average precision %.3f", short(run.Version),
		test["auc"].GetNumberValue(), test["average_precision"].GetNumberValue())
	_, err = haechiv1.NewModelsClient(cl).PromoteModel(ctx, &haechiv1.PromoteModelRequest{Version: run.Version, Actor: "demo", Reason: "first champion of the demo"})
	if err != nil {
		return err
	}
	d.say("promoted to champion; now judging the next %d days at up to %.0f payments a second", d.command.Days, d.command.Speed)
	return nil
}
