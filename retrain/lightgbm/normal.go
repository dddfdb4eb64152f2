package lightgbm

import (
	"bytes"
	"errors"
	"strings"
)

const (
	beginParameters = "\nparameters:\n"
	endParameters   = "\nend of parameters\n"
	pandasLine      = "\npandas_categorical:null\n"
)

// normalise writes the model's parameters without what names files, machines
// or threads, and ends the text as LightGBM's Python package does.
func normalise(model []byte) ([]byte, error) {
	trees, rest, found := bytes.Cut(model, []byte(beginParameters))
	block, _, ended := bytes.Cut(rest, []byte(endParameters))
	if !found || !ended {
		return nil, errors.New("the model's text has no parameters: it was cut")
	}
	var out bytes.Buffer
	out.Grow(len(model))
	out.Write(trees)
	out.WriteString(beginParameters)
	for line := range strings.SplitSeq(string(block), "\n") {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "["), ": ")
		if ok && (tunable(name) || repeatable(name)) {
			out.WriteString(line)
			out.WriteByte('\n')
		}
	}
	out.WriteString(endParameters)
	out.WriteString(pandasLine)
	return out.Bytes(), nil
}

// repeatable are the parameters besides the tunable ones that belong to how a
// model was made.
func repeatable(name string) bool {
	switch name {
	case "seed", "deterministic", "force_row_wise", "categorical_feature", "linear_tree", "reg_sqrt",
		"bagging_seed", "feature_fraction_seed", "extra_seed", "drop_seed", "data_random_seed", "objective_seed":
		return true
	}
	return false
}
