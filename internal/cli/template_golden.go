package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/bundle"
)

// Names in a test's folder.
const (
	testSpec       = "spec.yaml"
	testParameters = "parameters.json"
	testExpected   = "expected"
	testError      = "expected-error.txt"
)

// goldenTest is one test of a bundle: a spec, and what it renders to.
type goldenTest struct {
	bundle string // path of the bundle's folder
	name   string
}

func (g goldenTest) path(name string) string { return filepath.Join(g.bundle, "tests", g.name, name) }

func (g goldenTest) expectsError() bool { return exists(g.path(testError)) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// testsOf lists the tests of a bundle's folder by name. A folder in tests/ that
// has nothing to do with them is left alone.
func testsOf(bundlePath string) ([]goldenTest, error) {
	entries, err := os.ReadDir(filepath.Join(bundlePath, "tests"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var tests []goldenTest
	for _, e := range entries {
		g := goldenTest{bundlePath, e.Name()}
		switch {
		case exists(g.path(testSpec)):
			tests = append(tests, g)
		case exists(g.path(testExpected)), g.expectsError(), exists(g.path(testParameters)):
			return nil, fmt.Errorf("%s has no %s: a test needs the spec that is rendered", g.path(""), testSpec)
		}
	}
	return tests, nil
}

// rendering is what a test's spec came to.
type rendering struct {
	files    map[string][]byte // by path below expected/
	problems []finding
	warnings []finding
	// errors are the problems as expected-error.txt has them: places are
	// relative to the bundle, or the spec's name.
	errors []string
	broken bool // what is wrong is the test itself, so that no error can be expected
}

func (r *rendering) fail(f finding, as string) {
	r.problems = append(r.problems, f)
	r.errors = append(r.errors, as)
}

func (r *rendering) breaks(path string, err error) {
	r.broken = true
	r.problems = append(r.problems, finding{Problem: bundle.Problem{Path: path, Message: err.Error()}})
}

// render renders everything that the test's spec deploys.
func (g goldenTest) render(ctx context.Context, b *bundle.Bundle) *rendering {
	r := &rendering{files: map[string][]byte{}}
	file := ""
	if exists(g.path(testParameters)) {
		file = g.path(testParameters)
	}
	known, err := readParameters(file)
	if err != nil {
		r.breaks(g.path(""), err)
		return r
	}
	s, err := readSpec(b, g.path(testSpec), known)
	for _, w := range s.specWarnings() {
		r.warnings = append(r.warnings, finding{w, s.text})
	}
	if e, ok := errors.AsType[*specError](err); ok {
		for _, f := range e.findings() {
			r.fail(f, testSpec+": "+f.Message)
		}
		return r
	}
	if err != nil {
		r.breaks(g.path(""), err)
		return r
	}
	seen := map[string]bool{}
	for _, t := range s.targets {
		if seen[t.name] {
			r.breaks(g.path(testSpec), fmt.Errorf("the instance %q would share its folder with the pipeline; give it another name in this test", t.name))
			return r
		}
		seen[t.name] = true
		g.renderTarget(ctx, s, t, r)
	}
	return r
}

func (g goldenTest) renderTarget(ctx context.Context, s *specTargets, t target, r *rendering) {
	rendered, err := s.render(ctx, t)
	if e, ok := errors.AsType[*bundle.RenderError](err); ok {
		p := bundle.Problem{Path: e.Path, Line: e.Line, Column: e.Column, Message: e.Message}
		as := p.String()
		source := sourceOf(g.bundle, p)
		p = located(g.bundle, p)
		p.Message += fmt.Sprintf(" (test %s, %s)", g.name, t.name)
		r.fail(finding{p, source}, as)
		return
	}
	if err != nil {
		message := t.name + ": " + err.Error()
		r.fail(finding{Problem: bundle.Problem{Path: g.path(""), Message: message}}, message)
		return
	}
	for _, f := range rendered.Files {
		if rendered.Build == nil || !g.copied(t.part, f) {
			r.files[t.name+"/"+f.Path] = f.Content
		}
	}
	if rendered.Build != nil {
		r.files[t.name+".build.json"] = buildFile(rendered.Build)
	}
	g.checkRendered(s, t, rendered, r)
}

// copied says whether a file for commands is just that of the bundle; such
// files are not expected again.
func (g goldenTest) copied(part bundle.Part, f bundle.File) bool {
	original, err := os.ReadFile(filepath.Join(g.bundle, part.String(), filepath.FromSlash(f.Path)))
	return err == nil && bytes.Equal(original, f.Content)
}

// checkRendered adds what CloudFormation would say. Places are those of the
// expected file, which has this text once the test passes.
func (g goldenTest) checkRendered(s *specTargets, t target, rendered *bundle.Rendered, r *rendering) {
	if method, _ := s.bundle.Method(t.part); method != "CLOUDFORMATION" {
		return
	}
	f := rendered.Files[0]
	name := path.Join(t.name, f.Path)
	warnings, problems := bundle.CheckCloudFormation(name, f.Content)
	at := func(p bundle.Problem) finding {
		p.Path = g.path(path.Join(testExpected, name))
		return finding{p, string(f.Content)}
	}
	for _, p := range problems {
		r.fail(at(p), p.String())
	}
	for _, w := range warnings {
		r.warnings = append(r.warnings, at(w))
	}
}

// buildFile shows what a manifest with commands comes to.
func buildFile(b *bundle.Build) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		Image          string            `json:"image"`
		Runtimes       map[string]string `json:"runtimes,omitempty"`
		Variables      map[string]string `json:"variables,omitempty"`
		SecretsManager map[string]string `json:"secretsManager,omitempty"`
		ParameterStore map[string]string `json:"parameterStore,omitempty"`
		Provision      []string          `json:"provision"`
		Deprovision    []string          `json:"deprovision"`
		Properties     bundle.Inputs     `json:"projectProperties,omitempty"`
	}{b.Image, b.Runtimes, b.Variables, b.SecretsManager, b.ParameterStore, b.Provision, b.Deprovision, b.ProjectProperties})
	if err != nil { // all of it came from YAML
		panic("a build is not JSON: " + err.Error())
	}
	return out.Bytes()
}

// specWarnings are those of a spec, also of one that could not be read.
func (s *specTargets) specWarnings() []bundle.Problem {
	if s == nil {
		return nil
	}
	return s.warnings
}

// expected reads the files that the test expects.
func (g goldenTest) expected() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(g.path("")), testExpected, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == testExpected {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() || d.Name() == ".DS_Store" {
			return err
		}
		files[strings.TrimPrefix(name, testExpected+"/")], err = os.ReadFile(g.path(filepath.FromSlash(name)))
		return err
	})
	return files, err
}

// difference is one file that is not as expected.
type difference struct {
	File string `json:"file"` // below expected/
	Kind string `json:"kind"` // changed, missing or unexpected
	Diff string `json:"diff"` // what turns the expected text into the rendered one
}

// differences compares; a file is missing if it is expected and not rendered,
// and unexpected if it is rendered only.
func differences(expected, rendered map[string][]byte) []difference {
	all := map[string]bool{}
	for name := range expected {
		all[name] = true
	}
	for name := range rendered {
		all[name] = true
	}
	var out []difference
	for _, name := range slices.Sorted(maps.Keys(all)) {
		want, wanted := expected[name]
		got, there := rendered[name]
		kind := "changed"
		switch {
		case !there:
			kind = "missing"
		case !wanted:
			kind = "unexpected"
		case bytes.Equal(want, got):
			continue
		}
		out = append(out, difference{name, kind, strings.Join(unifiedDiff(string(want), string(got)), "\n")})
	}
	return out
}

// accept makes the expected files those that were rendered.
func (g goldenTest) accept(changes []difference, rendered map[string][]byte) error {
	if len(changes) == 0 {
		return nil
	}
	dir := g.path(testExpected)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, d := range changes {
		if d.Kind == "missing" {
			err = root.Remove(d.File)
		} else if err = root.MkdirAll(path.Dir(d.File), 0o755); err == nil {
			err = root.WriteFile(d.File, rendered[d.File], 0o644)
		}
		if err != nil {
			return err
		}
	}
	return removeEmpty(root, ".")
}

// removeEmpty removes the folders below one that hold nothing.
func removeEmpty(root *os.Root, dir string) error {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		below := path.Join(dir, e.Name())
		if err := removeEmpty(root, below); err != nil {
			return err
		}
		if left, err := fs.ReadDir(root.FS(), below); err == nil && len(left) == 0 {
			if err := root.Remove(below); err != nil {
				return err
			}
		}
	}
	return nil
}
