//go:build cgo

package duckdb_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/warehouse"
)

// loaderPath names the variable that turns this test binary into the process to be killed.
const loaderPath = "HAECHI_TEST_LOADER_PATH"

const perBatch = 3000

// batch k holds the sequences k*perBatch+1 to (k+1)*perBatch: two events, then a label.
func batch(k uint64) warehouse.Batch {
	b := warehouse.Batch{LogID: "log", Through: (k + 1) * perBatch}
	for s := k*perBatch + 1; s <= b.Through; s++ {
		if s%3 == 0 {
			b.Labels = append(b.Labels, warehouse.Label{Sequence: s, EventType: "payment", EventID: strconv.FormatUint(s-1, 10), Verdict: "fraud", EventSequence: s - 1, EventTime: int64(s)})
			continue
		}
		b.Events = append(b.Events, warehouse.Event{Sequence: s, EventType: "payment", ID: strconv.FormatUint(s, 10), Time: int64(s), Entities: map[string]string{"customer": "c"}})
	}
	return b
}

// TestLoaderProcess is no test: TestKilledLoader starts it as a process of its own.
func TestLoaderProcess(t *testing.T) {
	path := os.Getenv(loaderPath)
	if path == "" {
		t.Skip("started by TestKilledLoader only")
	}
	w := open(t, path)
	position, err := w.Position(context.Background(), "log")
	require.NoError(t, err)
	for k := position / perBatch; ; k++ {
		require.NoError(t, w.Load(context.Background(), batch(k)))
		fmt.Printf("loaded %d\n", (k+1)*perBatch)
	}
}

// TestKilledLoader kills a loading process with SIGKILL at odd moments: what was reported is there, rows and position
// agree, and the loader goes on from the position without a row twice or missing.
func TestKilledLoader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	for round := range 6 {
		reported := killLoader(t, path, time.Duration(round*7)*time.Millisecond)
		w := open(t, path)
		position, err := w.Position(context.Background(), "log")
		require.NoError(t, err)
		require.GreaterOrEqual(t, position, reported)
		require.Zero(t, position%perBatch)
		requireExactly(t, w, position)
		// A loader that does not know how far it came repeats its last batch.
		require.NoError(t, w.Load(context.Background(), batch(position/perBatch-1)))
		requireExactly(t, w, position)
		require.NoError(t, w.Close())
	}
}

// killLoader runs a loader, waits for its third batch and then for after, kills it, and gives the last reported position.
func killLoader(t *testing.T, path string, after time.Duration) uint64 {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestLoaderProcess$")
	command.Env = append(os.Environ(), loaderPath+"="+path)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	reported, batches := uint64(0), 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "loaded %d", &reported); err == nil {
			batches++
		}
		if batches == 3 {
			time.AfterFunc(after, func() { _ = command.Process.Kill() }) // the next Loads are cut off wherever they are
		}
	}
	require.Error(t, command.Wait(), "killed")
	require.NotZero(t, reported)
	return reported
}

func requireExactly(t *testing.T, w warehouse.Warehouse, position uint64) {
	t.Helper()
	next := uint64(1)
	err := w.Pull(context.Background(), warehouse.Query{EventType: "payment", LogID: "log", Through: position}, func(r warehouse.Row) error {
		if r.Event != nil {
			require.Equal(t, next, r.Event.Sequence)
		} else {
			require.Equal(t, next, r.Label.Sequence)
		}
		next++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, position+1, next)
	table, err := w.Query(context.Background(), "SELECT (SELECT count(*) FROM raw_data.events) + (SELECT count(*) FROM raw_data.labels)", 1)
	require.NoError(t, err)
	require.Equal(t, [][]any{{int64(position)}}, table.Rows)
}
