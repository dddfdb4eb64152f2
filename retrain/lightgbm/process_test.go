//go:build linux

package lightgbm_test

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// children are the child processes of a process.
func children(t *testing.T, pid int) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	require.NoError(t, err)
	var pids []int
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread may have gone
		for _, word := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(word)
			require.NoError(t, err)
			pids = append(pids, child)
		}
	}
	return pids
}

func endless() lightgbm.Job {
	job := smallJob()
	job.Rounds, job.EarlyStopping = 1_000_000, 0
	return job
}

// atRound calls f once, when the given round is done.
func atRound(round int, f func()) func(lightgbm.Progress) {
	return func(p lightgbm.Progress) {
		if p.Iteration == round {
			f()
		}
	}
}

func TestKilledChildIsAnError(t *testing.T) {
	_, err := lightgbm.Train(t.Context(), worker(t), endless(), atRound(5, func() {
		pids := children(t, os.Getpid())
		require.Len(t, pids, 1)
		require.NoError(t, syscall.Kill(pids[0], syscall.SIGKILL))
	}))
	var crash *lightgbm.CrashError
	require.ErrorAs(t, err, &crash)
	require.Equal(t, "killed", crash.Signal)
	require.Equal(t, -1, crash.ExitCode)
	require.NotEmpty(t, crash.LastLines)
	require.Contains(t, strings.Join(crash.LastLines, "\n"), "[LightGBM]")
	require.Empty(t, children(t, os.Getpid()))

	// The next training is not touched by it.
	_, err = lightgbm.Train(t.Context(), worker(t), smallJob(), nil)
	require.NoError(t, err)
}

func TestCancelKillsTheChild(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := lightgbm.Train(ctx, worker(t), endless(), atRound(5, cancel))
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, children(t, os.Getpid()))
}

// TestChildDiesWithItsParent starts a parent of its own and kills that.
func TestChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), childVariable+"=parent")
	stdout, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "training\n", line)
	pids := children(t, parent.Process.Pid)
	require.Len(t, pids, 1)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool { return gone(pids[0]) }, time.Minute, time.Millisecond)
}

// gone: no such process, or only its remains, which this process may not reap.
func gone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return bytes.HasPrefix(rest, []byte("Z")) || bytes.HasPrefix(rest, []byte("X"))
}

func TestChildIsNicedAndWaitsPassively(t *testing.T) {
	w := worker(t)
	w.Nice = 7
	ctx, cancel := context.WithCancel(t.Context())
	_, err := lightgbm.Train(ctx, w, endless(), atRound(3, func() {
		defer cancel()
		pids := children(t, os.Getpid())
		require.Len(t, pids, 1)
		proc := "/proc/" + strconv.Itoa(pids[0])
		environ, err := os.ReadFile(proc + "/environ")
		require.NoError(t, err)
		require.Contains(t, string(environ), "OMP_WAIT_POLICY=passive\x00")
		require.Contains(t, string(environ), "OMP_NUM_THREADS=2\x00")
		threads, err := filepath.Glob(proc + "/task/*/stat")
		require.NoError(t, err)
		require.Greater(t, len(threads), 2)
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if err != nil {
				continue // this thread has ended
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			require.Equal(t, "7", strings.Fields(rest)[16], "niceness of a thread")
		}
	}))
	require.ErrorIs(t, err, context.Canceled)
}

func TestMemoryBoundIsAnErrorNotADeath(t *testing.T) {
	w := worker(t)
	w.Memory = 96 << 20
	job := smallJob()
	job.Train = world(1, 400_000) // 19 MB of values, more once in LightGBM
	job.Params["max_bin"] = "65000"
	_, err := lightgbm.Train(t.Context(), w, job, nil)
	require.Error(t, err)
	require.Regexp(t, "(?i)memory|bad_alloc|abort", err.Error())
}

func TestMissingLibrary(t *testing.T) {
	w := worker(t)
	w.Path = filepath.Join(t.TempDir(), "lib_lightgbm.so")
	var refused *lightgbm.LibraryError
	_, err := lightgbm.Train(t.Context(), w, smallJob(), nil)
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "make lightgbm")

	require.NoError(t, os.WriteFile(w.Path, []byte("not a library"), 0o644))
	_, err = lightgbm.Train(t.Context(), w, smallJob(), nil)
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "make lightgbm")

	_, err = lightgbm.Train(t.Context(), lightgbm.Worker{Command: w.Command}, smallJob(), nil)
	require.ErrorContains(t, err, "library's path")
}

// TestWrongChildCommands: a command that is not ChildMain is an error too, with
// what it said.
func TestWrongChildCommands(t *testing.T) {
	w := worker(t)
	w.Command = []string{"/bin/sh", "-c", "echo usage: other program >&2; exit 2"}
	_, err := lightgbm.Train(t.Context(), w, smallJob(), nil)
	var crash *lightgbm.CrashError
	require.ErrorAs(t, err, &crash)
	require.Equal(t, 2, crash.ExitCode)
	require.Empty(t, crash.Signal)
	require.Equal(t, []string{"usage: other program"}, crash.LastLines)

	w.Command = []string{"/bin/sh", "-c", "echo something else entirely on standard output"}
	_, err = lightgbm.Train(t.Context(), w, smallJob(), nil)
	require.ErrorContains(t, err, "does not speak this protocol")

	w.Command = []string{"/bin/sh", "-c", "exit 0"}
	_, err = lightgbm.Train(t.Context(), w, smallJob(), nil)
	require.ErrorAs(t, err, &crash)
	require.Equal(t, 0, crash.ExitCode)

	w.Command = []string{"/nonexistent/haechi"}
	_, err = lightgbm.Train(t.Context(), w, smallJob(), nil)
	require.ErrorContains(t, err, "start the child process")
}

func TestChildRefusesOtherInput(t *testing.T) {
	child := exec.Command(os.Args[0]) // as TestMain's child
	child.Stdin = strings.NewReader("GET / HTTP/1.1\r\nHost: example\r\n\r\n")
	out, err := child.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "not meant to be called by hand")
}

func TestTrainingsSideBySide(t *testing.T) {
	want := train(t, smallJob())
	var wg sync.WaitGroup
	results := make([]lightgbm.Result, 3)
	errs := make([]error, len(results))
	w := worker(t)
	for i := range results {
		wg.Go(func() { results[i], errs[i] = lightgbm.Train(t.Context(), w, smallJob(), nil) })
	}
	wg.Wait()
	for i := range results {
		require.NoError(t, errs[i])
		require.Equal(t, string(want.Model), string(results[i].Model))
	}
}

func TestLogGoesToTheLogger(t *testing.T) {
	var out bytes.Buffer
	w := worker(t)
	w.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, err := lightgbm.Train(t.Context(), w, smallJob(), nil)
	require.NoError(t, err)
	require.Contains(t, out.String(), "[LightGBM]")
}
