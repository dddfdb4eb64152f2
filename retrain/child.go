package retrain

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/haechi-fraud/haechi/retrain/lightgbm"
)

// Files of a run's folder.
const (
	fileTask        = "task.json"
	fileRows        = "rows.bin"
	fileModel       = "model.txt"
	fileReport      = "report.json"
	fileText        = "report.txt"
	filePredictions = "predictions.csv"
	fileGolden      = "golden.json"
)

// task is what the child is told.
type task struct {
	Plan     *Plan    `json:"plan"`
	Events   uint64   `json:"events"`
	Library  string   `json:"library"`
	LightGBM []string `json:"lightgbm"`
	Memory   int64    `json:"memory"`
}

// ChildMain does the steps from replay to evaluation in the run's folder. It writes progress to stdout, a JSON object a
// line, and its error, one sentence, to stderr.
func ChildMain(ctx context.Context, dir string, stdout, stderr io.Writer) int {
	if err := runChild(ctx, dir, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func runChild(ctx context.Context, dir string, stdout, stderr io.Writer) (err error) {
	var t task
	if err := readJSON(filepath.Join(dir, fileTask), &t); err != nil {
		return err
	}
	var mu sync.Mutex
	encoder := json.NewEncoder(stdout)
	progress := func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		_ = encoder.Encode(p) // a caller that is gone ends this process by itself
	}
	in, err := os.Open(filepath.Join(dir, fileRows))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	rows, err := Replay(ctx, t.Plan, in, t.Events, progress)
	if err != nil {
		return err
	}
	w := lightgbm.Worker{Path: t.Library, Command: t.LightGBM, Memory: t.Memory, Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	trained, err := Train(ctx, t.Plan, rows, w, progress)
	if err != nil {
		return err
	}
	judged, err := Judge(ctx, t.Plan, rows, trained, w, progress)
	if err != nil {
		return err
	}
	return save(dir, rows, trained, judged)
}

// save writes what the run leaves behind; the report comes last and says that the rest is whole.
func save(dir string, rows *Rows, trained *Trained, judged *Judged) error {
	goldenText, err := json.Marshal(judged.Golden)
	if err != nil {
		return err
	}
	report, err := json.MarshalIndent(judged.Report, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, fileModel), trained.Model, 0o600),
		os.WriteFile(filepath.Join(dir, fileGolden), goldenText, 0o600),
		predictions(filepath.Join(dir, filePredictions), rows, judged.Scores),
		os.WriteFile(filepath.Join(dir, fileText), []byte(judged.Report.Text()), 0o600),
		writeWhole(filepath.Join(dir, fileReport), report),
	)
}

// predictions writes every event of the test span with its raw score, those of known entities too.
func predictions(path string, rows *Rows, scores []float64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := csv.NewWriter(f)
	if err := w.Write([]string{"tx_id", "score"}); err != nil {
		return err
	}
	for n, i := range rows.Test {
		if err := w.Write([]string{rows.ID[i], strconv.FormatFloat(scores[n], 'g', -1, 64)}); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

// writeWhole writes a file that is there whole or not at all.
func writeWhole(path string, text []byte) error {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, path)
}
