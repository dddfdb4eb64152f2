package features

// evictDrops bounds the entries that one entity gives up while its shard is locked.
const evictDrops = 4096

// Evict puts entities to rest that no window of an event within allowed lateness of the watermark can reach, and returns how many. They take a few words
// each until their next event; no value tells the difference, given that Placement.Watermark is told. Each shard is locked for a short time, one
// entity kind after the other.
func (e *Engine) Evict(watermark int64) int {
	rested := 0
	for i := range e.shards {
		for kind := range e.layouts {
			rested += e.evict(&e.shards[i], kind, watermark)
		}
	}
	return rested
}

func (e *Engine) evict(s *shard, kind int, watermark int64) int {
	l := &e.layouts[kind]
	bound := watermark - e.schema.AllowedLateness - l.reach
	s.mu.Lock()
	defer s.mu.Unlock()
	var idle []slot
	s.entities[kind].each(func(hash uint64, h *history) {
		if h.newest <= bound && h.rest(l) {
			idle = append(idle, slot{hash, h})
		}
	})
	rested := 0
	for _, x := range idle {
		if s.resting[kind].put(x.hash, l, x.h) {
			s.entities[kind].remove(x.hash, x.h.entity)
			rested++
		}
	}
	return rested
}

// rest drops all entries but the newest, and says whether that is done; a long history takes several times.
func (h *history) rest(l *layout) bool {
	n := h.size()
	for range min(n-1, evictDrops) {
		h.drop(l)
	}
	if n-1 > evictDrops {
		return false
	}
	if h.tail.dropped > 0 {
		h.tail.cut(l, int(h.tail.dropped))
	}
	return true
}

// Memory says what an engine holds, and the bytes of what grows with events and with resting entities.
type Memory struct {
	Entities, Resting, Entries int
	RowBytes                   int // of rows, with room for more
	RestingBytes               int
}

// Memory counts, shard by shard.
func (e *Engine) Memory() Memory {
	var m Memory
	for i := range e.shards {
		s := &e.shards[i]
		s.mu.Lock()
		for kind := range e.layouts {
			m.Entities += s.entities[kind].used
			m.Resting += len(s.resting[kind].records)
			s.entities[kind].each(func(_ uint64, h *history) {
				m.Entries += h.size()
				m.RowBytes += h.bytes()
			})
			m.RestingBytes += s.resting[kind].bytes()
		}
		s.mu.Unlock()
	}
	return m
}

// bytes of rows, of chunks and of what is kept between them.
func (h *history) bytes() int {
	total := cap(h.tail.data)
	for g := range h.groups() {
		x := &h.older.groups[g]
		total += cap(x.chunks)*64 + 8*(cap(x.bases)+cap(x.base)+cap(x.highs)+cap(x.lows)+cap(x.highest)+cap(x.lowest))
		for s := range x.chunks {
			total += cap(x.chunks[s].data)
		}
	}
	return total
}

// bytes of records and of the map that finds them, which takes 9 bytes a slot and fills two thirds of its slots.
func (r *resting) bytes() int {
	total := len(r.records) * 27 / 2
	for i := range r.blocks {
		total += cap(r.blocks[i].data)
	}
	return total
}
