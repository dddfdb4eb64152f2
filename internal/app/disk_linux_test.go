package app_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// onTinyDisk moves the data folder of a project onto a file system of that many bytes.
func onTinyDisk(t *testing.T, dir string, size int) string {
	t.Helper()
	data := filepath.Join(dir, "data")
	old := filepath.Join(dir, "old")
	require.NoError(t, os.Rename(data, old))
	require.NoError(t, os.Mkdir(data, 0o700))
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mounting a tiny disk is not permitted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(data, 0)) })
	require.NoError(t, os.CopyFS(data, os.DirFS(old)))
	return data
}

func healthOf(t *testing.T, a *app.App) healthv1.HealthCheckResponse_ServingStatus {
	t.Helper()
	out, err := healthv1.NewHealthClient(a.Conn()).Check(t.Context(), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
	return out.Status
}

// eventually gives a server a while to notice what happened to its disk.
func eventually(t *testing.T, what func() bool) {
	t.Helper()
	require.Eventually(t, what, 30*time.Second, 20*time.Millisecond)
}

func TestFullDisk(t *testing.T) {
	dir, _ := newPayments(t)
	data := onTinyDisk(t, dir, 64<<20)
	a := open(t, dir, true)
	for i := range 10 {
		score(t, a.Conn(), pay(number("p", i), "c", begin()))
	}
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Statfs(data, &fs))
	ballast := filepath.Join(data, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, int64(fs.Bavail)*fs.Bsize-900<<10), 0o600)) // below the floor of 1 MiB
	eventually(t, func() bool {
		_, err := scoreErr(t.Context(), a.Conn(), pay(fmt.Sprint(time.Now().UnixNano()), "other", begin()))
		return status.Code(err) == codes.Unavailable
	})
	_, err := scoreErr(t.Context(), a.Conn(), pay("refused", "c", begin()))
	requireCode(t, codes.Unavailable, err, "free some")
	_, err = haechiv1.NewLabelsClient(a.Conn()).PutLabel(t.Context(), &haechiv1.PutLabelRequest{Label: label("p-0", fraud, begin())})
	requireCode(t, codes.Unavailable, err)
	code, body := post(t, a, "/v1/score", &haechiv1.ScoreRequest{Event: pay("refused", "c", begin())})
	require.Equal(t, http.StatusServiceUnavailable, code, body)
	code, _ = get(t, a, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	code, _ = get(t, a, "/healthz")
	require.Equal(t, http.StatusOK, code)
	eventually(t, func() bool { return healthOf(t, a) == healthv1.HealthCheckResponse_NOT_SERVING })
	noDecision(t, a.Conn(), "refused")
	require.NotEmpty(t, score(t, a.Conn(), pay("p-3", "c", begin())).ModelVersion, "what is known is still answered")

	require.NoError(t, os.Remove(ballast))
	eventually(t, func() bool { return healthOf(t, a) == healthv1.HealthCheckResponse_SERVING })
	require.InDelta(t, 11, value(t, score(t, a.Conn(), pay("refused", "c", begin())), "card_count_30d"), 0)
	stop(t, a)
	a = open(t, dir, true)
	defer stop(t, a)
	for i := range 10 {
		require.NotContains(t, score(t, a.Conn(), pay(number("p", i), "c", begin())).Flags, "recovered")
	}
}

// limitFiles makes every write beyond that offset of any file fail; it gives what takes the limit away.
func limitFiles(t *testing.T, bytes uint64) func() {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: was.Max}))
	return sync.OnceFunc(func() {
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was))
		signal.Reset(syscall.SIGXFSZ)
	})
}

// TestPoisonedLog lets writes to the log fail under load: nobody is told what is not on disk, and the server comes back
// by itself when writes work again.
func TestPoisonedLog(t *testing.T) {
	if os.Getenv("HAECHI_TEST_LIMITED") == "" { // the limit is the whole process's, so it gets one of its own
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPoisonedLog$")
		cmd.Env = append(os.Environ(), "HAECHI_TEST_LIMITED=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "PASS")
		return
	}
	dir, _ := newPayments(t)
	a := open(t, dir, true)
	acked := map[string]uint64{}
	for i := range 20 {
		acked[number("p", i)] = score(t, a.Conn(), pay(number("p", i), "c", begin())).Sequence.Number
	}
	unlimit := limitFiles(t, 2048)
	defer unlimit()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for range 10 { // the same id again and again
				d, err := scoreErr(t.Context(), a.Conn(), pay(number("q", i), "c", begin()))
				if err != nil && status.Code(err) != codes.Unavailable {
					t.Error(err)
				}
				if err == nil {
					mu.Lock()
					acked[number("q", i)] = d.Sequence.Number
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	eventually(t, func() bool { return healthOf(t, a) == healthv1.HealthCheckResponse_NOT_SERVING })
	code, body := get(t, a, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code, body)
	code, _ = get(t, a, "/metrics")
	require.Equal(t, http.StatusOK, code)
	unlimit()
	eventually(t, func() bool { return healthOf(t, a) == healthv1.HealthCheckResponse_SERVING })
	for i := range 32 {
		d := score(t, a.Conn(), pay(number("q", i), "c", begin()))
		if was, ok := acked[number("q", i)]; ok {
			require.Equal(t, was, d.Sequence.Number, "acknowledged, and decided anew")
		}
	}
	for i := range 20 {
		require.Equal(t, acked[number("p", i)], score(t, a.Conn(), pay(number("p", i), "c", begin())).Sequence.Number)
	}
	require.InDelta(t, 53, value(t, score(t, a.Conn(), pay("end", "c", begin())), "card_count_30d"), 0, "each once")
	replayAll(t, a.Conn(), 53)
	stop(t, a)
}
