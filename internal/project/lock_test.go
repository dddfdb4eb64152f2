package project_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/project"
)

// The test binary is its own second process: with this variable set it takes the lock of the folder named there, says so
// and waits to be killed.
const holdVariable = "HAECHI_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		hold(dir)
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	lock, err := project.AcquireLock(dir, project.Owner{Command: "serve"})
	if err == nil {
		err = lock.Announce(project.Owner{Command: "serve", GRPC: "127.0.0.1:7461", HTTP: "127.0.0.1:7462", Admin: "127.0.0.1:7463"})
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Stdout.WriteString("held\n")
	os.Stdin.Read(make([]byte, 1)) // until killed
}

// holder starts a second process that holds the lock.
func holder(t *testing.T, dir string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), holdVariable+"="+dir)
	_, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)
	return c
}

func TestSecondServerIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	c := holder(t, dir)

	_, err := project.AcquireLock(dir, project.Owner{Command: "serve"})
	var locked *project.LockedError
	require.True(t, errors.As(err, &locked), "%v", err)
	require.Equal(t, c.Process.Pid, locked.Owner.PID)
	require.Equal(t, "127.0.0.1:7461", locked.Owner.GRPC)
	require.ErrorContains(t, err, filepath.Join(dir, project.LockFile))
	require.ErrorContains(t, err, "haechi serve with pid")
	require.ErrorContains(t, err, "serving on 127.0.0.1:7461")

	owner, running, err := project.FindOwner(dir)
	require.NoError(t, err)
	require.True(t, running)
	require.Equal(t, locked.Owner, owner)
}

func TestLockIsFreeAfterKill(t *testing.T) {
	dir := t.TempDir()
	c := holder(t, dir)
	require.NoError(t, c.Process.Signal(syscall.SIGKILL))
	require.Error(t, c.Wait())

	text, err := os.ReadFile(filepath.Join(dir, project.LockFile))
	require.NoError(t, err)
	require.Contains(t, string(text), "127.0.0.1:7461", "the dead owner's name is still there, and is not believed")
	_, running, err := project.FindOwner(dir)
	require.NoError(t, err)
	require.False(t, running)

	lock, err := project.AcquireLock(dir, project.Owner{Command: "import"})
	require.NoError(t, err)
	owner, running, err := project.FindOwner(dir)
	require.NoError(t, err)
	require.True(t, running)
	require.Equal(t, os.Getpid(), owner.PID)
	require.Equal(t, "import", owner.Command)
	require.Empty(t, owner.GRPC, "nothing of the dead owner is left")
	require.NoError(t, lock.Release())
}

func TestReleaseLetsGo(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		lock, err := project.AcquireLock(dir, project.Owner{Command: "retrain"})
		require.NoError(t, err)
		require.NoError(t, lock.Release())
		_, running, err := project.FindOwner(dir)
		require.NoError(t, err)
		require.False(t, running)
	}
	_, running, err := project.FindOwner(filepath.Join(dir, "nowhere"))
	require.NoError(t, err)
	require.False(t, running)
}

// Whoever only looks does not keep an owner out, and owners exclude each other.
func TestLookersDoNotKeepAnOwnerOut(t *testing.T) {
	dir := t.TempDir()
	first, err := project.AcquireLock(dir, project.Owner{Command: "serve"})
	require.NoError(t, err)
	require.NoError(t, first.Release())
	stop := make(chan struct{})
	var lookers sync.WaitGroup
	for range 4 {
		lookers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _, _ = project.FindOwner(dir)
				}
			}
		})
	}
	for range 50 {
		lock, err := project.AcquireLock(dir, project.Owner{Command: "serve"})
		require.NoError(t, err)
		_, running, err := project.FindOwner(dir)
		require.NoError(t, err)
		require.True(t, running)
		require.NoError(t, lock.Release())
	}
	close(stop)
	lookers.Wait()
}
