package console

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The one file that is not ours is the one that was looked at.
func TestVendoredFileIsTheOneThatIsPinned(t *testing.T) {
	t.Parallel()
	file, err := static.ReadFile("static/htmx.min.js")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	reasons, err := os.ReadFile("../../docs/decisions/0002-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(reasons), hex.EncodeToString(sum[:])) {
		t.Errorf("htmx.min.js has the SHA-256 %x, which docs/decisions/0002-dependencies.md does not name", sum)
	}
}
