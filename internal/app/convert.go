package app

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/ingest"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/internal/scoring"
	"github.com/haechi-fraud/haechi/internal/server"
	"github.com/haechi-fraud/haechi/internal/warehouse"
	"github.com/haechi-fraud/haechi/retrain"
)

// compile readies an event type for the decision path.
func compile(t *project.EventType) (scoring.EventType, error) {
	p, err := policy.Compile(t.Policy, &t.Schema, t.Definitions)
	if err != nil {
		return scoring.EventType{}, fmt.Errorf("policy of event type %s: %w", t.Name, err)
	}
	out := scoring.EventType{Name: t.Name, Hash: t.Hash, Document: t.Document, Schema: t.Schema, Definitions: t.Definitions, Policy: p}
	for kind := range t.Labels.Kinds {
		out.LabelKinds = append(out.LabelKinds, kind)
	}
	sort.Strings(out.LabelKinds)
	return out, nil
}

// readDocument compiles a document that the log states.
func readDocument(document []byte) (scoring.EventType, error) {
	t, err := project.LoadEventType(document)
	if err != nil {
		return scoring.EventType{}, err
	}
	return compile(t)
}

// trainable is what a retrain needs of an event type.
func trainable(t *project.EventType) retrain.EventType {
	return retrain.EventType{
		Name: t.Name, Hash: t.Hash, Schema: t.Schema, Definitions: t.Definitions, Lists: t.Lists, Inputs: t.Train.Features, Policy: t.Policy,
		Settings: retrain.Settings{
			Span: t.Train.Span, Validation: t.Train.Validation, Rounds: t.Train.Rounds, EarlyStopping: t.Train.EarlyStopping,
			Seed: t.Train.Seed, Params: t.Train.Params,
		},
	}
}

func shape(t *project.EventType) warehouse.Shape {
	s := warehouse.Shape{EventType: t.Name, Currency: t.Schema.Currency, MinorDigits: t.Schema.MinorDigits}
	for _, e := range t.Schema.Entities {
		s.Entities = append(s.Entities, e.Name)
	}
	for i := range t.Schema.Attributes {
		if a := &t.Schema.Attributes[i]; a.Kind == features.Flag {
			s.Flags = append(s.Flags, a.Name)
		} else {
			s.Attributes = append(s.Attributes, a.Name)
		}
	}
	for _, n := range t.Schema.Numbers {
		s.Numbers = append(s.Numbers, n.Name)
	}
	return s
}

func (a *App) retrainOptions() retrain.Options {
	training := a.project.Config.Training
	o := retrain.Options{
		Source: source{a}, Locator: locator{a}, Registry: a.registry, Dir: a.data("runs"),
		Command:  append(append([]string(nil), a.opts.Self...), ChildRetrain),
		LightGBM: append(append([]string(nil), a.opts.Self...), ChildLightGBM),
		Threads:  training.Threads, Nice: training.Nice, Memory: training.Memory, Logger: a.opts.Logger,
	}
	if a.opts.Memory > 0 {
		o.Memory = a.opts.Memory
	}
	for _, t := range a.project.EventTypes {
		o.EventTypes = append(o.EventTypes, trainable(t))
	}
	return o
}

// source is the warehouse, opened when needed.
type source struct{ app *App }

// Pull implements warehouse.Source.
func (s source) Pull(ctx context.Context, q warehouse.Query, each func(warehouse.Row) error) error {
	c, done, err := s.app.pulling(ctx)
	if err != nil {
		return err
	}
	defer done()
	if c.warehouse == nil {
		return warehouse.ErrUnavailable
	}
	return c.warehouse.Pull(ctx, q, each)
}

// locator brings the warehouse up to the log.
type locator struct{ app *App }

// Locate implements retrain.Locator.
func (l locator) Locate(ctx context.Context, eventType string) (retrain.Position, error) {
	c, err := l.app.open(ctx)
	if err != nil {
		return retrain.Position{}, err
	}
	if c.loader == nil {
		return retrain.Position{}, fmt.Errorf("%w: %w", server.ErrUnavailable, warehouse.ErrUnavailable)
	}
	out := retrain.Position{LogID: c.log.ID(), Through: c.log.Last()}
	if out.Watermark, err = c.scorer.Watermark(eventType); err != nil {
		return retrain.Position{}, err
	}
	if err := c.log.Wait(ctx, out.Through); err != nil {
		return retrain.Position{}, err
	}
	return out, c.drain(ctx, out.Through)
}

// stall is how long the warehouse may stand still before those who wait for it are told why.
const stall = time.Minute

// drain waits until the warehouse has the log up to a record, as long as it moves.
func (c *core) drain(ctx context.Context, through uint64) error {
	for {
		before := c.loader.Position()
		patience, cancel := context.WithTimeout(ctx, stall)
		err := c.loader.Drain(patience, through)
		cancel()
		if err == nil || ctx.Err() != nil || c.loader.Position() == before {
			return err
		}
	}
}

// importer brings files of history into the log and waits until the warehouse has them.
type importer struct{ app *App }

// Import implements server.Importer.
func (i importer) Import(ctx context.Context, files server.ImportFiles, progress func(ingest.Progress)) (ingest.Report, error) {
	t, ok := i.app.project.EventType(files.EventType)
	if !ok {
		return ingest.Report{}, fmt.Errorf("%w %q", scoring.ErrUnknownEventType, files.EventType)
	}
	c, err := i.app.open(ctx)
	if err != nil {
		return ingest.Report{}, err
	}
	report, err := ingest.Import(ctx, ingest.Job{
		EventType: t, Events: files.Events, Labels: files.Labels, Lookups: files.Lookups, Rejects: files.Rejects, Progress: progress,
	}, appender{c.scorer})
	if err != nil || c.loader == nil {
		return report, err
	}
	return report, c.drain(ctx, c.log.Durable())
}

// appender hands history to the decision path.
type appender struct{ scorer *scoring.Scorer }

// AppendEvent implements ingest.Appender.
func (a appender) AppendEvent(ctx context.Context, eventType string, ev *features.Event) (bool, error) {
	added, err := a.scorer.AppendEvent(ctx, eventType, ev)
	return added, appended(err)
}

// AppendLabel implements ingest.Appender.
func (a appender) AppendLabel(ctx context.Context, eventType, eventID string, l ingest.LabelStatement) (bool, error) {
	added, err := a.scorer.AppendLabel(ctx, eventType, eventID, scoring.LabelStatement(l))
	return added, appended(err)
}

// Flush implements ingest.Appender.
func (a appender) Flush(ctx context.Context) error { return a.scorer.Flush(ctx) }

// appended names the errors that an import tells apart.
func appended(err error) error {
	var conflict *scoring.ConflictError
	switch {
	case errors.As(err, &conflict):
		return fmt.Errorf("%w: %w", ingest.ErrConflict, err)
	case errors.Is(err, scoring.ErrOlderThanHistory):
		return fmt.Errorf("%w: %w", ingest.ErrTooOld, err)
	}
	return err
}
