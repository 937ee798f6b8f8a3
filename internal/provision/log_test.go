package provision

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/store"
)

// A command may print millions of lines at once. They are written in batches
// that hold the database for a moment only, and none is lost.
func TestFloodIsWrittenInSmallBatches(t *testing.T) {
	t.Parallel()
	total, largest := 0, 0
	j := startJournal(time.Now, 1, func(e store.Entries) {
		total, largest = total+len(e.Lines), max(largest, len(e.Lines))
	})
	const lines = 20 * waitLines
	n, err := io.Copy(j, bytes.NewReader(bytes.Repeat([]byte("y\n"), lines)))
	if n != 2*lines || err != nil {
		t.Fatalf("wrote %d bytes: %v", n, err)
	}
	j.Close()
	if total != lines || largest > waitLines {
		t.Errorf("%d lines were written, at most %d at once; want %d, at most %d", total, largest, lines, waitLines)
	}
}
