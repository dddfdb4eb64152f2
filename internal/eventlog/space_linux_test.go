package eventlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tinyDisk mounts a file system of that many bytes.
func tinyDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("mounting a tiny disk is not permitted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

// fill appends until the log refuses, and returns why and what was acknowledged.
func fill(t *testing.T, l *Log, ask bool) (string, []string) {
	acknowledged := []string{"card_payment"}
	for i := 0; ; i++ {
		if ask {
			if err := l.Writable(); err != nil {
				require.ErrorIs(t, err, ErrDiskFull)
				return "refused", acknowledged
			}
		}
		n, err := l.Append(padded(fmt.Sprint(i), 1000), nil)
		if err == nil {
			err = l.Wait(context.Background(), n)
		}
		if err != nil {
			require.ErrorIs(t, err, ErrPoisoned)
			require.ErrorIs(t, err, syscall.ENOSPC)
			return "poisoned", acknowledged
		}
		acknowledged = append(acknowledged, fmt.Sprint(i))
	}
}

func TestTinyDisk(t *testing.T) {
	for name, c := range map[string]struct {
		floor int64
		ask   bool
		want  string
	}{
		"a floor":         {1 << 20, true, "refused"},
		"no floor":        {0, true, "refused"},
		"nobody asks":     {0, false, "poisoned"},
		"floor, no asker": {1 << 20, false, "poisoned"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(tinyDisk(t, 4<<20), "log")
			o := Options{Dir: dir, SegmentBytes: 512 << 10, MinFreeBytes: c.floor}
			l := start(t, o)
			why, acknowledged := fill(t, l, c.ask)
			require.Equal(t, c.want, why)
			require.Greater(t, len(acknowledged), 1000)
			if c.want == "refused" {
				free := l.Stat().FreeBytes
				require.GreaterOrEqual(t, free, c.floor)
				_, err := l.Append(event("an admitted request's last record"), nil)
				require.NoError(t, err)
				acknowledged = append(acknowledged, "an admitted request's last record")
				require.NoError(t, l.Close())
			} else {
				require.ErrorIs(t, l.Close(), ErrPoisoned)
			}
			l, err := Open(o) // also on a full disk
			require.NoError(t, err)
			require.ErrorIs(t, l.Writable(), ErrDiskFull)
			found := ids(contents(t, l, 0))
			require.GreaterOrEqual(t, len(found), len(acknowledged))
			require.Equal(t, acknowledged, found[:len(acknowledged)])
			require.NoError(t, l.Close())
		})
	}
}

// TestRoomComesBack: what others free makes the log writable again.
func TestRoomComesBack(t *testing.T) {
	disk := tinyDisk(t, 4<<20)
	other := filepath.Join(disk, "other")
	require.NoError(t, os.WriteFile(other, make([]byte, 3<<20), 0o600))
	l := start(t, Options{Dir: filepath.Join(disk, "log"), SegmentBytes: 256 << 10, MinFreeBytes: 1 << 20})
	require.ErrorIs(t, l.Writable(), ErrDiskFull)
	require.NoError(t, os.Remove(other))
	require.Eventually(t, func() bool { return l.Writable() == nil }, 10*time.Second, spaceLookEvery/10)
	appendAll(t, l, event("1"))
	require.NoError(t, l.Close())
	_, err := OpenReader(filepath.Join(disk, "absent"))
	require.True(t, errors.Is(err, os.ErrNotExist))
}
