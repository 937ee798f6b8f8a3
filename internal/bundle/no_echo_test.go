package bundle_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/bundle"
)

func TestValuesOfParametersWithNoEchoAreFound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Parameters:\n  A: {Type: String, NoEcho: true, Default: hunter2}\n  B: {Type: String, Default: plain}\nResources: {R: {Type: X, Properties: {P: !Ref A}}}\n": {"hunter2"},
		`{"Parameters": {"A": {"NoEcho": "true", "Default": "a b"}, "B": {"NoEcho": true, "Default": 12345678}, "C": {"NoEcho": true}}}`:                              {"12345678", "a b"},
		"Parameters:\n  A: {NoEcho: false, Default: shown}\n": nil,
		"NoEcho: [": nil,
		"":          nil,
	} {
		got := bundle.NoEcho([]byte(text))
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
