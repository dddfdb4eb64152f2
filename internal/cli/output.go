package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// printJSON writes a message in the names of its proto, zero values too.
func (e *env) printJSON(m proto.Message) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil { // protojson's own spaces differ from run to run
		return fmt.Errorf("write JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(e.stdout)
	return err
}

// encode writes what has no proto.
func (e *env) encode(v any) error { return json.NewEncoder(e.stdout).Encode(v) }

// printLine writes a message as one line of JSON, without what is empty.
func printLine(w io.Writer, m proto.Message) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(w)
	return err
}

// printTable writes rows under a header.
func (e *env) printTable(header table.Row, rows []table.Row) {
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	t := table.NewWriter()
	t.SetStyle(style)
	t.AppendHeader(header)
	t.AppendRows(rows)
	fmt.Fprintln(e.stdout, t.Render())
}

func (e *env) printf(format string, args ...any) { fmt.Fprintf(e.stdout, format, args...) }

// short is enough of a version's digest to name it.
func short(version string) string { return version[:min(12, len(version))] }

func clock(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339)
}

// cut keeps a long text from breaking a table; show has all of it.
func cut(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-3]) + "..."
	}
	return text
}
