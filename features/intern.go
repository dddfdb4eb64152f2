package features

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
)

// interner gives every text in use a code of its own, so that entries keep four bytes and compare exactly. A code is good as long as an entry holds
// it; a text that no entry holds is forgotten and its code may go to another. Codes therefore mean nothing outside the process.
type interner struct {
	seed   maphash.Seed
	shards [internShards]internShard
	paused atomic.Int32 // snapshots that are being written
}

const (
	internBits   = 6
	internShards = 1 << internBits
)

type internShard struct {
	mu    sync.Mutex
	codes map[string]uint32
	slots []internSlot // the first stands for no code
	free  []uint32
	late  []uint32 // slots that were released while a snapshot was written, once for each time
	_     [64]byte // keeps locks of neighbours on lines of their own
}

type internSlot struct {
	text string
	hash uint64
	uses uint32
}

func newInterner() *interner {
	in := &interner{seed: maphash.MakeSeed()}
	for i := range in.shards {
		in.shards[i].codes, in.shards[i].slots = map[string]uint32{}, make([]internSlot, 1)
	}
	return in
}

func (in *interner) shard(text string) (*internShard, uint32) {
	i := maphash.String(in.seed, text) % internShards
	return &in.shards[i], uint32(i)
}

// hold gives the code of a text, 0 for "", to one more entry.
func (in *interner) hold(text string) uint32 {
	if text == "" {
		return 0
	}
	s, i := in.shard(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.codes[text]
	if !known {
		if n := len(s.free); n > 0 {
			at, s.free = s.free[n-1], s.free[:n-1]
		} else {
			at, s.slots = uint32(len(s.slots)), append(s.slots, internSlot{})
		}
		text = strings.Clone(text)
		s.codes[text] = at
		s.slots[at] = internSlot{text: text, hash: hashText(text)}
	}
	s.slots[at].uses++
	return at<<internBits | i
}

// release takes a code back from an entry.
func (in *interner) release(code uint32) {
	if code == 0 {
		return
	}
	s, at := &in.shards[code%internShards], code>>internBits
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.paused.Load() > 0 {
		s.late = append(s.late, at)
		return
	}
	s.release(at)
}

func (s *internShard) release(at uint32) {
	slot := &s.slots[at]
	if slot.uses--; slot.uses == 0 {
		delete(s.codes, slot.text)
		*slot = internSlot{}
		s.free = append(s.free, at)
	}
}

// pause keeps every code as it is until resume.
func (in *interner) pause() { in.paused.Add(1) }

func (in *interner) resume() {
	if in.paused.Add(-1) > 0 {
		return
	}
	for i := range in.shards {
		s := &in.shards[i]
		s.mu.Lock()
		for _, at := range s.late {
			s.release(at)
		}
		s.late = nil
		s.mu.Unlock()
	}
}

// find gives the code of a text that entries hold, 0 when none does. Only the caller's own entries keep it from being forgotten meanwhile: it equals
// the code of an entry under the caller's lock exactly when the texts are equal.
func (in *interner) find(text string) uint32 {
	if text == "" {
		return 0
	}
	s, i := in.shard(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, known := s.codes[text]; known {
		return at<<internBits | i
	}
	return 0
}

// text is what a code that an entry holds stands for.
func (in *interner) text(code uint32) string {
	s := &in.shards[code%internShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots[code>>internBits].text
}

// hash is hashText of what a code that an entry holds stands for.
func (in *interner) hash(code uint32) uint64 {
	s := &in.shards[code%internShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slots[code>>internBits].hash
}
