package lightgbm

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"
)

// ChildMain is what the hidden command runs: it reads one request from stdin,
// does it with LightGBM's library, and answers on stdout. It returns the exit
// code, which is 0 when the parent got an answer, a refusal included.
func ChildMain(stdin io.Reader, stdout io.Writer) int {
	runtime.LockOSThread() // LightGBM's last error and log callback belong to the thread
	if stdout == io.Writer(os.Stdout) {
		private, err := takeStdout()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		stdout = private
	}
	child := &child{out: stdout}
	err := child.serve(stdin)
	if err != nil {
		failed := failure{Call: "request", Message: err.Error()}
		var refused *apiError
		if errors.As(err, &refused) {
			failed = failure{Call: refused.call, Message: refused.message}
		}
		err = child.sendJSON(frameFailed, failed)
	}
	if err != nil { // the parent is gone
		return 1
	}
	return 0
}

type child struct{ out io.Writer }

func (c *child) serve(stdin io.Reader) error {
	req, err := receive(stdin)
	if err != nil {
		return err
	}
	if err := boundMemory(req.Memory); err != nil {
		return fmt.Errorf("bound the memory: %w", err)
	}
	tables := []*table{&req.Train}
	if req.Action == actionTrain {
		tables = append(tables, &req.Valid)
	}
	data := make([]*Data, len(tables))
	for i, t := range tables {
		d, err := t.numbers(stdin)
		if err != nil {
			return fmt.Errorf("read the rows: %w", err)
		}
		data[i] = &d
	}
	go func() { // the parent holds stdin open as long as it lives
		_, _ = io.Copy(io.Discard, stdin)
		os.Exit(1)
	}()
	api, err := load(req.Library, func(line string) { _ = writeFrame(c.out, frameLog, []byte(line[:min(len(line), maxFrame)])) })
	if err != nil {
		return err
	}
	switch req.Action {
	case actionTrain:
		return c.train(api, req, data[0], data[1])
	case actionPredict:
		return c.predict(api, req, data[0])
	}
	return fmt.Errorf("unknown action %q", req.Action)
}

func (c *child) train(api *capi, req *request, train, valid *Data) error {
	params := req.parameters()
	trainSet, err := api.dataset(train, params, 0)
	if err != nil {
		return err
	}
	*train = Data{}
	var booster uintptr
	if err := api.check("LGBM_BoosterCreate", api.boosterCreate(trainSet, params, &booster)); err != nil {
		return err
	}
	validated := valid.Rows > 0
	if validated {
		validSet, err := api.dataset(valid, params, trainSet)
		if err != nil {
			return err
		}
		*valid = Data{}
		if err := api.check("LGBM_BoosterAddValidData", api.boosterAddValid(booster, validSet)); err != nil {
			return err
		}
	}
	debug.FreeOSMemory() // LightGBM has its own binned copy of the rows
	rounds, err := c.rounds(api, req, booster, validated)
	if err != nil {
		return err
	}
	text, err := api.save(booster, rounds)
	if err != nil {
		return err
	}
	if err := c.sendPieces(frameModel, text); err != nil {
		return err
	}
	return c.sendJSON(frameDone, done{Best: rounds})
}

// rounds trains and returns how many rounds to keep.
func (c *child) rounds(api *capi, req *request, booster uintptr, validated bool) (int, error) {
	last, best, bestValue := 0, 0, 0.0
	for last < req.Rounds {
		var finished int32
		if err := api.check("LGBM_BoosterUpdateOneIter", api.boosterUpdate(booster, &finished)); err != nil {
			return 0, err
		}
		if finished != 0 {
			break // no leaf can be split; LightGBM took this round back, or left a constant as the first
		}
		last++
		p := Progress{Iteration: last, Rounds: req.Rounds, Best: last}
		if validated {
			value, err := api.evaluate(booster)
			if err != nil {
				return 0, err
			}
			p.Metric, p.Value = req.Params["metric"], value
			if best == 0 || (value != bestValue && (value > bestValue) == higherIsBetter(p.Metric)) {
				best, bestValue = last, value
			}
			p.Best = best
		}
		if err := c.sendJSON(frameProgress, p); err != nil {
			return 0, err
		}
		if req.EarlyStopping > 0 && last-best >= req.EarlyStopping {
			break
		}
	}
	if req.EarlyStopping > 0 {
		return max(1, best), nil
	}
	return max(1, last), nil
}

// evaluate gives the one metric on the validation rows.
func (c *capi) evaluate(booster uintptr) (float64, error) {
	var n int32
	if err := c.check("LGBM_BoosterGetEvalCounts", c.boosterEvalN(booster, &n)); err != nil {
		return 0, err
	}
	if n != 1 {
		return 0, &apiError{"LGBM_BoosterGetEvalCounts", fmt.Sprintf("%d metrics, one was asked for", n)}
	}
	var value float64
	if err := c.check("LGBM_BoosterGetEval", c.boosterEval(booster, validIndex, &n, &value)); err != nil {
		return 0, err
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, &apiError{"LGBM_BoosterGetEval", fmt.Sprintf("the metric on the validation rows is %v", value)}
	}
	return value, nil
}

func (c *child) predict(api *capi, req *request, rows *Data) error {
	var booster uintptr
	var iterations, classes int32
	if err := api.check("LGBM_BoosterLoadModelFromString", api.boosterLoad(string(req.model), &iterations, &booster)); err != nil {
		return err
	}
	if err := api.check("LGBM_BoosterGetNumClasses", api.boosterClasses(booster, &classes)); err != nil {
		return err
	}
	scores := make([]float64, rows.Rows*int(max(1, classes)))
	size := int64(len(scores))
	err := api.check("LGBM_BoosterPredictForMat", api.boosterPredict(booster, unsafe.Pointer(unsafe.SliceData(rows.Values)), dtypeFloat64,
		int32(rows.Rows), int32(rows.Columns), rowMajor, predictRaw, 0, -1, "num_threads=1", &size, unsafe.SliceData(scores)))
	if err != nil {
		return err
	}
	encoded := make([]byte, 0, chunk)
	for _, score := range scores[:size] {
		encoded = binary.LittleEndian.AppendUint64(encoded, math.Float64bits(score))
		if len(encoded) == chunk {
			if err := writeFrame(c.out, frameScores, encoded); err != nil {
				return err
			}
			encoded = encoded[:0]
		}
	}
	if err := writeFrame(c.out, frameScores, encoded); err != nil {
		return err
	}
	return c.sendJSON(frameDone, done{})
}

func (c *child) sendPieces(kind byte, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), maxFrame)
		if err := writeFrame(c.out, kind, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (c *child) sendJSON(kind byte, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeFrame(c.out, kind, payload)
}
