package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/engine"
)

func TestWriteFilesKeepsModesAndStaysInside(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := engine.WriteFiles(dir, []engine.File{
		{Path: "run.sh", Mode: 0o777, Content: []byte("x")},
		{Path: "deep/er/plain.txt", Content: []byte("y")},
		{Path: "read-only", Mode: 0o444},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"run.sh": 0o777, "deep/er/plain.txt": 0o644, "read-only": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", name, info.Mode(), want)
		}
	}
	if err := os.Symlink("..", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", ".", "../x", "a/../../x", "/etc/x", "a//b", "link/x", "run.sh/x"} {
		err := engine.WriteFiles(dir, []engine.File{{Path: bad}})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("file %q", bad)) {
			t.Errorf("%q: got error %v", bad, err)
		}
	}
	if err := engine.WriteFiles(dir, []engine.File{{Path: "twice"}, {Path: "twice"}}); err == nil {
		t.Error("a path given twice was written")
	}
	if _, err := os.Stat(filepath.Join(dir, "..", "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written outside: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "deep", "er"), 0o500); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := engine.RemoveFolder(dir); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
}

func TestEnvironmentIsScrubbed(t *testing.T) {
	t.Parallel()
	got := engine.Environ(engine.Environment([]string{"PATH=/bin", "HOME=/root", "AWS_SECRET_ACCESS_KEY=x", "TZ=UTC", "odd"}, "/h", "/t"))
	if diff := cmp.Diff([]string{"HOME=/h", "LANG=C.UTF-8", "PATH=/bin", "TMPDIR=/t", "TZ=UTC"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTransient(t *testing.T) {
	t.Parallel()
	ctx, cancel := engine.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	cases := []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("no such role"), false},
		{fmt.Errorf("call: %w", syscall.ECONNREFUSED), true},
		{&os.PathError{Op: "write", Err: syscall.ENOSPC}, true},
		{context.DeadlineExceeded, true},
		{context.Cause(ctx), false},
		{fmt.Errorf("x: %w", engine.MarkTransient(errors.New("throttled"))), true},
		{engine.MarkPermanent(context.Canceled), false},
	}
	for _, c := range cases {
		if got := engine.Transient(c.err); got != c.want {
			t.Errorf("Transient(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}
