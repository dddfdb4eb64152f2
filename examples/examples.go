// Package examples holds complete projects to start from, embedded for `haechi init`.
//
// It copies files and does nothing else: it makes no keys, reads no YAML and imports nothing of ours.
package examples

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed all:card-payments all:us-card-payments all:demo-payments
var projects embed.FS

// Names lists the examples, the one to begin with first.
func Names() []string {
	return []string{"card-payments", "us-card-payments", "demo-payments"}
}

// Copy writes the example name into dir, which is made when it is not there. A file that exists already is never
// replaced: then nothing is written at all.
func Copy(name, dir string) error {
	if !slices.Contains(Names(), name) {
		return fmt.Errorf("no example is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	files, err := list(name)
	if err != nil {
		return fmt.Errorf("example %s: %w", name, err)
	}
	for _, file := range files {
		target := filepath.Join(dir, filepath.FromSlash(file))
		if _, err := os.Lstat(target); err == nil {
			return fmt.Errorf("%s exists already; name an empty folder", target)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("example %s: %w", name, err)
		}
	}
	for _, file := range files {
		if err := write(path.Join(name, file), filepath.Join(dir, filepath.FromSlash(file))); err != nil {
			return fmt.Errorf("example %s: %w", name, err)
		}
	}
	return nil
}

// list gives the files of an example, relative to it.
func list(name string) ([]string, error) {
	var files []string
	err := fs.WalkDir(projects, name, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, strings.TrimPrefix(p, name+"/"))
		}
		return err
	})
	return files, err
}

func write(from, to string) error {
	text, err := projects.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
