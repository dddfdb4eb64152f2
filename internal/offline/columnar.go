package offline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/project"
)

// columnar reads a Parquet file by columns, for the usual types and mappings. It never decides that a row is bad or late:
// whatever it does not take as it stands ends it with errColumns, and the file is read as rows of text instead.
type columnar struct {
	file    *parquet.File
	eventOf *project.EventType
	judges  judges
	columns []*column
	fills   []func(b *batch, rows int) error // one a column, in turn
	labels  []uint32                         // verdicts of the batch
	known   []int64                          // when they are known
	last    int64                            // time of the row before
}

// readColumns gives use the rows of the files; sizes of what was read are told.
func readColumns(ctx context.Context, t *project.EventType, paths []string, w *words, use func(*batch) error, told func(bytes int64)) error {
	if t.Mapping == nil || len(t.Mapping.Lookups) > 0 {
		return errColumns
	}
	var last, done int64
	for _, path := range paths {
		err := readColumnFile(ctx, t, path, w, &last, use, func(bytes int64) { told(done + bytes) })
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		done += info.Size()
	}
	return nil
}

func readColumnFile(ctx context.Context, t *project.EventType, path string, w *words, last *int64, use func(*batch) error, told func(int64)) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(1<<18))
	if err != nil {
		return fmt.Errorf("%w: %w", errColumns, err)
	}
	c := &columnar{file: file, eventOf: t, judges: judges{&t.Schema, w}, last: *last}
	if err := c.bind(); err != nil {
		return err
	}
	defer func() {
		for _, column := range c.columns {
			err = errors.Join(err, column.close())
		}
	}()
	b, left := newBatch(&t.Schema), file.NumRows()
	for left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.reset()
		if err := c.fill(b, int(min(left, batchRows))); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		left -= int64(b.rows)
		if err := use(b); err != nil {
			return err
		}
		told(info.Size() - int64(float64(info.Size())*float64(left)/float64(file.NumRows())))
	}
	*last = c.last
	return nil
}

// bind finds the columns of the mapping and how each fills a batch.
func (c *columnar) bind() error {
	m, s := c.eventOf.Mapping, &c.eventOf.Schema
	var problems []error
	add := func(source project.Source, make func(*column) (func(b *batch, rows int) error, error)) {
		col, err := findColumn(c.file, source.Column)
		if err == nil {
			c.columns = append(c.columns, col)
			var fill func(b *batch, rows int) error
			if fill, err = make(col); err == nil {
				c.fills = append(c.fills, fill)
			}
		}
		problems = append(problems, err)
	}
	add(m.ID, c.ids)
	add(m.Time.Source, func(col *column) (func(*batch, int) error, error) {
		return c.instants(col, m.Time.Format, false, func(b *batch) []int64 { return b.times })
	})
	if m.Amount != nil {
		add(m.Amount.Source, c.amounts)
	}
	for i := range m.Entities {
		place := slices.IndexFunc(s.Entities, func(k features.EntityKind) bool { return k.Name == m.Entities[i].Name })
		add(m.Entities[i].Source, c.coded(c.judges.entity(place), func(b *batch) []uint32 { return b.entities[place] }))
	}
	for i := range m.Attributes {
		a := &m.Attributes[i]
		if a.Bands != nil {
			return errColumns
		}
		place := slices.IndexFunc(s.Attributes, func(k features.Attribute) bool { return k.Name == a.Name })
		add(a.Source, c.coded(c.judges.attribute(place, a), func(b *batch) []uint32 { return b.attributes[place] }))
	}
	for i := range m.Numbers {
		place := slices.IndexFunc(s.Numbers, func(k features.Number) bool { return k.Name == m.Numbers[i].Name })
		add(m.Numbers[i].Source, c.numbers(place))
	}
	if m.Label != nil {
		c.labels = make([]uint32, batchRows)
		add(m.Label.Source, c.coded(verdict(m.Label), func(*batch) []uint32 { return c.labels }))
		if m.Label.KnownAt != nil {
			c.known = make([]int64, batchRows)
			add(m.Label.KnownAt.Source, func(col *column) (func(*batch, int) error, error) {
				return c.instants(col, m.Label.KnownAt.Format, true, func(*batch) []int64 { return c.known })
			})
		}
	}
	return errors.Join(problems...)
}

// fill puts the next rows into the batch.
func (c *columnar) fill(b *batch, rows int) error {
	b.rows = rows
	for _, fill := range c.fills {
		if err := fill(b, rows); err != nil {
			if errors.Is(err, io.EOF) {
				return fmt.Errorf("%w: a column ends early", errColumns)
			}
			return err
		}
	}
	return c.check(b)
}

// segments gives use the next rows of a column, page by page.
func (c *columnar) segments(col *column, rows int, use func(s segment, from int) error) error {
	for from := 0; from < rows; {
		s, err := col.next(c.file, rows-from)
		if err != nil {
			return err
		}
		if err := use(s, from); err != nil {
			return err
		}
		from += s.rows
	}
	return nil
}

func (c *columnar) coded(judge func(string) (uint32, error), to func(*batch) []uint32) func(*column) (func(*batch, int) error, error) {
	return func(col *column) (func(*batch, int) error, error) {
		coder := newCoder(judge)
		return func(b *batch, rows int) error {
			return c.segments(col, rows, func(s segment, from int) error { return coder.fill(col, s, to(b)[from:]) })
		}, col.plain()
	}
}

func (c *columnar) ids(col *column) (func(*batch, int) error, error) {
	return func(b *batch, rows int) error {
		return c.segments(col, rows, func(s segment, from int) error {
			sound := true
			col.each(s, func(row, place int) {
				before := len(b.ids)
				switch {
				case place < 0:
				case col.values.integers != nil:
					b.ids = strconv.AppendInt(b.ids, col.values.integers[place], 10)
				default:
					b.ids = append(b.ids, col.values.bytes[col.values.offsets[place]:col.values.offsets[place+1]]...)
					sound = sound && utf8.Valid(b.ids[before:])
				}
				length := len(b.ids) - before
				sound = sound && length > 0 && length <= 128
				b.ends[from+row] = uint32(len(b.ids))
			})
			if !sound {
				return fmt.Errorf("%w: an id cannot be used", errColumns)
			}
			return nil
		})
	}, col.plain()
}

// never stands for a time that is absent.
const never = math.MinInt64

// instants reads points in time: typed ones, and counts of a unit.
func (c *columnar) instants(col *column, f project.TimeFormat, optional bool, to func(*batch) []int64) (func(*batch, int) error, error) {
	factor, divisor := f.Unit, int64(1)
	if stamp, ok := col.logical().(*format.TimestampType); ok {
		if unit := int64(stamp.Unit.Value.Duration()); unit >= 1000 {
			factor = unit / 1000
		} else {
			factor, divisor = 1, 1000/unit
		}
	} else if err := col.plain(); err != nil || factor == 0 || col.kind() == parquet.ByteArray {
		return nil, fmt.Errorf("%w: column %s is no count of time", errColumns, col.name)
	}
	limit := math.MaxInt64 / factor
	return func(b *batch, rows int) error {
		return c.segments(col, rows, func(s segment, from int) error {
			sound, out := true, to(b)[from:]
			col.each(s, func(row, place int) {
				if place < 0 {
					sound, out[row] = sound && optional, never
					return
				}
				x := col.values.integers[place]
				sound = sound && x < limit && x > -limit && x%divisor == 0
				out[row] = x * factor / divisor
			})
			if !sound {
				return fmt.Errorf("%w: a time in column %s", errColumns, col.name)
			}
			return nil
		})
	}, nil
}

// amounts reads whole minor units, or major units whose shortest decimal text has no more decimals than the currency.
func (c *columnar) amounts(col *column) (func(*batch, int) error, error) {
	power := 1.0
	if !c.eventOf.Mapping.Amount.Minor {
		power = math.Pow10(c.eventOf.Schema.MinorDigits)
	}
	if k := col.kind(); col.logical() != nil || k != parquet.Int32 && k != parquet.Int64 && k != parquet.Double {
		return nil, fmt.Errorf("%w: column %s is of type %s", errColumns, col.name, col.node.Type())
	}
	const most = 1e12 // minor units; more is refused whoever reads
	return func(b *batch, rows int) error {
		return c.segments(col, rows, func(s segment, from int) error {
			sound := true
			col.each(s, func(row, place int) {
				if place < 0 {
					sound = false
					return
				}
				var x float64
				if col.values.integers != nil {
					x = float64(col.values.integers[place])
				} else {
					x = col.values.floats[place]
				}
				units := math.Round(x * power)
				sound = sound && math.Abs(units) <= most && units/power == x
				b.amounts[from+row] = int64(units)
			})
			if !sound {
				return fmt.Errorf("%w: an amount in column %s", errColumns, col.name)
			}
			return nil
		})
	}, nil
}

func (c *columnar) numbers(place int) func(*column) (func(*batch, int) error, error) {
	return func(col *column) (func(*batch, int) error, error) {
		if k := col.kind(); col.logical() != nil || k != parquet.Int32 && k != parquet.Int64 && k != parquet.Double {
			return nil, fmt.Errorf("%w: column %s is of type %s", errColumns, col.name, col.node.Type())
		}
		ev, rule := c.judges.sound(), &c.eventOf.Schema
		return func(b *batch, rows int) error {
			return c.segments(col, rows, func(s segment, from int) (err error) {
				col.each(s, func(row, at int) {
					x := math.NaN()
					switch {
					case at < 0:
					case col.values.integers != nil:
						x = float64(col.values.integers[at])
					default:
						if x = col.values.floats[at]; math.IsNaN(x) {
							err = fmt.Errorf("%w: NaN in column %s", errColumns, col.name)
						}
					}
					ev.Numbers[place], b.numbers[place][from+row] = x, x
					if problem := rule.Validate(&ev); problem != nil {
						err = fmt.Errorf("%w: %w", errColumns, problem)
					}
				})
				return err
			})
		}, nil
	}
}

// check looks at the order of the batch's rows, at their times, and turns verdicts into labels.
func (c *columnar) check(b *batch) error {
	for row, t := range b.times[:b.rows] {
		if t < c.last {
			return fmt.Errorf("%w: the rows are not in the order of time", errColumns)
		}
		c.last = t
		if c.labels == nil || c.labels[row] == 0 {
			continue
		}
		l := batchLabel{row: row, verdict: features.Verdict(c.labels[row]), knownAt: t + c.eventOf.Labels.Delay}
		if c.known != nil && c.known[row] != never {
			l.knownAt = c.known[row]
		}
		b.labels = append(b.labels, l)
	}
	ev := c.judges.sound()
	for _, t := range []int64{b.times[0], c.last} {
		ev.Time = t
		if err := c.judges.schema.Validate(&ev); err != nil {
			return fmt.Errorf("%w: %w", errColumns, err)
		}
	}
	return nil
}
