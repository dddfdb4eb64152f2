// Package cli is the command line. Every command is a client of the services: it talks to the server that owns the project,
// or opens the project's stores in this process and talks to them in memory. The package holds flags, progress, JSON and
// tables, and no logic of what it shows.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"

	"github.com/haechi-fraud/haechi/internal/app"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitNo     = 3 // a gate or a check said no
)

// commands is the one list of what there is; each has a file of its own.
type commands struct {
	JSON bool `name:"json" help:"Write JSON, and no bars or tables."`

	Init      initCommand      `cmd:"" help:"Make a project from an example."`
	Import    importCommand    `cmd:"" help:"Bring history in from CSV or Parquet files."`
	Serve     serveCommand     `cmd:"" help:"Serve a project until SIGTERM or Ctrl-C."`
	Retrain   retrainCommand   `cmd:"" help:"Train, evaluate and publish a model version."`
	Retrains  retrainsCommand  `cmd:"" help:"Training runs."`
	Models    modelsCommand    `cmd:"" help:"Model versions, and which of them decides."`
	Score     scoreCommand     `cmd:"" help:"Judge events, a JSON object a line, from standard input."`
	Labels    labelsCommand    `cmd:"" help:"What events turned out to be."`
	Decisions decisionsCommand `cmd:"" help:"What was decided, and the proof of it."`
	Features  featuresCommand  `cmd:"" help:"What features mean, and the proof of them."`
	Log       logCommand       `cmd:"" help:"The event log's files."`
	Bench     benchCommand     `cmd:"" help:"Measure, side by side with a peer."`
	Demo      demoCommand      `cmd:"" help:"Watch the whole loop on a simulated world."`
	Version   versionCommand   `cmd:"" help:"Say which build this is."`
}

// env is what a command runs in.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	self           []string // argv of this program, for its child processes
	json           bool
	bars           bool // stderr is a terminal and nobody asked for JSON
}

// Main runs the command that args name and gives the exit code. When ctx ends, the command stops in order.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if code, is := app.Child(ctx, args, stdin, stdout, stderr); is {
		return code
	}
	var root commands
	exited := -1
	parser, err := kong.New(&root, kong.Name("haechi"), kong.Description("Haechi judges payments and trains the models that do."),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(stderr, "haechi:", err)
		return exitFailed
	}
	if len(args) == 0 {
		_, _ = parser.Parse([]string{"--help"})
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // help was asked for and given
		return exited
	}
	if err != nil {
		return report(stderr, &usageError{err})
	}
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr, json: root.JSON, bars: !root.JSON && isTerminal(stderr)}
	if path, err := os.Executable(); err == nil {
		e.self = []string{path}
	}
	return report(stderr, parsed.Run(e))
}

// report says what went wrong and gives the exit code for it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "haechi:", sentence(err))
	var usage *usageError
	var no *checkError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &no):
		return exitNo
	}
	return exitFailed
}

// logger writes what happens inside this process to stderr.
func (e *env) logger(level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if e.json {
		return slog.New(slog.NewJSONHandler(e.stderr, o))
	}
	return slog.New(slog.NewTextHandler(e.stderr, o))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
