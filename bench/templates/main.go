// Command templates measures how fast templates are parsed, rendered and
// registered, on real ones, and against Python's Jinja2 in the same run.
//
//	go run ./bench/templates [-corpus DIR] [-rounds N] [-out FILE]
//
// DIR is a folder with jinja/CASE/template.yaml, jinja/CASE/VARIANT/ with
// parameters.json and expected.yaml, and bundles/. Python is compared with if
// HADRON_PYTHON names an interpreter that can import jinja2. FILE takes the rows
// as JSON; rows of other names that it holds already are kept.
//
// It never changes anything but FILE.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/bench/results"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/jinja"
)

func main() {
	corpus := flag.String("corpus", filepath.Join("..", "shared", "corpus"), "folder of real templates and bundles")
	rounds := flag.Int("rounds", 7, "how often each thing is measured; the median counts")
	out := flag.String("out", "", "file that takes the rows as JSON")
	flag.Parse()
	if err := run(*corpus, *rounds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "templates:", err)
		os.Exit(1)
	}
}

func run(corpus string, rounds int, out string) error {
	cases, err := readCases(filepath.Join(corpus, "jinja"))
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("nothing is measured: there are no templates in %s\n", filepath.Join(corpus, "jinja"))
		return nil
	}
	if err != nil {
		return err
	}
	python, err := startPython(cases)
	if err != nil {
		return err
	}
	defer python.close()
	m, err := measure(cases, python, max(rounds, 1))
	if err != nil {
		return err
	}
	rows := m.rows(len(cases), python)
	register, err := registration(filepath.Join(corpus, "bundles"), rounds)
	if err != nil {
		return err
	}
	rows = append(rows, register...)
	results.Print(os.Stdout, rows)
	if out == "" {
		return nil
	}
	return results.Write(out, rows)
}

// renderCase is one template with one set of variables.
type renderCase struct {
	Name     string          `json:"-"`
	Template string          `json:"t"`
	Raw      json.RawMessage `json:"v"`
	vars     *jinja.Map
	expected string
	parsed   *jinja.Template
}

func readCases(dir string) ([]*renderCase, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "parameters.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s has no cases: %w", dir, fs.ErrNotExist)
	}
	var out []*renderCase
	for _, f := range files {
		c := &renderCase{Name: filepath.Dir(f)}
		template, err := os.ReadFile(filepath.Join(filepath.Dir(f), "..", "template.yaml"))
		if err != nil {
			return nil, err
		}
		expected, err := os.ReadFile(filepath.Join(filepath.Dir(f), "expected.yaml"))
		if err != nil {
			return nil, err
		}
		if c.Raw, err = os.ReadFile(f); err != nil {
			return nil, err
		}
		c.Template, c.expected = string(template), string(expected)
		if c.vars, err = variables(c.Raw); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		if c.parsed, err = jinja.Parse("template.yaml", c.Template); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// seconds is what one pass over all cases took.
type seconds struct{ Parse, Render, Both float64 }

// goPass measures one pass; each is repeated, for it is short.
func goPass(cases []*renderCase) (s seconds, err error) {
	const repeats = 10
	timed := func(f func(*renderCase) error) float64 {
		start := time.Now()
		for range repeats {
			for _, c := range cases {
				if e := f(c); e != nil {
					err = fmt.Errorf("%s: %w", c.Name, e)
				}
			}
		}
		return time.Since(start).Seconds() / repeats
	}
	ctx, limits := context.Background(), jinja.DefaultLimits()
	s.Parse = timed(func(c *renderCase) error {
		_, err := jinja.Parse("template.yaml", c.Template)
		return err
	})
	s.Render = timed(func(c *renderCase) error {
		_, err := c.parsed.Render(ctx, c.vars, limits)
		return err
	})
	s.Both = timed(func(c *renderCase) error {
		t, err := jinja.Parse("template.yaml", c.Template)
		if err == nil {
			_, err = t.Render(ctx, c.vars, limits)
		}
		return err
	})
	return s, err
}

type measured struct {
	own, python []seconds
	same        int // outputs with the wanted bytes
}

func measure(cases []*renderCase, p *python, rounds int) (*measured, error) {
	m := &measured{}
	for i, c := range cases {
		got, err := c.parsed.Render(context.Background(), c.vars, jinja.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if got == c.expected && (p == nil || got == p.outputs[i]) {
			m.same++
		}
	}
	for range rounds {
		own, err := goPass(cases)
		if err != nil {
			return nil, err
		}
		m.own = append(m.own, own)
		if p == nil {
			continue
		}
		theirs, err := p.pass()
		if err != nil {
			return nil, err
		}
		m.python = append(m.python, theirs)
	}
	return m, nil
}

func median(list []seconds, of func(seconds) float64) float64 {
	values := make([]float64, len(list))
	for i, s := range list {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func (m *measured) rows(cases int, p *python) []results.Row {
	var rows []results.Row
	for _, what := range []struct {
		name string
		of   func(seconds) float64
		goal float64
	}{
		{"parse", func(s seconds) float64 { return s.Parse }, 0},
		{"render", func(s seconds) float64 { return s.Render }, 1},
		{"parse and render", func(s seconds) float64 { return s.Both }, 10},
	} {
		own := median(m.own, what.of) / float64(cases) * 1e6
		r := results.Row{Name: "templates: " + what.name, Value: own, Unit: "µs"}
		if p != nil {
			theirs := median(m.python, what.of) / float64(cases) * 1e6
			r.Reference = &results.Reference{Name: p.version, Value: theirs}
			rows = append(rows, r)
			if what.goal == 0 {
				continue
			}
			r = results.Row{Name: "templates: " + what.name + ", times faster than Python", Value: theirs / own, Unit: "x",
				Reference: &results.Reference{Name: p.version, Value: 1}, Goal: &results.Goal{Is: ">=", Value: what.goal}}
		}
		rows = append(rows, r)
	}
	name := "expected files"
	if p != nil {
		name += " and " + p.version
	}
	return append(rows, results.Row{Name: "templates: outputs with the same bytes", Value: float64(m.same), Unit: fmt.Sprintf("of %d", cases),
		Reference: &results.Reference{Name: name, Value: float64(cases)}, Goal: &results.Goal{Is: ">=", Value: float64(cases)}})
}

// registration measures what all checks of a registration take, on average.
func registration(dir string, rounds int) ([]results.Row, error) {
	schemas, err := filepath.Glob(filepath.Join(dir, "*", "*", "v1", "schema"))
	if err != nil || len(schemas) == 0 {
		return nil, err
	}
	type packed struct {
		archive []byte
		want    bundle.Want
	}
	var bundles []packed
	for _, s := range schemas {
		folder := filepath.Dir(s)
		archive, err := bundle.Pack(os.DirFS(folder), bundle.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		want := bundle.Want{Kind: bundle.EnvironmentTemplate}
		if !strings.Contains(folder, "environment-templates") {
			want.Kind = bundle.ServiceTemplate
		}
		bundles = append(bundles, packed{archive, want})
	}
	var took []seconds
	for range max(rounds, 1) {
		start := time.Now()
		for _, b := range bundles {
			if _, _, err := bundle.Register(b.archive, b.want, bundle.DefaultLimits()); err != nil {
				return nil, err
			}
		}
		took = append(took, seconds{Both: time.Since(start).Seconds() / float64(len(bundles))})
	}
	return []results.Row{{Name: "templates: register a bundle", Value: median(took, func(s seconds) float64 { return s.Both }) * 1e3, Unit: "ms"}}, nil
}
