package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/hadronhq/hadron/internal/jinja"
	"github.com/hadronhq/hadron/internal/schema"
)

// The benchmarks go over the real templates and bundles; one operation is all
// of them.

type benchCase struct {
	source string
	parsed *jinja.Template
	vars   *jinja.Map
}

func benchCases(b *testing.B) []benchCase {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(corpus(b, "jinja"), "*", "*", "parameters.json"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no cases (%v)", err)
	}
	var out []benchCase
	for _, f := range files {
		source, err := os.ReadFile(filepath.Join(filepath.Dir(f), "..", "template.yaml"))
		if err != nil {
			b.Fatal(err)
		}
		text, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		parameters := schema.NewObject()
		if err := json.Unmarshal(text, parameters); err != nil {
			b.Fatal(err)
		}
		parsed, err := jinja.Parse(f, string(source))
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, benchCase{string(source), parsed, toJinjaMap(parameters)})
	}
	return out
}

func benchTemplates(b *testing.B, f func(benchCase) error) {
	cases := benchCases(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range cases {
			if err := f(c); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(cases)), "µs/template")
}

func BenchmarkParse(b *testing.B) {
	benchTemplates(b, func(c benchCase) error {
		_, err := jinja.Parse("t", c.source)
		return err
	})
}

func BenchmarkRender(b *testing.B) {
	benchTemplates(b, func(c benchCase) error {
		_, err := c.parsed.Render(b.Context(), c.vars, jinja.DefaultLimits())
		return err
	})
}

func BenchmarkParseAndRender(b *testing.B) {
	benchTemplates(b, func(c benchCase) error {
		t, err := jinja.Parse("t", c.source)
		if err == nil {
			_, err = t.Render(b.Context(), c.vars, jinja.DefaultLimits())
		}
		return err
	})
}

func BenchmarkRegister(b *testing.B) {
	type packed struct {
		archive []byte
		want    Want
	}
	var bundles []packed
	for _, dir := range bundlesBelow(b, corpus(b, "bundles")) {
		bundles = append(bundles, packed{tarGz(b, filesOf(b, dir, "")...), wantFor(dir)})
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range bundles {
			if _, _, err := Register(p.archive, p.want, DefaultLimits()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(bundles)), "µs/bundle")
}
