package cli

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// steps shows work that goes through named steps, a bar each, on a terminal. Elsewhere it shows nothing.
type steps struct {
	env  *env
	step string
	bar  *progressbar.ProgressBar
}

// show says how far a step is; total 0 is not known.
func (s *steps) show(step string, done, total uint64, bytes bool) {
	if !s.env.bars {
		return
	}
	if s.bar == nil || s.step != step {
		s.close()
		s.step, s.bar = step, s.env.newBar(step, bytes)
	}
	if total == 0 {
		s.bar.ChangeMax64(-1)
	} else {
		s.bar.ChangeMax64(int64(total))
	}
	_ = s.bar.Set64(int64(done)) // a terminal that cannot be written to shows no bar
}

// note is show with what the step says of itself beside its name.
func (s *steps) note(step string, done, total uint64, message string) {
	s.show(step, done, total, false)
	if s.bar != nil && message != "" {
		s.bar.Describe(step + " " + message)
	}
}

func (s *steps) close() {
	if s.bar != nil {
		_ = s.bar.Exit()
		_, _ = s.env.stderr.Write([]byte("\n"))
		s.bar = nil
	}
}

const barWidth = 14 // a step, its note and the bar fit into 80 columns

func (e *env) newBar(name string, bytes bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(-1, progressbar.OptionSetWriter(e.stderr), progressbar.OptionSetDescription(name),
		progressbar.OptionSetWidth(barWidth), progressbar.OptionShowCount(), progressbar.OptionShowBytes(bytes),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(false), progressbar.OptionSetRenderBlankState(true))
}
