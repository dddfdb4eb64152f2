package features

// HeldTexts says how often entries hold each text, by the interner and by looking at all entries.
func (e *Engine) HeldTexts() (counted, found map[string]int) {
	counted, found = map[string]int{}, map[string]int{}
	for i := range e.texts.shards {
		for text, at := range e.texts.shards[i].codes {
			counted[text] = int(e.texts.shards[i].slots[at].uses)
		}
	}
	for i := range e.shards {
		for kind := range e.layouts {
			l := &e.layouts[kind]
			count := func(_ uint64, h *history) { l.texts(h, found) }
			e.shards[i].resting[kind].each(l, count)
			e.shards[i].entities[kind].each(count)
		}
	}
	return counted, found
}

func (l *layout) texts(h *history, found map[string]int) {
	if l.stride == 0 {
		return
	}
	for p := h.start(); p < h.end(); {
		p = h.next(p)
		for i := range l.columns {
			if c := &l.columns[i]; c.kind == codeColumn && h.code(c, p) != 0 {
				found[l.interner.text(h.code(c, p))]++
			}
		}
	}
}
