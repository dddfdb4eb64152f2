package archtest

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestEveryRow plants in every package of the table an import that its row does not allow.
func TestEveryRow(t *testing.T) {
	for _, r := range table() {
		if r.may == anything {
			continue // bound by the monopolies alone
		}
		folder := strings.ReplaceAll(r.pkg, "*", "planted")
		found := plant(t, folder, "example.org/m/internal/elsewhere")
		require.Len(t, found, 1, folder)
		require.Contains(t, found[0].Problem, folder+" may not import internal/elsewhere (allowed:")
	}
}

// TestEveryMonopoly plants an import of every thing that only few may have into a package that is not among them.
func TestEveryMonopoly(t *testing.T) {
	for _, rule := range only() {
		path := rule.what
		if inTable(path) {
			path = "example.org/m/" + path
		}
		found := plant(t, "internal/dashboard", path)
		require.NotEmpty(t, found, rule.what)
		require.Contains(t, found[len(found)-1].Problem, rule.why)
	}
}

// TestMatch pins how the lists are read.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		list, folder string
		want         bool
	}{
		{"", "model", false},
		{"*", "model", true},
		{"features model", "model", true},
		{"features model", "mode", false},
		{"registry", "registry/sqlite", false},
		{"registry/*", "registry/sqlite", true},
		{"registry/*", "registry", false},
		{"registry/*", "registry/sqlite/migrations", false},
		{"registry/*", "registryother/x", false},
	} {
		require.Equal(t, c.want, match(c.list, c.folder), "%q %q", c.list, c.folder)
	}
}

func inTable(folder string) bool {
	_, ok := find(folder)
	return ok
}

func plant(t *testing.T, folder, path string) []Violation {
	t.Helper()
	text := fmt.Sprintf("// Package planted imports.\npackage planted\n\nimport _ %q\n", path)
	found, err := Check(fstest.MapFS{
		"go.mod":               {Data: []byte("module example.org/m\n")},
		folder + "/planted.go": {Data: []byte(text)},
	})
	require.NoError(t, err)
	return found
}
