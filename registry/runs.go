package registry

import (
	"encoding/json"
	"time"
)

// RunState is how a retrain run stands.
type RunState string

// The states of a run.
const (
	RunPending   RunState = "pending"
	RunRunning   RunState = "running"
	RunDone      RunState = "done"
	RunFailed    RunState = "failed"
	RunHeld      RunState = "held"
	RunCancelled RunState = "cancelled"
)

// Run is one retrain.
type Run struct {
	ID, EventType        string
	State                RunState
	Step                 string
	Config               json.RawMessage
	CreatedAt, UpdatedAt time.Time
	Actor                string
	Error                string // one sentence when it failed
	Version              string // digest of what it published
	Report               json.RawMessage
}

// Step is the output of one finished step of a run. A killed run resumes at its first step without one.
type Step struct {
	Run            string
	Name           string
	Output         json.RawMessage
	Started, Ended time.Time
}
