package archtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/internal/archtest"
)

// TestModule holds this module against the rules.
func TestModule(t *testing.T) {
	found, err := archtest.Check(os.DirFS("../.."))
	require.NoError(t, err)
	for _, v := range found {
		t.Error(v)
	}
}

// TestRules plants one violation in a small tree that keeps all rules, testdata/clean.txtar, and expects to see that
// one found. Each file of testdata/violations is the files that it adds or replaces, then the lines expected in `want`.
func TestRules(t *testing.T) {
	found, err := archtest.Check(tree(t, "testdata/clean.txtar"))
	require.NoError(t, err)
	require.Empty(t, found, "the tree without violations")

	plants, err := filepath.Glob("testdata/violations/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, plants)
	for _, plant := range plants {
		t.Run(strings.TrimSuffix(filepath.Base(plant), ".txtar"), func(t *testing.T) {
			planted := tree(t, "testdata/clean.txtar", plant)
			want := string(planted["want"].Data)
			require.NotEmpty(t, want, "what is to be found")
			delete(planted, "want")
			found, err := archtest.Check(planted)
			require.NoError(t, err)
			var got strings.Builder
			for _, v := range found {
				got.WriteString(v.String() + "\n")
			}
			require.Equal(t, want, got.String())
		})
	}
}

// TestUnreadable tells a broken tree from one without violations.
func TestUnreadable(t *testing.T) {
	_, err := archtest.Check(fstest.MapFS{})
	require.ErrorContains(t, err, "go.mod")
	_, err = archtest.Check(fstest.MapFS{
		"go.mod":               {Data: []byte("module example.org/m\n")},
		"features/features.go": {Data: []byte("package")},
	})
	require.ErrorContains(t, err, "features.go")
}

func tree(t *testing.T, archives ...string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		require.NoError(t, err)
		for _, f := range archive.Files {
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return files
}
