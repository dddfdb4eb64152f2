package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	"github.com/haechi-fraud/haechi/internal/ingest"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// Importer brings files of history in.
type Importer interface {
	Import(ctx context.Context, files ImportFiles, progress func(ingest.Progress)) (ingest.Report, error)
}

// ImportFiles are the files of one import, received into a folder of their own.
type ImportFiles struct {
	EventType string
	Events    []string
	Labels    []string
	Lookups   map[string]string // name -> file
	Rejects   string            // where refused rows are to be written
}

type importService struct {
	haechiv1.UnimplementedImportServer
	importer Importer
	spool    string // folder for what is being received
}

// ImportFiles implements haechiv1.ImportServer.
func (s *importService) ImportFiles(stream grpc.BidiStreamingServer[haechiv1.ImportFilesRequest, haechiv1.ImportFilesResponse]) (err error) {
	if err := os.MkdirAll(s.spool, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.spool, "import-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := receiver{dir: dir, files: ImportFiles{Lookups: map[string]string{}, Rejects: filepath.Join(dir, "rejects.csv")}}
	if err := r.receive(stream); err != nil {
		return errors.Join(err, r.close())
	}
	send := func(p ingest.Progress) {
		m := &haechiv1.ImportFilesResponse{Step: p.Stage, Done: uint64(p.Bytes), Total: uint64(p.TotalBytes)}
		if p.Total > 0 {
			m.Done, m.Total = uint64(p.Appended), uint64(p.Total)
		}
		_ = stream.Send(m) // a caller that has left ends the stream's context, which ends the import
	}
	result, err := s.importer.Import(stream.Context(), r.files, send)
	if err != nil {
		return &receivedError{err, r.names()}
	}
	if err := sendRejects(stream, r.files.Rejects, r.names()); err != nil {
		return err
	}
	return stream.Send(&haechiv1.ImportFilesResponse{Result: &haechiv1.ImportFilesResponse_Result{
		Rows: uint64(result.Rows), EventsAdded: uint64(result.Events), EventsKnown: uint64(result.EventsKnown),
		LabelsAdded: uint64(result.Labels), LabelsKnown: uint64(result.LabelsKnown), RowsRejected: uint64(result.Rejected),
	}})
}

const rejectsBytes = 256 << 10

func sendRejects(stream grpc.BidiStreamingServer[haechiv1.ImportFilesRequest, haechiv1.ImportFilesResponse], path string, names *strings.Replacer) (err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var chunk []byte
	for in := bufio.NewReader(f); ; {
		line, err := in.ReadString('\n')
		chunk = append(chunk, names.Replace(line)...)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		if len(chunk) >= rejectsBytes || end && len(chunk) > 0 {
			if err := stream.Send(&haechiv1.ImportFilesResponse{Rejects: chunk}); err != nil {
				return err
			}
			chunk = nil
		}
		if end {
			return nil
		}
	}
}

// receivedError is an error about received files, by the names that the sender gave them.
type receivedError struct {
	error
	names *strings.Replacer
}

func (e *receivedError) Error() string { return e.names.Replace(e.error.Error()) }
func (e *receivedError) Unwrap() error { return e.error }

// receiver writes what the stream brings into files.
type receiver struct {
	dir   string
	files ImportFiles
	file  *os.File
	out   *bufio.Writer
}

func (r *receiver) receive(stream grpc.BidiStreamingServer[haechiv1.ImportFilesRequest, haechiv1.ImportFilesResponse]) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return invalid("begin", "never came: the stream ended before every file was sent")
		}
		if err != nil {
			return err
		}
		switch part := m.Part.(type) {
		case *haechiv1.ImportFilesRequest_Header_:
			r.files.EventType = part.Header.EventType
		case *haechiv1.ImportFilesRequest_File_:
			err = r.open(part.File)
		case *haechiv1.ImportFilesRequest_Chunk:
			err = r.write(part.Chunk)
		case *haechiv1.ImportFilesRequest_Begin:
			return r.ready()
		}
		if err != nil {
			return err
		}
	}
}

func (r *receiver) ready() error {
	if r.files.EventType == "" {
		return invalid("header", "is missing: it names the event type")
	}
	if len(r.files.Events)+len(r.files.Labels) == 0 {
		return invalid("file", "no file of events or labels was sent")
	}
	return r.close()
}

func (r *receiver) close() error {
	if r.file == nil {
		return nil
	}
	err := errors.Join(r.out.Flush(), r.file.Close())
	r.file = nil
	return err
}

// names turns the paths of received files into the names that the sender gave them.
func (r *receiver) names() *strings.Replacer {
	var pairs []string
	for i := range r.count() {
		pairs = append(pairs, r.sub(i)+string(filepath.Separator), "")
	}
	return strings.NewReplacer(pairs...)
}

func (r *receiver) count() int {
	return len(r.files.Events) + len(r.files.Labels) + len(r.files.Lookups)
}
func (r *receiver) sub(i int) string { return filepath.Join(r.dir, strconv.Itoa(i)) }

func (r *receiver) open(h *haechiv1.ImportFilesRequest_File) error {
	if err := r.close(); err != nil {
		return err
	}
	name := h.Name
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return invalid("file.name", fmt.Sprintf("%q must be a base name", name))
	}
	sub := r.sub(r.count())
	if err := os.Mkdir(sub, 0o700); err != nil {
		return err
	}
	path := filepath.Join(sub, name)
	switch h.Role {
	case haechiv1.ImportFilesRequest_File_ROLE_EVENTS:
		r.files.Events = append(r.files.Events, path)
	case haechiv1.ImportFilesRequest_File_ROLE_LABELS:
		r.files.Labels = append(r.files.Labels, path)
	default:
		if _, again := r.files.Lookups[h.Lookup]; again || h.Lookup == "" {
			return invalid("file.lookup", fmt.Sprintf("%q is empty or was sent twice", h.Lookup))
		}
		r.files.Lookups[h.Lookup] = path
	}
	var err error
	if r.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	r.out = bufio.NewWriterSize(r.file, 1<<20)
	return nil
}

func (r *receiver) write(chunk []byte) error {
	if r.file == nil {
		return invalid("chunk", "came before the header of its file")
	}
	_, err := r.out.Write(chunk)
	return err
}
