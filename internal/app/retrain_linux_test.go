package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// childPID finds the process below parent that runs a child command; 0 when there is none.
func childPID(t *testing.T, parent int, command string) int {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var pid, above int
		var state string
		_, after, _ := strings.Cut(string(text), ") ")
		if _, err := fmt.Sscanf(string(text), "%d", &pid); err != nil {
			continue
		}
		if _, err := fmt.Sscanf(after, "%s %d", &state, &above); err != nil || above != parent || state == "Z" {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if strings.Contains(string(line), command) {
			return pid
		}
	}
	return 0
}

func startRun(t *testing.T, conn *grpc.ClientConn) (string, grpc.ServerStreamingClient[haechiv1.WatchRetrainResponse]) {
	t.Helper()
	client := haechiv1.NewRetrainsClient(conn)
	started, err := client.StartRetrain(t.Context(), &haechiv1.StartRetrainRequest{EventType: "card_payment", Actor: "tester"})
	require.NoError(t, err)
	stream, err := client.WatchRetrain(t.Context(), &haechiv1.WatchRetrainRequest{RunId: started.RunId})
	require.NoError(t, err)
	return started.RunId, stream
}

// ended reads the stream to the end of the run.
func ended(t *testing.T, stream grpc.ServerStreamingClient[haechiv1.WatchRetrainResponse]) *haechiv1.Run {
	t.Helper()
	for {
		m, err := stream.Recv()
		require.NoError(t, err)
		if m.Run != nil {
			return m.Run
		}
	}
}

// TestRetrainsThatDoNotEndWell: cancelled, killed, its trainer killed, the server stopped. Serving goes on meanwhile.
func TestRetrainsThatDoNotEndWell(t *testing.T) {
	w := world(t)
	dir := newProject(t)
	a := open(t, dir, true)
	importHistory(t, a.Conn(), w, 40)
	day := w.Between(w.Day(40), w.Day(41))
	sent := 0
	serves := func() {
		t.Helper()
		_, err := scoreErr(t.Context(), a.Conn(), wire(w, &day[sent]))
		require.NoError(t, err)
		sent++
	}
	client := haechiv1.NewRetrainsClient(a.Conn())

	id, stream := startRun(t, a.Conn())
	_, err := client.StartRetrain(t.Context(), &haechiv1.StartRetrainRequest{EventType: "card_payment"})
	requireCode(t, codes.Aborted, err, id)
	serves()
	_, err = client.CancelRetrain(t.Context(), &haechiv1.CancelRetrainRequest{RunId: id})
	require.NoError(t, err)
	require.Equal(t, "cancelled", ended(t, stream).State)
	_, err = client.CancelRetrain(t.Context(), &haechiv1.CancelRetrainRequest{RunId: id})
	requireCode(t, codes.NotFound, err, "cancelled")
	serves()

	_, stream = startRun(t, a.Conn())
	child := func() int { return childPID(t, os.Getpid(), app.ChildRetrain) }
	eventually(t, func() bool { return child() != 0 })
	require.NoError(t, syscall.Kill(child(), syscall.SIGKILL))
	serves()
	failed := ended(t, stream)
	require.Equal(t, "failed", failed.State)
	require.Contains(t, failed.Error, "killed")
	require.NotContains(t, failed.Error, "\n", "one sentence")
	serves()

	_, stream = startRun(t, a.Conn())
	trainer := 0
	eventually(t, func() bool {
		if pid := child(); pid != 0 {
			trainer = childPID(t, pid, app.ChildLightGBM)
		}
		return trainer != 0
	})
	require.NoError(t, syscall.Kill(trainer, syscall.SIGKILL))
	failed = ended(t, stream)
	require.Equal(t, "failed", failed.State)
	require.Contains(t, failed.Error, "killed")
	require.NotContains(t, failed.Error, "\n", "one sentence")
	serves()

	conn, err := grpc.NewClient(a.Addresses().GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	id, stream = startRun(t, conn)
	eventually(t, func() bool { return child() != 0 })
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
		}
	}()
	stop(t, a) // does not wait for the run, though somebody watches it
	<-over
	require.NoError(t, conn.Close())
	require.Zero(t, child(), "the run's process is gone with the server")
	a = open(t, dir, false)
	defer stop(t, a)
	out, err := haechiv1.NewRetrainsClient(a.Conn()).GetRetrain(t.Context(), &haechiv1.GetRetrainRequest{RunId: id})
	require.NoError(t, err)
	require.Equal(t, "cancelled", out.Run.State)
	list, err := haechiv1.NewRetrainsClient(a.Conn()).ListRetrains(t.Context(), &haechiv1.ListRetrainsRequest{EventType: "card_payment"})
	require.NoError(t, err)
	require.Len(t, list.Runs, 4)
}
