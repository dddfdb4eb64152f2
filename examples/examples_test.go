package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/haechi-fraud/haechi/examples"
)

func TestCopyWritesWhatTheFolderHolds(t *testing.T) {
	for _, name := range examples.Names() {
		dir := filepath.Join(t.TempDir(), "new", "project")
		require.NoError(t, examples.Copy(name, dir))
		var want, got []string
		collect(t, name, &want)
		collect(t, dir, &got)
		require.Equal(t, want, got, name)
		require.Contains(t, got, "haechi.yaml")
		require.Contains(t, got, "README.md")
		require.Contains(t, got, ".gitignore")
		for _, file := range got {
			wanted, err := os.ReadFile(filepath.Join(name, file))
			require.NoError(t, err)
			copied, err := os.ReadFile(filepath.Join(dir, file))
			require.NoError(t, err)
			require.Equal(t, string(wanted), string(copied), file)
		}
	}
}

func TestCopyNamesEveryFolder(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var folders []string
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, e.Name())
		}
	}
	require.ElementsMatch(t, folders, examples.Names())
}

func TestCopyReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "event_types", "card_payment.yaml")
	require.NoError(t, os.MkdirAll(filepath.Dir(mine), 0o750))
	require.NoError(t, os.WriteFile(mine, []byte("mine"), 0o600))
	require.ErrorContains(t, examples.Copy("card-payments", dir), "exists already")
	text, err := os.ReadFile(mine)
	require.NoError(t, err)
	require.Equal(t, "mine", string(text))
	_, err = os.Stat(filepath.Join(dir, "haechi.yaml"))
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing else may be written either")
}

func TestCopyRefusesWhatIsNotAnExample(t *testing.T) {
	for _, name := range []string{"", ".", "card", "../examples/card-payments"} {
		require.ErrorContains(t, examples.Copy(name, t.TempDir()), "card-payments, us-card-payments, demo-payments")
	}
}

func collect(t *testing.T, dir string, files *[]string) {
	require.NoError(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, rerr := filepath.Rel(dir, p)
			require.NoError(t, rerr)
			*files = append(*files, rel)
		}
		return err
	}))
}
