package features

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// snapshotMagic begins every shard's snapshot; its last byte is the version of the format.
const snapshotMagic = "haechi-shard\x01"

// held is an entity as it was when its shard was copied. Its chunks share their rows with the engine, which copies them before they change.
type held struct {
	h      history
	record []byte // of an entity that rests, in place of h
}

// Shards is the number of shards, the numbers that WriteShard takes.
func (e *Engine) Shards() int { return len(e.shards) }

// WriteShard writes what one shard holds, while events are observed. The shard is locked only to note what there is, not to write it. position is the
// largest sequence that the shard is sure to have: of events and labels up to there nothing is missing, of those after it there is nothing.
func (e *Engine) WriteShard(w io.Writer, shard int) (position uint64, err error) {
	e.texts.pause() // codes of entries that are dropped meanwhile keep their texts
	defer e.texts.resume()
	position, kinds := e.hold(shard)
	blocks := &blockWriter{w: w}
	x := encoder{w: blocks}
	x.out = append(x.out, snapshotMagic...)
	x.out = append(x.out, e.fingerprint()...)
	for _, v := range []uint64{e.seed, uint64(len(e.shards)), uint64(shard), position} {
		x.out = binary.AppendUvarint(x.out, v)
	}
	for kind, entities := range kinds {
		x.l = &e.layouts[kind]
		x.out = binary.AppendUvarint(x.out, uint64(len(entities)))
		for i := range entities {
			x.entity(&entities[i])
		}
	}
	x.flush(0)
	if x.err == nil {
		x.err = blocks.Close()
	}
	if x.err != nil {
		return 0, fmt.Errorf("snapshot of shard %d of %s: %w", shard, e.schema.EventType, x.err)
	}
	return position, nil
}

func (x *encoder) entity(it *held) {
	h, rests := &it.h, byte(0)
	if it.record != nil {
		h, rests = x.l.open(it.record), 1
	}
	x.out = append(appendText(x.out, h.entity), rests)
	x.history(h)
	x.flush(blockSize)
}

// hold notes what a shard holds, by entity kind, and its position.
func (e *Engine) hold(shard int) (position uint64, kinds [][]held) {
	s := &e.shards[shard]
	kinds = make([][]held, len(e.layouts))
	s.mu.Lock()
	sizes := make([]int, len(kinds))
	for kind := range kinds {
		sizes[kind] = s.entities[kind].used + len(s.resting[kind].records)
	}
	s.mu.Unlock()
	for kind, n := range sizes { // large memory is not made under the lock
		kinds[kind] = make([]held, 0, n+n/8)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range e.shards {
		position = max(position, e.shards[i].position.Load())
	}
	for kind := range kinds {
		s.entities[kind].each(func(_ uint64, h *history) { kinds[kind] = append(kinds[kind], held{h: h.share()}) })
		r := &s.resting[kind]
		for _, ref := range r.records {
			kinds[kind] = append(kinds[kind], held{record: r.at(ref)})
		}
	}
	return position, kinds
}

// share makes a copy whose chunks have the same rows; whoever changes these copies them first.
func (h *history) share() history {
	h.tail.shared = true
	c := *h
	c.sliders = nil
	if h.groups() == 0 {
		c.older = nil
		return c
	}
	c.older = &directory{groups: make([]group, h.groups())}
	for g := range c.older.groups {
		chunks := h.older.groups[g].chunks
		for s := range chunks {
			chunks[s].shared = true
		}
		c.older.groups[g].chunks = append([]chunk(nil), chunks...)
	}
	return c
}

// own copies what a snapshot reads of a chunk, before it changes.
func (c *chunk) own() {
	if !c.shared {
		return
	}
	c.data = bytes.Clone(c.data)
	if c.labels != nil {
		ls := *c.labels
		ls.said = append([]statement(nil), ls.said...)
		c.labels = &ls
	}
	c.shared = false
}

// fingerprint is equal for engines that can read each other's snapshots.
func (e *Engine) fingerprint() []byte {
	digest := sha256.New()
	s := e.schema
	fmt.Fprintf(digest, "%q %q %d %d %d\n", s.EventType, s.Currency, s.MinorDigits, s.AllowedLateness, s.limit())
	for i := range e.layouts {
		fmt.Fprintf(digest, "%q %d\n", s.Entities[i].Name, e.layouts[i].stride)
		for _, c := range e.layouts[i].columns {
			fmt.Fprintf(digest, " %d %q\n", c.kind, c.name)
		}
	}
	for i := range e.defs {
		fmt.Fprintln(digest, e.defs[i].hash)
	}
	return digest.Sum(nil)
}

// catchUp is what an engine has from snapshots, by the shards of the engine that wrote them.
type catchUp struct {
	seed      uint64
	positions []uint64
	read      map[int]bool
	largest   uint64
}

// has says whether an entity has an event or label of that sequence already.
func (c *catchUp) has(kind int, key string, sequence uint64) bool {
	return c != nil && sequence <= c.positions[shardOf(hashKey(c.seed, key), len(c.positions), kind)]
}

// ReadShard reads what WriteShard has written, of an engine with the same schema and definitions, into an engine that has observed nothing. All shards
// of one engine are read, in any order, also at the same time; then Restored tells where replay begins. After an error the engine is of no use.
func (e *Engine) ReadShard(r io.Reader) (position uint64, err error) {
	x := decoder{in: &blockReader{r: r}}
	position = e.readHeader(&x)
	for kind := range e.layouts {
		x.l = &e.layouts[kind]
		for n := x.uvarint(); n > 0 && x.err == nil; n-- {
			e.readEntity(&x, kind)
		}
	}
	if x.err == nil {
		if _, err := x.in.ReadByte(); !errors.Is(err, io.EOF) {
			x.fail("bytes after the end")
		}
	}
	if x.err != nil {
		return 0, fmt.Errorf("snapshot of a shard of %s: %w", e.schema.EventType, x.err)
	}
	return position, nil
}

func (e *Engine) readHeader(x *decoder) (position uint64) {
	magic := make([]byte, len(snapshotMagic)+sha256.Size)
	x.bytes(magic)
	switch {
	case x.err != nil:
		return 0
	case string(magic[:len(snapshotMagic)]) != snapshotMagic:
		x.err = errors.New("it is not a snapshot in a format that this version reads")
		return 0
	case !bytes.Equal(magic[len(snapshotMagic):], e.fingerprint()):
		x.err = errors.New("it is of another schema or of other definitions: rebuild the state from the log")
		return 0
	}
	seed, shards, shard := x.uvarint(), x.upTo(1<<20, "too many shards"), int(x.uvarint())
	position = x.uvarint()
	if x.err == nil && (shard < 0 || shard >= shards || position > maxSequence) {
		x.fail("no such shard")
	}
	if x.err == nil {
		x.err = e.restores(seed, shards, shard, position)
	}
	return position
}

// restores notes the position of a shard that is being read.
func (e *Engine) restores(seed uint64, shards, shard int, position uint64) error {
	e.restoring.Lock()
	defer e.restoring.Unlock()
	c := e.behind.Load()
	if c == nil {
		c = &catchUp{seed: seed, positions: make([]uint64, shards), read: map[int]bool{}}
		e.behind.Store(c)
	}
	switch {
	case c.seed != seed || len(c.positions) != shards:
		return errors.New("it is of another engine than the shards before it")
	case c.read[shard]:
		return fmt.Errorf("shard %d was read before", shard)
	}
	c.read[shard], c.positions[shard], c.largest = true, position, max(c.largest, position)
	return nil
}

func (e *Engine) readEntity(x *decoder, kind int) {
	key := x.text()
	rests := x.upTo(1, "an entity neither rests nor is awake")
	h := x.history(key)
	if key == "" {
		x.fail("an entity without a key")
	}
	if x.err != nil {
		return
	}
	hash := hashKey(e.seed, key)
	s := &e.shards[shardOf(hash, len(e.shards), kind)]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.entities[kind].find(hash, key) != nil:
		x.fail("an entity twice")
	case rests == 0 || h.size() > 1 || !s.resting[kind].put(hash, x.l, h):
		s.entities[kind].add(hash, h)
	}
}

// Restored says after which sequence to begin the replay of a log with Replay and Label, once all shards are read. What a shard has already is left
// out there by itself.
func (e *Engine) Restored() (after uint64, err error) {
	e.restoring.Lock()
	defer e.restoring.Unlock()
	c := e.behind.Load()
	if c == nil {
		return 0, errors.New("no shard was read")
	}
	if missing := len(c.positions) - len(c.read); missing > 0 {
		return 0, fmt.Errorf("%d of %d shards were not read", missing, len(c.positions))
	}
	after = c.largest
	for _, position := range c.positions {
		after = min(after, position)
	}
	for i := range e.shards {
		e.shards[i].position.Store(after)
	}
	return after, nil
}
