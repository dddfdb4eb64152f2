package offline_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/offline"
	"github.com/haechi-fraud/haechi/internal/project"
)

func allNames(et *project.EventType) (names []string) {
	for i := range et.Definitions {
		names = append(names, et.Definitions[i].Name)
	}
	return names
}

// TestReplay holds every way through a replay against one engine that is fed in order.
func TestReplay(t *testing.T) {
	et := worldEventType(t)
	rows := world(1, 6000)
	names := allNames(et)
	want := expected(t, et, rows, nil, names)
	byColumns, asText := writeParquet(t, rows), writeCSV(t, rows)
	for name, job := range map[string]offline.Job{
		"by columns":              {Events: []string{byColumns}},
		"one core":                {Events: []string{byColumns}, Cores: 1},
		"hardly any memory":       {Events: []string{byColumns}, Cores: 3, Memory: 1},
		"text":                    {Events: []string{asText}},
		"text, hardly any memory": {Events: []string{asText}, Memory: 1},
	} {
		t.Run(name, func(t *testing.T) {
			job.EventType, job.Features = et, names
			got, report := replay(t, job)
			same(t, allNames(et), want, got)
			require.Equal(t, int64(len(rows)), report.Rows)
			require.Equal(t, strings.HasPrefix(name, "text"), report.AsText != "", report.AsText)
		})
	}
	t.Run("some features", func(t *testing.T) {
		some := []string{"further", "hour", "terminal_share_5d"}
		got, _ := replay(t, offline.Job{EventType: et, Features: some, Events: []string{byColumns}})
		same(t, some, expected(t, et, rows, nil, some), got)
	})
	t.Run("event features alone", func(t *testing.T) {
		some := []string{"amount", "country"}
		got, _ := replay(t, offline.Job{EventType: et, Features: some, Events: []string{byColumns}})
		same(t, some, expected(t, et, rows, nil, some), got)
	})
}

// TestReplayOrder: rows out of order are sorted by time, equal times as they lie, over several files.
func TestReplayOrder(t *testing.T) {
	et := worldEventType(t)
	rows := world(2, 3000)
	shuffled := append([]transfer(nil), rows...)
	sort.SliceStable(shuffled, func(i, j int) bool { return shuffled[i].ID*7919%101 < shuffled[j].ID*7919%101 })
	want := expected(t, et, shuffled, nil, allNames(et))
	for _, paths := range [][]string{
		{writeParquet(t, shuffled[:1000]), writeParquet(t, shuffled[1000:])},
		{writeCSV(t, shuffled[:1]), writeCSV(t, shuffled[1:])},
	} {
		got, report := replay(t, offline.Job{EventType: et, Features: allNames(et), Events: paths, Memory: 1 << 20})
		same(t, allNames(et), want, got)
		require.Contains(t, report.AsText, "order of time")
	}
}

// TestReplaySpan: what is before the span is history, what is after it is not read.
func TestReplaySpan(t *testing.T) {
	et := worldEventType(t)
	rows := world(3, 3000)
	from, to := rows[1000].At, rows[2500].At
	want := expected(t, et, rows, nil, allNames(et))
	first, last := sort.Search(len(want.times), func(i int) bool { return want.times[i] >= from }), sort.Search(len(want.times), func(i int) bool { return want.times[i] >= to })
	for c := range want.columns {
		want.columns[c] = want.columns[c][first:last]
	}
	want.ids, want.times = want.ids[first:last], want.times[first:last]
	for _, path := range []string{writeParquet(t, rows), writeCSV(t, rows)} {
		got, report := replay(t, offline.Job{EventType: et, Features: allNames(et), Events: []string{path}, From: from, To: to})
		same(t, allNames(et), want, got)
		require.Equal(t, int64(last), report.Read)
	}
}

// TestReplayLabels: label files speak of events too: frauds, withdrawals, repetitions, dated or not.
func TestReplayLabels(t *testing.T) {
	et := worldEventType(t)
	rows := world(4, 3000)
	var labels []said
	text := "event,verdict,known\n"
	for i := range 1200 {
		x := rows[(i*37)%len(rows)]
		l := said{event: x.ID, verdict: features.Verdict(1 + i%3), knownAt: x.At + int64(i%9-1)*features.Day/3 + int64(i)}
		if i%10 == 0 {
			l.knownAt = 0
		}
		known := strconv.FormatInt(l.knownAt, 10)
		if l.knownAt == 0 {
			known = ""
		}
		labels = append(labels, l)
		text += fmt.Sprintf("%d,%s,%s\n", x.ID, [...]string{"", "fraud", "legitimate", "withdrawn"}[l.verdict], known)
	}
	path := filepath.Join(t.TempDir(), "labels.csv")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	want := expected(t, et, rows, labels, allNames(et))
	for _, events := range []string{writeParquet(t, rows), writeCSV(t, rows)} {
		got, _ := replay(t, offline.Job{EventType: et, Features: allNames(et), Events: []string{events}, Labels: []string{path}})
		same(t, allNames(et), want, got)
	}
	require.False(t, slices.EqualFunc(want.columns, expected(t, et, rows, nil, allNames(et)).columns, slices.Equal), "the labels make a difference")
}

// TestReplayResumes: a run that was stopped goes on with what it finished, unless the job is another.
func TestReplayResumes(t *testing.T) {
	et := worldEventType(t)
	rows := world(5, 20_000)
	path := writeParquet(t, rows)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := offline.Job{EventType: et, Features: allNames(et), Events: []string{path}, Out: filepath.Join(t.TempDir(), "vectors.parquet"), Cores: 1, Resume: true}
	job.Progress = func(p offline.Progress) {
		if p.Stage == "computing" && 2*p.Done > p.Total {
			cancel()
		}
	}
	_, err := offline.Replay(ctx, job)
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, job.Out)
	require.DirExists(t, job.Out+".partial")

	job.Progress = nil
	report, err := offline.Replay(t.Context(), job)
	require.NoError(t, err)
	require.Positive(t, report.Resumed)
	require.NoDirExists(t, job.Out+".partial")
	plain := job
	plain.Resume = false
	want, _ := replay(t, plain)
	same(t, allNames(et), want, readAnswer(t, job.Out))

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	job.Progress = func(p offline.Progress) {
		if p.Stage == "writing" {
			cancel()
		}
	}
	_, err = offline.Replay(ctx, job)
	require.ErrorIs(t, err, context.Canceled)
	job.Events = []string{writeParquet(t, rows[:15_000])}
	report, err = offline.Replay(t.Context(), job)
	require.NoError(t, err)
	require.Zero(t, report.Resumed, "another input is another job")
}

// TestReplayRefuses what cannot be done, and leaves rows that cannot be used in a file.
func TestReplayRefuses(t *testing.T) {
	et := worldEventType(t)
	rows := world(6, 50)
	good := writeCSV(t, rows)
	out := filepath.Join(t.TempDir(), "vectors.parquet")
	for name, job := range map[string]offline.Job{
		"name at least one feature":      {Events: []string{good}},
		"named twice":                    {Events: []string{good}, Features: []string{"amount", "amount"}},
		"nothing.csv":                    {Events: []string{filepath.Join(t.TempDir(), "nothing.csv")}, Features: []string{"amount"}},
		"files end in .csv, .csv.gz":     {Events: []string{writeFile(t, "x.txt", "")}, Features: []string{"amount"}},
		"is not a folder":                {Events: []string{good}, Features: []string{"amount"}, Out: filepath.Join(out, "x", "y.parquet")},
		"has no column \"at\"":           {Events: []string{writeFile(t, "x.csv", "id\n1\n")}, Features: []string{"amount"}},
		"of the label files cannot be u": {Events: []string{good}, Labels: []string{writeFile(t, "l.csv", "event,verdict,known\n1,odd,\n")}, Features: []string{"amount"}},
	} {
		t.Run(name, func(t *testing.T) {
			job.EventType = et
			if job.Out == "" {
				job.Out = filepath.Join(t.TempDir(), "vectors.parquet")
			}
			_, err := offline.Replay(t.Context(), job)
			require.ErrorContains(t, err, name)
			require.NoFileExists(t, job.Out)
		})
	}

	text, err := os.ReadFile(good)
	require.NoError(t, err)
	bad := writeFile(t, "bad.csv", string(text)+"50,oops,c1,1,,,,,,1.00,0\n51,"+strconv.FormatInt(rows[49].At, 10)+",c1,1,,,,,,1.001,0\n")
	report, err := offline.Replay(t.Context(), offline.Job{EventType: et, Events: []string{bad}, Features: []string{"amount"}, Out: out})
	require.NoError(t, err)
	require.Equal(t, int64(2), report.Rejected)
	require.FileExists(t, report.Rejects)
	same(t, []string{"amount"}, expected(t, et, rows, nil, []string{"amount"}), readAnswer(t, out))
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}
