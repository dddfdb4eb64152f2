package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type retrainCommand struct {
	Dir          string   `arg:"" help:"Project folder."`
	EventType    string   `required:"" placeholder:"TYPE" help:"Event type to train for."`
	AsOf         instant  `placeholder:"TIME" help:"Know what was known then; by default now, by the event clock."`
	Train        span     `placeholder:"A..B" help:"Span to train on; has A, ends before B. By default the event type's."`
	Test         span     `placeholder:"A..B" help:"Span to test on."`
	Features     []string `placeholder:"NAME,..|@LIST" help:"Features to use, by name, or a list of the event type."`
	ExcludeKnown string   `placeholder:"ENTITY:AGE" help:"Leave out of the test who was known as fraudulent: customer:14d."`
	Memory       size     `placeholder:"SIZE" help:"Bound the run's memory, such as 4GiB."`
	Report       string   `placeholder:"FILE.json" help:"Write the report as JSON."`
	Predictions  string   `placeholder:"FILE.csv" help:"Write the score of every event of the test span."`
	actorFlag
}

// actorFlag says who acts.
type actorFlag struct {
	Actor string `env:"USER" placeholder:"NAME" help:"Who does this; kept with it."`
}

// Run trains, shows the report and writes what was asked for.
func (c *retrainCommand) Run(ctx context.Context, e *env) error {
	if c.Train.given() != c.Test.given() {
		return &usageError{errors.New("--train and --test go together")}
	}
	for _, path := range []string{c.Report, c.Predictions} {
		if info, err := os.Stat(filepath.Dir(path)); path != "" && (err != nil || !info.IsDir()) {
			return fmt.Errorf("%s cannot be written: %s is not a folder", path, filepath.Dir(path))
		}
	}
	cl, err := e.connect(ctx, target{Project: c.Dir}, app.Options{Command: "retrain", Memory: int64(c.Memory)})
	if err != nil {
		return err
	}
	return errors.Join(c.run(ctx, e, cl), cl.stop())
}

func (c *retrainCommand) run(ctx context.Context, e *env, cl *client) error {
	if cl.remote && c.Memory > 0 {
		return &usageError{errors.New("--memory: a server runs this project and bounds the run by training.memory of haechi.yaml; set it there, or stop the server")}
	}
	retrains := haechiv1.NewRetrainsClient(cl)
	started, err := retrains.StartRetrain(ctx, &haechiv1.StartRetrainRequest{
		EventType: c.EventType, AsOf: c.AsOf.proto(), Train: c.Train.proto(), Test: c.Test.proto(), Features: c.Features,
		ExcludeKnown: c.ExcludeKnown, Actor: c.Actor,
	})
	if err != nil {
		return err
	}
	run, err := watchRun(ctx, e, retrains, started.RunId, nil)
	if ctx.Err() != nil {
		return cancelled(ctx, retrains, started.RunId)
	}
	if err != nil {
		return err
	}
	return c.finish(ctx, e, retrains, run)
}

// cancelled ends a run whose caller was interrupted.
func cancelled(ctx context.Context, retrains haechiv1.RetrainsClient, id string) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer stop()
	if _, err := retrains.CancelRetrain(ctx, &haechiv1.CancelRetrainRequest{RunId: id}); err != nil {
		return fmt.Errorf("run %s was not cancelled: %w", id, err)
	}
	return fmt.Errorf("interrupted: run %s was cancelled", id)
}

func (c *retrainCommand) finish(ctx context.Context, e *env, retrains haechiv1.RetrainsClient, run *haechiv1.Run) error {
	if err := runError(run); err != nil {
		return err
	}
	for name, path := range map[string]string{"report.json": c.Report, "predictions.csv": c.Predictions} {
		if path == "" {
			continue
		}
		if err := saveArtifact(ctx, retrains, run.RunId, name, path); err != nil {
			return err
		}
	}
	if e.json {
		return e.printJSON(run)
	}
	if err := copyArtifact(ctx, retrains, run.RunId, "report.txt", e.stdout); err != nil {
		return err
	}
	e.printf("\nRun %s published version %s.\nTo let it decide: haechi models promote %s --project %s --reason TEXT\n", run.RunId, run.Version, short(run.Version), c.Dir)
	return nil
}

// runError is what a run that did not succeed says.
func runError(run *haechiv1.Run) error {
	if run.State == "done" {
		return nil
	}
	return fmt.Errorf("run %s %s: %s", run.RunId, run.State, run.Error)
}

// watchRun shows a run's steps until it ends; each may be nil.
func watchRun(ctx context.Context, e *env, retrains haechiv1.RetrainsClient, id string, each func(*haechiv1.WatchRetrainResponse) error) (*haechiv1.Run, error) {
	stream, err := retrains.WatchRetrain(ctx, &haechiv1.WatchRetrainRequest{RunId: id})
	if err != nil {
		return nil, err
	}
	bars := &steps{env: e}
	defer bars.close()
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if each != nil {
			if err := each(m); err != nil {
				return nil, err
			}
		}
		if m.Run != nil {
			return m.Run, nil
		}
		bars.note(m.Step, m.Done, m.Total, m.Message)
	}
}

// copyArtifact writes a file that a run left.
func copyArtifact(ctx context.Context, retrains haechiv1.RetrainsClient, id, name string, to io.Writer) error {
	stream, err := retrains.ReadArtifact(ctx, &haechiv1.ReadArtifactRequest{RunId: id, Name: name})
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := to.Write(m.Chunk); err != nil {
			return err
		}
	}
}

func saveArtifact(ctx context.Context, retrains haechiv1.RetrainsClient, id, name, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(copyArtifact(ctx, retrains, id, name, f), f.Close())
}
