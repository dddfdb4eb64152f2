package lightgbm_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// childVariable makes the test binary the child process.
const childVariable = "HAECHI_TEST_LIGHTGBM_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "1":
		os.Exit(lightgbm.ChildMain(os.Stdin, os.Stdout))
	case "parent":
		os.Exit(trainForEver())
	}
	if err := os.Setenv(childVariable, "1"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func worker(t testing.TB) lightgbm.Worker {
	t.Helper()
	library, err := lightgbm.FindLibraryFrom(".")
	require.NoError(t, err, "tests need LightGBM's library: run `make lightgbm`")
	return lightgbm.Worker{Path: library, Command: []string{os.Args[0]}}
}

// world makes rows of a small fraud problem: large amounts, some categories and
// a ratio that is often missing raise the risk.
func world(seed uint64, rows int) lightgbm.Data {
	r := rand.New(rand.NewPCG(seed, 9))
	d := lightgbm.Data{Matrix: lightgbm.Matrix{
		Rows: rows, Columns: 6,
		Names:       []string{"amount", "hour", "category", "ratio", "flag", "a=b"},
		Categorical: []int{2},
	}}
	for range rows {
		amount := math.Exp(3 + 1.4*r.NormFloat64())
		category := float64(r.IntN(70))
		ratio := r.NormFloat64()
		risk := -4.5 + 0.02*amount + ratio
		if int(category)%5 == 0 {
			risk += 2
		}
		if r.Float64() < 0.2 {
			ratio = math.NaN()
		}
		label := float32(0)
		if r.Float64() < 1/(1+math.Exp(-risk)) {
			label = 1
		}
		d.Values = append(d.Values, amount, float64(r.IntN(24)), category, ratio, float64(r.IntN(2)), r.NormFloat64()*float64(r.IntN(2)))
		d.Label = append(d.Label, label)
	}
	return d
}

func smallJob() lightgbm.Job {
	params := lightgbm.DefaultParams()
	params["learning_rate"] = "0.2"
	return lightgbm.Job{
		Train: world(1, 4000), Valid: world(2, 2000), Params: params,
		Rounds: 60, EarlyStopping: 10, Threads: 2, Seed: 7,
	}
}

// with copies the job with other parameters; "" removes one.
func with(job lightgbm.Job, pairs ...string) lightgbm.Job {
	params := map[string]string{}
	for k, v := range job.Params {
		params[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		params[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(params, pairs[i])
		}
	}
	job.Params = params
	return job
}

// trainForEver is a parent that waits to be killed.
func trainForEver() int {
	if err := os.Setenv(childVariable, "1"); err != nil {
		return 1
	}
	library, err := lightgbm.FindLibraryFrom(".")
	if err != nil {
		return 1
	}
	job := smallJob()
	job.Rounds, job.EarlyStopping = 1_000_000, 0
	_, err = lightgbm.Train(context.Background(), lightgbm.Worker{Path: library, Command: []string{os.Args[0]}}, job, func(p lightgbm.Progress) {
		if p.Iteration == 1 {
			fmt.Println("training")
		}
	})
	fmt.Println(err)
	return 1
}
