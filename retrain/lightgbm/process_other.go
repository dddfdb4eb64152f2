//go:build !linux

package lightgbm

import (
	"errors"
	"os"
	"syscall"
)

// Elsewhere the child ends when its standard input does, is not niced, and
// cannot be bound in memory.

func childAttributes() *syscall.SysProcAttr { return nil }

func renice(_, _ int) error { return nil }

func signalName(state *os.ProcessState) string {
	if state.ExitCode() < 0 {
		return state.String()
	}
	return ""
}

func boundMemory(bytes int64) error {
	if bytes > 0 {
		return errors.New("a memory bound needs Linux")
	}
	return nil
}

func takeStdout() (*os.File, error) { return os.Stdout, nil }
