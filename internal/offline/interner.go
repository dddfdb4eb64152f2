package offline

import "strconv"

// interner numbers texts in the order in which they first come; 0 is the empty text.
type interner struct {
	words    []string
	texts    map[string]uint32
	integers map[int64]uint32
}

func newInterner() *interner {
	return &interner{words: []string{""}, texts: map[string]uint32{"": 0}, integers: map[int64]uint32{}}
}

func (n *interner) text(word string) uint32 {
	if code, ok := n.texts[word]; ok {
		return code
	}
	return n.add(string(append([]byte(nil), word...)))
}

func (n *interner) bytes(word []byte) uint32 {
	if code, ok := n.texts[string(word)]; ok {
		return code
	}
	return n.add(string(word))
}

func (n *interner) add(word string) uint32 {
	code := uint32(len(n.words))
	n.words = append(n.words, word)
	n.texts[word] = code
	return code
}

// integer is text of the number's decimal text.
func (n *interner) integer(x int64) uint32 {
	code, ok := n.integers[x]
	if !ok {
		var digits [20]byte
		code = n.bytes(strconv.AppendInt(digits[:0], x, 10))
		n.integers[x] = code
	}
	return code
}
