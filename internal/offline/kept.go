package offline

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// kept is a folder beside the answer with the finished partitions of a job that may be resumed, and a manifest that says
// which job that is.
type kept struct {
	dir  string
	plan *plan
}

// manifest names everything that the values depend on.
type manifest struct {
	Format      int         `json:"format"`
	Schema      string      `json:"event_type_hash"`
	Definitions []string    `json:"definitions"`
	From        int64       `json:"from"`
	To          int64       `json:"to"`
	Inputs      []inputFile `json:"inputs"`
}

type inputFile struct {
	Role, Path string
	Size       int64
	SHA256     string
}

const keptFormat = 1

// openKept finds what an earlier run of the same job left, or begins anew.
func openKept(job *Job, p *plan) (*kept, error) {
	m := manifest{Format: keptFormat, Schema: job.EventType.Hash, From: job.From, To: job.To}
	for i := range p.definitions {
		m.Definitions = append(m.Definitions, p.definitions[i].Hash())
	}
	for role, paths := range [][]string{job.Events, job.Labels} {
		for _, path := range paths {
			f, err := describe([]string{"events", "labels"}[role], path)
			if err != nil {
				return nil, err
			}
			m.Inputs = append(m.Inputs, f)
		}
	}
	for _, l := range job.EventType.Mapping.Lookups {
		path := job.Lookups[l.Name]
		if path == "" {
			path = filepath.Join(filepath.Dir(job.Events[0]), l.File)
		}
		f, err := describe("lookup "+l.Name, path)
		if err != nil {
			return nil, err
		}
		m.Inputs = append(m.Inputs, f)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	k := &kept{dir: job.Out + ".partial", plan: p}
	path := filepath.Join(k.dir, "manifest.json")
	if before, err := os.ReadFile(path); err == nil && string(before) == string(text) {
		return k, nil
	}
	if err := errors.Join(os.RemoveAll(k.dir), os.Mkdir(k.dir, 0o755)); err != nil {
		return nil, err
	}
	return k, os.WriteFile(path, text, 0o644)
}

func describe(role, path string) (_ inputFile, err error) {
	f, err := os.Open(path)
	if err != nil {
		return inputFile{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	digest := sha256.New()
	n, err := io.Copy(digest, f)
	return inputFile{role, path, n, hex.EncodeToString(digest.Sum(nil))}, err
}

func (k *kept) remove() error { return os.RemoveAll(k.dir) }

func (k *kept) path(pass, partition int) string {
	return filepath.Join(k.dir, fmt.Sprintf("%s-%03d", k.plan.schema.Entities[k.plan.passes[pass].kind].Name, partition))
}

// save writes a finished partition: how many rows it had and how many were degraded, then its chunks, each with its
// length before it, then 0. It leaves the stream as it was.
func (k *kept) save(pass, partition int, rows, degraded int64, from *stream) (err error) {
	path := k.path(pass, partition)
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<18)
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], uint64(rows))
	binary.LittleEndian.PutUint64(head[8:], uint64(degraded))
	_, _ = w.Write(head[:])
	for i := range from.chunks {
		b, err := from.peek(i)
		if err != nil {
			return errors.Join(err, f.Close())
		}
		_, _ = w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(b))))
		_, _ = w.Write(b)
	}
	_, _ = w.Write(make([]byte, 4))
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// load reads a finished partition into a stream, if there is one.
func (k *kept) load(pass, partition int, rows int64, to *stream) (degraded int64, found bool, err error) {
	f, err := os.Open(k.path(pass, partition))
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := bufio.NewReaderSize(f, 1<<18)
	var head [16]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, false, err
	}
	if int64(binary.LittleEndian.Uint64(head[:])) != rows {
		return 0, false, nil // dealt out otherwise: computed anew
	}
	for {
		if _, err := io.ReadFull(in, head[:4]); err != nil {
			return 0, false, err
		}
		n := int(binary.LittleEndian.Uint32(head[:4]))
		if n == 0 {
			return int64(binary.LittleEndian.Uint64(head[8:])), true, nil
		}
		if err := to.room(n); err != nil {
			return 0, false, err
		}
		to.tail = to.tail[:n]
		if _, err := io.ReadFull(in, to.tail); err != nil {
			return 0, false, err
		}
		if err := to.seal(); err != nil {
			return 0, false, err
		}
	}
}
