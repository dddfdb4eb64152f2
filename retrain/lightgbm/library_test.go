package lightgbm

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindLibrary(t *testing.T) {
	t.Setenv("HAECHI_LIGHTGBM", "")
	root := t.TempDir()
	bin := filepath.Join(root, "bin", "deep")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	_, err := FindLibraryFrom(bin)
	require.ErrorContains(t, err, "make lightgbm")
	require.ErrorContains(t, err, "libgomp1")

	library := filepath.Join(root, libraryFile)
	require.NoError(t, os.MkdirAll(library, 0o755))
	_, err = FindLibraryFrom(bin)
	require.Error(t, err, "a folder is not a library")
	require.NoError(t, os.Remove(library))
	require.NoError(t, os.WriteFile(library, nil, 0o644))
	for _, dir := range []string{root, filepath.Join(root, "bin"), bin} {
		found, err := FindLibraryFrom(dir)
		require.NoError(t, err)
		require.Equal(t, library, found)
	}

	other := filepath.Join(bin, "other.so")
	t.Setenv("HAECHI_LIGHTGBM", other)
	_, err = FindLibrary()
	require.ErrorContains(t, err, "HAECHI_LIGHTGBM")
	require.NoError(t, os.WriteFile(other, nil, 0o644))
	found, err := FindLibrary()
	require.NoError(t, err)
	require.Equal(t, other, found)
}

func TestMissingOpenMPNamesItsPackage(t *testing.T) {
	require.Contains(t, explainLoad("libgomp.so.1: cannot open shared object file: No such file or directory"), "apt-get install -y libgomp1")
}
