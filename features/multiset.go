package features

import "math/bits"

// multiset counts values: keys are codes or the bits of numbers, so equal keys are equal values. It tells how many different ones there are by the
// rule of distinct. It grows a bucket at a time, so that no value waits for others to be moved (W. Litwin, Linear hashing, VLDB 1980).
type multiset struct {
	seed      uint64     // keeps those who choose values from choosing where they go
	segments  [][]uint32 // of buckets, each as large as all before it: a bucket is the first of a list of nodes; 0 ends it
	buckets   int        // in use
	nodes     []*[nodeBlock]node
	used      uint32 // nodes ever handed out
	free      uint32 // list of those given back
	different int
	sketch    *sketch // only beyond maxExact
}

const (
	nodeBlock    = 16
	firstSegment = 16 // buckets
)

// node is one value.
type node struct {
	key, hash  uint64
	count      uint32
	next       uint32 // in the bucket's list, or of free nodes
	inRegister uint32 // next in the register's list
}

// sketch is the HyperLogLog of a multiset's values. Unlike the usual one it can forget a value, as the values of each register are known.
type sketch struct {
	heads [registers]uint32
	ranks [registers]uint8
	tally ranks
}

func newMultiset(seed uint64) *multiset {
	return &multiset{seed: seed, segments: [][]uint32{make([]uint32, firstSegment)}, buckets: firstSegment}
}

func (s *multiset) node(i uint32) *node { return &s.nodes[(i-1)/nodeBlock][(i-1)%nodeBlock] }

// bucket is where a key belongs: by as many bits of its hash as number the buckets, or one less where there is no such bucket yet.
func (s *multiset) bucket(key uint64) *uint32 {
	width := bits.Len(uint(s.buckets - 1))
	i := int(mix(key^s.seed) & (1<<width - 1))
	if i >= s.buckets {
		i -= 1 << (width - 1)
	}
	return s.head(i)
}

func (s *multiset) head(i int) *uint32 {
	if i < firstSegment {
		return &s.segments[0][i]
	}
	width := bits.Len(uint(i))
	return &s.segments[width-bits.Len(firstSegment-1)][i-1<<(width-1)]
}

// find is the node of a key, 0 when there is none.
func (s *multiset) find(key uint64) uint32 {
	i := *s.bucket(key)
	for i != 0 && s.node(i).key != key {
		i = s.node(i).next
	}
	return i
}

// count says how often a key is in the set.
func (s *multiset) count(key uint64) int {
	if i := s.find(key); i != 0 {
		return int(s.node(i).count)
	}
	return 0
}

// add puts one more of a key in; hash is asked for only when it is new.
func (s *multiset) add(key uint64, hash func(key uint64) uint64) {
	if i := s.find(key); i != 0 {
		s.node(i).count++
		return
	}
	if s.different >= s.buckets {
		s.grow()
	}
	i := s.take()
	head := s.bucket(key)
	*s.node(i) = node{key: key, hash: hash(key), count: 1, next: *head}
	*head = i
	s.different++
	switch {
	case s.sketch != nil:
		s.sketch.add(s, i)
	case s.different > maxExact:
		s.sketch = &sketch{tally: ranks{registers}}
		for b := range s.buckets {
			for i := *s.head(b); i != 0; i = s.node(i).next {
				s.sketch.add(s, i)
			}
		}
	}
}

// remove takes one of a key out, which must be there.
func (s *multiset) remove(key uint64) {
	at := s.bucket(key)
	for s.node(*at).key != key {
		at = &s.node(*at).next
	}
	i := *at
	n := s.node(i)
	if n.count--; n.count > 0 {
		return
	}
	if s.sketch != nil {
		s.sketch.remove(s, i)
	}
	*at, n.next, s.free = n.next, s.free, i
	if s.different--; s.different < maxExact/2 {
		s.sketch = nil
	}
}

// take gives an unused node.
func (s *multiset) take() uint32 {
	if i := s.free; i != 0 {
		s.free = s.node(i).next
		return i
	}
	if int(s.used) == len(s.nodes)*nodeBlock {
		s.nodes = append(s.nodes, new([nodeBlock]node))
	}
	s.used++
	return s.used
}

// grow adds a bucket, which gets its values from one other.
func (s *multiset) grow() {
	added := s.buckets
	if added&(added-1) == 0 {
		s.segments = append(s.segments, make([]uint32, added))
	}
	s.buckets++
	from := s.head(added - 1<<(bits.Len(uint(added))-1))
	i := *from
	*from = 0
	for i != 0 {
		n := s.node(i)
		next, head := n.next, s.bucket(n.key)
		n.next, *head = *head, i
		i = next
	}
}

// distinct is the number of different values, with one more value that need not be among them when extra is set.
func (s *multiset) distinct(extra bool, key, hash uint64) float64 {
	extra = extra && s.find(key) == 0
	n := s.different
	if extra {
		n++
	}
	if n <= maxExact {
		return float64(n)
	}
	if s.sketch == nil { // the extra value is the one too many
		return s.estimateAll(hash)
	}
	if !extra {
		return s.sketch.tally.estimate()
	}
	return s.sketch.with(hash)
}

// estimateAll estimates the values and one more, without a sketch.
func (s *multiset) estimateAll(hash uint64) float64 {
	all := sketch{tally: ranks{registers}}
	for b := range s.buckets {
		for i := *s.head(b); i != 0; i = s.node(i).next {
			all.raise(s.node(i).hash)
		}
	}
	return all.with(hash)
}

// raise counts a value in.
func (k *sketch) raise(hash uint64) {
	r, rank := rank(hash)
	if k.ranks[r] < rank {
		k.tally[k.ranks[r]]--
		k.tally[rank]++
		k.ranks[r] = rank
	}
}

// with is the estimate when one more value is there.
func (k *sketch) with(hash uint64) float64 {
	tally := k.tally
	if r, rank := rank(hash); k.ranks[r] < rank {
		tally[k.ranks[r]]--
		tally[rank]++
	}
	return tally.estimate()
}

func (k *sketch) add(s *multiset, i uint32) {
	n := s.node(i)
	k.raise(n.hash)
	r, _ := rank(n.hash)
	n.inRegister, k.heads[r] = k.heads[r], i
}

// remove takes a value out; its register falls back to the largest rank that is left.
func (k *sketch) remove(s *multiset, gone uint32) {
	r, old := rank(s.node(gone).hash)
	at, largest := &k.heads[r], uint8(0)
	for *at != gone {
		_, other := rank(s.node(*at).hash)
		largest = max(largest, other)
		at = &s.node(*at).inRegister
	}
	*at = s.node(gone).inRegister
	if k.ranks[r] != old {
		return
	}
	for i := *at; i != 0 && largest < old; i = s.node(i).inRegister {
		_, other := rank(s.node(i).hash)
		largest = max(largest, other)
	}
	k.tally[old]--
	k.tally[largest]++
	k.ranks[r] = largest
}
