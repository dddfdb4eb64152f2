package features

import "slices"

// mark is an entry that labels speak of: with a fraud among them, or more than one.
type mark struct {
	time       int64
	sequence   uint64
	statements []statement // in the order (known at, sequence)
}

// still is an entry with a single label that is not fraud. Most labels are like that, and windows need not look at them.
type still struct {
	time     int64
	sequence uint64
	knownAt  int64
}

type statement struct {
	knownAt int64
	fraud   bool
}

// labels are an entity's labelled entries, each list in the order (time, sequence).
type labels struct {
	marks  []mark
	stills []still
}

func (m *mark) order(t int64, sequence uint64) int  { return order(m.time, m.sequence, t, sequence) }
func (s *still) order(t int64, sequence uint64) int { return order(s.time, s.sequence, t, sequence) }
func order(t1 int64, s1 uint64, t2 int64, s2 uint64) int {
	switch {
	case t1 < t2, t1 == t2 && s1 < s2:
		return -1
	case t1 == t2 && s1 == s2:
		return 0
	}
	return 1
}

// attach adds a label to the entry (t, sequence), which is kept. Labels come in the order of their own sequence.
func (ls *labels) attach(t int64, sequence uint64, label Label) {
	said := statement{label.KnownAt, label.Verdict == Fraud}
	i, marked := slices.BinarySearchFunc(ls.marks, t, func(m mark, t int64) int { return m.order(t, sequence) })
	if marked {
		ls.marks[i].say(said)
		return
	}
	j, known := slices.BinarySearchFunc(ls.stills, t, func(s still, t int64) int { return s.order(t, sequence) })
	if known && !said.fraud && ls.stills[j].knownAt == said.knownAt {
		return
	}
	if !known && !said.fraud {
		ls.stills = slices.Insert(ls.stills, j, still{t, sequence, label.KnownAt})
		return
	}
	m := mark{time: t, sequence: sequence}
	if known {
		m.statements = append(m.statements, statement{knownAt: ls.stills[j].knownAt})
		ls.stills = slices.Delete(ls.stills, j, j+1)
	}
	m.say(said)
	ls.marks = slices.Insert(ls.marks, i, m)
}

// say adds a statement, after those known at the same time; the last of them said again is no change.
func (m *mark) say(said statement) {
	i := len(m.statements)
	for i > 0 && m.statements[i-1].knownAt > said.knownAt {
		i--
	}
	if i == 0 || m.statements[i-1] != said {
		m.statements = slices.Insert(m.statements, i, said)
	}
}

// fraudAt says whether the entry's current label at time t is fraud.
func (m *mark) fraudAt(t int64) bool {
	for i := len(m.statements) - 1; i >= 0; i-- {
		if m.statements[i].knownAt <= t {
			return m.statements[i].fraud
		}
	}
	return false
}

// trim drops what lies before the entry (t, sequence).
func (ls *labels) trim(t int64, sequence uint64) {
	i, _ := slices.BinarySearchFunc(ls.marks, t, func(m mark, t int64) int { return m.order(t, sequence) })
	ls.marks = ls.marks[i:]
	j, _ := slices.BinarySearchFunc(ls.stills, t, func(s still, t int64) int { return s.order(t, sequence) })
	ls.stills = ls.stills[j:]
}

// count finds the frauds known at time t among the entries of a window.
func (ls *labels) count(t int64, b *bounds) {
	i, _ := slices.BinarySearchFunc(ls.marks, b.from+1, func(m mark, from int64) int { return m.order(from, 0) })
	for ; i < len(ls.marks) && ls.marks[i].time <= b.to; i++ {
		if !ls.marks[i].fraudAt(t) {
			continue
		}
		if b.frauds == 0 {
			b.firstFraud = ls.marks[i].time
		}
		b.frauds++
		b.latestFraud = ls.marks[i].time
	}
}
