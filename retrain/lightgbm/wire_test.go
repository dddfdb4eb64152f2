package lightgbm

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRequestArrives: what is sent is what is received, to the bit, also over
// the pieces' borders.
func TestRequestArrives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SampledFrom([]int{0, 1, 7, chunk / 8, chunk/8 + 1, chunk / 4, chunk/4 + 3}).Draw(t, "rows")
		columns := rapid.IntRange(1, 3).Draw(t, "columns")
		seed := rapid.Uint64().Draw(t, "seed")
		d := Data{Matrix: Matrix{Rows: rows, Columns: columns, Names: make([]string, columns), Categorical: []int{0}}}
		for i := range rows * columns {
			d.Values = append(d.Values, math.Float64frombits(seed*uint64(i+1)))
		}
		if rapid.Bool().Draw(t, "labels") {
			d.Label = make([]float32, rows)
			for i := range d.Label {
				d.Label[i] = float32(i % 2)
			}
		}
		if rapid.Bool().Draw(t, "weights") {
			d.Weight = make([]float32, rows)
			for i := range d.Weight {
				d.Weight[i] = float32(i) / 3
			}
		}
		text := []byte(rapid.String().Draw(t, "model"))
		sent := &request{Action: actionTrain, Params: map[string]string{"a": "b"}, Seed: 3, Train: describe(&d), ModelBytes: len(text), model: text}
		var pipe bytes.Buffer
		require.NoError(t, sent.send(&pipe, &d))
		got, err := receive(&pipe)
		require.NoError(t, err)
		require.Equal(t, sent.Params, got.Params)
		require.Equal(t, string(text), string(got.model))
		back, err := got.Train.numbers(&pipe)
		require.NoError(t, err)
		require.Zero(t, pipe.Len())
		require.Equal(t, d.Label, back.Label)
		require.Equal(t, d.Weight, back.Weight)
		require.Len(t, back.Values, len(d.Values))
		for i := range d.Values {
			require.Equal(t, math.Float64bits(d.Values[i]), math.Float64bits(back.Values[i]))
		}
	})
}

func TestCutRequestIsAnError(t *testing.T) {
	d := Data{Matrix: Matrix{Rows: 3, Columns: 1, Values: []float64{1, 2, 3}, Names: []string{"x"}}}
	var pipe bytes.Buffer
	require.NoError(t, (&request{Action: actionTrain, Train: describe(&d)}).send(&pipe, &d))
	whole := pipe.Bytes()
	for n := range whole {
		r := bytes.NewReader(whole[:n])
		req, err := receive(r)
		if err == nil {
			_, err = req.Train.numbers(r)
		}
		require.Error(t, err, n)
	}
}

func TestLineBuffer(t *testing.T) {
	b := &lineBuffer{}
	for _, piece := range []string{"one\ntw", "o\n\n", "three", "\n", strings.Repeat("x", 10000), "\nlast\n"} {
		n, err := b.Write([]byte(piece))
		require.NoError(t, err)
		require.Equal(t, len(piece), n)
	}
	require.Equal(t, []string{"one", "two", "three", strings.Repeat("x", 4096), "last"}, b.all())
	require.Equal(t, []string{"last"}, b.last(1))
	for range 10 * keptLines {
		b.add("more")
	}
	require.Len(t, b.all(), keptLines)
	require.LessOrEqual(t, cap(b.lines), 4*keptLines)
}

func TestLineBufferKeepsTheReasonNotTheStacks(t *testing.T) {
	b := &lineBuffer{}
	b.add("[LightGBM] [Info] last words")
	_, err := b.Write([]byte("fatal error: out of memory\n\nruntime stack:\n" + strings.Repeat("runtime.throw()\n", 500)))
	require.NoError(t, err)
	lines := b.last(lastLines)
	require.Equal(t, "[LightGBM] [Info] last words", lines[0])
	require.Equal(t, "fatal error: out of memory", lines[1])
	require.Len(t, lines, 2+keptStack)
}

func TestNormaliseRefusesCutText(t *testing.T) {
	_, err := normalise([]byte("tree\n\nend of trees\n"))
	require.Error(t, err)
	_, err = normalise([]byte("tree\n\nend of trees\n\nparameters:\n[seed: 1]\n"))
	require.Error(t, err)
	text, err := normalise([]byte("tree\n\nend of trees\n\nparameters:\n[data: /home/x]\n[seed: 1]\n[num_threads: 64]\n\nend of parameters\n"))
	require.NoError(t, err)
	require.Equal(t, "tree\n\nend of trees\n\nparameters:\n[seed: 1]\n\nend of parameters\n\npandas_categorical:null\n", string(text))
}
