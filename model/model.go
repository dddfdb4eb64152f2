// Package model reads LightGBM text models, evaluates them and explains their
// scores. It promises the raw score of LightGBM's own library to the bit and
// refuses, with the reason, every model for which it cannot keep that promise.
// It does not train, calibrate or store models and knows nothing of the
// features' meaning.
package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Model is a parsed, immutable model. All methods may be called from any
// goroutine.
type Model struct {
	digest      string
	header      header
	trees       []tree
	parameters  map[string]string
	pandas      json.RawMessage
	categorical []int
	engine      *engine
	explainer   *explainer
}

// Parse reads a LightGBM text model of version v2, v3 or v4. What cannot be
// served exactly is a *Refusal. Memory stays proportional to len(text).
func Parse(text []byte) (*Model, error) {
	file, err := split(text)
	if err != nil {
		return nil, err
	}
	head, err := parseHeader(file.header)
	if err != nil {
		return nil, err
	}
	if len(file.trees) != len(head.treeSizes) {
		return nil, refuse(ErrDamaged, "the header announces %d trees, the file holds %d: it is cut or was edited",
			len(head.treeSizes), len(file.trees))
	}
	trees := make([]tree, len(file.trees))
	for i, section := range file.trees {
		if trees[i], err = parseTree(section, len(head.names)); err != nil {
			kind := ErrDamaged
			if errors.Is(err, ErrLinearTree) {
				kind = ErrLinearTree
			}
			return nil, refuse(kind, "tree %d: %s", i, err)
		}
		if section.bytes != head.treeSizes[i] {
			return nil, refuse(ErrDamaged, "tree %d is %d bytes long, the header says %d: the file is cut or was edited",
				i, section.bytes, head.treeSizes[i])
		}
	}
	categorical, err := categoryColumns(trees, head.names)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return &Model{
		digest:      hex.EncodeToString(sum[:]),
		header:      head,
		trees:       trees,
		parameters:  file.parameters,
		pandas:      file.pandas,
		categorical: categorical,
		engine:      newEngine(trees, len(head.names), fastest),
		explainer:   newExplainer(trees, len(head.names)),
	}, nil
}

// categoryColumns says which columns are split as categories. A column split
// both ways is refused: rows are prepared by column before they are evaluated.
func categoryColumns(trees []tree, names []string) ([]int, error) {
	const number, category = 1, 2
	seen := make([]uint8, len(names))
	for i := range trees {
		t := &trees[i]
		for node := range t.feature {
			if t.categorical(node) {
				seen[t.feature[node]] |= category
			} else {
				seen[t.feature[node]] |= number
			}
		}
	}
	var columns []int
	for column, kinds := range seen {
		switch kinds {
		case number | category:
			return nil, refuse(ErrMixedColumn, "feature %q is split both as a number and as a category", names[column])
		case category:
			columns = append(columns, column)
		}
	}
	return columns, nil
}

// Digest is the hex SHA-256 of the bytes given to Parse.
func (m *Model) Digest() string { return m.digest }

// FeatureNames are the columns of a row, in order.
func (m *Model) FeatureNames() []string { return slices.Clone(m.header.names) }

// Features is the length of a row.
func (m *Model) Features() int { return len(m.header.names) }

// Trees is the number of trees.
func (m *Model) Trees() int { return len(m.trees) }

// Objective is the objective as the model file states it, for example
// "binary sigmoid:1".
func (m *Model) Objective() string { return m.header.objective }

// FeatureInfos are the ranges that the file states for the columns: "[least:most]"
// of the training's values, the categories, or "none" for a column it did not use;
// nil when the file states none.
func (m *Model) FeatureInfos() []string { return slices.Clone(m.header.infos) }

// Parameter is a parameter of the training as the file states it.
func (m *Model) Parameter(name string) (value string, stated bool) {
	value, stated = m.parameters[name]
	return value, stated
}

// Categorical are the positions of the columns that are split as categories.
func (m *Model) Categorical() []int { return slices.Clone(m.categorical) }

// PandasCategorical is the JSON text of the category values by which Python
// coded the category columns in training, in column order; nil when it did not.
// The model itself sees the codes: who imports it must code the same way.
func (m *Model) PandasCategorical() json.RawMessage { return slices.Clone(m.pandas) }

// Predict gives the raw score of one row: the sum of the trees' leaves in tree
// order, bit-equal to LightGBM's raw_score. NaN is a missing value. It does not
// change the row and does not allocate.
func (m *Model) Predict(row []float64) (float64, error) {
	if len(row) != len(m.header.names) {
		return 0, m.wrongLength(row)
	}
	return m.engine.predict(row), nil
}

func (m *Model) wrongLength(row []float64) error {
	return fmt.Errorf("model %.12s: a row has %d values, the model needs %d: give one for each of its features, in order",
		m.digest, len(row), len(m.header.names))
}

// Probability is the model's own sigmoid of a raw score, with the coefficient
// that its objective states: 1 / (1 + exp(-sigmoid*raw)). It is within 3 ulp
// of LightGBM's, which uses another exp.
func (m *Model) Probability(raw float64) float64 { return sigmoid(raw, m.header.sigmoid) }

// Probability is the sigmoid of a raw score with coefficient 1. A model whose
// objective states another coefficient needs the method.
func Probability(raw float64) float64 { return sigmoid(raw, 1) }

func sigmoid(raw, coefficient float64) float64 {
	return 1 / (1 + math.Exp(-coefficient*raw))
}
