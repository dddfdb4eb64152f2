package project

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// piiKeyBytes is the length of the key that hashes fields flagged pii.
const piiKeyBytes = 32

// WritePIIKey makes a new random key of 32 bytes at path, readable by its owner only. An existing file is never replaced:
// everything hashed with it would become unreachable.
func WritePIIKey(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the folder of the pii key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make the pii key: %w", err)
	}
	key := make([]byte, piiKeyBytes)
	rand.Read(key)
	_, err = f.Write(key)
	return errors.Join(err, f.Sync(), f.Close())
}

// PIIKey reads the key that hashes fields flagged pii; nil when the project names no key file.
func (p *Project) PIIKey() ([]byte, error) {
	if p.Config.PIIKeyFile == "" {
		return nil, nil
	}
	return readKey(p.Config.PIIKeyFile)
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: no key at %s; make one: mkdir -p %s && head -c %d /dev/urandom > %s && chmod 600 %s",
			os.ErrNotExist, path, filepath.Dir(path), piiKeyBytes, path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("pii key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key %s can be read by others (mode %04o); run chmod 600 %s", path, info.Mode().Perm(), path)
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("pii key: %w", err)
	}
	if len(key) < piiKeyBytes {
		return nil, fmt.Errorf("the key %s has %d bytes and needs %d", path, len(key), piiKeyBytes)
	}
	return key, nil
}

// checkKey reports a project whose key is missing while a field needs it, or cannot be used.
func checkKey(p *Project, d *document, needs []string) {
	if p.Config.PIIKeyFile == "" {
		if len(needs) > 0 {
			d.add(position{1, 1}, "pii_key_file", fmt.Sprintf("%s flagged pii and no key is named; write pii_key_file: keys/pii.key, and make it: mkdir -p keys && head -c %d /dev/urandom > keys/pii.key && chmod 600 keys/pii.key",
				strings.Join(needs, ", "), piiKeyBytes))
		}
		return
	}
	if inside(p.Config.Data, p.Config.PIIKeyFile) {
		return // said already
	}
	_, err := readKey(p.Config.PIIKeyFile)
	if errors.Is(err, os.ErrNotExist) && len(needs) == 0 {
		return // named for the day a field is flagged
	}
	if err != nil {
		d.report("pii_key_file", "%v", err)
	}
}
