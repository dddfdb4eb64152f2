// Package retrain makes a model version from labelled history: pull, replay, train, evaluate, publish, one file a step.
// Replay runs the very feature engine that serves, and evaluation the very model code, so that training sees what serving
// saw. The steps between pull and publish run in a niced child process. The package does not decide which version serves.
package retrain

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/policy"
	"github.com/haechi-fraud/haechi/internal/warehouse"
	"github.com/haechi-fraud/haechi/registry"
)

// Errors that callers tell apart.
var (
	ErrRequest  = errors.New("cannot retrain as asked")
	ErrBusy     = errors.New("a retrain of this event type is running already")
	ErrNotFound = errors.New("no such run or artifact")
)

// Span is a half-open span of event time, [From, To), in microseconds since the Unix epoch. The zero Span is "not given".
type Span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

func (s Span) zero() bool          { return s == Span{} }
func (s Span) has(t int64) bool    { return t >= s.From && t < s.To }
func (s Span) text() (a, b string) { return dateTime(s.From), dateTime(s.To) }
func dateTime(us int64) string     { return time.UnixMicro(us).UTC().Format(time.RFC3339Nano) }
func days(n int64) int64           { return n * features.Day }
func floorDay(us int64) int64      { return us - us%features.Day }
func micros(d time.Duration) int64 { return d.Microseconds() }
func orDefault(v, or int64) int64 {
	if v == 0 {
		return or
	}
	return v
}

// EventType is what a retrain needs of an event-type document.
type EventType struct {
	Name        string
	Hash        string
	Schema      features.Schema
	Definitions []features.Definition
	Lists       map[string][]string // named lists of features
	Inputs      []string            // the model's features unless a request names others
	Policy      policy.Spec         // how thresholds are chosen, and costs
	Settings    Settings
}

// Settings of training; zero values leave the choice to this package.
type Settings struct {
	Span          time.Duration     `json:"span"`           // length of the training span, default 28 days
	Validation    time.Duration     `json:"validation"`     // its last part with known labels that early stopping watches, default 28 days, at most a quarter
	Rounds        int               `json:"rounds"`         // most boosting rounds, default 1000, without validation rows 200
	EarlyStopping int               `json:"early_stopping"` // rounds without improvement, default 50
	Seed          int               `json:"seed"`
	Params        map[string]string `json:"params"` // LightGBM parameters over the built-in ones
}

// Request says what to train.
type Request struct {
	EventType    string
	AsOf         int64    // microseconds since the Unix epoch; 0: the event clock
	Train, Test  Span     // zero: chosen from AsOf
	Features     []string // names, or one "@list"; empty: the event type's
	ExcludeKnown string   // entity kind and span: customer:14d; empty: nobody leaves the test
	Actor        string
}

// Progress is told while a run goes on.
type Progress struct {
	Step    string `json:"step"`
	Done    uint64 `json:"done"`
	Total   uint64 `json:"total"` // 0: not known
	Message string `json:"message,omitempty"`
}

// Position is where the log and its event clock stand, with everything up to Through in the warehouse.
type Position struct {
	LogID     string
	Through   uint64
	Watermark int64
}

// Locator brings the warehouse up to the log and says how far that is.
type Locator interface {
	Locate(ctx context.Context, eventType string) (Position, error)
}

// Registry is what a retrain writes to.
type Registry interface {
	registry.Versions
	registry.EvidenceStore
	registry.Runs
}

// Options of a Runner.
type Options struct {
	EventTypes []EventType
	Source     warehouse.Source
	Locator    Locator
	Registry   Registry
	Dir        string   // folder of the runs
	Command    []string // argv that runs ChildMain
	Library    string   // lib_lightgbm.so; empty: found when needed
	LightGBM   []string // argv that runs lightgbm.ChildMain
	Threads    int      // of training, default the cores of the machine
	Nice       int
	Memory     int64 // bytes of a run's processes together; 0: no bound
	Logger     *slog.Logger
}
