package eventlog

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	childDir   = "EVENTLOG_TEST_CHILD_DIR"
	childRound = "EVENTLOG_TEST_CHILD_ROUND"
)

// child appends from 64 goroutines until it is killed, and prints "sequence id" of each record acknowledged.
func child(dir, round string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	l, err := Open(Options{Dir: dir, SegmentBytes: 256 << 10})
	fail(err)
	_, err = l.StateEventType(payment())
	fail(err)
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s/%d/%d", round, g, i)
				sequence, err := l.Append(event(id), nil)
				fail(err)
				fail(l.Wait(context.Background(), sequence))
				_, err = fmt.Printf("%d %s\n", sequence, id)
				fail(err)
			}
		})
	}
	wg.Wait()
}

func TestKilled(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	acknowledged := map[uint64]string{}
	for round := range 6 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s=%d", childRound, round))
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewReader(out)
		for n := 0; ; n++ {
			line, err := lines.ReadString('\n')
			if err != nil {
				break // what was printed before the kill is still read; a half line acknowledges nothing
			}
			var sequence uint64
			var id string
			_, err = fmt.Sscanf(line, "%d %s", &sequence, &id)
			require.NoError(t, err, strings.TrimSpace(line))
			if other, twice := acknowledged[sequence]; twice {
				require.Fail(t, "one sequence for two records", "%d: %s, %s", sequence, other, id)
			}
			acknowledged[sequence] = id
			if n == 500+700*round {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.ErrorContains(t, cmd.Wait(), "killed")
		verifyAcknowledged(t, dir, acknowledged)
	}
	require.Greater(t, len(acknowledged), 6*500)
}

func verifyAcknowledged(t testing.TB, dir string, acknowledged map[uint64]string) {
	t.Helper()
	l, err := Open(Options{Dir: dir, SegmentBytes: 256 << 10})
	require.NoError(t, err)
	all := contents(t, l, 0)
	for sequence, id := range acknowledged {
		if sequence > uint64(len(all)) || idOf(all[sequence-1]) != id {
			require.Fail(t, "acknowledged, then lost", "record %d, %s", sequence, id)
		}
	}
	require.NoError(t, l.Close())
	_, err = Verify(dir)
	require.NoError(t, err)
}
