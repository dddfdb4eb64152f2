package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/model"
)

// TestRefusedKinds: each file was made by LightGBM 4.6.0, see testdata/make.py.
func TestRefusedKinds(t *testing.T) {
	kinds := map[string]error{
		"linear_tree":          model.ErrLinearTree,
		"random_forest":        model.ErrRandomForest,
		"reg_sqrt":             model.ErrSqrt,
		"regression":           model.ErrObjective,
		"poisson":              model.ErrObjective,
		"lambdarank":           model.ErrObjective,
		"cross_entropy_lambda": model.ErrObjective,
		"multiclass":           model.ErrMulticlass,
		"multiclassova":        model.ErrMulticlass,
		"custom_objective":     model.ErrCustomObjective,
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			m, err := model.Parse(read(t, "refused_"+name+".txt"))
			require.Nil(t, m)
			require.ErrorIs(t, err, kind)
			require.NotErrorIs(t, err, model.ErrDamaged)
		})
	}
}

func requireRefused(t *testing.T, text []byte, reason string) {
	t.Helper()
	m, err := model.Parse(text)
	var refusal *model.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Nil(t, m)
	require.Contains(t, refusal.Reason, reason)
	require.Less(t, len(refusal.Reason), 500)
}

// TestRefusedEdits changes one place of a good file.
func TestRefusedEdits(t *testing.T) {
	good := string(read(t, "binary.txt"))
	value := func(key string) string { // of the first tree
		_, rest, found := strings.Cut(good, "\n"+key+"=")
		require.True(t, found, key)
		line, _, _ := strings.Cut(rest, "\n")
		return key + "=" + line
	}
	first := func(line, with string) string { // the list's first value
		key, list, _ := strings.Cut(line, "=")
		_, rest, _ := strings.Cut(list, " ")
		return key + "=" + with + " " + rest
	}
	edits := map[string]struct{ from, to, reason string }{
		"version":             {"version=v4", "version=v5", `version "v5"`},
		"not a model":         {"tree\nversion", "trees\nversion", "first line"},
		"zero bytes":          {"binary sigmoid", "bin\x00ary sigmoid", "zero bytes"},
		"sigmoid 0":           {"sigmoid:1\n", "sigmoid:0\n", "positive number"},
		"sigmoid NaN":         {"sigmoid:1\n", "sigmoid:NaN\n", "positive number"},
		"sigmoid infinite":    {"sigmoid:1\n", "sigmoid:Inf\n", "positive number"},
		"feature count":       {"max_feature_idx=4", "max_feature_idx=3", "5 feature names"},
		"huge feature count":  {"max_feature_idx=4", "max_feature_idx=2000000000", "5 feature names"},
		"name twice":          {"feature_names=amount age", "feature_names=amount amount", "named twice"},
		"key twice":           {"label_index=0", "num_class=1", "stated twice"},
		"no trees":            {value("tree_sizes"), "tree_sizes=", "no trees"},
		"one tree fewer":      {"tree_sizes=", "tree_sizes=100 ", "announces 7 trees, the file holds 6"},
		"tree size":           {value("tree_sizes"), first(value("tree_sizes"), "12"), "bytes long"},
		"huge leaf count":     {value("num_leaves"), "num_leaves=2000000000", "leaf_value has"},
		"no leaves":           {value("num_leaves"), "num_leaves=0", "num_leaves"},
		"negative cat count":  {value("num_cat"), "num_cat=-1", "num_cat"},
		"huge cat count":      {value("num_cat"), "num_cat=1000000000", "num_cat"},
		"leaf NaN":            {value("leaf_value"), first(value("leaf_value"), "nan"), "finite"},
		"leaf infinite":       {value("leaf_value"), first(value("leaf_value"), "inf"), "finite"},
		"threshold":           {value("threshold"), first(value("threshold"), "x"), "finite"},
		"feature beyond":      {value("split_feature"), first(value("split_feature"), "5"), "splits feature 5 of 5"},
		"feature negative":    {value("split_feature"), first(value("split_feature"), "-1"), "splits feature -1"},
		"child beyond":        {value("left_child"), first(value("left_child"), "1000"), "does not exist"},
		"child negative":      {value("left_child"), first(value("left_child"), "-1000"), "does not exist"},
		"cycle to the root":   {value("left_child"), first(value("left_child"), "0"), "two parents"},
		"child of two":        {value("left_child"), "left_child=1 1 1 1 1", "two parents"},
		"unknown decision":    {value("decision_type"), first(value("decision_type"), "12"), "decision_type 12"},
		"huge decision":       {value("decision_type"), first(value("decision_type"), "256"), "decision_type 256"},
		"category bounds":     {value("cat_boundaries"), first(value("cat_boundaries"), "1"), "cat_boundaries"},
		"bounds fall":         {value("cat_boundaries"), "cat_boundaries=0 -3", "cat_boundaries"},
		"category words":      {value("cat_threshold"), value("cat_threshold") + " 1", "but there are 7 words"},
		"category word":       {value("cat_threshold"), first(value("cat_threshold"), "4294967296"), "32-bit"},
		"column of two kinds": {value("split_feature"), "split_feature=2 2 2 2 2", "both as a number and as a category"},
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, good, edit.from)
			requireRefused(t, []byte(strings.Replace(good, edit.from, edit.to, 1)), edit.reason)
		})
	}
}

// TestRefusedWhenCut: no prefix of a file is a model, except for what leaves
// out nothing but the words after the last complete section.
func TestRefusedWhenCut(t *testing.T) {
	good := read(t, "binary.txt")
	var whole []string
	for n := range len(good) {
		m, err := model.Parse(good[:n])
		if err == nil {
			require.Equal(t, 6, m.Trees())
			rest := string(good[n:])
			whole = append(whole, rest)
		}
	}
	for _, rest := range whole {
		afterTrees := strings.HasPrefix(strings.TrimLeft(rest, "\n"), "feature_importances:")
		afterParameters := !strings.Contains(rest, "[") && (strings.HasPrefix(strings.TrimLeft(rest, "\n"), "pandas_categorical") || strings.TrimLeft(rest, "\n") == "")
		require.True(t, afterTrees || afterParameters, "%q", rest)
	}
	require.NotEmpty(t, whole)
}

// TestHostileFilesStaySmall: a hostile file is a refusal that costs memory in
// proportion to its length.
func TestHostileFilesStaySmall(t *testing.T) {
	good := string(read(t, "binary.txt"))
	hostile := []string{
		strings.Replace(good, "tree_sizes=", "tree_sizes="+strings.Repeat("1 ", 1<<18), 1),
		strings.Replace(good, "feature_names=", "feature_names="+strings.Repeat("a ", 1<<18), 1),
		strings.Replace(good, "\nend of trees", strings.Repeat("\nTree=\n", 1<<17)+"\nend of trees", 1),
		strings.Replace(good, "\nnum_leaves=6", fmt.Sprintf("\nnum_leaves=%d", 1<<31-1), 1),
	}
	for _, text := range hostile {
		err := requireSmall(t, text)
		var refusal *model.Refusal
		require.ErrorAs(t, err, &refusal)
	}
}

// requireSmall parses the text and sees that it costs memory in proportion.
func requireSmall(t *testing.T, text string) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := model.Parse([]byte(text))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(600*len(text)))
	return err
}

// TestExtremeFilesStaySmall: they are models, if odd ones.
func TestExtremeFilesStaySmall(t *testing.T) {
	const n = 1 << 15
	list := func(word func(i int) string) string {
		words := make([]string, n)
		for i := range words {
			words[i] = word(i)
		}
		return strings.Join(words, " ")
	}
	number := func(i int) string { return fmt.Sprint(i) }
	always := func(word string) string { return list(func(int) string { return word }) }
	trees := map[string]string{
		"every category": "num_leaves=2\nnum_cat=1\nsplit_feature=0\nthreshold=0\ndecision_type=1\nleft_child=-1\nright_child=-2\nleaf_value=1 2\n" +
			fmt.Sprintf("cat_boundaries=0 %d\ncat_threshold=%s\n", n, always("4294967295")),
		"a chain": fmt.Sprintf("num_leaves=%d\nnum_cat=0\nsplit_feature=%s\nthreshold=%s\ndecision_type=%s\nleft_child=%s\nright_child=%s\nleaf_value=0 %s\nleaf_count=1 %s\ninternal_count=%s\n",
			n+1, always("0"), list(number), always("0"), list(func(i int) string { return fmt.Sprint(-i - 1) }),
			list(func(i int) string {
				if i == n-1 {
					return fmt.Sprint(-n - 1)
				}
				return fmt.Sprint(i + 1)
			}), list(number), always("1"), always("9")),
	}
	for name, tree := range trees {
		t.Run(name, func(t *testing.T) {
			block := "Tree=0\n" + tree + "\n\n"
			text := fmt.Sprintf("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=binary sigmoid:1\nfeature_names=f\ntree_sizes=%d\n\n%send of trees\n",
				len(block), block)
			require.NoError(t, requireSmall(t, text))
			m, err := model.Parse([]byte(text))
			require.NoError(t, err)
			rows := m.GoldenRows(nil, 60)
			golden := model.Golden{Rows: rows, Raw: make([]float64, len(rows))}
			require.NoError(t, m.PredictRows(rows, golden.Raw))
			require.NoError(t, m.Verify(golden), "leaves agrees")
			if err := m.Explain(rows[0], make([]float64, 2)); err != nil {
				require.ErrorIs(t, err, model.ErrNoCounts)
			}
		})
	}
}

// FuzzParse needs -fuzzminimizetime 10x: with the default it spends its time on
// making the long seeds shorter.
func FuzzParse(f *testing.F) {
	for _, name := range served(f) {
		if text := read(f, name+".txt"); len(text) < 20_000 {
			f.Add(text)
		}
	}
	for _, name := range []string{"linear_tree", "random_forest", "multiclass"} {
		f.Add(read(f, "refused_"+name+".txt"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := model.Parse(bytes.Clone(text))
		if err != nil {
			var refusal *model.Refusal
			require.ErrorAs(t, err, &refusal)
			return
		}
		out := make([]float64, m.Features()+1)
		for _, row := range m.GoldenRows(nil, 100) {
			_, err := m.Predict(row)
			require.NoError(t, err)
			if err := m.Explain(row, out); err != nil {
				require.True(t, errors.Is(err, model.ErrNoCounts) || errors.Is(err, model.ErrTooDeep), err)
			}
		}
	})
}
