package offline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/haechi-fraud/haechi/features"
	"github.com/haechi-fraud/haechi/internal/ingest"
	"github.com/haechi-fraud/haechi/internal/project"
)

// PipeJob says how rows on a stream become vectors on another.
type PipeJob struct {
	EventType *project.EventType
	// Features names the values of a vector, in order; none means all that By allows.
	Features []string
	// By is an entity kind: the rows come grouped by its keys, and only its features are computed. Empty: the rows come in
	// the order of time, whatever their entities.
	By string
	// Format is "tsv" or "arrow".
	Format string
	// Columns names the columns of the rows as the import mapping does; tsv alone. When empty the first line names them.
	Columns []string
	// End says that the caller ends its rows with a marker line of its own; tsv alone, an Arrow stream always has one.
	End bool
	// Lookups names the files of lookups; a lookup that it does not name lies in Folder.
	Lookups map[string]string
	Folder  string
	In      io.Reader
	Out     io.Writer
}

// endMark begins the last line. No escaped text begins like it, so that no row can be taken for it.
const endMark = `\.`

// Pipe answers each row of In with its id, its time and its vector on Out, in the same order. When all went well the last
// line is the end marker with the number of rows in and out and a checksum of everything before the marker; after an
// error there is none.
func Pipe(ctx context.Context, job PipeJob) (rows int64, err error) {
	f, err := newFlow(&job)
	if err != nil {
		return 0, fmt.Errorf("pipe: %w", err)
	}
	out := &summed{to: bufio.NewWriterSize(job.Out, 1<<18)}
	var in int64
	if job.Format == "arrow" {
		in, err = f.arrow(ctx, job.In, out)
	} else {
		in, err = f.text(ctx, &job, out)
	}
	if err != nil {
		return f.rows, errors.Join(fmt.Errorf("pipe: %w", err), out.to.Flush())
	}
	_, err = fmt.Fprintf(out.to, "%s\t%d\t%d\t%08x\n", endMark, in, f.rows, out.sum)
	return f.rows, errors.Join(err, out.to.Flush())
}

// summed is a writer with the CRC-32 (IEEE) of what was written.
type summed struct {
	to  *bufio.Writer
	sum uint32
}

// Write implements io.Writer.
func (s *summed) Write(p []byte) (int, error) {
	s.sum = crc32.Update(s.sum, crc32.IEEETable, p)
	return s.to.Write(p)
}

// flow is the engine between two streams.
type flow struct {
	eventType   *project.EventType
	definitions []features.Definition
	names       []string
	by          int // position of the kind, -1 for none
	lookups     map[string]string
	folder      string
	mapper      *ingest.Mapper

	engine   *features.Engine
	vector   []float64
	rows     int64
	sequence uint64
	place    features.Placement
	labels   [1]features.Label
	last     int64
	key      string
	keys     map[string]struct{} // of the groups that are over
	fed      int                 // rows that the engine has seen
}

// renewal is how many rows of whole groups an engine sees before another takes over: what is over is forgotten.
const renewal = 1 << 16

func newFlow(job *PipeJob) (*flow, error) {
	t := *job.EventType
	if t.Mapping == nil {
		return nil, fmt.Errorf("event type %s declares no import; say which columns make an event under import:", t.Name)
	}
	f := &flow{eventType: &t, names: job.Features, by: -1, lookups: job.Lookups, folder: job.Folder}
	if job.By != "" {
		for i, k := range t.Schema.Entities {
			if k.Name == job.By {
				f.by = i
			}
		}
		if f.by < 0 {
			return nil, fmt.Errorf("by: event type %s has no entity %q", t.Name, job.By)
		}
		f.keys = map[string]struct{}{}
	}
	if err := f.choose(); err != nil {
		return nil, err
	}
	var err error
	if f.definitions, err = features.Needed(t.Definitions, f.names); err != nil {
		return nil, err
	}
	f.vector = make([]float64, len(f.definitions))
	return f, f.renew()
}

// choose settles which features are computed: with By none that needs another kind's history.
func (f *flow) choose() error {
	all := f.names == nil
	var foreign []string
	for i := range f.eventType.Definitions {
		if all {
			f.names = append(f.names, f.eventType.Definitions[i].Name)
		}
	}
	if f.by < 0 {
		return nil
	}
	kind := f.eventType.Schema.Entities[f.by].Name
	var own []string
	for _, name := range f.names {
		needed, err := features.Needed(f.eventType.Definitions, []string{name})
		if err != nil {
			return err
		}
		fits := true
		for i := range needed {
			fits = fits && (needed[i].Entity() == "" || needed[i].Entity() == kind)
		}
		if fits {
			own = append(own, name)
		} else {
			foreign = append(foreign, name)
		}
	}
	if foreign != nil && !all {
		return fmt.Errorf("rows that are grouped by %s do not hold the whole history that %s needs; leave that out, or give the rows in the order of time",
			kind, strings.Join(foreign, ", "))
	}
	f.names = own
	return nil
}

// bind takes the names of the columns.
func (f *flow) bind(columns []string, dated []bool) (err error) {
	m := f.eventType.Mapping
	if m.Label != nil && m.Label.Source.Lookup == "" && !has(columns, m.Label.Source.Column) && !f.readsLabels() {
		without := *m
		without.Label = nil
		f.eventType.Mapping = &without
	}
	f.mapper, err = ingest.NewMapper(f.eventType, columns, dated, f.lookups, f.folder)
	return err
}

func has(columns []string, name string) bool {
	for _, c := range columns {
		if c == name {
			return true
		}
	}
	return false
}

func (f *flow) readsLabels() bool {
	for i := range f.definitions {
		if f.definitions[i].ReadsLabels() {
			return true
		}
	}
	return false
}

func (f *flow) renew() (err error) {
	f.fed = 0
	f.engine, err = features.NewEngine(&f.eventType.Schema, f.definitions, features.EngineOptions{Shards: 16})
	return err
}

// row turns a row into its event and fills the vector.
func (f *flow) row(cells []string) (*features.Event, error) {
	ev, said, err := f.mapper.Event(cells)
	if err != nil {
		return nil, fmt.Errorf("row %d: %w", f.rows+1, err)
	}
	if err := f.order(ev); err != nil {
		return nil, err
	}
	f.sequence++
	f.place = features.Placement{Sequence: f.sequence, Outcome: features.InOrder}
	if said != nil && said.Verdict == features.Fraud {
		f.sequence++
		f.labels[0] = features.Label{Sequence: f.sequence, Verdict: said.Verdict, KnownAt: said.KnownAt}
		f.place.Labels = f.labels[:]
	}
	if _, err := f.engine.Observe(ev, f.vector, f.commit); err != nil {
		return nil, fmt.Errorf("row %d: %w", f.rows+1, err)
	}
	f.rows++
	f.fed++
	return ev, nil
}

func (f *flow) commit([]uint64) (features.Placement, error) { return f.place, nil }

// order refuses what would make a vector wrong: a row that is older than the one before it, an entity that comes back.
func (f *flow) order(ev *features.Event) error {
	if f.by >= 0 && (f.rows == 0 || ev.Entities[f.by] != f.key) {
		if f.rows > 0 {
			f.keys[f.key] = struct{}{}
		}
		f.key = strings.Clone(ev.Entities[f.by])
		kind := f.eventType.Schema.Entities[f.by].Name
		if _, over := f.keys[f.key]; over {
			return fmt.Errorf("row %d (id %s): %s %q comes back after others; the rows of one %s must stand together", f.rows+1, ev.ID, kind, f.key, kind)
		}
		f.last = ev.Time
		if f.fed >= renewal {
			return f.renew()
		}
		return nil
	}
	if ev.Time < f.last {
		within := ""
		if f.by >= 0 {
			within = " of its " + f.eventType.Schema.Entities[f.by].Name
		}
		return fmt.Errorf("row %d (id %s) is older than the row%s before it; sort the rows by time", f.rows+1, ev.ID, within)
	}
	f.last = ev.Time
	return nil
}
