package model_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/haechi-fraud/haechi/model"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return text
}

func parse(t testing.TB, name string) *model.Model {
	t.Helper()
	m, err := model.Parse(read(t, name))
	require.NoError(t, err)
	return m
}

func golden(t testing.TB, name string) model.Golden {
	t.Helper()
	var g model.Golden
	require.NoError(t, json.Unmarshal(read(t, name+".golden.json"), &g))
	return g
}

// served are the model files of testdata that have golden rows.
func served(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.golden.json")
	require.NoError(t, err)
	require.Len(t, files, 29)
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), ".golden.json")
	}
	return files
}

func TestScoresAreLightGBMsToTheBit(t *testing.T) {
	for _, name := range served(t) {
		t.Run(name, func(t *testing.T) {
			m, g := parse(t, name+".txt"), golden(t, name)
			require.NoError(t, m.Verify(g))

			different := map[uint64]bool{}
			for _, raw := range g.Raw {
				different[math.Float64bits(raw)] = true
			}
			if name == "constant" { // every tree is one leaf
				require.Len(t, different, 1)
				return
			}
			require.Greater(t, len(different), 8, "rows that all score alike show nothing")
		})
	}
}

// TestHeaderVersions: the trees of v2, v3 and v4 are read alike, so that the
// scores do not depend on the line.
func TestHeaderVersions(t *testing.T) {
	text, g := read(t, "binary.txt"), golden(t, "binary")
	for _, version := range []string{"v2", "v3", "v4"} {
		m, err := model.Parse(bytes.Replace(text, []byte("version=v4"), []byte("version="+version), 1))
		require.NoError(t, err)
		require.NoError(t, m.Verify(g), version)
	}
}

func TestFacts(t *testing.T) {
	m := parse(t, "binary.txt")
	require.Equal(t, []string{"amount", "age", "category", "count", "ratio"}, m.FeatureNames())
	require.Equal(t, 5, m.Features())
	require.Equal(t, 6, m.Trees())
	require.Equal(t, "binary sigmoid:1", m.Objective())
	require.Equal(t, []int{2}, m.Categorical())
	require.Len(t, m.Digest(), 64)
	require.Nil(t, m.PandasCategorical())
	require.Equal(t, []string{"a=b", "c==", "=d", "e", "f"}, parse(t, "equals.txt").FeatureNames())

	depth, stated := m.Parameter("max_depth")
	require.True(t, stated)
	require.Equal(t, "-1", depth)
	_, stated = m.Parameter("no such")
	require.False(t, stated)
	require.Len(t, m.FeatureInfos(), 5)
	require.Equal(t, "[0:8]", m.FeatureInfos()[3])

	text := bytes.Replace(read(t, "binary.txt"), []byte("pandas_categorical:null"), []byte(`pandas_categorical:[["a","b"]]`), 1)
	other, err := model.Parse(text)
	require.NoError(t, err)
	require.JSONEq(t, `[["a","b"]]`, string(other.PandasCategorical()))
	require.NotEqual(t, m.Digest(), other.Digest())
}

func TestRowOfWrongLength(t *testing.T) {
	m := parse(t, "binary.txt")
	for _, n := range []int{0, 1, 4, 6} {
		_, err := m.Predict(make([]float64, n))
		require.ErrorContains(t, err, "the model needs 5")
	}
	one := parse(t, "one_feature.txt")
	for _, n := range []int{0, 2} {
		_, err := one.Predict(make([]float64, n))
		require.ErrorContains(t, err, "the model needs 1")
	}
}

func TestPredictLeavesTheRowAlone(t *testing.T) {
	m := parse(t, "binary.txt")
	row := []float64{1e-36, math.NaN(), 1 << 40, -1e-36, math.Inf(-1)}
	before := append([]float64(nil), row...)
	_, err := m.Predict(row)
	require.NoError(t, err)
	for i := range row {
		require.Equal(t, math.Float64bits(before[i]), math.Float64bits(row[i]))
	}
}

func TestPredictDoesNotAllocate(t *testing.T) {
	m, g := parse(t, "binary.txt"), golden(t, "binary")
	next := 0
	allocations := testing.AllocsPerRun(2000, func() {
		_, _ = m.Predict(g.Rows[next%len(g.Rows)])
		next++
	})
	require.Less(t, allocations, 0.5) // the race detector empties pools at random
}

func TestPredictConcurrently(t *testing.T) {
	m, g := parse(t, "binary.txt"), golden(t, "binary")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			for range 50 {
				if err := m.Verify(g); err != nil {
					errs[i] = err
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestProbability(t *testing.T) {
	require.InDelta(t, 0.5, model.Probability(0), 0)
	require.InEpsilon(t, 1/(1+math.Exp(-1.25)), model.Probability(1.25), 1e-15)
	require.Zero(t, model.Probability(math.Inf(-1)))
	require.InDelta(t, 1, model.Probability(1000), 0)

	half := parse(t, "sigmoid.txt") // sigmoid:0.5
	require.Equal(t, model.Probability(1), half.Probability(2))
	require.Equal(t, model.Probability(2), parse(t, "binary.txt").Probability(2))
}

// TestProbabilityIsWithinThreeUlp of LightGBM's own on the golden rows.
func TestProbabilityIsWithinThreeUlp(t *testing.T) {
	for _, name := range []string{"binary", "sigmoid"} {
		m, g := parse(t, name+".txt"), golden(t, name)
		var want []string
		require.NoError(t, json.Unmarshal(read(t, name+".probability.json"), &want))
		require.Len(t, want, len(g.Raw))
		for i, text := range want {
			p, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err)
			ulps := int64(math.Float64bits(p)) - int64(math.Float64bits(m.Probability(g.Raw[i])))
			require.LessOrEqual(t, max(ulps, -ulps), int64(3), "row %d", i)
		}
	}
}

func TestVerifyFindsOneBit(t *testing.T) {
	m, g := parse(t, "binary.txt"), golden(t, "binary")
	g.Raw[17] = math.Nextafter(g.Raw[17], 100)
	var mismatch *model.Mismatch
	require.ErrorAs(t, m.Verify(g), &mismatch)
	require.Equal(t, 17, mismatch.Row)
	require.Equal(t, "haechi", mismatch.Engine)
	require.Equal(t, -1, mismatch.Tree)
	require.Equal(t, math.Float64bits(g.Raw[17]), math.Float64bits(mismatch.Want))

	require.Error(t, m.Verify(model.Golden{}), "no rows show nothing")
	require.Error(t, m.Verify(model.Golden{Rows: g.Rows, Raw: g.Raw[1:]}))
	require.Error(t, parse(t, "one_feature.txt").Verify(golden(t, "binary")), "rows of another model")
}

func TestGoldenJSONIsExact(t *testing.T) {
	special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), math.SmallestNonzeroFloat64, math.MaxFloat64}
	value := rapid.OneOf(rapid.Float64(), rapid.SampledFrom(special))
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 4).Draw(t, "columns")
		g := model.Golden{
			Rows: rapid.SliceOfN(rapid.SliceOfN(value, columns, columns), 0, 5).Draw(t, "rows"),
		}
		g.Raw = rapid.SliceOfN(value, len(g.Rows), len(g.Rows)).Draw(t, "raw")
		text, err := json.Marshal(g)
		require.NoError(t, err)
		var back model.Golden
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, bits(append(g.Rows, g.Raw)), bits(append(back.Rows, back.Raw)))
	})

	var g model.Golden
	require.Error(t, json.Unmarshal([]byte(`{"rows":[["0x1p+00"]],"raw":[]}`), &g))
	require.Error(t, json.Unmarshal([]byte(`{"rows":[["one"]],"raw":["0"]}`), &g))
}

func bits(rows [][]float64) [][]uint64 {
	out := make([][]uint64, len(rows))
	for i, row := range rows {
		for _, v := range row {
			out[i] = append(out[i], math.Float64bits(v))
		}
	}
	return out
}

func BenchmarkPredict(b *testing.B) {
	m, g := parse(b, "binary.txt"), golden(b, "binary")
	b.ReportAllocs()
	for i := range b.N {
		_, _ = m.Predict(g.Rows[i%len(g.Rows)])
	}
}
