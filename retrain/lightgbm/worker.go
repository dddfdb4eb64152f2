package lightgbm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	keptLines = 1000 // of a run's log
	lastLines = 20   // in an error
)

// handlers take what a child sends.
type handlers struct {
	progress func(Progress)
	model    func([]byte)
	scores   func([]byte)
}

// answer is what a child that did its work leaves behind.
type answer struct {
	done done
	log  []string
}

// run starts a child, sends the request and handles its frames until it ends.
func (w Worker) run(ctx context.Context, req *request, tables []*Data, h handlers) (answer, error) {
	if w.Path == "" || len(w.Command) == 0 {
		return answer{}, errors.New("lightgbm: a worker needs the library's path and the child's command")
	}
	req.Library, req.Memory = w.Path, w.Memory
	// The child is told to die with the thread that started it, so that thread
	// has to stay as long as the child does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(ctx, w.Command[0], w.Command[1:]...)
	cmd.Env = childEnvironment(os.Environ(), req.Threads)
	cmd.SysProcAttr = childAttributes()
	cmd.WaitDelay = 5 * time.Second
	lines := &lineBuffer{}
	cmd.Stderr = lines
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return answer{}, fmt.Errorf("lightgbm: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return answer{}, fmt.Errorf("lightgbm: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return answer{}, fmt.Errorf("lightgbm: start the child process: %w", err)
	}
	if err := renice(cmd.Process.Pid, w.Nice); err != nil {
		w.logger().Warn("the training process keeps its niceness", "error", err)
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		// A child that died closes the pipe: how it died is said by its end.
		_ = req.send(stdin, tables...)
	})
	result, frameErr := w.frames(stdout, lines, h)
	if frameErr != nil {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, stdout)
	}
	_ = cmd.Wait() // closes stdin when the child is gone: it ends early when its stdin does
	sending.Wait()
	if ctx.Err() != nil {
		return answer{}, fmt.Errorf("lightgbm: stopped: %w", context.Cause(ctx))
	}
	if frameErr == nil {
		return result, nil // the answer is complete, however the child left
	}
	return answer{}, verdict(cmd.ProcessState, frameErr, lines)
}

// verdict says how a child without an answer ended.
func verdict(state *os.ProcessState, frameErr error, lines *lineBuffer) error {
	var refused *LibraryError
	if errors.As(frameErr, &refused) {
		refused.LastLines = lines.last(lastLines)
		return refused
	}
	if !errors.Is(frameErr, io.EOF) && !errors.Is(frameErr, io.ErrUnexpectedEOF) {
		return fmt.Errorf("lightgbm: %w%s", frameErr, quoteLines(lines.last(lastLines)))
	}
	return &CrashError{ExitCode: state.ExitCode(), Signal: signalName(state), LastLines: lines.last(lastLines)}
}

// frames handles frames until done (nil), failed (*LibraryError) or the end of
// the stream (io.EOF).
func (w Worker) frames(r io.Reader, lines *lineBuffer, h handlers) (answer, error) {
	var a answer
	reader := bufio.NewReaderSize(r, chunk)
	buffer := make([]byte, maxFrame)
	for {
		kind, payload, err := readFrame(reader, buffer)
		if err != nil {
			return a, err
		}
		switch kind {
		case frameLog:
			line := string(payload)
			lines.add(line)
			w.logger().Debug("lightgbm", "line", line)
		case frameProgress:
			var p Progress
			if err := json.Unmarshal(payload, &p); err != nil {
				return a, fmt.Errorf("progress of the child: %w", err)
			}
			if h.progress != nil {
				h.progress(p)
			}
		case frameModel:
			h.model(payload)
		case frameScores:
			h.scores(payload)
		case frameFailed:
			var f failure
			if err := json.Unmarshal(payload, &f); err != nil {
				return a, fmt.Errorf("failure of the child: %w", err)
			}
			return a, &LibraryError{Call: f.Call, Message: f.Message}
		case frameDone:
			a.log = lines.all()
			return a, json.Unmarshal(payload, &a.done)
		default:
			return a, fmt.Errorf("frame %q: the child command does not speak this protocol", kind)
		}
	}
}

func (w Worker) logger() *slog.Logger {
	if w.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return w.Logger
}

// childEnvironment lets OpenMP's threads sleep while they wait: spinning ones
// take the cores of a server beside the training.
func childEnvironment(environ []string, threads int) []string {
	kept := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		return strings.HasPrefix(entry, "OMP_") || strings.HasPrefix(entry, "GOMP_")
	})
	return append(kept, "OMP_WAIT_POLICY=passive", "OMP_DYNAMIC=false", "OMP_NUM_THREADS="+strconv.Itoa(max(1, threads)))
}

// lineBuffer keeps the last lines of a log. As a writer it cuts text into lines
// and, of what Go's runtime prints when it dies, keeps the reason and a few of
// the stacks' lines: all of them would push LightGBM's last words out.
type lineBuffer struct {
	mu      sync.Mutex
	lines   []string
	partial []byte
	stack   int // lines of stacks seen
}

const keptStack = 5

func (b *lineBuffer) Write(p []byte) (int, error) {
	const longest = 4096
	for text := p; len(text) > 0; {
		line, rest, ended := strings.Cut(string(text), "\n")
		b.partial = append(b.partial, line[:min(len(line), max(0, longest-len(b.partial)))]...)
		if ended {
			b.addUnlessStack(string(b.partial))
			b.partial = b.partial[:0]
		}
		text = []byte(rest)
	}
	return len(p), nil
}

func (b *lineBuffer) addUnlessStack(line string) {
	if b.stack > 0 || strings.HasPrefix(line, "goroutine ") || strings.HasPrefix(line, "runtime stack:") {
		b.stack++
	}
	if b.stack <= keptStack {
		b.add(line)
	}
}

func (b *lineBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.TrimSpace(line) == "" {
		return
	}
	if len(b.lines) >= 2*keptLines {
		b.lines = append(b.lines[:0], b.lines[keptLines:]...)
	}
	b.lines = append(b.lines, line)
}

func (b *lineBuffer) all() []string { return b.last(keptLines) }

func (b *lineBuffer) last(n int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.lines[max(0, len(b.lines)-n):])
}
