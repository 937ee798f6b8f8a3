package bundle

import (
	"strings"
	"testing"
)

func TestDropInstanceKeepsTheRestOfTheSpec(t *testing.T) {
	t.Parallel()
	const spec = "proton: ServiceSpec\npipeline: {a: 1} # as it was\ninstances:\n  - name: dev\n    environment: one\n  # the real one\n  - name: prod\n    environment: two\n    spec: {port: 443}\n"
	got, err := DropInstance(spec, "dev")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseServiceSpec(got)
	if err != nil || len(parsed.Instances) != 1 || parsed.Instances[0].Name != "prod" {
		t.Errorf("%v: %s", err, got)
	}
	for _, kept := range []string{"# as it was", "# the real one", "port: 443"} {
		if !strings.Contains(got, kept) {
			t.Errorf("%q is gone:\n%s", kept, got)
		}
	}
	if same, err := DropInstance(spec, "other"); err != nil || same != spec {
		t.Errorf("without such an instance: %v\n%s", err, same)
	}
	if _, err := DropInstance("proton: [", "dev"); err == nil {
		t.Error("no YAML is taken")
	}
}
