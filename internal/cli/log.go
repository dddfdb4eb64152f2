package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/haechi-fraud/haechi/internal/app"
)

type logCommand struct {
	Stat   logStatCommand   `cmd:"" help:"Say what the log holds and what it takes on disk."`
	Verify logVerifyCommand `cmd:"" help:"Read and check every record and every index."`
}

// logFlags are common to both: they read files, beside a running server too.
type logFlags struct {
	Project string `default:"." placeholder:"DIR" help:"Project folder; . when not given."`
}

type logStatCommand struct{ logFlags }

type logVerifyCommand struct{ logFlags }

// Run lists the segments.
func (c *logStatCommand) Run(e *env) error {
	r, err := app.InspectLog(c.Project, false, nil)
	if err != nil {
		return err
	}
	if e.json {
		return e.encode(r)
	}
	var rows []table.Row
	for _, s := range r.Segments {
		rows = append(rows, table.Row{filepath.Base(s.File), s.Records, s.Bytes >> 10, s.DiskBytes >> 10, mark(s.Packed, "packed"), mark(s.Indexed, "indexed")})
	}
	e.printTable(table.Row{"segment", "records", "KiB", "KiB on disk", "", ""}, rows)
	e.printf("log %s: records %d to %d, %.1f MiB, %.1f MiB on disk\n", r.LogID, r.First, r.Last, mib(r.Bytes), mib(r.DiskBytes))
	return nil
}

func mark(yes bool, word string) string {
	if yes {
		return word
	}
	return ""
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// Run reads all; a log that is not in order is a check that said no.
func (c *logVerifyCommand) Run(e *env) error {
	bars := &steps{env: e}
	r, err := app.InspectLog(c.Project, true, func(done, total int) { bars.show("segments", uint64(done), uint64(total), false) })
	bars.close()
	if r.LogID == "" && err != nil {
		return err
	}
	if e.json {
		problems := []string{}
		for _, s := range r.Segments {
			if s.Err != nil {
				problems = append(problems, s.Err.Error())
			}
		}
		if printed := e.encode(map[string]any{"report": r, "problems": problems}); printed != nil {
			return printed
		}
	}
	if err != nil {
		return &checkError{fmt.Errorf("the log is not in order: %s", strings.ReplaceAll(err.Error(), "\n", "; "))}
	}
	if !e.json {
		e.printf("log %s: %d records in %d segments, each as it was written\n", r.LogID, r.Records, len(r.Segments))
		if r.TornBytes > 0 {
			e.printf("a torn tail of %d bytes, never acknowledged, will be cut when the log is opened next\n", r.TornBytes)
		}
	}
	return nil
}
