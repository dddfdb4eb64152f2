package model

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// header is what the model's first block says, checked.
type header struct {
	objective string
	sigmoid   float64
	names     []string
	infos     []string
	treeSizes []int
}

func parseHeader(s section) (header, error) {
	var h header
	switch version := s.fields["version"]; version {
	case "v2", "v3", "v4":
	default:
		return h, refuse(ErrVersion, "version %q: versions v2, v3 and v4 are known", shorten(version))
	}
	if _, forest := s.fields["average_output"]; forest {
		return h, refuse(ErrRandomForest, "random forest: its output is the trees' mean; train with boosting gbdt or dart")
	}
	if err := h.readObjective(s.fields); err != nil {
		return h, err
	}
	if err := h.readNames(s.fields); err != nil {
		return h, err
	}
	return h, h.readTreeSizes(s.fields)
}

// readObjective accepts the objectives whose raw score is a log-odds up to the
// sigmoid's coefficient.
func (h *header) readObjective(fields map[string]string) error {
	objective, stated := fields["objective"]
	if !stated {
		return refuse(ErrCustomObjective, "no objective is stated (a custom one?): what its score means is unknown; train with binary or cross_entropy")
	}
	words := strings.Fields(objective)
	name := ""
	if len(words) > 0 {
		name = words[0]
	}
	if fields["num_class"] != "1" || fields["num_tree_per_iteration"] != "1" {
		return refuse(ErrMulticlass, "objective %q has num_class %s and num_tree_per_iteration %s: several scores a row are not served",
			shorten(objective), shorten(fields["num_class"]), shorten(fields["num_tree_per_iteration"]))
	}
	h.objective, h.sigmoid = objective, 1
	switch {
	case name == "binary" && len(words) == 2:
		text, ok := strings.CutPrefix(words[1], "sigmoid:")
		coefficient, err := strconv.ParseFloat(text, 64)
		if !ok || err != nil || !(coefficient > 0) || math.IsInf(coefficient, 0) {
			return refuse(ErrObjective, "objective %q: expected binary sigmoid:NUMBER with a positive number", shorten(objective))
		}
		h.sigmoid = coefficient
	case name == "cross_entropy" && len(words) == 1:
	case slices.Contains(words, "sqrt"):
		return refuse(ErrSqrt, "objective %q: reg_sqrt models square their score; train with binary or cross_entropy", shorten(objective))
	default:
		return refuse(ErrObjective, "objective %q: its score is not a log-odds; train with binary or cross_entropy", shorten(objective))
	}
	return nil
}

func (h *header) readNames(fields map[string]string) error {
	last, err := strconv.Atoi(fields["max_feature_idx"])
	if err != nil {
		return refuse(ErrDamaged, "max_feature_idx %q is not a number", shorten(fields["max_feature_idx"]))
	}
	// Names may hold "=": the line was cut at the first one only.
	h.names = strings.Fields(fields["feature_names"])
	if len(h.names) == 0 || last != len(h.names)-1 {
		return refuse(ErrDamaged, "max_feature_idx is %d, but there are %d feature names", last, len(h.names))
	}
	seen := make(map[string]struct{}, len(h.names))
	for _, name := range h.names {
		if _, twice := seen[name]; twice {
			return refuse(ErrDamaged, "feature %q is named twice", shorten(name))
		}
		seen[name] = struct{}{}
	}
	h.infos = strings.Fields(fields["feature_infos"])
	if len(h.infos) != 0 && len(h.infos) != len(h.names) {
		return refuse(ErrDamaged, "feature_infos has %d entries, but there are %d feature names", len(h.infos), len(h.names))
	}
	return nil
}

func (h *header) readTreeSizes(fields map[string]string) error {
	words := strings.Fields(fields["tree_sizes"])
	if len(words) == 0 {
		return refuse(ErrDamaged, "it has no trees")
	}
	h.treeSizes = make([]int, len(words))
	for i, word := range words {
		size, err := strconv.Atoi(word)
		if err != nil || size <= 0 {
			return refuse(ErrDamaged, "tree_sizes: %q is not the size of a tree", shorten(word))
		}
		h.treeSizes[i] = size
	}
	return nil
}
