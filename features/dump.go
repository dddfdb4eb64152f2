package features

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"slices"
)

// Dump writes the whole state as text, one line an entity, entry or label, sorted: equal for engines that hold the same, however they came to it.
// Nothing is observed meanwhile.
func (e *Engine) Dump(w io.Writer) error {
	for i := range e.shards {
		e.shards[i].mu.Lock()
		defer e.shards[i].mu.Unlock()
	}
	out := bufio.NewWriter(w)
	for kind := range e.layouts {
		entities := map[string]*history{}
		keys := []string{}
		for i := range e.shards {
			add := func(_ uint64, h *history) { entities[h.entity], keys = h, append(keys, h.entity) }
			e.shards[i].entities[kind].each(add)
			e.shards[i].resting[kind].each(&e.layouts[kind], add)
		}
		slices.Sort(keys)
		for _, key := range keys {
			h := entities[key]
			fmt.Fprintf(out, "%s %q arrivals %d first %d newest %d capped %d\n", e.schema.Entities[kind].Name, key, h.arrivals, h.first, h.newest, h.capped)
			h.dump(out, &e.layouts[kind])
		}
	}
	return out.Flush()
}

// dump writes the entries, prefixes counted from the base, and labels.
func (h *history) dump(w io.Writer, l *layout) {
	start := h.start()
	for p := start; p < h.end(); {
		p = h.next(p)
		fmt.Fprintf(w, " entry %d %d", h.time(p), h.sequence(p))
		for i := range l.columns {
			switch c := &l.columns[i]; c.kind {
			case rawColumn:
				fmt.Fprintf(w, " %x", math.Float64bits(h.raw(c, p)))
			case codeColumn:
				fmt.Fprintf(w, " %q", l.interner.text(h.code(c, p)))
			case squareColumn:
				fmt.Fprintf(w, " %v", h.squares(l, c, start, p))
			default:
				fmt.Fprintf(w, " %d", h.sum(c, start, p))
			}
		}
		if c := h.chunk(p); c.labels != nil {
			for _, s := range c.labels.said {
				if int(s.row) == p.row()-1 {
					fmt.Fprintf(w, " label %d %v", s.knownAt, s.fraud)
				}
			}
		}
		fmt.Fprintln(w)
	}
}

// Checksum is the SHA-256 of Dump: equal for engines that hold the same.
func (e *Engine) Checksum() [32]byte {
	digest := sha256.New()
	_ = e.Dump(digest) // a hash takes all that is written
	return [32]byte(digest.Sum(nil))
}
