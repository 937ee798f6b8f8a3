package jinja

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sharedDir finds the data that lives beside the project, or skips the test.
func sharedDir(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
	}
	path := filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the test data %s is not beside the project", name)
	}
	return path
}

// decodeJSON reads JSON as template values: key order and integers kept.
func decodeJSON(t testing.TB, data []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decodeValue(d)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func decodeValue(d *json.Decoder) (any, error) {
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Number:
		if b, ok := new(big.Int).SetString(tok.String(), 10); ok {
			if b.IsInt64() {
				return b.Int64(), nil
			}
			return b, nil
		}
		return tok.Float64()
	case json.Delim:
		if tok == '[' {
			items := []any{}
			for d.More() {
				v, err := decodeValue(d)
				if err != nil {
					return nil, err
				}
				items = append(items, v)
			}
			_, err := d.Token()
			return items, err
		}
		m := NewMap()
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeValue(d)
			if err != nil {
				return nil, err
			}
			m.Set(key.(string), v)
		}
		_, err := d.Token()
		return m, err
	}
	return tok, nil
}

func readFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type corpusCase struct {
	name, template, want string
	vars                 *Map
}

// corpusCases loads every real template with its parameters and the output
// Python's Jinja2 gives for them.
func corpusCases(t testing.TB) []corpusCase {
	t.Helper()
	root := sharedDir(t, "corpus/jinja")
	files, err := filepath.Glob(filepath.Join(root, "*", "*", "parameters.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus cases in %s (%v)", root, err)
	}
	var cases []corpusCase
	for _, f := range files {
		dir := filepath.Dir(f)
		cases = append(cases, corpusCase{
			name:     filepath.Base(filepath.Dir(dir)) + "/" + filepath.Base(dir),
			template: string(readFile(t, dir, "..", "template.yaml")),
			want:     string(readFile(t, dir, "expected.yaml")),
			vars:     decodeJSON(t, readFile(t, f)).(*Map),
		})
	}
	return cases
}

func TestCorpusRendersAsPythonDoes(t *testing.T) {
	t.Parallel()
	for _, c := range corpusCases(t) {
		tmpl, err := Parse("template.yaml", c.template)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := tmpl.Render(context.Background(), c.vars, Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s differs (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestProbesRenderAsPythonDoes(t *testing.T) {
	t.Parallel()
	probes := decodeJSON(t, readFile(t, sharedDir(t, "corpus/probes.json"))).(*Map)
	params, _ := probes.Get("parameters")
	cases, _ := probes.Get("cases")
	if len(cases.([]any)) == 0 {
		t.Fatal("no probes")
	}
	for _, c := range cases.([]any) {
		source, _ := c.(*Map).Get("template")
		want, ok := c.(*Map).Get("output")
		got, err := renderText(source.(string), params.(*Map))
		switch {
		case !ok && err == nil:
			reason, _ := c.(*Map).Get("error")
			t.Errorf("%s\n  got  %q\n  want error %v", source, got, reason)
		case ok && err != nil:
			t.Errorf("%s\n  got error %v\n  want %q", source, err, want)
		case ok && got != want:
			t.Errorf("%s\n  got  %q\n  want %q", source, got, want)
		}
		if err != nil && strings.Contains(err.Error(), internalError) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func renderText(source string, vars *Map) (string, error) {
	tmpl, err := Parse("t", source)
	if err != nil {
		return "", err
	}
	return tmpl.Render(context.Background(), vars, Limits{})
}
