package features

// table finds the entities of one shard and kind by the hash of their keys: slots in a row, from an entity's own on until one is free. Unlike a map it
// can be asked in steps, which is what Engine.meet needs.
type table struct {
	slots []slot // a power of two, a quarter of them free at least
	used  int
}

type slot struct {
	hash uint64
	h    *history // nil: the slot is free
}

const smallTable = 8

// home is the slot where the search for a hash begins. Shards go by its lower bits.
func (t *table) home(hash uint64) int { return int(hash>>32) & (len(t.slots) - 1) }

func (t *table) next(i int) int { return (i + 1) & (len(t.slots) - 1) }

// first is the first entity with that hash, nil when there is none; its key is not compared.
func (t *table) first(hash uint64) *history {
	if len(t.slots) == 0 {
		return nil
	}
	for i := t.home(hash); ; i = t.next(i) {
		if s := &t.slots[i]; s.h == nil || s.hash == hash {
			return s.h
		}
	}
}

// find is the entity of a key, nil when there is none.
func (t *table) find(hash uint64, key string) *history {
	if i := t.search(hash, key); i >= 0 {
		return t.slots[i].h
	}
	return nil
}

// search is the slot of a key, -1 when it has none.
func (t *table) search(hash uint64, key string) int {
	if len(t.slots) == 0 {
		return -1
	}
	for i := t.home(hash); t.slots[i].h != nil; i = t.next(i) {
		if s := &t.slots[i]; s.hash == hash && s.h.entity == key {
			return i
		}
	}
	return -1
}

// add puts in an entity whose key is not there.
func (t *table) add(hash uint64, h *history) {
	if 4*(t.used+1) > 3*len(t.slots) {
		t.resize(max(smallTable, 2*len(t.slots)))
	}
	t.place(slot{hash, h})
	t.used++
}

func (t *table) place(s slot) {
	i := t.home(s.hash)
	for t.slots[i].h != nil {
		i = t.next(i)
	}
	t.slots[i] = s
}

func (t *table) resize(n int) {
	old := t.slots
	t.slots = make([]slot, n)
	for _, s := range old {
		if s.h != nil {
			t.place(s)
		}
	}
}

// remove takes out a key that is there, and moves up those that were put behind it.
func (t *table) remove(hash uint64, key string) {
	free := t.search(hash, key)
	mask := len(t.slots) - 1
	for i := t.next(free); t.slots[i].h != nil; i = t.next(i) {
		if (i-t.home(t.slots[i].hash))&mask >= (i-free)&mask {
			t.slots[free], free = t.slots[i], i
		}
	}
	t.slots[free] = slot{}
	if t.used--; len(t.slots) > smallTable && 8*t.used < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

// each calls f for every entity; f must not add or remove any.
func (t *table) each(f func(hash uint64, h *history)) {
	for _, s := range t.slots {
		if s.h != nil {
			f(s.hash, s.h)
		}
	}
}
