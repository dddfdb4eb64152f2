package retrain

import (
	"context"
	"fmt"
	"slices"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/model"
	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// Trained is a model and how it came to be.
type Trained struct {
	Model      []byte            `json:"-"`
	Rounds     int               `json:"rounds"`
	Rows       int               `json:"rows"`
	Frauds     int               `json:"frauds"`
	Immature   int               `json:"immature"` // rows left out because their label could not be in yet
	Validation int               `json:"validation_rows"`
	Parameters map[string]string `json:"parameters"`
	Log        []string          `json:"log,omitempty"`
}

// Train trains on the plan's training rows. With early stopping the number of rounds is found on the last part of the
// span, then the final trees are grown on all of it.
func Train(ctx context.Context, p *Plan, rows *Rows, w lightgbm.Worker, progress func(Progress)) (*Trained, error) {
	params := lightgbm.DefaultParams()
	for name, value := range p.Params {
		params[name] = value
	}
	out := &Trained{Rounds: p.RoundsAlone, Rows: len(rows.Train), Immature: rows.Immature, Parameters: params}
	for _, i := range rows.Train {
		if rows.Known[i] == features.Fraud {
			out.Frauds++
		}
	}
	if out.Frauds == 0 || out.Frauds == out.Rows {
		return nil, fmt.Errorf("%w: %d frauds among %d training rows; a model needs both kinds", ErrRequest, out.Frauds, out.Rows)
	}
	if err := p.findRounds(ctx, rows, w, params, out, progress); err != nil {
		return nil, err
	}
	job := lightgbm.Job{Train: matrix(p, rows, rows.Train), Params: params, Rounds: out.Rounds, Threads: p.Threads, Seed: p.Seed}
	result, err := lightgbm.Train(ctx, w, job, func(x lightgbm.Progress) {
		progress(Progress{Step: "train", Done: uint64(x.Iteration), Total: uint64(x.Rounds)})
	})
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	out.Model, out.Log = result.Model, result.Log
	return out, nil
}

// minValidationFrauds is how many frauds the validation part needs for its average precision to choose rounds by.
const minValidationFrauds = 30

// findRounds trains on the span without its last part and keeps the best number of rounds. An early peak of a noisy measure
// does not count below the rounds that are right without validation: where average precision is level, the rest of the
// ranking still improves.
func (p *Plan) findRounds(ctx context.Context, rows *Rows, w lightgbm.Worker, params map[string]string, out *Trained, progress func(Progress)) error {
	cut := p.validationFrom()
	var fit, valid []int
	frauds := 0
	for _, i := range rows.Train {
		if rows.Time[i] < cut {
			fit = append(fit, i)
			continue
		}
		valid = append(valid, i)
		if rows.Known[i] == features.Fraud {
			frauds++
		}
	}
	if p.Validation == 0 || frauds < minValidationFrauds || len(fit) == 0 {
		return nil
	}
	job := lightgbm.Job{Train: matrix(p, rows, fit), Valid: matrix(p, rows, valid), Params: params, Rounds: p.Rounds,
		EarlyStopping: p.EarlyStopping, Threads: p.Threads, Seed: p.Seed}
	result, err := lightgbm.Train(ctx, w, job, func(x lightgbm.Progress) {
		progress(Progress{Step: "tune", Done: uint64(x.Iteration), Total: uint64(x.Rounds), Message: fmt.Sprintf("%s %.5f, best round %d", x.Metric, x.Value, x.Best)})
	})
	if err != nil {
		return fmt.Errorf("find the number of rounds: %w", err)
	}
	out.Rounds, out.Validation = max(result.Best, min(p.RoundsAlone, p.Rounds)), len(valid)
	return nil
}

// validationFrom is where the validation part begins: counted back from the last event whose label can be in.
func (p *Plan) validationFrom() int64 {
	return min(p.Train.To, p.LabelsBy-p.Schema.LabelDelay+1) - p.Validation
}

// matrix gathers rows for LightGBM, labelled by what training may know.
func matrix(p *Plan, rows *Rows, which []int) lightgbm.Data {
	m := lightgbm.Data{Matrix: lightgbm.Matrix{Rows: len(which), Columns: rows.Columns, Names: p.Inputs, Categorical: p.categorical()}}
	m.Values = make([]float64, 0, len(which)*rows.Columns)
	m.Label = make([]float32, len(which))
	for n, i := range which {
		m.Values = append(m.Values, rows.Values[i*rows.Columns:(i+1)*rows.Columns]...)
		if rows.Known[i] == features.Fraud {
			m.Label[n] = 1
		}
	}
	return m
}

// categorical finds the inputs that are category codes.
func (p *Plan) categorical() []int {
	var out []int
	for _, d := range p.Definitions {
		parsed, err := features.ParseCanonical(d.Name, d.Canonical)
		if err != nil {
			continue // newReplayer has parsed them all
		}
		if _, category := parsed.Categories(); category {
			if at := slices.Index(p.Inputs, d.Name); at >= 0 {
				out = append(out, at)
			}
		}
	}
	slices.Sort(out)
	return out
}

// maxGolden bounds the rows on which LightGBM's own scores are stored with a version.
const maxGolden = 2000

// golden makes the rows by which a model is verified at every load, scored by LightGBM's own library.
func golden(ctx context.Context, w lightgbm.Worker, text []byte, m *model.Model, real [][]float64, categorical []int) (model.Golden, error) {
	g := model.Golden{Rows: m.GoldenRows(real, maxGolden)}
	flat := lightgbm.Matrix{Rows: len(g.Rows), Columns: m.Features(), Names: m.FeatureNames(), Categorical: categorical}
	for _, r := range g.Rows {
		flat.Values = append(flat.Values, r...)
	}
	var err error
	if g.Raw, err = lightgbm.Predict(ctx, w, text, flat); err != nil {
		return model.Golden{}, fmt.Errorf("score golden rows with LightGBM: %w", err)
	}
	return g, m.Verify(g)
}
