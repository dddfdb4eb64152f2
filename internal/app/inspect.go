package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/haechi-fraud/haechi/internal/eventlog"
	"github.com/haechi-fraud/haechi/internal/project"
)

// LogReport is what the files of a project's event log hold.
type LogReport = eventlog.Report

// InspectLog looks at the files of a project's event log without opening its stores, beside a running server too: the open
// segment is then read as far as it is written. full reads and checks every record and every index. progress is told segments
// done and segments there are.
func InspectLog(dir string, full bool, progress func(done, total int)) (LogReport, error) {
	p, err := project.Load(dir)
	if err != nil {
		return LogReport{}, err
	}
	_, owned, err := project.FindOwner(p.Config.Data)
	if err != nil {
		return LogReport{}, err
	}
	r, err := eventlog.Inspect(filepath.Join(p.Config.Data, "log"), eventlog.Look{Full: full, Live: owned, Progress: progress})
	if errors.Is(err, os.ErrNotExist) && r.LogID == "" {
		return r, fmt.Errorf("project %s has no event log yet: import history or serve it first", dir)
	}
	return r, err
}
