package bundle

import (
	"bytes"
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestPackMakesAnArchiveThatRegisters(t *testing.T) {
	t.Parallel()
	folder := fstest.MapFS{".git/config": {Data: []byte("x")}}
	for _, e := range minimal() {
		folder[e.name] = &fstest.MapFile{Data: []byte(e.content), Mode: fs.FileMode(max(e.mode, 0o644))}
	}
	archive, err := Pack(folder, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := Register(archive, Want{}, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if f, _ := b.file("infrastructure/run.sh"); f.mode != 0o755 || len(b.files) != 3 {
		t.Errorf("run.sh has mode %o; %d files, want 3", f.mode, len(b.files))
	}
	if again, err := Pack(folder, DefaultLimits()); err != nil || !bytes.Equal(archive, again) {
		t.Errorf("packed again it differs (%v)", err)
	}
	folder["link"] = &fstest.MapFile{Mode: fs.ModeSymlink}
	if _, err := Pack(folder, DefaultLimits()); err == nil || err.Error() != "pack the bundle: link is not a regular file" {
		t.Errorf("got %v", err)
	}
	small := DefaultLimits()
	small.Entries = 2
	delete(folder, "link")
	if _, err := Pack(folder, small); err == nil {
		t.Error("more files than the limit were packed")
	}
}
