package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// LockFile is the name of the lock file in the data folder.
const LockFile = "haechi.lock"

// A lock is tried again for this long: a command that only looks who owns it holds it for an instant.
const (
	lockPatience = 500 * time.Millisecond
	lockPause    = 10 * time.Millisecond
)

// Owner is who holds a data folder, as written in its lock file.
type Owner struct {
	PID     int       `json:"pid"`
	Command string    `json:"command"` // what it does, e.g. "serve" or "import"
	Started time.Time `json:"started"`
	GRPC    string    `json:"grpc,omitempty"` // addresses of a server, once it listens; empty for other commands
	HTTP    string    `json:"http,omitempty"`
	Admin   string    `json:"admin,omitempty"`
}

// LockedError says that another process owns the data folder.
type LockedError struct {
	Path  string
	Owner Owner // zero when the owner has not written its name yet
}

func (e *LockedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is held by another process", e.Path)
	if e.Owner.PID != 0 {
		fmt.Fprintf(&b, ": haechi %s with pid %d since %s", e.Owner.Command, e.Owner.PID, e.Owner.Started.UTC().Format(time.RFC3339))
	}
	if e.Owner.GRPC != "" {
		fmt.Fprintf(&b, ", serving on %s; use it there, or stop it: kill %d", e.Owner.GRPC, e.Owner.PID)
	} else {
		b.WriteString("; wait until it is done")
	}
	return b.String()
}

// Lock is the ownership of a data folder. The kernel lets go of it with the process, however that ends.
type Lock struct {
	file *os.File
}

// AcquireLock takes the data folder (made when it is not there) for this process and writes the owner's name into the
// lock file. A folder that another process owns gives a *LockedError.
func AcquireLock(dataDir string, owner Owner) (*Lock, error) {
	if err := os.MkdirAll(dataDir, 0o750); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	path := filepath.Join(dataDir, LockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockPause) {
		err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if time.Now().After(deadline) {
			held, _ := readOwner(f)
			return nil, errors.Join(&LockedError{Path: path, Owner: held}, f.Close())
		}
	}
	l := &Lock{file: f}
	if err := l.Announce(owner); err != nil {
		return nil, errors.Join(err, l.Release())
	}
	return l, nil
}

// Announce writes the owner anew, with the addresses of a server once it listens. PID and Started are filled in when zero.
func (l *Lock) Announce(owner Owner) error {
	if owner.PID == 0 {
		owner.PID = os.Getpid()
	}
	if owner.Started.IsZero() {
		owner.Started = time.Now().UTC()
	}
	text, err := json.Marshal(owner)
	if err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	text = append(text, '\n')
	if _, err := l.file.WriteAt(text, 0); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	if err := l.file.Truncate(int64(len(text))); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}

// Release empties the lock file and lets the folder go. The file stays: removing it would let two processes lock two
// files of the same name.
func (l *Lock) Release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}

// FindOwner says which process owns the data folder now. False: nobody, whatever the lock file still says.
func FindOwner(dataDir string) (Owner, bool, error) {
	f, err := os.Open(filepath.Join(dataDir, LockFile))
	if errors.Is(err, os.ErrNotExist) {
		return Owner{}, false, nil
	}
	if err != nil {
		return Owner{}, false, fmt.Errorf("open the lock file: %w", err)
	}
	defer f.Close()
	err = flock(f, syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return Owner{}, false, nil // closing lets go
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return Owner{}, false, fmt.Errorf("look at the lock file: %w", err)
	}
	owner, err := readOwner(f)
	return owner, true, err
}

// readOwner reads who holds the lock. An owner that is just being written is waited for.
func readOwner(f *os.File) (Owner, error) {
	var owner Owner
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockPause) {
		text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<16))
		if err != nil {
			return Owner{}, fmt.Errorf("read the lock file: %w", err)
		}
		line, _, whole := bytes.Cut(text, []byte("\n"))
		if err = json.Unmarshal(line, &owner); err == nil && whole {
			return owner, nil
		}
		if time.Now().After(deadline) {
			return Owner{}, fmt.Errorf("the lock file does not say who holds it: %w", err)
		}
	}
}

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
