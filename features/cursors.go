package features

// shortHistory is the number of entries up to which searching and scanning is as good as remembering.
const shortHistory = 32

// cursors remember where the windows of one entity were at its last event, by entry number. They save time and decide nothing: bounds are searched
// from them, and an extreme is taken from them only where it must be the one.
type cursors struct {
	windows  []cursor  // by position in layout.windows
	extremes []extreme // by position in layout.extremes; all zero when forgotten
}

type cursor struct{ lo, hi uint64 }

// extreme says that the entry numbered at has the smallest or largest value among those numbered lo+1 to hi.
type extreme struct{ lo, hi, at uint64 }

// remember gives a history cursors once it is long enough to need them.
func (h *history) remember(l *layout) {
	if h.cursors == nil && h.count > shortHistory {
		h.cursors = &cursors{windows: make([]cursor, len(l.windows)), extremes: make([]extreme, l.extremes)}
	}
}

// guess is the entry, or the nearest there is, that had the number.
func (h *history) guess(number uint64) int {
	if number <= h.dropped {
		return 0
	}
	return int(min(number-h.dropped, uint64(h.count)))
}

// start finds where a scan of the entries lo+1 to hi for an extreme may begin: behind which entry, and which entry is the extreme of those left out
// (0: none is left out).
func (x *extreme) start(dropped uint64, lo, hi int) (behind, best int) {
	from, to := dropped+uint64(lo), dropped+uint64(hi)
	if x.at > from && x.lo <= from && x.hi <= to {
		return int(x.hi - dropped), int(x.at - dropped)
	}
	return lo, 0
}
