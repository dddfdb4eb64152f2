package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/haechi-fraud/haechi/internal/app"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func must(err error) {
	if err != nil {
		fmt.Println("ERR", err)
		os.Exit(1)
	}
}
func main() {
	ctx := context.Background()
	if code, is := app.Child(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); is {
		os.Exit(code)
	}
	if os.Args[1] == "matrix" {
		matrix(ctx, os.Args[2:])
		return
	}
	dir := os.Args[2]
	a, err := app.New(ctx, app.Options{Dir: dir, Command: "scratch", Self: os.Args[:1], Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	must(err)
	defer a.Stop(ctx)
	t0 := time.Now()
	switch os.Args[1] {
	case "rows":
		dumpRows(ctx, a, os.Args[2:])
	case "import":
		st, err := haechiv1.NewImportClient(a.Conn()).ImportFiles(ctx)
		must(err)
		must(st.Send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Header_{Header: &haechiv1.ImportFilesRequest_Header{EventType: os.Args[3]}}}))
		for i, f := range os.Args[4:] {
			h := &haechiv1.ImportFilesRequest_File{Role: haechiv1.ImportFilesRequest_File_ROLE_EVENTS, Name: filepath.Base(f)}
			if i > 0 {
				h.Role, h.Lookup = haechiv1.ImportFilesRequest_File_ROLE_LOOKUP, "customers"
			}
			must(st.Send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_File_{File: h}}))
			b, err := os.ReadFile(f)
			must(err)
			for len(b) > 0 {
				n := min(1<<20, len(b))
				must(st.Send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Chunk{Chunk: b[:n]}}))
				b = b[n:]
			}
		}
		must(st.Send(&haechiv1.ImportFilesRequest{Part: &haechiv1.ImportFilesRequest_Begin{Begin: true}}))
		st.CloseSend()
		last := ""
		for {
			m, err := st.Recv()
			must(err)
			if m.Step != last {
				last = m.Step
				fmt.Println(time.Since(t0), m.Step)
			}
			if m.Result != nil {
				fmt.Println(time.Since(t0), m.Result)
				return
			}
			if m.Rejects != nil {
				fmt.Println(string(m.Rejects[:min(500, len(m.Rejects))]))
			}
		}
	case "retrain": // dir type train0 train1 test0 test1 features known
		c := haechiv1.NewRetrainsClient(a.Conn())
		ts := func(s string) *timestamppb.Timestamp {
			layout := "2006-01-02"
			if len(s) > 10 {
				layout = time.RFC3339
			}
			t, err := time.Parse(layout, s)
			must(err)
			return timestamppb.New(t)
		}
		g := os.Args[3:]
		req := &haechiv1.StartRetrainRequest{EventType: g[0], Train: &haechiv1.Span{From: ts(g[1]), To: ts(g[2])}, Test: &haechiv1.Span{From: ts(g[3]), To: ts(g[4])}}
		if len(g) > 5 && g[5] != "" {
			req.Features = []string{g[5]}
		}
		if len(g) > 6 {
			req.ExcludeKnown = g[6]
		}
		r, err := c.StartRetrain(ctx, req)
		must(err)
		w, err := c.WatchRetrain(ctx, &haechiv1.WatchRetrainRequest{RunId: r.RunId})
		must(err)
		last := ""
		for {
			m, err := w.Recv()
			must(err)
			if m.Step != last {
				last = m.Step
				fmt.Println(time.Since(t0), m.Step)
			}
			if m.Run != nil {
				fmt.Println(time.Since(t0), m.Run.State, m.Run.Error, m.Run.Version)
				break
			}
		}
		ar, err := c.ReadArtifact(ctx, &haechiv1.ReadArtifactRequest{RunId: r.RunId, Name: "report.txt"})
		must(err)
		for {
			m, err := ar.Recv()
			if err == io.EOF {
				break
			}
			must(err)
			os.Stdout.Write(m.Chunk)
		}
	}
}
