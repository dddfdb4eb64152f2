package lightgbm

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
)

// Train trains one model in a child process and tells progress (which may be
// nil) after every round, from the calling goroutine. Equal job and worker
// library give equal model bytes. A child that dies is a *CrashError, what
// LightGBM refuses a *LibraryError; a cancelled context kills the child.
func Train(ctx context.Context, w Worker, job Job, progress func(Progress)) (Result, error) {
	if err := job.check(); err != nil {
		return Result{}, fmt.Errorf("lightgbm: %w", err)
	}
	req := &request{
		Action:        actionTrain,
		Params:        job.Params,
		Rounds:        job.Rounds,
		EarlyStopping: job.EarlyStopping,
		Threads:       job.Threads,
		Seed:          job.Seed,
		Train:         describe(&job.Train),
		Valid:         describe(&job.Valid),
	}
	var model bytes.Buffer
	a, err := w.run(ctx, req, []*Data{&job.Train, &job.Valid}, handlers{
		progress: progress,
		model:    func(piece []byte) { model.Write(piece) },
	})
	if err != nil {
		return Result{}, err
	}
	text, err := normalise(model.Bytes())
	if err != nil {
		return Result{}, fmt.Errorf("lightgbm: %w", err)
	}
	return Result{Model: text, Best: a.done.Best, Log: a.log}, nil
}

// Predict gives the raw scores (the sum over the trees) that LightGBM's own
// library computes for the rows. The model may be any that LightGBM reads.
func Predict(ctx context.Context, w Worker, model []byte, rows Matrix) ([]float64, error) {
	if err := rows.check(); err != nil {
		return nil, fmt.Errorf("lightgbm: %w", err)
	}
	if rows.Rows == 0 {
		return nil, nil
	}
	if bytes.IndexByte(model, 0) >= 0 {
		return nil, fmt.Errorf("lightgbm: the model's text holds zero bytes")
	}
	data := &Data{Matrix: rows}
	req := &request{Action: actionPredict, Threads: 1, Train: describe(data), ModelBytes: len(model), model: model}
	scores := make([]float64, 0, rows.Rows)
	_, err := w.run(ctx, req, []*Data{data}, handlers{scores: func(piece []byte) {
		for ; len(piece) >= 8; piece = piece[8:] {
			scores = append(scores, math.Float64frombits(binary.LittleEndian.Uint64(piece)))
		}
	}})
	if err != nil {
		return nil, err
	}
	if len(scores) != rows.Rows {
		return nil, fmt.Errorf("lightgbm: %d scores for %d rows: the model gives several a row", len(scores), rows.Rows)
	}
	return scores, nil
}
