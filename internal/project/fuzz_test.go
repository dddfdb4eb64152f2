package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/examples"
	"github.com/haechi-fraud/haechi/internal/project"
)

// FuzzEventType feeds hostile text: no panic, violations instead; and what loads names itself: its document reads back to
// the same document and the same hash.
func FuzzEventType(f *testing.F) {
	for _, name := range []string{"small.yaml", "full.yaml"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(f, err)
		f.Add(string(text))
	}
	for _, text := range hostile() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		et, err := project.LoadEventType([]byte(text))
		if err != nil {
			var v project.Violations
			require.ErrorAs(t, err, &v)
			require.NotEmpty(t, v)
			return
		}
		again, err := project.LoadEventType(et.Document)
		require.NoError(t, err, string(et.Document))
		require.Equal(t, string(et.Document), string(again.Document))
		require.Equal(t, et.Hash, again.Hash)
	})
}

// FuzzConfig does the same to haechi.yaml.
func FuzzConfig(f *testing.F) {
	dir := f.TempDir()
	require.NoError(f, examples.Copy("card-payments", dir))
	config := filepath.Join(dir, project.ConfigFile)
	text, err := os.ReadFile(config)
	require.NoError(f, err)
	f.Add(string(text))
	for _, text := range hostile() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		require.NoError(t, examples.Copy("demo-payments", dir))
		require.NoError(t, os.WriteFile(filepath.Join(dir, project.ConfigFile), []byte(text), 0o600))
		if p, err := project.Load(dir); err == nil {
			require.NotEmpty(t, p.Config.Data)
		}
	})
}

func hostile() []string {
	return []string{
		"", "\x00", "\xff\xfe", "%", "?", "- ? [", "a: &a [*a]", "a: !!binary x", "<<: {}", "a: |\n", "{", "[[", "---\n---\n", "\t", ": :", "'", "a: \"\\u12\"",
		strings.Repeat("[", 2_000), strings.Repeat("{a: ", 1_000), strings.Repeat("- ", 2_000), strings.Repeat("? ", 1_000),
		"x: &a [1]\ny: &b [*a,*a,*a]\nz: &c [*b,*b,*b]", deep(200), strings.Repeat("a:\n", 1_000), "a: " + strings.Repeat("9", 5000),
		"features: {" + strings.Repeat("a: {field: amount},", 200) + "}", "policy: {rules: [{when: '" + strings.Repeat("(", 300) + "'}]}",
		"features: {a: {expr: '" + strings.Repeat("(", 300) + "'}}", "listen: 7\ndata: [", "data: /\npii_key_file: /dev/zero",
	}
}

// What would make the parser recurse or slow down without end is refused before it begins.
func TestHugeFilesAreRefused(t *testing.T) {
	for problem, text := range map[string]string{
		"larger than 256 KiB":       "a: " + strings.Repeat("x", 300<<10),
		"more than 10,000 entries":  strings.Repeat("a: b\n", 20_000),
		"nested too deeply":         strings.Repeat("[", 30_000),
		"nested too deeply to be":   strings.Repeat("- ", 30_000),
		"nested too deeply to be a": deep(400),
		"keys are written without":  strings.Repeat("? ", 30_000),
	} {
		_, err := project.LoadEventType([]byte(text))
		require.ErrorContains(t, err, problem)
	}
}

// deep nests one map per line, each a space further in.
func deep(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
