package bundle

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func guide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "templates.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var titledBlock = regexp.MustCompile("(?ms)^```[a-z]+ title=\"([a-z]+)/([^\"]+)\"\n(.*?)^```$")

func TestTheGuidesExamplesRegisterAndRender(t *testing.T) {
	t.Parallel()
	bundles, specs := map[string][]entry{}, map[string]string{}
	for _, m := range titledBlock.FindAllStringSubmatch(guide(t), -1) {
		if m[2] == "spec.yaml" {
			specs[m[1]] = m[3]
			continue
		}
		bundles[m[1]] = append(bundles[m[1]], entry{name: m[2], content: m[3]})
	}
	if len(bundles) < 3 || len(specs) != len(bundles) {
		t.Fatalf("the guide has %d bundles and %d specs", len(bundles), len(specs))
	}
	for name, entries := range bundles {
		want := Want{}
		for _, e := range entries {
			if strings.HasPrefix(e.name, "instance_") {
				want = Want{Kind: ServiceTemplate, CustomerManaged: true}
			}
		}
		b, warnings, err := Register(tarGz(t, entries...), want, DefaultLimits())
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v, warnings:\n%s", name, err, joinProblems(warnings))
			continue
		}
		data, warnings, err := goldenData(b, specs[name])
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: spec: %v, %v", name, err, warnings)
			continue
		}
		for i := range partDirs {
			if _, ok := b.Method(Part(i)); !ok {
				continue
			}
			r, err := b.Render(t.Context(), Part(i), data)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if method, _ := b.Method(Part(i)); method == "CLOUDFORMATION" {
				if w, p := CheckCloudFormation(r.Files[0].Path, r.Files[0].Content); len(w)+len(p) > 0 {
					t.Errorf("%s: %v %v", name, w, p)
				}
			}
		}
	}
}

func TestTheGuideNamesEveryLimit(t *testing.T) {
	t.Parallel()
	text := guide(t)
	for f := range reflect.TypeFor[Limits]().Fields() {
		if name := f.Tag.Get("json"); name == "" || !strings.Contains(text, "| `"+name+"`") {
			t.Errorf("the guide does not name the limit %s (%q)", f.Name, name)
		}
	}
}
