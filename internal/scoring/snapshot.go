package scoring

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/haechi-fraud/haechi/features"
)

const (
	// keepSnapshots is how many are kept: a damaged one falls back to the one before it.
	keepSnapshots = 2
)

// Snapshot writes the state to a file while requests go on, so that the next start reads the log from there on only. It gives
// the sequence as of which the state is; the file counts once it is complete, and what it holds is durable. share is the part
// of one core that writing may take, above 0 and up to 1. When nothing was appended since the last one there is nothing to do.
func (s *Scorer) Snapshot(ctx context.Context, share float64) (sequence uint64, err error) {
	if s.opts.SnapshotDir == "" || s.opts.WithoutFeatures {
		return 0, errors.New("this scorer keeps no snapshots")
	}
	s.snapshots.Lock()
	defer s.snapshots.Unlock()
	if at := s.snapshotAt.Load(); at != 0 && at == s.log.Last() {
		return at, nil
	}
	start := time.Now()
	if err := os.MkdirAll(s.opts.SnapshotDir, 0o700); err != nil {
		return 0, fmt.Errorf("make the snapshot folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.opts.SnapshotDir, "unfinished"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return 0, fmt.Errorf("make a snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	header, err := s.writeSnapshot(ctx, f, share)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("snapshot: %w", err)
	}
	if err := s.publishSnapshot(f.Name(), header.Sequence); err != nil {
		return 0, err
	}
	s.snapshotAt.Store(header.Sequence)
	s.metrics.snapshotSequence.Set(float64(header.Sequence))
	s.metrics.snapshotSeconds.Set(time.Since(start).Seconds())
	return header.Sequence, s.dropSnapshots()
}

// cut is the moment a snapshot is of.
type cut struct {
	header  snapshotHeader
	engines []*features.Engine // by lane of the header
}

// cut fixes the moment: every record up to it has passed, or is passing under shard locks, through the engines noted here.
func (s *Scorer) cut() *cut {
	c := &cut{header: snapshotHeader{LogID: s.log.ID()}}
	s.ids.watch()
	s.log.Pause(func(last uint64) {
		c.header.Sequence = last
		for _, name := range s.EventTypes() {
			clock := s.lanes[name].clock
			c.header.Lanes = append(c.header.Lanes, snapshotLane{EventType: name, Started: clock != features.Clock{}, Since: clock.Since(), Watermark: clock.Watermark()})
		}
	})
	return c
}

// writeSnapshot writes all but the file's name. The header, which is known last, stands last.
func (s *Scorer) writeSnapshot(ctx context.Context, f *os.File, share float64) (*snapshotHeader, error) {
	defer s.ids.unwatch()
	c := s.cut()
	for i := range c.header.Lanes {
		l := s.lanes[c.header.Lanes[i].EventType]
		l.gate.RLock()
		engine := l.engine
		l.gate.RUnlock()
		c.engines = append(c.engines, engine)
		c.header.Lanes[i].Shards = engine.Shards()
		a := l.applied.Load()
		c.header.Lanes[i].Revision, c.header.Lanes[i].Champion = a.revision, a.champion
	}
	w := &steadyWriter{f: f}
	if _, err := w.Write([]byte(snapshotMagic)); err != nil {
		return nil, err
	}
	if err := c.writeShards(ctx, w, share); err != nil {
		return nil, err
	}
	if err := s.finishCut(ctx, c); err != nil {
		return nil, err
	}
	text, err := json.Marshal(&c.header)
	if err != nil {
		return nil, err
	}
	at := w.written
	return &c.header, errors.Join(writeFrame(w, text), writeFrame(w, binary.LittleEndian.AppendUint64(nil, uint64(at))), f.Sync())
}

func (c *cut) writeShards(ctx context.Context, w io.Writer, share float64) error {
	pace := pacer{share: share, every: 1}
	var content bytes.Buffer
	for _, engine := range c.engines {
		for shard := range engine.Shards() {
			content.Reset()
			position, err := engine.WriteShard(&content, shard)
			if err != nil {
				return err
			}
			c.header.Reached = max(c.header.Reached, position)
			if err := writeFrame(w, content.Bytes()); err != nil {
				return err
			}
			if err := pace.rest(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// steadyWriter syncs often: one sync of all at the end would keep the log's waiting behind it.
type steadyWriter struct {
	f       *os.File
	written int64
	synced  int64
}

// syncEvery is how many bytes of a snapshot are synced at once.
const syncEvery = 1 << 20

func (w *steadyWriter) Write(b []byte) (int, error) {
	n, err := w.f.Write(b)
	w.written += int64(n)
	if err == nil && w.written-w.synced >= syncEvery {
		w.synced, err = w.written, w.f.Sync()
	}
	return n, err
}

// finishCut waits until all that the shards hold is decided and durable, and notes the labels that waited at the cut.
func (s *Scorer) finishCut(ctx context.Context, c *cut) error {
	if err := s.ids.settle(ctx); err != nil {
		return err
	}
	if err := s.log.Wait(ctx, s.log.Last()); err != nil {
		return err
	}
	waiting, err := s.ids.waitingAt(ctx, c.header.Sequence)
	if err != nil {
		return err
	}
	for _, w := range waiting {
		l := c.header.lane(w.eventType)
		l.Waiting = append(l.Waiting, snapshotLabel{EventID: w.id, Sequence: w.label.Sequence, Verdict: w.label.Verdict, KnownAt: w.label.KnownAt})
	}
	for i, engine := range c.engines {
		l := s.lanes[c.header.Lanes[i].EventType]
		l.gate.RLock()
		same := l.engine == engine
		l.gate.RUnlock()
		if !same {
			return errors.New("the engine was changed for a new version meanwhile; the next snapshot is of the new one")
		}
	}
	return nil
}

// sweepSnapshots removes what a killed process left unfinished.
func (s *Scorer) sweepSnapshots() error {
	entries, err := os.ReadDir(s.opts.SnapshotDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the snapshots: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), snapshotSuffix) {
			if err := os.Remove(filepath.Join(s.opts.SnapshotDir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("remove an unfinished snapshot: %w", err)
			}
		}
	}
	return nil
}

// publishSnapshot gives a complete file its name.
func (s *Scorer) publishSnapshot(path string, sequence uint64) error {
	named := filepath.Join(s.opts.SnapshotDir, fmt.Sprintf("%020d%s", sequence, snapshotSuffix))
	if err := os.Rename(path, named); err != nil {
		return fmt.Errorf("name the snapshot: %w", err)
	}
	d, err := os.Open(s.opts.SnapshotDir)
	if err != nil {
		return fmt.Errorf("sync the snapshot folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Scorer) dropSnapshots() error {
	paths, err := snapshotPaths(s.opts.SnapshotDir)
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths[min(keepSnapshots, len(paths)):] {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}
