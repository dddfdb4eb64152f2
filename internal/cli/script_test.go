package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/cli"
	"github.com/haechi-fraud/haechi/internal/project"
	"github.com/haechi-fraud/haechi/internal/simulate"
)

// The scripts run this binary as haechi: the same main, in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"haechi": haechi, "world": world})
}

func haechi() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func TestScripts(t *testing.T) {
	library := os.Getenv("HAECHI_LIGHTGBM")
	if library == "" {
		var err error
		library, err = filepath.Abs("../../lib/lightgbm/lib_lightgbm.so")
		require.NoError(t, err)
	}
	require.FileExists(t, library, "LightGBM's library is missing; run make lightgbm")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HAECHI_LIGHTGBM", library)
			e.Setenv("USER", "tester")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "serving": serving, "terminate": terminate, "until": until, "capture": capture, "lines": lines,
		},
	})
}

// exits CODE PROGRAM ARG... wants a program to end with a code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%v ended with %d, not %s", args[1:], code, args[0])
	}
}

const patience = time.Minute

// serving DIR waits until a server owns the project and puts its addresses into GRPC and HTTP.
func serving(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		owner, owned, err := project.FindOwner(ts.MkAbs(filepath.Join(args[0], "data")))
		if err == nil && owned && owner.GRPC != "" {
			ts.Setenv("GRPC", owner.GRPC)
			ts.Setenv("HTTP", owner.HTTP)
			return
		}
	}
	ts.Fatalf("no server came up on %s", args[0])
}

// terminate DIR sends SIGTERM to the server that owns the project.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	owner, owned, err := project.FindOwner(ts.MkAbs(filepath.Join(args[0], "data")))
	ts.Check(err)
	if !owned {
		ts.Fatalf("nobody owns %s", args[0])
	}
	ts.Check(syscall.Kill(owner.PID, syscall.SIGTERM))
}

// until PATTERN PROGRAM ARG... runs a program again until its output matches.
func until(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ts.Exec(args[1], args[2:]...) == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("%v never said %s", args[1:], args[0])
}

// capture NAME PATTERN puts what the last output matched in PATTERN's group into NAME.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("the output does not match %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// lines N wants the last output to have so many lines.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	if got := strconv.Itoa(bytes.Count([]byte(ts.ReadFile("stdout")), []byte("\n"))); got != args[0] {
		ts.Fatalf("%s lines, not %s", got, args[0])
	}
}

// world writes a small world's history, and the payments and labels that come after it.
func world() {
	if err := writeWorld(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeWorld() error {
	const history = 40
	c := simulate.DefaultConfig(3, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	c.Days, c.Customers, c.Terminals = history+1, 150, 300
	w, err := simulate.New(c)
	if err != nil {
		return err
	}
	now := w.Day(history)
	err = simulate.WriteFile("history.csv.gz", func(out io.Writer) error {
		return w.WriteEvents(out, simulate.Export{From: w.Day(0), To: now, KnownBy: now})
	})
	return errors.Join(err, simulate.WriteFile("payments.ndjson", func(out io.Writer) error {
		encoder := json.NewEncoder(out)
		for _, e := range w.Between(now, w.Day(history+1))[:100] {
			if err := encoder.Encode(payment(w, &e)); err != nil {
				return err
			}
		}
		return nil
	}))
}

// payment is what a payment backend sends.
func payment(w *simulate.World, e *simulate.Event) map[string]any {
	c := w.Customers()[e.Customer]
	return map[string]any{
		"type": "card_payment", "id": "p" + strconv.FormatInt(e.ID, 10), "time": time.UnixMicro(e.Time).UTC().Format(time.RFC3339Nano),
		"entities":   map[string]string{"customer": strconv.Itoa(e.Customer), "terminal": strconv.Itoa(e.Terminal)},
		"amount":     map[string]any{"currency": "EUR", "minor_units": e.Amount},
		"attributes": map[string]string{"country": c.Country, "age_band": c.AgeBand},
	}
}
