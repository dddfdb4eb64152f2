package lightgbm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const libraryFile = "lib/lightgbm/lib_lightgbm.so"

const howToInstall = "run `make lightgbm` in the project's folder (on Debian and Ubuntu it also needs: apt-get install -y libgomp1)"

// FindLibrary finds lib_lightgbm.so: the file that HAECHI_LIGHTGBM names, else
// lib/lightgbm/lib_lightgbm.so beside or above the running binary.
func FindLibrary() (string, error) {
	binary, err := os.Executable()
	if err == nil {
		binary, err = filepath.EvalSymlinks(binary)
	}
	if err != nil {
		return "", fmt.Errorf("find LightGBM's library: %w; name it in HAECHI_LIGHTGBM", err)
	}
	return FindLibraryFrom(filepath.Dir(binary))
}

// FindLibraryFrom is FindLibrary for another folder than the binary's: tests
// start from their own.
func FindLibraryFrom(dir string) (string, error) {
	if path := os.Getenv("HAECHI_LIGHTGBM"); path != "" {
		if !isFile(path) {
			return "", fmt.Errorf("HAECHI_LIGHTGBM names %s, which is not a file: %s", path, howToInstall)
		}
		return filepath.Abs(path)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find LightGBM's library: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if path := filepath.Join(at, libraryFile); isFile(path) {
			return path, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("there is no %s in %s or above: %s", libraryFile, dir, howToInstall)
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// explainLoad turns the dynamic loader's words into what to do.
func explainLoad(message string) string {
	if strings.Contains(message, "libgomp") {
		return message + ": LightGBM needs OpenMP's library: apt-get install -y libgomp1"
	}
	return message + ": " + howToInstall
}
