package retrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/model"
	"github.com/haechi-fraud/haechi/registry"
	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// Publish stores the run's model as a version, with its evidence. It plays no role until somebody promotes it.
func Publish(ctx context.Context, store Registry, p *Plan, dir, actor string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, fileModel))
	if err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	var report Report
	if err := readJSON(filepath.Join(dir, fileReport), &report); err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	v := registry.Version{
		Digest: report.Version, EventType: p.EventType, Source: "retrain", CreatedBy: actor, CreatedAt: time.Now().UTC(),
		Span: registry.Span{From: time.UnixMicro(p.Train.From).UTC(), To: time.UnixMicro(p.Train.To).UTC()}, Parameters: report.Training.Parameters,
		Thresholds:    registry.Thresholds{Review: report.Thresholds["review"].Raw, Decline: report.Thresholds["decline"].Raw},
		EventTypeHash: p.EventTypeHash, Verified: registry.VerifiedByLightGBM,
	}
	v.Name = p.EventType + " trained on " + v.Span.From.Format(time.DateOnly) + ".." + v.Span.To.Format(time.DateOnly)
	v.Features, v.Needs = p.declared()
	had, err := store.Version(ctx, v.Digest)
	if err == nil && !sameThresholds(had.Thresholds, v.Thresholds) {
		err = note(filepath.Join(dir, fileText), "note           the same model was published before with other thresholds, which stay: a version never changes\n")
	}
	if errors.Is(err, registry.ErrNotFound) { // else the same plan gave the same bytes before, and what was stored with them stands
		err = store.PutVersion(ctx, v, text)
	}
	if err == nil {
		err = putEvidence(ctx, store, v, dir)
	}
	if err != nil {
		return "", fmt.Errorf("publish: %w", err)
	}
	return v.Digest, nil
}

func sameThresholds(a, b registry.Thresholds) bool {
	same := func(x, y *float64) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return same(a.Review, b.Review) && same(a.Decline, b.Decline)
}

// note adds a line to the report for people.
func note(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// putEvidence stores the run's evidence of each kind that the version does not have, such as after a crash in between.
func putEvidence(ctx context.Context, store Registry, v registry.Version, dir string) error {
	had, err := store.Evidence(ctx, v.Digest)
	if err != nil {
		return err
	}
	for _, e := range []struct{ kind, file string }{{registry.EvidenceGolden, fileGolden}, {registry.EvidenceReport, fileReport}} {
		if slices.ContainsFunc(had, func(h registry.Evidence) bool { return h.Kind == e.kind }) {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, e.file))
		if err != nil {
			return err
		}
		if err := store.PutEvidence(ctx, registry.Evidence{Version: v.Digest, Kind: e.kind, Body: body, CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy}); err != nil {
			return err
		}
	}
	return nil
}

// declared splits the plan's definitions into the model's columns and what they need besides.
func (p *Plan) declared() (inputs, needs []registry.Feature) {
	byName := map[string]registry.Feature{}
	for _, d := range p.Definitions {
		byName[d.Name] = registry.Feature(d)
		if !slices.Contains(p.Inputs, d.Name) {
			needs = append(needs, registry.Feature(d))
		}
	}
	for _, name := range p.Inputs {
		inputs = append(inputs, byName[name])
	}
	return inputs, needs
}

// ModelImport is a model that was trained elsewhere.
type ModelImport struct {
	EventType  string
	Name       string
	Text       []byte            // the LightGBM text model
	Features   map[string]string // name in the model -> feature of the event type; names that are equal need no entry
	Thresholds registry.Thresholds
	Actor      string
}

// Importer takes models in.
type Importer struct{ Options }

// ImportModel checks that a model can be served exactly, verifies it against LightGBM's own library where that is
// installed, and stores it. It plays no role until somebody promotes it.
func (r *Importer) ImportModel(ctx context.Context, in ModelImport) (registry.Version, error) {
	t, err := (&Runner{opts: r.Options}).eventType(in.EventType)
	if err != nil {
		return registry.Version{}, err
	}
	m, err := model.Parse(in.Text)
	if err != nil {
		return registry.Version{}, err
	}
	p := &Plan{EventType: t.Name, EventTypeHash: t.Hash, Schema: t.Schema}
	if err := p.mapped(t, m.FeatureNames(), in.Features); err != nil {
		return registry.Version{}, err
	}
	v := registry.Version{
		Digest: m.Digest(), EventType: t.Name, Name: in.Name, Source: "import", CreatedBy: in.Actor, CreatedAt: time.Now().UTC(),
		Thresholds: in.Thresholds, EventTypeHash: t.Hash, Verified: registry.Unverified,
	}
	v.Features, v.Needs = p.declared()
	var evidence []byte
	if library, err := r.library(); err != nil {
		r.Logger.Warn("the imported model is not verified by LightGBM", "error", err)
	} else {
		w := lightgbm.Worker{Path: library, Command: r.LightGBM, Nice: r.Nice, Logger: r.Logger}
		g, err := golden(ctx, w, in.Text, m, nil, p.categorical())
		if err != nil {
			return registry.Version{}, err
		}
		if evidence, err = json.Marshal(g); err != nil {
			return registry.Version{}, err
		}
		v.Verified = registry.VerifiedByLightGBM
	}
	if err := r.Registry.PutVersion(ctx, v, in.Text); err != nil {
		return registry.Version{}, err
	}
	if evidence == nil {
		return v, nil
	}
	return v, r.Registry.PutEvidence(ctx, registry.Evidence{Version: v.Digest, Kind: registry.EvidenceGolden, Body: evidence, CreatedAt: v.CreatedAt, CreatedBy: in.Actor})
}

func (r *Importer) library() (string, error) {
	if r.Library != "" {
		return r.Library, nil
	}
	return lightgbm.FindLibrary()
}

// mapped finds the definition of each of the model's columns.
func (p *Plan) mapped(t *EventType, columns []string, mapping map[string]string) error {
	known := map[string]bool{}
	for i := range t.Definitions {
		known[t.Definitions[i].Name] = true
	}
	var missing []string
	for _, column := range columns {
		name := column
		if to, ok := mapping[column]; ok {
			name = to
		}
		if !known[name] {
			missing = append(missing, column)
		}
		p.Inputs = append(p.Inputs, name)
	}
	for column := range mapping {
		if !slices.Contains(columns, column) {
			return fmt.Errorf("%w: the model has no column %s; it has %v", ErrRequest, column, columns)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: event type %s has no feature for the model's columns %v; declare them, or map them with --map COLUMN=FEATURE", ErrRequest, t.Name, missing)
	}
	needed, err := features.Needed(t.Definitions, p.Inputs)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	for i := range needed {
		p.Definitions = append(p.Definitions, Definition{Name: needed[i].Name, Hash: needed[i].Hash(), Canonical: needed[i].Canonical()})
	}
	return nil
}
