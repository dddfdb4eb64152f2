package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/haechi-fraud/haechi/registry"
)

// childFolder tells the test binary to be a process that puts versions into this folder until it is killed.
const childFolder = "HAECHI_REGISTRY_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// testVersion is the n-th version, its model large enough to be killed in the middle of.
func testVersion(n int) (registry.Version, []byte) {
	model := []byte("tree " + strconv.Itoa(n) + "\n" + strings.Repeat("0123456789abcde\n", 1<<13))
	return registry.Version{
		Digest: registry.Digest(model), EventType: "card_payment", Name: strconv.Itoa(n), Source: registry.SourceImport,
		CreatedAt: time.UnixMicro(int64(n)), Verified: registry.Unverified,
	}, model
}

// child puts one version after the other and assigns each, saying so after every acknowledgement.
func child(dir string) error {
	ctx := context.Background()
	s, err := Open(ctx, Options{Dir: dir})
	if err != nil {
		return err
	}
	head, err := s.Head(ctx, "card_payment")
	if err != nil {
		return err
	}
	for n := head.Revision; ; n++ {
		v, model := testVersion(int(n))
		if err := s.PutVersion(ctx, v, model); err != nil {
			return err
		}
		fmt.Println("put", n)
		if _, err := s.Assign(ctx, n, []registry.Assignment{{EventType: "card_payment", Role: registry.Champion, Version: v.Digest, Actor: "ana", Reason: "test"}}); err != nil {
			return err
		}
		fmt.Println("assigned", n+1)
	}
}

// A process killed at any moment leaves what it acknowledged, and of the rest all or nothing.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	put, assigned := -1, uint64(0)
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childFolder+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for seen := 0; lines.Scan(); seen++ {
			word, number, _ := strings.Cut(lines.Text(), " ")
			n, err := strconv.Atoi(number)
			require.NoError(t, err, lines.Text())
			if word == "put" {
				put = max(put, n)
			} else {
				assigned = max(assigned, uint64(n))
			}
			if seen == 3+round {
				time.AfterFunc(time.Duration(round)*700*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		require.ErrorContains(t, cmd.Wait(), "killed")
		checkAfterKill(t, dir, put, assigned)
	}
	require.Positive(t, put)
}

func checkAfterKill(t *testing.T, dir string, put int, assigned uint64) {
	t.Helper()
	ctx := t.Context()
	s := open(t, Options{Dir: dir})
	defer func() { require.NoError(t, s.Close()) }()
	for n := range put + 1 {
		want, model := testVersion(n)
		got, err := s.Model(ctx, want.Digest)
		require.NoError(t, err, "version %d was acknowledged", n)
		require.Equal(t, len(model), len(got))
	}
	all, err := s.ListVersions(ctx, "")
	require.NoError(t, err)
	for _, v := range all {
		_, err := s.Model(ctx, v.Digest)
		require.NoError(t, err, "a row without its file")
	}
	head, err := s.Head(ctx, "card_payment")
	require.NoError(t, err)
	require.GreaterOrEqual(t, head.Revision, assigned)
	require.LessOrEqual(t, int(head.Revision), len(all))
}

// A file whose row was never written, and what a killed write left beside it, hurt nobody.
func TestOrphans(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	defer func() { require.NoError(t, s.Close()) }()
	v, model := testVersion(1)
	artifacts := filepath.Join(dir, "artifacts")
	require.NoError(t, os.WriteFile(filepath.Join(artifacts, "."+v.Digest+"-1"), model[:9], 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(artifacts, v.Digest+".txt"), model, 0o600))
	_, err := s.Model(t.Context(), v.Digest)
	require.ErrorIs(t, err, registry.ErrNotFound)
	require.NoError(t, s.PutVersion(t.Context(), v, model))
	got, err := s.Model(t.Context(), v.Digest)
	require.NoError(t, err)
	require.Equal(t, model, got)
}

// A file is replaced, never written over: who reads the old one meanwhile reads it to its end.
func TestReplacedNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	defer func() { require.NoError(t, s.Close()) }()
	v, model := testVersion(1)
	path := filepath.Join(dir, "artifacts", v.Digest+".txt")
	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	reader, err := os.Open(path)
	require.NoError(t, err)
	require.NoError(t, s.PutVersion(t.Context(), v, model))
	old, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	require.Equal(t, "damaged", string(old))
	names, err := os.ReadDir(filepath.Join(dir, "artifacts"))
	require.NoError(t, err)
	require.Len(t, names, 1, "nothing is left beside it")
}

// Another process's assignments are seen by one that waits.
func TestAwaitOtherProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	defer func() { require.NoError(t, s.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	require.NoError(t, cmd.Start())
	for after := uint64(0); after < 5; {
		now, err := s.Await(ctx, "card_payment", after, 5*time.Millisecond)
		require.NoError(t, err)
		require.Greater(t, now, after)
		after = now
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
}
