package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/haechi-fraud/haechi/internal/project"
)

// Job says what to import.
type Job struct {
	EventType *project.EventType
	// Events and Labels are files that end in .csv, .csv.gz or .parquet; at least one of them. Rows that share a time keep
	// their order within a file and the order of the files.
	Events, Labels []string
	// Lookups overrides the file of a lookup by its name.
	Lookups map[string]string
	// Source is kept with each label; "import" when empty.
	Source string
	// Rejects is the file for rows that cannot be used; it is made only when there is one. Required.
	Rejects string
	// Scratch is the folder for temporary files of imports larger than memory; the system's when empty.
	Scratch string
	// MemoryMiB bounds what is sorted in memory; 1024 when 0.
	MemoryMiB int
	// Progress is called now and then, by the goroutine of Import; may be nil.
	Progress func(Progress)
}

// Progress of an import.
type Progress struct {
	Stage string // "reading", then "appending"
	// Bytes read of TotalBytes of all files, as they lie on disk.
	Bytes, TotalBytes int64
	Rows              int64 // read
	Rejected          int64
	Appended          int64 // events and labels handed over of Total, known ones included
	Total             int64 // 0 while reading
}

// InputError says that the job's files cannot be imported as they are.
type InputError struct{ err error }

func (e *InputError) Error() string { return e.err.Error() }
func (e *InputError) Unwrap() error { return e.err }

// Report is what an import did.
type Report struct {
	Rows         int64 // rows of all files
	Events       int64 // events added
	EventsKnown  int64 // events that were there already
	Labels       int64
	LabelsKnown  int64
	Rejected     int64
	RejectsFile  string           // empty when no row was rejected
	LookupMisses map[string]int64 // rows whose key a lookup did not hold, by its name
	From, To     int64            // first and last event time that was handed over, microseconds since the Unix epoch
}

// Import reads the job's files, puts their rows into the order of time and hands them to an Appender. Rows that cannot be
// used are written to Rejects and do not end it. What was appended before an error stays: repeat the import, rows that
// are there are not added twice.
func Import(ctx context.Context, job Job, into Appender) (_ Report, err error) {
	if err := job.check(); err != nil {
		return Report{}, &InputError{fmt.Errorf("import: %w", err)}
	}
	im, err := newImporter(ctx, job)
	if err != nil {
		return Report{}, fmt.Errorf("import %s: %w", job.EventType.Name, err)
	}
	defer func() {
		if closing := im.close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("import %s: %w", job.EventType.Name, closing))
		}
	}()
	if err := im.read(); err != nil {
		return im.report(), &InputError{fmt.Errorf("import %s: %w", job.EventType.Name, err)}
	}
	if err := im.append(into); err != nil {
		return im.report(), fmt.Errorf("import %s: %w", job.EventType.Name, err)
	}
	return im.report(), nil
}

func (j *Job) check() error {
	var problems []error
	if j.EventType == nil {
		return errors.New("name the event type")
	}
	if len(j.Events)+len(j.Labels) == 0 {
		problems = append(problems, errors.New("name at least one file of events or labels"))
	}
	if len(j.Events) > 0 && j.EventType.Mapping == nil {
		problems = append(problems, fmt.Errorf("event type %s declares no import; say which columns make an event under import:", j.EventType.Name))
	}
	if len(j.Labels) > 0 && (j.EventType.Mapping == nil || j.EventType.Mapping.Labels == nil) {
		problems = append(problems, fmt.Errorf("event type %s declares no label file; say which columns make a label under import: labels:", j.EventType.Name))
	}
	if j.Rejects == "" {
		problems = append(problems, errors.New("name the file for rejected rows"))
	}
	for _, path := range slices.Concat(j.Events, j.Labels) {
		if _, err := os.Stat(path); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// importer is one import under way.
type importer struct {
	ctx     context.Context
	job     Job
	files   []string
	rejects *rejects
	events  *sorter
	labels  *sorter
	times   map[[16]byte]int64 // event time by hash of the id; only kept for label files
	row     uint64             // of all files, for the order of rows that share a time
	misses  map[string]int64
	state   Progress
	done    int64 // bytes of the files that were read to their end
	buffer  []byte
	outcome Report
}

func newImporter(ctx context.Context, job Job) (*importer, error) {
	if job.Source == "" {
		job.Source = "import"
	}
	if job.MemoryMiB == 0 {
		job.MemoryMiB = 1024
	}
	im := &importer{ctx: ctx, job: job, files: slices.Concat(job.Events, job.Labels), misses: make(map[string]int64)}
	var err error
	if im.rejects, err = newRejects(job.Rejects, im.files); err != nil {
		return nil, err
	}
	half := job.MemoryMiB << 19
	im.events, im.labels = newSorter(job.Scratch, half), newSorter(job.Scratch, half)
	if len(job.Labels) > 0 {
		im.times = make(map[[16]byte]int64)
	}
	for _, path := range im.files {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		im.state.TotalBytes += info.Size()
	}
	return im, nil
}

func (im *importer) close() error {
	return errors.Join(im.rejects.close(), im.events.close(), im.labels.close())
}

func (im *importer) report() Report {
	r := im.outcome
	r.Rows, r.Rejected, r.LookupMisses = im.state.Rows, im.rejects.count, im.misses
	if r.Rejected > 0 {
		r.RejectsFile = im.job.Rejects
	}
	return r
}

// tell reports progress.
func (im *importer) tell() {
	im.state.Rejected = im.rejects.count
	if im.job.Progress != nil {
		im.job.Progress(im.state)
	}
}
