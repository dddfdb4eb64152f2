package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

const (
	// soakTurns is how often memory is looked at.
	soakTurns = 60
	// soakGrowth is how much more memory the last third of the looks may show than the third before: collections of the Go
	// heap make it go up and down by more than a tenth.
	soakGrowth = 1.15
)

// look is memory at one moment of a soak.
type look struct {
	Day       string  `json:"event_day"`
	Events    int64   `json:"events"`
	PerSecond float64 `json:"per_second"`
	P99       float64 `json:"p99_ms"`
	Resident  int64   `json:"resident_bytes"`
	Full      bool    `json:"windows_full"`
}

// soak scores while event time runs fast, until every window has filled and emptied, and holds memory then against memory
// later. Callers, server and warehouse are one process.
func (c *benchServeCommand) soak(ctx context.Context, e *env, cl *client, source *benchEvents) error {
	typ := cl.project.EventTypes[0]
	reach := int64(0)
	for i := range typ.Definitions {
		reach = max(reach, typ.Definitions[i].Reach())
	}
	full := source.start + reach + typ.Schema.AllowedLateness // from here on as much leaves the windows as enters them
	source.warp, source.began = c.Warp, time.Now()
	deadline := time.Now().Add(c.Soak)
	var resident []float64
	for time.Now().Before(deadline) {
		t, err := drive(ctx, haechiv1.NewScoringClient(cl), source, c.InFlight, max(min(c.Soak/soakTurns, time.Until(deadline)), 10*time.Millisecond))
		if err != nil {
			return err
		}
		l := look{Events: source.sent(), PerSecond: t.PerSecond, P99: t.P99, Full: source.clock() >= full,
			Day: time.UnixMicro(source.clock()).UTC().Format(time.DateOnly)}
		if l.Resident, err = residentBytes(); err != nil {
			return err
		}
		if l.Full {
			resident = append(resident, float64(l.Resident))
		}
		if e.json {
			if err := e.encode(l); err != nil {
				return err
			}
			continue
		}
		state := ""
		if l.Full {
			state = "  windows full"
		}
		e.printf("%s  %8d events  %7.0f/s  p99 %7.2f ms  resident %d MiB%s\n", l.Day, l.Events, l.PerSecond, l.P99, l.Resident>>20, state)
	}
	return judgeSoak(e, resident)
}

// judgeSoak compares the peaks of the last two thirds of what was seen with full windows; the first third is left for
// caches to fill.
func judgeSoak(e *env, resident []float64) error {
	third := len(resident) / 3
	if third < 5 {
		return &checkError{errors.New("the windows were full for too short a time to judge memory: soak longer (--soak) or faster (--warp)")}
	}
	before, after := slices.Max(resident[third:2*third]), slices.Max(resident[2*third:])
	text := fmt.Sprintf("with full windows, resident memory peaked at %.0f MiB and later at %.0f MiB", before/(1<<20), after/(1<<20))
	if after > soakGrowth*before {
		return &checkError{errors.New(text + ": it grows")}
	}
	if !e.json {
		e.printf("\n%s: flat\n", text)
	}
	return nil
}

// residentBytes is the memory that this process, server and callers together, holds now.
func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("memory is read from /proc, which Linux has: %w", err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0, err
	}
	return resident * int64(os.Getpagesize()), nil
}
