package eventlog

import (
	"fmt"
	"os"

	logv1 "github.com/haechi-fraud/haechi/proto/haechi/log/v1"
)

// View is a log that nobody writes, for reading. It changes nothing on disk: a torn tail is ignored.
type View struct {
	catalog
	torn int64
}

// OpenReader reads the log in dir, which no process may have open for writing. os.ErrNotExist when there is none.
func OpenReader(dir string) (*View, error) {
	paths, err := segmentFiles(dir)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no event log in %s: %w", dir, os.ErrNotExist)
	}
	all := scanAll(paths, scanning{})
	if err := firstError(all); err != nil {
		return nil, err
	}
	v := &View{torn: all[len(all)-1].garbage}
	v.adopt(all)
	return v, nil
}

// Last is the sequence of the last record, 0 in an empty log.
func (v *View) Last() uint64 { return v.Durable() }

// Get returns the record of that sequence. ErrNotFound when there is none.
func (v *View) Get(sequence uint64) (*logv1.Record, error) { return v.get(sequence) }

// Stat tells what the log holds.
func (v *View) Stat() Stat {
	st := v.stat()
	st.TornBytes = v.torn
	return st
}
