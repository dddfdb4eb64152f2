package model

// cutTree is where the nodes of a tree lie in its parts: the part, and the
// leaves of the side that the typical row takes, which come first.
type cutTree struct {
	part  []uint32
	start []uint8
	first []uint8 // leaves of the first side
}

func (c *cutTree) strike(node int32) (part uint32, leaves uint64) {
	return c.part[node], (1<<c.first[node] - 1) << c.start[node]
}

// cut cuts the trees into parts, gives each leaf its place, and leaves the
// places in cuts. The first side of a node is the left one where left says so.
func (b *builder) cut(left [][]bool) {
	e := b.e
	e.base = make([]uint32, len(b.trees))
	sizes := make([][]uint8, len(b.trees))
	for i := range b.trees {
		var cuts int
		sizes[i], cuts = b.trees[i].partSizes()
		e.cut = e.cut || cuts > 0
	}
	for i := range b.trees {
		b.cuts[i] = b.place(i, sizes[i], left[i])
	}
}

// partSizes gives the number of leaves each node has in its part, a cut-off
// part counting as one. A node that begins a part has more than it would fit
// into: its size is marked.
func (t *tree) partSizes() (sizes []uint8, cuts int) {
	sizes = make([]uint8, len(t.feature))
	for i := len(t.order) - 1; i >= 0; i-- {
		node := t.order[i]
		l, r := t.slots(sizes, t.left[node]), t.slots(sizes, t.right[node])
		for l+r > partLeaves {
			larger, size := t.left[node], &l
			if r > l {
				larger, size = t.right[node], &r
			}
			sizes[larger] |= cutMark
			*size = 1
			cuts++
		}
		sizes[node] = uint8(l + r)
	}
	return sizes, cuts
}

const cutMark = 1 << 7

// slots is how many leaves of its parent's part a child takes.
func (t *tree) slots(sizes []uint8, child int32) int {
	if child < 0 || sizes[child]&cutMark != 0 {
		return 1
	}
	return int(sizes[child])
}

// place lays the leaves of a tree into its parts.
func (b *builder) place(index int, sizes []uint8, left []bool) cutTree {
	t, e := &b.trees[index], b.e
	nodes := len(t.feature)
	c := cutTree{part: make([]uint32, nodes), start: make([]uint8, nodes), first: make([]uint8, nodes)}
	e.base[index] = uint32(len(e.value))
	if nodes == 0 {
		e.addSlots(1)
		e.value[len(e.value)-1] = t.leaf[0]
		return c
	}
	e.addSlots(int(sizes[0]))
	c.part[0] = uint32(index)
	for _, node := range t.order {
		first, second := t.right[node], t.left[node]
		if left[node] {
			first, second = second, first
		}
		n := t.slots(sizes, first)
		c.first[node] = uint8(n)
		b.settle(t, &c, sizes, first, c.part[node], int(c.start[node]))
		b.settle(t, &c, sizes, second, c.part[node], int(c.start[node])+n)
	}
	return c
}

// settle gives a child its place: a leaf its value, a part a base of its own.
func (b *builder) settle(t *tree, c *cutTree, sizes []uint8, child int32, part uint32, start int) {
	e := b.e
	at := e.base[part] + uint32(start)
	switch {
	case child < 0:
		e.value[at] = t.leaf[^child]
	case sizes[child]&cutMark != 0:
		c.part[child] = uint32(len(e.base))
		e.value[at] = link(uint32(len(e.base)))
		e.base = append(e.base, uint32(len(e.value)))
		e.addSlots(int(sizes[child] &^ cutMark))
	default:
		c.part[child], c.start[child] = part, uint8(start)
	}
}

func (e *engine) addSlots(n int) { e.value = append(e.value, make([]float64, n)...) }
