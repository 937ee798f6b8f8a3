package control

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
)

// docs/compatibility.md is made from a list of the operations that are carried
// out. The list must not promise more, or less, than Plane does.
func TestPlaneCarriesOutWhatTheCompatibilityTableSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../gen/model/implemented.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(text))
	got := api.Implemented(&Plane{})
	sorted := map[string]bool{}
	for _, name := range got {
		sorted[name] = true
	}
	for _, name := range want {
		if !sorted[name] {
			t.Errorf("%s stands in the table, but Plane does not carry it out", name)
		}
		delete(sorted, name)
	}
	if len(sorted) > 0 {
		t.Errorf("Plane carries out operations that the table says are open: %v", cmp.Diff(nil, sorted))
	}
}
