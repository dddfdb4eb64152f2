package features

import (
	"hash/maphash"
	"strings"
	"sync"
)

// interner gives every text in use a code of its own, so that entries keep four bytes and compare exactly. A code is good as long as an entry holds
// it; a text that no entry holds is forgotten and its code may go to another. Codes therefore mean nothing outside the process.
type interner struct {
	seed   maphash.Seed
	shards [internShards]internShard
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
	slot := &s.slots[at]
	if slot.uses--; slot.uses == 0 {
		delete(s.codes, slot.text)
		*slot = internSlot{}
		s.free = append(s.free, at)
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
