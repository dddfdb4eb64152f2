package lightgbm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/model"
	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

func train(t testing.TB, job lightgbm.Job) lightgbm.Result {
	t.Helper()
	result, err := lightgbm.Train(t.Context(), worker(t), job, nil)
	require.NoError(t, err)
	return result
}

func TestTrainStopsEarlyAndKeepsTheBest(t *testing.T) {
	job := smallJob()
	var seen []lightgbm.Progress
	result, err := lightgbm.Train(t.Context(), worker(t), job, func(p lightgbm.Progress) { seen = append(seen, p) })
	require.NoError(t, err)

	require.NotEmpty(t, seen)
	best := 0
	for i, p := range seen {
		require.Equal(t, i+1, p.Iteration)
		require.Equal(t, 60, p.Rounds)
		require.Equal(t, "average_precision", p.Metric)
		if p.Value > seen[best].Value {
			best = i
		}
		require.Equal(t, best+1, p.Best)
	}
	last := seen[len(seen)-1]
	require.True(t, last.Iteration == 60 || last.Iteration-last.Best == 10, "%+v", last)
	require.Equal(t, best+1, result.Best)
	require.Less(t, result.Best, last.Iteration, "the data should overfit, else this test shows nothing")
	require.Greater(t, seen[best].Value, 0.5)

	m, err := model.Parse(result.Model)
	require.NoError(t, err)
	require.Equal(t, result.Best, m.Trees(), "the model holds the best rounds only")
	require.Equal(t, job.Train.Names, m.FeatureNames())
	require.NotEmpty(t, result.Log)

	job.EarlyStopping = 0
	require.Equal(t, 60, train(t, job).Best)
	job.Valid = lightgbm.Data{}
	require.Equal(t, 60, train(t, job).Best)
}

// TestStoppingWatchesTheRightDirection: a loss is better when it is lower.
func TestStoppingWatchesTheRightDirection(t *testing.T) {
	for _, metric := range []string{"average_precision", "auc", "binary_logloss", "cross_entropy"} {
		var first, best float64
		_, err := lightgbm.Train(t.Context(), worker(t), with(smallJob(), "metric", metric), func(p lightgbm.Progress) {
			require.Equal(t, metric, p.Metric)
			if p.Iteration == 1 {
				first = p.Value
			}
			if p.Best == p.Iteration {
				best = p.Value
			}
		})
		require.NoError(t, err)
		loss := metric == "binary_logloss" || metric == "cross_entropy"
		require.Equal(t, loss, best < first, metric)
	}
}

func TestSameJobSameBytes(t *testing.T) {
	job := smallJob()
	for _, threads := range []int{1, 2} {
		job.Threads = threads
		first := train(t, job)
		require.Equal(t, string(first.Model), string(train(t, job).Model))
		job.Seed++
		require.NotEqual(t, string(first.Model), string(train(t, job).Model), "the seed does nothing")
	}
}

func TestModelTextIsNormalised(t *testing.T) {
	text := string(train(t, smallJob()).Model)
	require.True(t, strings.HasSuffix(text, "\nend of parameters\n\npandas_categorical:null\n"))
	_, block, found := strings.Cut(text, "\nparameters:\n")
	require.True(t, found)
	for line := range strings.SplitSeq(strings.TrimSpace(strings.Split(block, "\nend of parameters")[0]), "\n") {
		require.Regexp(t, regexp.MustCompile(`^\[[a-z0-9_]+: [^/\\]*\]$`), line)
	}
	require.Contains(t, block, "[min_sum_hessian_in_leaf: 1]\n")
	require.Contains(t, block, "[seed: 7]\n")
	require.Contains(t, block, "[categorical_feature: 2]\n")
	for _, name := range []string{"num_threads", "data:", "machines", "gpu", "port", "filename", "device"} {
		require.NotContains(t, block, name)
	}
	// LightGBM reads its own text back.
	rows := world(3, 5).Matrix
	_, err := lightgbm.Predict(t.Context(), worker(t), []byte(text), rows)
	require.NoError(t, err)
}

// kinds are the sorts of models that are served.
func kinds() map[string]lightgbm.Job {
	job := smallJob()
	job.Rounds, job.EarlyStopping = 25, 0
	weighted := job
	weighted.Train.Weight = make([]float32, job.Train.Rows)
	for i := range weighted.Train.Weight {
		weighted.Train.Weight[i] = 0.5 + float32(i%3)
	}
	soft := with(job, "objective", "cross_entropy")
	soft.Train.Label = append([]float32(nil), job.Train.Label...)
	for i := range soft.Train.Label {
		soft.Train.Label[i] = 0.1 + 0.8*soft.Train.Label[i]
	}
	leaf := with(job, "min_data_in_leaf", "100000")
	absent := job
	absent.Train.Values = append([]float64(nil), job.Train.Values...)
	for i, label := range job.Train.Label { // that the first column is missing says most
		if absent.Train.Values[i*job.Train.Columns] = float64(i%50) - 25; label == 1 || i%10 == 0 {
			absent.Train.Values[i*job.Train.Columns] = math.NaN()
		}
	}
	return map[string]lightgbm.Job{
		"binary":                    job,
		"unbalance":                 with(job, "is_unbalance", "true"),
		"scale_pos_weight":          with(job, "scale_pos_weight", "20"),
		"weighted":                  weighted,
		"cross_entropy":             soft,
		"dart":                      with(job, "boosting", "dart", "drop_rate", "0.5", "bagging_freq", ""),
		"goss":                      with(job, "data_sample_strategy", "goss", "bagging_freq", "", "bagging_fraction", ""),
		"categories in many words":  with(job, "max_cat_to_onehot", "1", "min_data_per_group", "5", "cat_smooth", "1"),
		"categories one by one":     with(job, "max_cat_to_onehot", "100", "min_data_per_group", "5"),
		"zero as missing":           with(job, "zero_as_missing", "true"),
		"no missing":                with(job, "use_missing", "false"),
		"missing against all":       absent,
		"one leaf":                  leaf,
		"one leaf, no average":      with(leaf, "boost_from_average", "false"),
		"no boost from average":     with(job, "boost_from_average", "false"),
		"sigmoid":                   with(job, "sigmoid", "0.7"),
		"many bins":                 with(job, "max_bin", "60000", "min_data_in_bin", "1"),
		"few bins":                  with(job, "max_bin", "15"),
		"many leaves":               with(job, "num_leaves", "127", "min_data_in_leaf", "2", "min_sum_hessian_in_leaf", "0.001"),
		"extra trees":               with(job, "extra_trees", "true"),
		"monotone":                  with(job, "monotone_constraints", "1,0,0,1,0,0", "monotone_constraints_method", "advanced"),
		"path smoothing and bounds": with(job, "path_smooth", "1", "max_delta_step", "0.5", "lambda_l1", "0.1"),
	}
}

// TestServedScoresAreLightGBMsToTheBit: every kind, under three headers, on
// golden rows.
func TestServedScoresAreLightGBMsToTheBit(t *testing.T) {
	w := worker(t)
	sample := world(3, 300)
	var real [][]float64
	for i := range sample.Rows {
		real = append(real, sample.Values[i*sample.Columns:(i+1)*sample.Columns])
	}
	for name, job := range kinds() {
		t.Run(name, func(t *testing.T) {
			text := train(t, job).Model
			if name == "missing against all" {
				require.Regexp(t, `threshold=.*\binf\b`, string(text), "LightGBM writes this split as infinity")
			}
			m, err := model.Parse(text)
			require.NoError(t, err)
			rows := m.GoldenRows(real, 1500)
			matrix := lightgbm.Matrix{Rows: len(rows), Columns: m.Features(), Names: m.FeatureNames()}
			for _, row := range rows {
				matrix.Values = append(matrix.Values, row...)
			}
			raw, err := lightgbm.Predict(t.Context(), w, text, matrix)
			require.NoError(t, err)
			golden := model.Golden{Rows: rows, Raw: raw}
			require.NoError(t, m.Verify(golden))
			if !strings.HasPrefix(name, "one leaf") {
				require.Greater(t, distinct(raw), 50, "rows that all score alike show nothing")
			}

			encoded, err := json.Marshal(golden)
			require.NoError(t, err)
			var decoded model.Golden
			require.NoError(t, json.Unmarshal(encoded, &decoded))
			for _, version := range []string{"v2", "v3"} {
				old, err := model.Parse([]byte(strings.Replace(string(text), "version=v4", "version="+version, 1)))
				require.NoError(t, err)
				require.NoError(t, old.Verify(decoded))
			}
		})
	}
}

func distinct(values []float64) int {
	seen := map[uint64]bool{}
	for _, v := range values {
		seen[math.Float64bits(v)] = true
	}
	return len(seen)
}

func TestBadJobsSayAllThatIsWrong(t *testing.T) {
	good := smallJob()
	one := good
	one.Train.Label = make([]float32, good.Train.Rows)
	columns := good
	columns.Valid.Names = []string{"amount", "hour", "category", "ratio", "flag", "other"}
	weights := good
	weights.Train.Weight = []float32{1}
	nan := good
	nan.Train.Label = append([]float32{float32(math.NaN())}, good.Train.Label[1:]...)
	names := good
	names.Train.Names = []string{"a b", "hour", "category", "ratio", "flag", "other"}
	noValid := good
	noValid.Valid = lightgbm.Data{}
	for want, job := range map[string]lightgbm.Job{
		`"num_threads" may not be set`:         with(good, "num_threads", "3"),
		`"output_model" may not be set`:        with(good, "output_model", "/tmp/x"),
		`"linear_tree" may not be set`:         with(good, "linear_tree", "true"),
		`the value "1 data=/etc/passwd"`:       with(good, "max_bin", "1 data=/etc/passwd"),
		`boosting "rf"`:                        with(good, "boosting", "rf"),
		`objective "regression"`:               with(good, "objective", "regression"),
		`objective ""`:                         with(good, "objective", ""),
		`metric "auc,binary_logloss"`:          with(good, "metric", "auc,binary_logloss"),
		"does not go with dart":                with(good, "boosting", "dart"),
		"all 4000 have the same label":         one,
		"different columns":                    columns,
		"4000 labels, 1 weights":               weights,
		"label NaN of row 0":                   nan,
		`column name "a b"`:                    names,
		"early stopping needs validation rows": noValid,
		`"data" may not be set here: use LightGBM's main name of a training parameter
parameter "n_jobs" may not be set here`: with(good, "n_jobs", "3", "data", "x"),
	} {
		_, err := lightgbm.Train(t.Context(), worker(t), job, nil)
		require.ErrorContains(t, err, want)
	}
}

func TestWhatLightGBMRefuses(t *testing.T) {
	_, err := lightgbm.Train(t.Context(), worker(t), with(smallJob(), "num_leaves", "1"), nil)
	var refused *lightgbm.LibraryError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Message, "num_leaves")

	_, err = lightgbm.Predict(t.Context(), worker(t), []byte("tree\nnonsense"), world(1, 3).Matrix)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "LGBM_BoosterLoadModelFromString", refused.Call)

	text := train(t, smallJob()).Model
	short := lightgbm.Matrix{Rows: 1, Columns: 2, Values: []float64{1, 2}, Names: []string{"x", "y"}}
	_, err = lightgbm.Predict(t.Context(), worker(t), text, short)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "LGBM_BoosterPredictForMat", refused.Call)

	multiclass, err := os.ReadFile("../../model/testdata/refused_multiclass.txt")
	require.NoError(t, err)
	wide := lightgbm.Matrix{Rows: 2, Columns: 5, Values: make([]float64, 10), Names: []string{"a", "b", "c", "d", "e"}}
	_, err = lightgbm.Predict(t.Context(), worker(t), multiclass, wide)
	require.ErrorContains(t, err, "6 scores for 2 rows")
}

func TestPredictOfManyRows(t *testing.T) {
	text := train(t, smallJob()).Model
	rows := world(4, 30000).Matrix // more than one frame of scores
	raw, err := lightgbm.Predict(t.Context(), worker(t), text, rows)
	require.NoError(t, err)
	m, err := model.Parse(text)
	require.NoError(t, err)
	for i := range rows.Rows {
		got, err := m.Predict(rows.Values[i*rows.Columns : (i+1)*rows.Columns])
		require.NoError(t, err)
		if math.Float64bits(got) != math.Float64bits(raw[i]) {
			require.Equal(t, raw[i], got, "row %d", i)
		}
	}
	none, err := lightgbm.Predict(t.Context(), worker(t), text, lightgbm.Matrix{Columns: 1, Names: []string{"x"}})
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestCancelledBeforeTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := lightgbm.Train(ctx, worker(t), smallJob(), nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCancelWithACause(t *testing.T) {
	cause := errors.New("the operator said stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	job := smallJob()
	job.Rounds, job.EarlyStopping = 1_000_000, 0
	_, err := lightgbm.Train(ctx, worker(t), job, func(p lightgbm.Progress) {
		if p.Iteration == 3 {
			cancel(cause)
		}
	})
	require.ErrorIs(t, err, cause)
}

// benchmarkModel is the model of the design's budget: 500 trees x 63 leaves.
func BenchmarkPredict(b *testing.B) {
	for _, shape := range [][2]int{{100, 31}, {500, 63}} {
		b.Run(fmt.Sprintf("%dx%d", shape[0], shape[1]), func(b *testing.B) {
			job := with(smallJob(), "num_leaves", fmt.Sprint(shape[1]), "learning_rate", "0.02", "min_data_in_leaf", "3", "min_sum_hessian_in_leaf", "0.001")
			job.Rounds, job.EarlyStopping = shape[0], 0
			m, err := model.Parse(train(b, job).Model)
			require.NoError(b, err)
			rows := world(5, 1000)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i % rows.Rows * rows.Columns
				_, _ = m.Predict(rows.Values[at : at+rows.Columns])
			}
		})
	}
}
