package jinja

import (
	"context"
	"testing"
)

func BenchmarkParseCorpus(b *testing.B) {
	cases := corpusCases(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range cases {
			if _, err := Parse("t", c.template); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(cases)), "µs/template")
}

func BenchmarkRenderCorpus(b *testing.B) {
	cases := corpusCases(b)
	templates := make([]*Template, len(cases))
	for i, c := range cases {
		t, err := Parse("t", c.template)
		if err != nil {
			b.Fatal(err)
		}
		templates[i] = t
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, t := range templates {
			if _, err := t.Render(context.Background(), cases[i].vars, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(cases)), "µs/template")
}
