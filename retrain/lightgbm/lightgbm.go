// Package lightgbm trains and evaluates models with LightGBM's own library. The
// library is loaded without cgo in a child process of the same binary, so that
// a crash of C code is a reported error and memory returns with the child's
// end. The package does not choose rows or features, and of parameters it knows
// only which are safe and which suit rare fraud.
package lightgbm

import (
	"fmt"
	"log/slog"
	"strings"
)

// Matrix is a dense table of features. NaN is a missing value.
type Matrix struct {
	Rows, Columns int
	Values        []float64 // row-major, Rows*Columns
	Names         []string  // one a column
	Categorical   []int     // positions of the category columns
}

// Data is a table with what is to be learnt from it.
type Data struct {
	Matrix
	Label  []float32 // one a row: 0 or 1; with objective cross_entropy anything between
	Weight []float32 // one a row; nil: all 1
}

// Job is one training.
type Job struct {
	Train         Data
	Valid         Data              // no rows: no metric, and all rounds are kept
	Params        map[string]string // see DefaultParams; what is not known here is refused
	Rounds        int
	EarlyStopping int // stop after so many rounds without a better metric on Valid, keep the best; 0: keep all rounds
	Threads       int
	Seed          int
}

// Progress is told after every round.
type Progress struct {
	Iteration, Rounds int
	Metric            string  // "" without validation rows
	Value             float64 // of Metric after this round
	Best              int     // the round with the best value so far
}

// Result is a trained model.
type Result struct {
	Model []byte // LightGBM's text, normalised: no paths, no values of the machine
	Best  int    // the rounds in Model
	Log   []string
}

// Worker says how the child process is started.
type Worker struct {
	Path    string   // of lib_lightgbm.so, see FindLibrary
	Command []string // argv of the child: a command whose main calls ChildMain
	Nice    int      // added to the child's niceness
	Memory  int64    // bytes of data the child may hold; 0: no bound
	Logger  *slog.Logger
}

// CrashError is a child that ended without an answer.
type CrashError struct {
	ExitCode  int    // -1 when a signal ended it
	Signal    string // "killed" is often the kernel that was out of memory
	LastLines []string
}

func (e *CrashError) Error() string {
	how := fmt.Sprintf("ended with exit code %d", e.ExitCode)
	if e.Signal != "" {
		how = "was ended by signal: " + e.Signal
	}
	return "the LightGBM process " + how + quoteLines(e.LastLines)
}

// LibraryError is a call that LightGBM itself refused.
type LibraryError struct {
	Call, Message string
	LastLines     []string
}

func (e *LibraryError) Error() string {
	return "LightGBM: " + e.Call + ": " + e.Message + quoteLines(e.LastLines)
}

func quoteLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "; its last lines: " + strings.Join(lines, " | ")
}
