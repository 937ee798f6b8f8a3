package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/spf13/cobra"
)

type testOptions struct {
	update bool
	run    string
}

func (t *tool) testCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test PATH",
		Short: "Hold what bundles render to against expected files",
		Long: `Run the tests of a bundle, or of every bundle below a folder. A test is a folder
below the bundle's folder tests/:

  tests/NAME/spec.yaml           the spec of an environment or service
  tests/NAME/parameters.json     what only a deployment knows, as for "template render";
                                 may be left out
  tests/NAME/expected/…          the files that come of it, in a folder for each: of
                                 the environment in "environment", of an instance
                                 under its name, of the pipeline in "pipeline"
  tests/NAME/expected-error.txt  instead, if the spec is to be refused: each line must
                                 be in what is said

Of what is provisioned with commands, files that are copied as they are need not be
expected; NAME.build.json beside the folder says what the manifest came to. What is
rendered for CloudFormation must also be well formed.

With --update, expected files become what is rendered now, after which "git diff"
shows what changed. The exit code is 0 if all tests pass, 1 if one fails or there
are none, and 2 for a command line that makes no sense.`,
		Example: `  hadron template test ./vpc/v1
  hadron template test ./templates --run 'prod*'
  hadron template test ./vpc/v1 --update
  hadron template test --output json .`,
		Args: wants("PATH"),
	}
	o := &testOptions{}
	cmd.Flags().BoolVar(&o.update, "update", false, "write what is rendered to the expected files")
	cmd.Flags().StringVar(&o.run, "run", "", "run only the tests with this name, in which * stands for anything")
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := path.Match(o.run, ""); err != nil {
			return usagef("%s: --run %q is not a pattern, as in 'prod*'", cmd.CommandPath(), o.run)
		}
		tests, err := findTests(args[0], o.run)
		if err != nil {
			return err
		}
		results := runTests(cmd.Context(), tests, o.update)
		if output.json() {
			err = t.writeJSON(summarize(results))
		} else {
			t.printResults(args[0], results)
		}
		if s := summarize(results); err == nil && s.Failed > 0 {
			err = quietError{errors.New("tests failed")}
		}
		return err
	}
	return cmd
}

// findTests lists the tests of every bundle at or below a folder.
func findTests(folder, run string) ([]goldenTest, error) {
	bundles, err := bundlesBelow(folder)
	if err != nil {
		return nil, err
	}
	if len(bundles) == 0 {
		return nil, fmt.Errorf("%s holds no bundle: there is no schema/schema.yaml at or below it", folder)
	}
	var tests []goldenTest
	found := 0
	for _, b := range bundles {
		list, err := testsOf(b)
		if err != nil {
			return nil, err
		}
		found += len(list)
		for _, g := range list {
			if match, _ := path.Match(run, g.name); match || run == "" {
				tests = append(tests, g)
			}
		}
	}
	switch {
	case found == 0:
		return nil, fmt.Errorf("there are no tests: write a spec to %s and run this again with --update", filepath.Join(bundles[0], "tests", "default", testSpec))
	case len(tests) == 0:
		return nil, fmt.Errorf("--run: none of %s is called %q", count(found, "test"), run)
	}
	return tests, nil
}

// bundlesBelow lists the folders that hold a schema/schema.yaml, but none that
// is inside of another.
func bundlesBelow(folder string) ([]string, error) {
	info, err := os.Stat(folder)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder; want that of a bundle, or one with bundles in it", folder)
	}
	if err != nil {
		return nil, err
	}
	var out []string
	err = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case name != folder && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case exists(filepath.Join(name, "schema", "schema.yaml")), exists(filepath.Join(name, "schema", "schema.yml")):
			out = append(out, name)
			return fs.SkipDir
		}
		return nil
	})
	return out, err
}

// testResult is what came of one test.
type testResult struct {
	test        goldenTest
	updated     bool
	problems    []finding
	warnings    []finding
	differences []difference
}

func (r *testResult) status() string {
	switch {
	case len(r.problems) > 0 || len(r.differences) > 0 && !r.updated:
		return "failed"
	case r.updated:
		return "updated"
	}
	return "passed"
}

func runTests(ctx context.Context, tests []goldenTest, update bool) []*testResult {
	var results []*testResult
	var b *bundle.Bundle
	var err error
	opened := ""
	for _, g := range tests {
		if g.bundle != opened {
			b, err = openBundle(g.bundle)
			opened = g.bundle
		}
		r := &testResult{test: g}
		if results = append(results, r); err != nil {
			r.refused(err)
			continue
		}
		rendered := g.render(ctx, b)
		r.warnings = rendered.warnings
		if g.expectsError() && !rendered.broken {
			r.judgeError(rendered, update)
		} else {
			r.judgeFiles(rendered, update)
		}
	}
	return results
}

// refused is the result of a test whose bundle cannot be opened.
func (r *testResult) refused(err error) {
	if e, ok := errors.AsType[*bundle.ProblemError](err); ok {
		for _, p := range e.Problems {
			r.problems = append(r.problems, finding{located(r.test.bundle, p), sourceOf(r.test.bundle, p)})
		}
		return
	}
	r.say(r.test.bundle, err.Error())
}

func (r *testResult) say(path, message string) {
	r.problems = append(r.problems, finding{Problem: bundle.Problem{Path: path, Message: message}})
}

// judgeFiles compares what was rendered with the expected files. Nothing is
// updated by a rendering with problems.
func (r *testResult) judgeFiles(rendered *rendering, update bool) {
	if r.problems = rendered.problems; len(r.problems) > 0 {
		return
	}
	expected, err := r.test.expected()
	if err != nil {
		r.say(r.test.path(testExpected), err.Error())
		return
	}
	if r.differences = differences(expected, rendered.files); !update || len(r.differences) == 0 {
		return
	}
	if err := r.test.accept(r.differences, rendered.files); err != nil {
		r.say(r.test.path(testExpected), err.Error())
		return
	}
	r.updated = true
}

// judgeError holds the problems of a test against the lines that it expects in
// them.
func (r *testResult) judgeError(rendered *rendering, update bool) {
	file := r.test.path(testError)
	text, err := os.ReadFile(file)
	switch {
	case err != nil:
		r.say(file, err.Error())
		return
	case len(rendered.errors) == 0:
		r.say(file, "an error is expected, but the spec renders; remove this file if that is right")
		return
	case exists(r.test.path(testExpected)):
		r.say(file, "a test expects either an error or files; remove this file, or "+testExpected+"/")
		return
	}
	got := strings.Join(rendered.errors, "\n") + "\n"
	missing := strings.TrimSpace(string(text)) == ""
	for line := range strings.Lines(string(text)) {
		missing = missing || !strings.Contains(got, strings.TrimSpace(line))
	}
	if !missing {
		return
	}
	r.differences = []difference{{"../" + testError, "changed", strings.Join(unifiedDiff(string(text), got), "\n")}}
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			r.say(file, err.Error())
			return
		}
		r.updated = true
	}
}

type jsonTest struct {
	Bundle      string        `json:"bundle"`
	Name        string        `json:"name"`
	Status      string        `json:"status"` // passed, updated or failed
	Problems    []jsonProblem `json:"problems"`
	Warnings    []jsonProblem `json:"warnings"`
	Differences []difference  `json:"differences"`
}

type jsonTests struct {
	Passed  int        `json:"passed"`
	Updated int        `json:"updated"`
	Failed  int        `json:"failed"`
	Tests   []jsonTest `json:"tests"`
}

func summarize(results []*testResult) jsonTests {
	s := jsonTests{}
	for _, r := range results {
		switch r.status() {
		case "failed":
			s.Failed++
		case "updated":
			s.Updated++
		default:
			s.Passed++
		}
		s.Tests = append(s.Tests, jsonTest{
			r.test.bundle, r.test.name, r.status(), jsonProblems(r.problems), jsonProblems(r.warnings),
			append([]difference{}, r.differences...),
		})
	}
	return s
}

func (t *tool) printResults(folder string, results []*testResult) {
	stale := false
	for _, r := range results {
		name := filepath.Join(r.test.bundle, "tests", r.test.name)
		switch r.status() {
		case "failed":
			fmt.Fprintf(t.stdout, "%s %s\n", t.paint("31", "✗"), name)
		case "updated":
			fmt.Fprintf(t.stdout, "%s %s: updated\n", t.paint("33", "✓"), name)
		default:
			fmt.Fprintf(t.stdout, "%s %s\n", t.paint("32", "✓"), name)
		}
		for _, w := range r.warnings {
			t.diagnose(t.stdout, "warning", w.Problem, w.source)
		}
		for _, p := range r.problems {
			t.diagnose(t.stdout, "", p.Problem, p.source)
		}
		for _, d := range r.differences {
			if stale = stale || !r.updated; r.updated {
				fmt.Fprintf(t.stdout, "  %s\n", d.describe(true))
			} else {
				t.printDifference(d)
			}
		}
	}
	s := summarize(results)
	line := fmt.Sprintf("%s: %d passed", count(len(results), "test"), s.Passed)
	if s.Updated > 0 {
		line += fmt.Sprintf(", %d updated", s.Updated)
	}
	if s.Failed > 0 {
		line += fmt.Sprintf(", %d failed", s.Failed)
	}
	fmt.Fprintln(t.stdout, line)
	if stale {
		fmt.Fprintf(t.stderr, "If the new results are right: hadron template test %s --update\n", folder)
	}
}

// describe says in words what is different, or what was done about it.
func (d difference) describe(updated bool) string {
	file := path.Join(testExpected, d.File)
	switch {
	case updated && d.Kind == "missing":
		return file + ": removed"
	case updated && d.Kind == "unexpected":
		return file + ": new"
	case updated:
		return file + ": changed"
	case d.Kind == "missing":
		return file + " is expected, but nothing like it is rendered"
	case d.Kind == "unexpected":
		return file + " is not there, but it is rendered"
	}
	return file + " is different (- expected, + rendered)"
}

// longestDiff is how many lines of one difference are printed; JSON has all.
const longestDiff = 60

func (t *tool) printDifference(d difference) {
	fmt.Fprintf(t.stdout, "  %s\n", d.describe(false))
	if d.Kind == "missing" {
		return
	}
	lines := strings.Split(d.Diff, "\n")
	for n, line := range lines {
		if n == longestDiff {
			fmt.Fprintf(t.stdout, "    … %d more lines\n", len(lines)-n)
			return
		}
		switch {
		case strings.HasPrefix(line, "@@"):
			line = t.paint("36", line)
		case strings.HasPrefix(line, "-"):
			line = t.paint("31", line)
		case strings.HasPrefix(line, "+"):
			line = t.paint("32", line)
		}
		fmt.Fprintf(t.stdout, "    %s\n", line)
	}
}
