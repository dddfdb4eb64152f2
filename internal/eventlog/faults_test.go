package eventlog

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
)

var errInjected = errors.New("injected")

// faults is the real disk, but its operations fail on demand and unsynced writes can be lost as in a power cut.
type faults struct {
	osDisk
	mu     sync.Mutex
	ops    int
	failAt int  // fails the operation of that number, from 1
	sticky bool // and all after it
	short  bool // a failing write writes half
	files  []*faultFile
	gate   sync.RWMutex // held while the disk hangs
	noRoom bool         // allocate is not supported
}

func newFaults() *faults { return &faults{} }

// stall makes sync hang until the returned function is called.
func (d *faults) stall() (release func()) {
	d.gate.Lock()
	return d.gate.Unlock
}

func (d *faults) op() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ops++
	if d.failAt > 0 && (d.ops == d.failAt || d.sticky && d.ops > d.failAt) {
		return errInjected
	}
	return nil
}

// kill makes everything fail from now on.
func (d *faults) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt, d.sticky = d.ops+1, true
}

func (d *faults) wrap(f file, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ff := &faultFile{file: f, d: d}
	d.files = append(d.files, ff)
	return ff, nil
}

func (d *faults) create(path string) (file, error) {
	if err := d.op(); err != nil {
		return nil, err
	}
	return d.wrap(d.osDisk.create(path))
}

func (d *faults) open(path string) (file, error) { return d.wrap(d.osDisk.open(path)) }

func (d *faults) rename(from, to string) error {
	if err := d.op(); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

func (d *faults) syncDir(string) error {
	return d.op()
}

// faultFile remembers what each unsynced write replaced. The file is closed by powerCut only.
type faultFile struct {
	file
	d    *faults
	mu   sync.Mutex
	undo []undo
}

type undo struct {
	at  int64
	old []byte
}

const sector = 512

func (f *faultFile) WriteAt(b []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.d.op()
	if err != nil {
		if !f.d.short {
			return 0, err
		}
		b = b[:len(b)/2]
	}
	for from := at; from < at+int64(len(b)); {
		to := min((from/sector+1)*sector, at+int64(len(b)))
		old := make([]byte, to-from)
		if n, err := f.ReadAt(old, from); err != nil && err != io.EOF {
			return n, err
		}
		f.undo = append(f.undo, undo{from, old})
		from = to
	}
	n, werr := f.file.WriteAt(b, at)
	return n, errors.Join(err, werr)
}

func (f *faultFile) sync() error {
	f.d.gate.RLock()
	defer f.d.gate.RUnlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.d.op(); err != nil {
		return err
	}
	f.undo = nil // no real sync: the machine stays up, and powerCut leaves alone what was synced
	return nil
}

func (f *faultFile) truncate(size int64) error {
	if err := f.d.op(); err != nil {
		return err
	}
	return f.file.truncate(size)
}

func (f *faultFile) allocate(size int64) error {
	if f.d.noRoom {
		return errors.ErrUnsupported
	}
	if err := f.d.op(); err != nil {
		return err
	}
	return f.file.allocate(size)
}

func (f *faultFile) Close() error { return nil }

// powerCut loses a random part of the sectors that were written but not synced, and closes the files.
func (d *faults) powerCut(rnd *rand.Rand, share float64) error {
	var errs []error
	for _, f := range d.files {
		for i := len(f.undo) - 1; i >= 0; i-- {
			if rnd.Float64() < share {
				_, err := f.file.WriteAt(f.undo[i].old, f.undo[i].at)
				errs = append(errs, err)
			}
		}
		errs = append(errs, f.file.Close())
	}
	d.files = nil
	return errors.Join(errs...)
}
