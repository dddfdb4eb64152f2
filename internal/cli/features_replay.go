package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/haechi-fraud/haechi/internal/offline"
	"github.com/haechi-fraud/haechi/internal/project"
)

type featuresReplayCommand struct {
	Dir       string            `arg:"" help:"Project folder."`
	EventType string            `placeholder:"TYPE" help:"Event type of the files; may be left out when the project has one."`
	Events    files             `required:"" placeholder:"FILE" help:"Files of events: .csv, .csv.gz or .parquet; all names up to the next flag."`
	Labels    files             `placeholder:"FILE" help:"Files of labels, likewise."`
	Lookup    map[string]string `placeholder:"NAME=FILE" help:"File of a lookup; by default the one that the event type names, beside the events."`
	Features  []string          `placeholder:"NAME,..|@LIST" help:"Features to compute, by name, or a list of the event type; all that it trains with when not given."`
	From      instant           `placeholder:"TIME" help:"First time to give vectors for; events before it are history."`
	To        instant           `placeholder:"TIME" help:"Give vectors for what is before this time, and read no further."`
	Out       string            `required:"" placeholder:"FILE.parquet" help:"The file to make: id, time, then a column of doubles a feature."`
	Cores     int               `placeholder:"N" help:"Cores to use; all when not given."`
	Memory    size              `placeholder:"SIZE" default:"2GiB" help:"Memory to work in; what does not fit goes to temporary files beside the answer."`
	Resume    bool              `help:"Keep what is finished beside the answer until all is, and go on from what an earlier run with this flag left."`
}

// Run computes and says what was done.
func (c *featuresReplayCommand) Run(ctx context.Context, e *env) error {
	t, err := eventTypeOf(c.Dir, c.EventType)
	if err != nil {
		return err
	}
	names, err := featureNames(t, c.Features)
	if err != nil {
		return err
	}
	if !c.From.IsZero() && !c.To.IsZero() && !c.From.Before(c.To.Time) {
		return &usageError{errors.New("--to is not after --from; the span has its beginning and ends before its end")}
	}
	job := offline.Job{
		EventType: t, Events: c.Events, Labels: c.Labels, Lookups: c.Lookup, Features: names, Out: c.Out, Cores: c.Cores, Memory: int64(c.Memory),
		From: micros(c.From), To: micros(c.To), Resume: c.Resume,
	}
	debug.SetMemoryLimit(int64(c.Memory))
	bars := &steps{env: e}
	defer bars.close()
	if e.bars {
		job.Progress = func(p offline.Progress) {
			bars.show(p.Stage, uint64(p.Done), uint64(p.Total), p.Stage == "reading")
		}
	}
	begin := time.Now()
	report, err := offline.Replay(ctx, job)
	if err != nil {
		return err
	}
	bars.close()
	if e.json {
		return e.encode(report)
	}
	e.printf("%d rows of %d features in %s, from %d rows read in %s\n", report.Rows, report.Features, c.Out, report.Read, time.Since(begin).Round(10*time.Millisecond))
	if report.Resumed > 0 {
		e.printf("%d parts were there from an earlier run\n", report.Resumed)
	}
	if report.Rejected > 0 {
		e.printf("%d rows rejected, with reasons: %s\n", report.Rejected, report.Rejects)
	}
	if report.Degraded > 0 {
		e.printf("%d times an entity had more events in a window than the event type's cap keeps\n", report.Degraded)
	}
	return nil
}

func micros(t instant) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// eventTypeOf finds an event type of a project.
func eventTypeOf(dir, name string) (*project.EventType, error) {
	p, err := project.Load(dir)
	if err != nil {
		return nil, err
	}
	if t, ok := p.EventType(name); ok {
		return t, nil
	}
	var known []string
	for _, t := range p.EventTypes {
		known = append(known, t.Name)
	}
	return nil, &usageError{fmt.Errorf("--event-type: the project has %s", strings.Join(known, ", "))}
}

// featureNames gives the features that a flag names.
func featureNames(t *project.EventType, flags []string) ([]string, error) {
	names, err := t.FeatureList(strings.Join(flags, ","))
	if err != nil {
		return nil, &usageError{err}
	}
	return names, nil
}
