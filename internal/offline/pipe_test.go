package offline_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/offline"
)

const worldColumns = "id,at,customer,terminal,device,land,online,km,risk,amount,fraud"

func absent[T any](x *T) string {
	if x == nil {
		return `\N`
	}
	return fmt.Sprint(*x)
}

// lines writes rows as a cluster engine would.
func lines(rows []transfer) string {
	var b strings.Builder
	for _, x := range rows {
		fmt.Fprintf(&b, "%d\t%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, x.At, x.Customer, x.Terminal, absent(x.Device), absent(x.Land), absent(x.Online),
			absent(x.Km), absent(x.Risk), strconv.FormatFloat(x.Amount, 'f', -1, 64), absent(x.Fraud))
	}
	return b.String()
}

// checked takes the end marker off and checks what it says.
func checked(t testing.TB, out string, rows int) string {
	t.Helper()
	at := strings.LastIndex(out, `\.`)
	require.GreaterOrEqual(t, at, 0, "the answer has an end")
	require.Equal(t, fmt.Sprintf("\\.\t%d\t%d\t%08x\n", rows, rows, crc32.ChecksumIEEE([]byte(out[:at]))), out[at:])
	return out[:at]
}

func readLines(t testing.TB, text string, columns int) *answer {
	t.Helper()
	a := &answer{columns: make([][]uint64, columns)}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, cells, 2+columns)
		at, err := strconv.ParseInt(cells[1], 10, 64)
		require.NoError(t, err)
		a.ids, a.times = append(a.ids, cells[0]), append(a.times, at)
		for i, cell := range cells[2:] {
			x, err := strconv.ParseFloat(cell, 64)
			require.NoError(t, err)
			a.columns[i] = append(a.columns[i], math.Float64bits(x))
		}
	}
	return a
}

func pipe(t testing.TB, job offline.PipeJob, in string) string {
	t.Helper()
	var out bytes.Buffer
	job.In, job.Out = strings.NewReader(in), &out
	_, err := offline.Pipe(t.Context(), job)
	require.NoError(t, err)
	return out.String()
}

// grouped puts the rows of each key together, the groups in an order of their own.
func grouped(rows []transfer, key func(*transfer) string) []transfer {
	out := slices.Clone(rows)
	sort.SliceStable(out, func(i, j int) bool {
		return crc32.ChecksumIEEE([]byte(key(&out[i]))) < crc32.ChecksumIEEE([]byte(key(&out[j])))
	})
	return out
}

// reordered puts an answer into the order of the rows of another.
func reordered(a *answer, like *answer) *answer {
	at := map[string]int{}
	for i, id := range a.ids {
		at[id] = i
	}
	out := &answer{columns: make([][]uint64, len(a.columns))}
	for _, id := range like.ids {
		i := at[id]
		out.ids, out.times = append(out.ids, a.ids[i]), append(out.times, a.times[i])
		for c := range a.columns {
			out.columns[c] = append(out.columns[c], a.columns[c][i])
		}
	}
	return out
}

// TestPipe holds the vectors of a pipe against one engine, for rows in the order of time and for rows grouped by entity.
func TestPipe(t *testing.T) {
	et := worldEventType(t)
	rows := world(11, 3000)
	names := allNames(et)
	want := expected(t, et, rows, nil, names)
	job := offline.PipeJob{EventType: et, Format: "tsv"}
	header := strings.ReplaceAll(worldColumns, ",", "\t") + "\n"
	same(t, names, want, readLines(t, checked(t, pipe(t, job, header+lines(rows)), len(rows)), len(names)))
	job.Columns, job.End = strings.Split(worldColumns, ","), true
	same(t, names, want, readLines(t, checked(t, pipe(t, job, lines(rows)+`\.`+"\t3000\n"), len(rows)), len(names)))

	own := map[string][]string{
		"customer": {"amount", "hour", "country", "online", "customer_count_1h", "customer_count_1d", "customer_std_3d", "customer_km_1d", "customer_risk_1d", "customer_gap", "vs_usual"},
		"device":   {"amount", "hour", "country", "online", "device_count_1d", "device_seen"},
	}
	for kind, names := range own {
		key := map[string]func(*transfer) string{"customer": func(x *transfer) string { return x.Customer }, "device": func(x *transfer) string { return text(x.Device) }}[kind]
		job := offline.PipeJob{EventType: et, Format: "tsv", By: kind, Columns: strings.Split(worldColumns, ",")}
		got := readLines(t, checked(t, pipe(t, job, lines(grouped(rows, key))), len(rows)), len(names))
		same(t, names, expected(t, et, rows, nil, names), reordered(got, want))
	}
	checked(t, pipe(t, job, `\.`+"\t0\n"), 0)
}

// TestPipeArrow: the same through Arrow streams, and a stream that was cut is noticed wherever the cut is.
func TestPipeArrow(t *testing.T) {
	et := worldEventType(t)
	rows := world(12, 500)
	names := allNames(et)
	in := arrowStream(t, rows)
	out := pipe(t, offline.PipeJob{EventType: et, Format: "arrow"}, in)
	got := &answer{columns: make([][]uint64, len(names))}
	stream := strings.NewReader(out)
	reader, err := ipc.NewReader(stream)
	require.NoError(t, err)
	defer reader.Release()
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			got.ids = append(got.ids, batch.Column(0).(*array.String).Value(i))
			got.times = append(got.times, int64(batch.Column(1).(*array.Timestamp).Value(i)))
			for c := range names {
				got.columns[c] = append(got.columns[c], math.Float64bits(batch.Column(2+c).(*array.Float64).Value(i)))
			}
		}
	}
	require.NoError(t, reader.Err())
	rest, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(rest), `\.`), "the marker is what follows the stream")
	checked(t, out, len(rows))
	same(t, names, expected(t, et, rows, nil, names), got)
	checked(t, pipe(t, offline.PipeJob{EventType: et, Format: "arrow"}, arrowStream(t, nil)), 0)

	for _, cut := range []int{0, 1, 100, len(in) / 2, len(in) - 9, len(in) - 8, len(in) - 1} {
		var out bytes.Buffer
		_, err := offline.Pipe(t.Context(), offline.PipeJob{EventType: et, Format: "arrow", In: strings.NewReader(in[:cut]), Out: &out})
		require.Error(t, err, "cut after %d of %d bytes", cut, len(in))
		require.NotContains(t, out.String(), "\\.\t")
	}
}

func arrowStream(t testing.TB, rows []transfer) string {
	t.Helper()
	str, i64, f64 := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64
	var fields []arrow.Field
	for i, name := range strings.Split(worldColumns, ",") {
		kinds := []arrow.DataType{i64, arrow.FixedWidthTypes.Timestamp_us, str, arrow.PrimitiveTypes.Int32, i64, str, arrow.FixedWidthTypes.Boolean, f64, f64, f64, arrow.PrimitiveTypes.Int16}
		fields = append(fields, arrow.Field{Name: name, Type: kinds[i], Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(schema))
	build := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer build.Release()
	flush := func() {
		batch := build.NewRecordBatch()
		require.NoError(t, w.Write(batch))
		batch.Release()
	}
	for i, x := range rows {
		for c, cell := range strings.Split(strings.TrimSuffix(lines([]transfer{x}), "\n"), "\t") {
			switch f := build.Field(c); {
			case cell == `\N`:
				f.AppendNull()
			case c == 1:
				f.(*array.TimestampBuilder).Append(arrow.Timestamp(x.At))
			default:
				require.NoError(t, f.AppendValueFromString(cell))
			}
		}
		if i%170 == 169 {
			flush()
		}
	}
	flush()
	require.NoError(t, w.Close())
	return b.String()
}

// TestPipeEscapes: ids with tabs and line feeds come back as they went in, and text that looks like nothing is text.
func TestPipeEscapes(t *testing.T) {
	et := worldEventType(t)
	rest := "\t1700000000000000\tc\t1\t\\N\t\\N\t\\N\t\\N\t\\N\t1.00\t\\N\n"
	job := offline.PipeJob{EventType: et, Format: "tsv", Features: []string{"amount", "customer_std_3d"}, Columns: strings.Split(worldColumns, ",")}
	for _, id := range []string{`a\tb`, `a\nb`, `\\N`, `\\.`, `\r\\`, "N", "ü"} {
		require.Equal(t, id+"\t1700000000000000\t1\tNaN\n", checked(t, pipe(t, job, id+rest), 1))
	}
}

// TestPipeRefuses what would give wrong vectors: then there is no end marker.
func TestPipeRefuses(t *testing.T) {
	et := worldEventType(t)
	row := func(id string, at int, customer string) string {
		return fmt.Sprintf("%s\t%d\t%s\t1\t\\N\t\\N\t\\N\t\\N\t\\N\t1.00\t\\N\n", id, 1_700_000_000_000_000+at, customer)
	}
	columns := strings.Split(worldColumns, ",")
	for want, c := range map[string]struct {
		job offline.PipeJob
		in  string
	}{
		"row 3 (id c) is older than the row before":    {offline.PipeJob{}, row("a", 1, "x") + row("b", 1, "x") + row("c", 0, "y")},
		"is older than the row of its customer before": {offline.PipeJob{By: "customer"}, row("a", 9, "x") + row("b", 5, "y") + row("c", 4, "y")},
		`customer "x" comes back`:                      {offline.PipeJob{By: "customer"}, row("a", 1, "x") + row("b", 1, "y") + row("c", 2, "x")},
		`has no entity "shop"`:                         {offline.PipeJob{By: "shop"}, ""},
		"whole history that terminal_share_5d needs":   {offline.PipeJob{By: "customer", Features: []string{"amount", "terminal_share_5d"}}, ""},
		"the last line does not end":                   {offline.PipeJob{}, row("a", 1, "x") + "b\t1"},
		"without the end marker":                       {offline.PipeJob{End: true}, row("a", 1, "x")},
		"the caller sent 2 rows, 1 came":               {offline.PipeJob{End: true}, row("a", 1, "x") + "\\.\t2\n"},
		"rows after the end marker":                    {offline.PipeJob{End: true}, "\\.\t0\n" + row("a", 1, "x")},
		"is not \\., a tab and the number":             {offline.PipeJob{End: true}, "\\.\tx\n"},
		"row 2 has 3 cells where there are 11 columns": {offline.PipeJob{}, row("a", 1, "x") + "b\t1\tx\n"},
		`row 1: "a\\x" holds \x`:                       {offline.PipeJob{}, row(`a\x`, 1, "x")},
		"ends in the middle of an escape":              {offline.PipeJob{}, row(`a\`, 1, "x")},
		"row 1: id: is empty":                          {offline.PipeJob{}, row(`\N`, 1, "x")},
		"row 1: entities.customer: is required":        {offline.PipeJob{}, row("a", 1, `\N`)},
		"row 1: time: ":                                {offline.PipeJob{Columns: slices.Concat(columns[1:2], columns[:1], columns[2:])}, row("a", 1, "x")},
		`has no column "at"`:                           {offline.PipeJob{Columns: []string{"id"}}, ""},
	} {
		t.Run(want, func(t *testing.T) {
			var out bytes.Buffer
			job := c.job
			job.EventType, job.Format, job.In, job.Out = et, "tsv", strings.NewReader(c.in), &out
			if job.Columns == nil {
				job.Columns = columns
			}
			_, err := offline.Pipe(t.Context(), job)
			require.ErrorContains(t, err, want)
			require.NotContains(t, out.String(), "\\.\t", "no end marker after an error")
		})
	}
	_, err := offline.Pipe(t.Context(), offline.PipeJob{EventType: et, Format: "tsv", In: strings.NewReader(""), Out: io.Discard})
	require.ErrorContains(t, err, "the input is empty")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = offline.Pipe(ctx, offline.PipeJob{EventType: et, Format: "tsv", Columns: columns, In: strings.NewReader(strings.Repeat(row("a", 1, "x"), 5000)), Out: io.Discard})
	require.ErrorIs(t, err, context.Canceled)
}

// TestPipeForgets: a stream of very many groups takes new engines as it goes, and values do not change by it.
func TestPipeForgets(t *testing.T) {
	et := worldEventType(t)
	rows := world(13, 70_000)
	for i := range rows {
		rows[i].Customer = strconv.Itoa(i / 7)
	}
	names := []string{"customer_count_1d", "customer_gap"}
	job := offline.PipeJob{EventType: et, Format: "tsv", By: "customer", Features: names, Columns: strings.Split(worldColumns, ",")}
	same(t, names, expected(t, et, rows, nil, names), readLines(t, checked(t, pipe(t, job, lines(rows)), len(rows)), len(names)))
}
