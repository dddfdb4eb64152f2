package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// rejects is the file of rows that an import refused, beside the first file it read. It is made with the first of them.
type rejects struct {
	beside   string
	fallback string // folder that takes it when the one of beside cannot be written to
	path     string
	file     *os.File
}

// forget removes what an earlier import left.
func (r *rejects) forget() error {
	for _, path := range r.candidates() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("remove the rejects of an earlier import: %w", err)
		}
	}
	return nil
}

func (r *rejects) candidates() []string {
	return []string{r.beside + ".rejects.csv", filepath.Join(r.fallback, filepath.Base(r.beside)+".rejects.csv")}
}

func (r *rejects) write(text []byte) (err error) {
	if len(text) == 0 {
		return nil
	}
	for _, path := range r.candidates() {
		if r.file == nil {
			if r.file, err = os.Create(path); err != nil {
				r.file = nil
				continue
			}
			r.path = path
		}
	}
	if r.file == nil {
		return fmt.Errorf("write the rejected rows: %w", err)
	}
	_, err = r.file.Write(text)
	return err
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
