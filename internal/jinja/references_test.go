package jinja

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReferencesOfALongLineTakeNoLongTime(t *testing.T) {
	t.Parallel()
	const n = 50_000
	tmpl, err := Parse("t", strings.Repeat("{{ é.y }}", n))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	got := tmpl.References()
	if took := time.Since(start); len(got) != n || got[n-1].Column != 9*(n-1)+4 || took > 2*time.Second {
		t.Errorf("%d references in %v, the last %+v", len(got), took, got[len(got)-1])
	}
}

func TestReferencesStayShort(t *testing.T) {
	t.Parallel()
	tmpl, err := Parse("t", "{% set a = v %}"+strings.Repeat("{% set a = a.x %}{{ a }}", 1000))
	if err != nil {
		t.Fatal(err)
	}
	got := tmpl.References()
	if len(got) != 2001 || len(got[2000].Path) != maxReference || got[2000].Path[0] != "v" {
		t.Errorf("%d references, the last %v", len(got), got[len(got)-1])
	}
}

func TestReferencesAreThePathsATemplateReads(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"{{ a.inputs.x }}":                               "1:4 a.inputs.x",
		"\n  {{ é ~ a['b'] }}":                           "2:6 é; 2:10 a.b",
		"{{ a.list[0].x }} {{ a.list[-1] }}{{ a[k].x }}": "1:4 a.list.*.x; 1:22 a.list.*; 1:38 a; 1:40 k",
		"{% for s in all %}{{ s.inputs.x }}{{ loop.index }}{% else %}{{ s }}{% endfor %}": "1:13 all+; 1:22 all.*.inputs.x; 1:64 s",
		"{% for s in all if s.on %}{% endfor %}":                                          "1:13 all+; 1:20 all.*.on",
		"{% for k, v in a.items() %}{{ k }}{{ v.x }}{% endfor %}":                         "1:16 a",
		"{% set i = a.inputs %}{{ i.x }}{% set j = i.y | upper %}{{ j.z }}":               "1:12 a.inputs+; 1:26 a.inputs.x; 1:43 a.inputs.y",
		"{{ a.inputs.x is defined }}{{ a.b.c | default(d.e) }}":                           "1:4 a.inputs.x; 1:31 a.b.c; 1:47 d.e",
		"{{ a.x.split(b.c) }}{{ a.inputs.get('x', c) }}{{ a.get(k) }}":                    "1:4 a.x; 1:14 b.c; 1:24 a.inputs.x; 1:42 c; 1:50 a; 1:56 k",
		"{{ a.outputs.my-name }}":                                                         "1:4 a.outputs.my-name|my",
		"{% macro m(p, q=a.d) %}{{ p.x }}{{ a.x }}{% endmacro %}{{ m(a.y) }}":             "1:17 a.d; 1:36 a.x; 1:61 a.y",
		"{% with x = a.b %}{{ x.c }}{% endwith %}{{ x.d }}":                               "1:13 a.b+; 1:22 a.b.c; 1:44 x.d",
		"{{ {'k': {'a': 1}}[a.b[0].c] | tojson }}{{ 1 if a.x else [a.y, (b,)] }}":         "1:20 a.b.*.c; 1:49 a.x; 1:59 a.y; 1:65 b",
		"{% raw %}{{ a.x }}{% endraw %}{# a.x #}text":                                     "",
	} {
		tmpl, err := Parse("t", source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var got []string
		for _, r := range tmpl.References() {
			path := strings.Join(append([]string{strings.Join(r.Path, ".")}, r.Or...), "|")
			if r.Followed {
				path += "+"
			}
			got = append(got, fmt.Sprintf("%d:%d %s", r.Line, r.Column, path))
		}
		if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
}

// What the references do not name can be taken away and nothing changes.
func TestReferencesLeaveNothingOut(t *testing.T) {
	t.Parallel()
	g := &generate{rnd: rand.New(rand.NewPCG(7, 1))}
	parsed := 0
	for range 3000 {
		source, vars := g.template(), g.vars()
		tmpl, err := Parse("t", source)
		if err != nil {
			continue
		}
		parsed++
		read := map[string]bool{}
		for _, r := range tmpl.References() {
			if r.Line < 1 || r.Column < 1 || len(r.Path) == 0 {
				t.Fatalf("%q: reference %+v", source, r)
			}
			read[r.Path[0]] = true
		}
		want, wantErr := tmpl.Render(t.Context(), vars, Limits{})
		for _, name := range vars.Keys() {
			if !read[name] {
				vars.Delete(name)
			}
		}
		got, gotErr := tmpl.Render(t.Context(), vars, Limits{})
		if got != want && !strings.Contains(want, " at 0x") || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%q with %s only: got %q, %v, want %q, %v", source, vars.Keys(), got, gotErr, want, wantErr)
		}
	}
	if parsed < 1000 {
		t.Errorf("only %d templates parsed", parsed)
	}
}
