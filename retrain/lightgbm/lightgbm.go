// Package lightgbm trains and evaluates models with LightGBM's own library,
// loaded without cgo in a child process of the same binary, so that a crash of
// C code is a reported error and memory returns with the child's end. It does
// not choose rows, features or parameters beyond DefaultParams.
package lightgbm

import (
	"context"
	"errors"
	"io"
	"log/slog"
)

// Matrix is a dense table of features.
type Matrix struct {
	Rows, Columns int
	Values        []float64 // row-major, Rows*Columns
	Names         []string  // one a column
	Categorical   []int     // positions of category columns
}

// Data is a matrix with what is to be learnt.
type Data struct {
	Matrix
	Label  []float32
	Weight []float32 // nil: all 1
}

// Job is one training.
type Job struct {
	Train, Valid  Data // Valid.Rows == 0: no validation, all rounds are kept
	Params        map[string]string
	Rounds        int
	EarlyStopping int // rounds without improvement; 0: never stop, keep all rounds
	Threads       int
	Seed          int
}

// Progress is told after every round.
type Progress struct {
	Iteration, Rounds int
	Metric            string
	Value             float64
	Best              int
}

// Result is a trained model.
type Result struct {
	Model []byte // normalised text up to the best iteration
	Best  int
	Log   []string
}

// Worker says how the child process is started.
type Worker struct {
	Path    string   // lib_lightgbm.so
	Command []string // argv of the child
	Nice    int
	Memory  int64 // bytes the child may use; 0: no bound
	Logger  *slog.Logger
}

// CrashError is a child that died: by a signal, or with an exit code and no answer.
type CrashError struct {
	ExitCode  int
	Signal    string
	LastLines []string
}

func (e *CrashError) Error() string { return "crash" }

// Train trains one model in a child process.
func Train(ctx context.Context, w Worker, job Job, progress func(Progress)) (Result, error) {
	return Result{}, errors.New("not implemented")
}

// Predict gives LightGBM's own raw scores.
func Predict(ctx context.Context, w Worker, model []byte, rows Matrix) ([]float64, error) {
	return nil, errors.New("not implemented")
}

// ChildMain is what the hidden command runs; it returns the exit code.
func ChildMain(stdin io.Reader, stdout io.Writer) int { return 1 }

// DefaultParams suit rare fraud.
func DefaultParams() map[string]string { return nil }

// FindLibrary finds lib_lightgbm.so.
func FindLibrary() (string, error) { return "", errors.New("not implemented") }
