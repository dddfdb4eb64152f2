package ingest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// rejects writes the rows that could not be used: file, line, reason. The file is made with the first of them.
type rejects struct {
	path  string
	files []string
	count int64
	file  *os.File
	w     *csv.Writer
}

// newRejects removes what an earlier import left at path.
func newRejects(path string, files []string) (*rejects, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the rejects of an earlier import: %w", err)
	}
	return &rejects{path: path, files: files}, nil
}

func (r *rejects) add(at origin, reason string) error {
	if r.file == nil {
		file, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("write rejected rows: %w", err)
		}
		r.file, r.w = file, csv.NewWriter(file)
		if err := r.w.Write([]string{"file", "line", "reason"}); err != nil {
			return fmt.Errorf("write rejected rows: %w", err)
		}
	}
	r.count++
	if err := r.w.Write([]string{r.files[at.file], strconv.FormatInt(at.line, 10), reason}); err != nil {
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	r.w.Flush()
	if err := errors.Join(r.w.Error(), r.file.Close()); err != nil {
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}
