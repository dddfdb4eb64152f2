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
		strings.Repeat("[", 100_000), strings.Repeat("{a: ", 50_000), strings.Repeat("- ", 100_000), strings.Repeat("? ", 50_000),
		"x: &a [1]\ny: &b [*a,*a,*a]\nz: &c [*b,*b,*b]", deep(3000), strings.Repeat("a:\n", 10_000), "a: " + strings.Repeat("9", 5000),
		"features: {" + strings.Repeat("a: {field: amount},", 2000) + "}", "policy: {rules: [{when: '" + strings.Repeat("(", 3000) + "'}]}",
		"features: {a: {expr: '" + strings.Repeat("(", 3000) + "'}}", "listen: 7\ndata: [", "data: /\npii_key_file: /dev/zero",
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
