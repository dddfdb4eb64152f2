package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/haechi-fraud/haechi/registry"
)

func (s *Store) artifact(digest string) string { return filepath.Join(s.artifacts, digest+".txt") }

// putArtifact writes a model's bytes so that they are there whole or not at all, also after a power cut. A damaged file
// is replaced.
func (s *Store) putArtifact(digest string, model []byte) error {
	path := s.artifact(digest)
	if had, err := os.ReadFile(path); err == nil && registry.Digest(had) == digest {
		return syncFolder(s.artifacts) // who wrote it may have died before doing this
	}
	f, err := os.CreateTemp(s.artifacts, "."+digest+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(model)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(s.artifacts)
}

// readArtifact gives a model's bytes only if they are those that the digest names.
func (s *Store) readArtifact(digest string) ([]byte, error) {
	path := s.artifact(digest)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is gone; restore it from a copy", registry.ErrDigest, path)
	}
	if err != nil {
		return nil, err
	}
	if got := registry.Digest(b); got != digest {
		return nil, fmt.Errorf("%w: %s holds bytes of %s, expected %s; restore it from a copy", registry.ErrDigest, path, got, digest)
	}
	return b, nil
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
