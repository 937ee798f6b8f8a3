package bundle

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus returns the folder of real bundles, which lies beside the project
// where it is built by its makers.
func corpus(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real bundles here: %s is missing", dir)
	}
	return dir
}

// bundlesBelow finds the bundles (folders with a schema) below a folder.
func bundlesBelow(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.Name() == "schema.yaml" {
			out = append(out, filepath.Dir(filepath.Dir(path)))
		}
		return err
	})
	if err != nil || len(out) == 0 {
		t.Fatalf("no bundles below %s (%v)", dir, err)
	}
	return out
}

func filesOf(t testing.TB, dir, prefix string) []entry {
	t.Helper()
	var out []entry
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out = append(out, entry{name: prefix + filepath.ToSlash(rel), content: string(content)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantFor(dir string) Want {
	if strings.Contains(dir, "environment-templates") {
		return Want{Kind: EnvironmentTemplate}
	}
	_, err := os.Stat(filepath.Join(dir, "pipeline_infrastructure"))
	return Want{Kind: ServiceTemplate, CustomerManaged: err != nil}
}

func TestRealBundlesRegisterHoweverTheyWereArchived(t *testing.T) {
	t.Parallel()
	prefixes := map[string]string{"at the root": "", "dot": "./", "wrapped once": "environment/",
		"wrapped twice": "service/loadbalanced-public-svc/", "leading slash": "/"}
	for _, name := range []string{"bundles", "manifests"} {
		for _, dir := range bundlesBelow(t, corpus(t, name)) {
			for how, prefix := range prefixes {
				t.Run(filepath.Base(filepath.Dir(dir))+"/"+how, func(t *testing.T) {
					t.Parallel()
					archive := tarGz(t, filesOf(t, dir, prefix)...)
					b, _, err := Register(archive, wantFor(dir), DefaultLimits())
					if err != nil {
						t.Fatal(err)
					}
					if b.SchemaText() == "" || b.HasPipeline() != (wantFor(dir) == Want{Kind: ServiceTemplate}) {
						t.Errorf("schema of %d bytes, pipeline %v", len(b.SchemaText()), b.HasPipeline())
					}
					again, err := Load(archive, DefaultLimits())
					if err != nil {
						t.Fatal(err)
					}
					if err := Compatible(b, again); err != nil {
						t.Errorf("not compatible with itself: %v", err)
					}
				})
			}
		}
	}
}

// specOf reads the sample spec beside a bundle.
func specOf(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "spec", "spec.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRealSpecsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, dir := range bundlesBelow(t, corpus(t, "bundles")) {
		t.Run(filepath.Base(filepath.Dir(dir)), func(t *testing.T) {
			t.Parallel()
			b, _, err := Register(tarGz(t, filesOf(t, dir, "")...), wantFor(dir), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			data, warnings, err := goldenData(b, specOf(t, dir))
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%v, warnings %v", err, warnings)
			}
			inputs := data.Environment.Inputs
			if b.Kind() == ServiceTemplate {
				inputs = data.Instance.Inputs
			}
			for _, p := range b.input.Properties() {
				if _, ok := inputs.Get(p.Name); !ok && (p.HasDefault || p.Required) {
					t.Errorf("input %s has no value", p.Name)
				}
			}
		})
	}
}
