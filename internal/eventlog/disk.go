package eventlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// disk is what the log writes to. Tests wrap it to fail on demand.
type disk interface {
	create(path string) (file, error) // must not exist
	open(path string) (file, error)   // for reading and writing
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error
	free(dir string) (int64, error)
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	truncate(size int64) error
	// allocate reserves the blocks of [0, size) and makes the file that long. errors.ErrUnsupported: the file system cannot.
	allocate(size int64) error
	sync() error
}

type osDisk struct{}

func (osDisk) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) open(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) remove(path string) error     { return os.Remove(path) }

func (osDisk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type osFile struct{ *os.File }

func (f osFile) truncate(size int64) error { return f.Truncate(size) }

// makeDir makes dir and what is missing above it, durably.
func makeDir(d disk, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(d, parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("make the folder of the event log: %w", err)
	}
	return d.syncDir(parent)
}
