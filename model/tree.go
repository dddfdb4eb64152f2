package model

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// tree is one checked tree. A child below zero is the leaf ^child. Every node
// but the root and every leaf has exactly one parent.
type tree struct {
	leaf       []float64
	feature    []int32
	threshold  []float64 // of a category split: the position in catBounds
	decision   []uint8
	left       []int32
	right      []int32
	catBounds  []int32
	catBitsets []uint32
	order      []int32 // all nodes, each behind its parent
	leafCount  []int32 // rows of the training that ended in the leaf; nil: not stated
	nodeCount  []int32 // rows of the training that passed the node; nil: not stated
}

const (
	categoricalBit = 1 << 0
	defaultLeftBit = 1 << 1
	missingShift   = 2
	decisionBits   = 1<<4 - 1

	missingZero = 1
	missingNaN  = 2
)

func (t *tree) categorical(node int) bool { return t.decision[node]&categoricalBit != 0 }

// bitset holds one bit for each category that goes left.
func (t *tree) bitset(node int) []uint32 {
	i := int(t.threshold[node])
	return t.catBitsets[t.catBounds[i]:t.catBounds[i+1]]
}

func parseTree(s section, features int) (tree, error) {
	var t tree
	if linear, ok := s.fields["is_linear"]; ok && linear != "0" {
		return t, fmt.Errorf("%w: its leaves are linear models; train with linear_tree=false", ErrLinearTree)
	}
	leaves, err := strconv.Atoi(s.fields["num_leaves"])
	if err != nil || leaves < 1 {
		return t, fmt.Errorf("num_leaves %q is not a positive number", shorten(s.fields["num_leaves"]))
	}
	if t.leaf, err = floats(s, "leaf_value", leaves, false); err != nil {
		return t, err
	}
	categories, err := strconv.Atoi(s.fields["num_cat"])
	if err != nil || categories < 0 || categories >= leaves {
		return t, fmt.Errorf("num_cat %q is not a number of splits", shorten(s.fields["num_cat"]))
	}
	if leaves == 1 {
		return t, nil
	}
	if err := t.readNodes(s, leaves-1, categories); err != nil {
		return t, err
	}
	if err := t.readCounts(s); err != nil {
		return t, err
	}
	if err := t.checkSplits(features); err != nil {
		return t, err
	}
	return t, t.checkShape()
}

func (t *tree) readNodes(s section, nodes, categories int) error {
	var err error
	if t.threshold, err = floats(s, "threshold", nodes, true); err != nil {
		return err
	}
	if t.feature, err = ints(s, "split_feature", nodes); err != nil {
		return err
	}
	if t.left, err = ints(s, "left_child", nodes); err != nil {
		return err
	}
	if t.right, err = ints(s, "right_child", nodes); err != nil {
		return err
	}
	decisions, err := ints(s, "decision_type", nodes)
	if err != nil {
		return err
	}
	t.decision = make([]uint8, nodes)
	for i, d := range decisions {
		if d < 0 || d > decisionBits || d>>missingShift > 2 {
			return fmt.Errorf("decision_type %d of node %d is unknown", d, i)
		}
		t.decision[i] = uint8(d)
	}
	if categories == 0 {
		return nil
	}
	return t.readCategories(s, categories)
}

// readCounts reads the rows of the training by which explanations weigh a
// split's two sides. Scores do not need them.
func (t *tree) readCounts(s section) (err error) {
	if _, stated := s.fields["leaf_count"]; stated {
		if t.leafCount, err = ints(s, "leaf_count", len(t.leaf)); err != nil {
			return err
		}
	}
	if _, stated := s.fields["internal_count"]; stated {
		t.nodeCount, err = ints(s, "internal_count", len(t.feature))
	}
	return err
}

func (t *tree) readCategories(s section, categories int) error {
	var err error
	if t.catBounds, err = ints(s, "cat_boundaries", categories+1); err != nil {
		return err
	}
	words := strings.Fields(s.fields["cat_threshold"])
	t.catBitsets = make([]uint32, len(words))
	for i, word := range words {
		bits, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return fmt.Errorf("cat_threshold: %q is not a 32-bit word", shorten(word))
		}
		t.catBitsets[i] = uint32(bits)
	}
	if t.catBounds[0] != 0 || int(t.catBounds[categories]) != len(words) {
		return fmt.Errorf("cat_boundaries run from %d to %d, but there are %d words", t.catBounds[0], t.catBounds[categories], len(words))
	}
	for i := range categories {
		if t.catBounds[i] >= t.catBounds[i+1] {
			return fmt.Errorf("cat_boundaries do not rise at %d", i)
		}
	}
	return nil
}

func (t *tree) checkSplits(features int) error {
	for node := range t.feature {
		if f := t.feature[node]; f < 0 || int(f) >= features {
			return fmt.Errorf("node %d splits feature %d of %d", node, f, features)
		}
		if !t.categorical(node) {
			continue
		}
		at := t.threshold[node]
		if at != math.Trunc(at) || at < 0 || int(at) >= len(t.catBounds)-1 {
			return fmt.Errorf("node %d takes category set %v of %d", node, at, max(0, len(t.catBounds)-1))
		}
		var any uint32
		for _, word := range t.bitset(node) {
			any |= word
		}
		if any == 0 {
			return fmt.Errorf("node %d has an empty category set", node)
		}
	}
	return nil
}

// checkShape sees that the children form one tree from node 0 with every node
// and leaf in it once. A walk over it then ends at a leaf.
func (t *tree) checkShape() error {
	nodes, leaves := make([]bool, len(t.left)), make([]bool, len(t.leaf))
	stack := make([]int32, 1, 64)
	t.order = make([]int32, 0, len(t.left))
	nodes[0] = true
	for len(stack) > 0 {
		node := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		t.order = append(t.order, node)
		for _, child := range [2]int32{t.left[node], t.right[node]} {
			seen, index := nodes, child
			if child < 0 {
				seen, index = leaves, ^child
			}
			if int(index) >= len(seen) || seen[index] {
				return fmt.Errorf("child %d of node %d does not exist or has two parents", child, node)
			}
			seen[index] = true
			if child >= 0 {
				stack = append(stack, child)
			}
		}
	}
	if reached := len(t.order); reached != len(nodes) {
		return fmt.Errorf("%d of %d nodes cannot be reached", len(nodes)-reached, len(nodes))
	}
	return nil
}

// floats reads a list of n numbers. A threshold may be plus infinity, which is how LightGBM writes the split of all that is
// there from what is missing; nothing else may be infinite.
func floats(s section, key string, n int, threshold bool) ([]float64, error) {
	words := strings.Fields(s.fields[key])
	if len(words) != n {
		return nil, fmt.Errorf("%s has %d values, %d are needed", key, len(words), n)
	}
	values := make([]float64, n)
	for i, word := range words {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, -1) || math.IsInf(v, 1) && !threshold {
			return nil, fmt.Errorf("%s: %q is not a finite number", key, shorten(word))
		}
		values[i] = v
	}
	return values, nil
}

func ints(s section, key string, n int) ([]int32, error) {
	words := strings.Fields(s.fields[key])
	if len(words) != n {
		return nil, fmt.Errorf("%s has %d values, %d are needed", key, len(words), n)
	}
	values := make([]int32, n)
	for i, word := range words {
		v, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a number", key, shorten(word))
		}
		values[i] = int32(v)
	}
	return values, nil
}
