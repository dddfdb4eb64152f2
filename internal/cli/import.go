package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type importCommand struct {
	Dir       string            `arg:"" help:"Project folder."`
	EventType string            `required:"" placeholder:"TYPE" help:"Event type of the files."`
	Events    files             `placeholder:"FILE" help:"Files of events: .csv, .csv.gz or .parquet; all names up to the next flag."`
	Labels    files             `placeholder:"FILE" help:"Files of labels, likewise."`
	Lookup    map[string]string `placeholder:"NAME=FILE" help:"File of a lookup; by default the one that the event type names, beside the events."`
}

// Run brings the files in.
func (c *importCommand) Run(ctx context.Context, e *env) error {
	if len(c.Events)+len(c.Labels) == 0 {
		return &usageError{errors.New("name files: --events FILE... or --labels FILE...")}
	}
	return e.use(ctx, target{Project: c.Dir}, "import", func(cl *client) error {
		up := &upload{env: e, client: cl, eventType: c.EventType, fallback: c.Dir}
		up.add(haechiv1.ImportFilesRequest_File_ROLE_EVENTS, "", c.Events...)
		up.add(haechiv1.ImportFilesRequest_File_ROLE_LABELS, "", c.Labels...)
		if err := c.addLookups(up, cl); err != nil {
			return err
		}
		return up.run(ctx)
	})
}

// addLookups sends the files that flags name and those that lie beside the events.
func (c *importCommand) addLookups(up *upload, cl *client) error {
	for name, path := range c.Lookup {
		up.add(haechiv1.ImportFilesRequest_File_ROLE_LOOKUP, name, path)
	}
	t, ok := cl.project.EventType(c.EventType)
	if !ok || t.Mapping == nil || len(c.Events) == 0 {
		return nil // the server says what is wrong
	}
	for _, l := range t.Mapping.Lookups {
		if _, given := c.Lookup[l.Name]; given {
			continue
		}
		path := filepath.Join(filepath.Dir(c.Events[0]), l.File)
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("lookup %s: %w; name its file with --lookup %s=FILE", l.Name, err, l.Name)
		}
		up.add(haechiv1.ImportFilesRequest_File_ROLE_LOOKUP, l.Name, path)
	}
	return nil
}

// upload sends files to the import service and shows how it gets on.
type upload struct {
	env       *env
	client    *client
	eventType string
	fallback  string // folder for rejects when the one of the files cannot be written to
	parts     []part
}

type part struct {
	role   haechiv1.ImportFilesRequest_File_Role
	lookup string
	path   string
}

func (u *upload) add(role haechiv1.ImportFilesRequest_File_Role, lookup string, paths ...string) {
	for _, path := range paths {
		u.parts = append(u.parts, part{role, lookup, path})
	}
	sort.SliceStable(u.parts, func(i, j int) bool { return u.parts[i].role < u.parts[j].role })
}

func (u *upload) run(ctx context.Context) error {
	var total int64
	for _, p := range u.parts {
		info, err := os.Stat(p.path)
		if err != nil {
			return err
		}
		total += info.Size()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := haechiv1.NewImportClient(u.client).ImportFiles(ctx)
	if err != nil {
		return err
	}
	bars := &steps{env: u.env}
	defer bars.close()
	if err := u.send(stream, bars, uint64(total)); err != nil {
		return err
	}
	return u.receive(stream, bars)
}

// importStream is the client's side of an import.
type importStream interface {
	Send(*haechiv1.ImportFilesRequest) error
	Recv() (*haechiv1.ImportFilesResponse, error)
	CloseSend() error
}

const chunkBytes = 1 << 20

func (u *upload) send(stream importStream, bars *steps, total uint64) error {
	header := &haechiv1.ImportFilesRequest_Header{EventType: u.eventType}
	if err := sendPart(stream, &haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Header_{Header: header}}); err != nil {
		return err
	}
	var done uint64
	for _, p := range u.parts {
		if err := p.send(stream, func(n int) { done += uint64(n); bars.show("send", done, total, true) }); err != nil {
			return err
		}
	}
	if err := sendPart(stream, &haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Begin{Begin: true}}); err != nil {
		return err
	}
	return stream.CloseSend()
}

// sendPart gives the server's reason when it has ended the stream.
func sendPart(stream importStream, m *haechiv1.ImportFilesRequest) error {
	err := stream.Send(m)
	if errors.Is(err, io.EOF) {
		_, err = stream.Recv()
	}
	return err
}

func (p part) send(stream importStream, sent func(int)) (err error) {
	f, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	header := &haechiv1.ImportFilesRequest_File{Role: p.role, Name: filepath.Base(p.path), Lookup: p.lookup}
	if err := sendPart(stream, &haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_File_{File: header}}); err != nil {
		return err
	}
	for buffer := make([]byte, chunkBytes); ; {
		n, err := io.ReadFull(f, buffer)
		if n > 0 {
			chunk := &haechiv1.ImportFilesRequest_Chunk{Chunk: buffer[:n]}
			if err := sendPart(stream, &haechiv1.ImportFilesRequest{Part: chunk}); err != nil {
				return err
			}
			sent(n)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (u *upload) receive(stream importStream, bars *steps) (err error) {
	r := &rejects{beside: u.parts[0].path, fallback: u.fallback}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.forget(); err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := r.write(m.Rejects); err != nil {
			return err
		}
		if m.Step != "" {
			bars.show(m.Step, m.Done, m.Total, m.Step == "reading")
		}
		if m.Result != nil {
			bars.close()
			return u.print(m.Result, r)
		}
	}
}

func (u *upload) print(out *haechiv1.ImportFilesResponse_Result, r *rejects) error {
	if u.env.json {
		return u.env.printJSON(out)
	}
	u.env.printf("%d rows: %d events added (%d were there), %d labels added (%d were there), %d rows rejected\n",
		out.Rows, out.EventsAdded, out.EventsKnown, out.LabelsAdded, out.LabelsKnown, out.RowsRejected)
	if r.path != "" {
		u.env.printf("rejected rows, with reasons: %s\n", r.path)
	}
	return nil
}
