package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/spf13/cobra"
)

func (t *tool) templateCommand() *cobra.Command {
	return group("template", "Write, check, render and test template bundles",
		`Write, check, render and test template bundles. These commands need no server and
no network: init starts a bundle, validate checks it as registering it would,
render shows what an engine would get, and test holds that against expected files.
docs/templates.md explains bundles.`,
		t.initCommand(), t.validateCommand(), t.renderCommand(), t.testCommand())
}

type validateOptions struct {
	previous string
	strict   bool
}

func (t *tool) validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate PATH",
		Short: "Check a template bundle as registering it would",
		Long: `Check a template bundle with all the checks of a registration. PATH is a bundle's
folder (the one that holds schema/) or an archive of one, .tar.gz.

Beyond that, what the templates render to is checked where that needs no network:
for an environment that needs no inputs with the schema's defaults, and with the
spec of every test in tests/ (see "hadron template test").

Problems are printed as file:line:column: message, and end the command with exit
code 1. Warnings name what is accepted although it is odd; with --strict they count
as problems. Whether the bundle is of an environment or a service template is seen
from its content.

With --previous, PATH is also checked as the next minor version after that bundle:
every spec that was valid has to stay valid.`,
		Example: `  hadron template validate ./environment-templates/vpc/v1
  hadron template validate bundle.tar.gz
  hadron template validate ./v1 --previous published/v1.0.tar.gz --strict
  hadron template validate --output json ./v1`,
		Args: wants("PATH"),
	}
	output := outputFlag(cmd.Flags())
	o := &validateOptions{}
	cmd.Flags().StringVar(&o.previous, "previous", "", "bundle of the minor version before, to be compatible with")
	cmd.Flags().BoolVar(&o.strict, "strict", false, "take warnings for problems")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v, err := validate(cmd.Context(), args[0], o)
		if err != nil {
			return err
		}
		if output.json() {
			if err := t.writeJSON(v.report()); err != nil {
				return err
			}
		} else {
			t.printValidation(v)
		}
		if !v.valid() {
			return quietError{errors.New("the bundle has problems")}
		}
		return nil
	}
	return cmd
}

// readBundle reads an archive, or makes one of a folder.
func readBundle(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; want a bundle's folder or a .tar.gz file", path)
	}
	if err != nil {
		return nil, err
	}
	limits := bundle.DefaultLimits()
	if info.IsDir() {
		return bundle.Pack(os.DirFS(path), limits)
	}
	if info.Size() > limits.Archive {
		return nil, fmt.Errorf("%s has %d bytes; a bundle may have %d", path, info.Size(), limits.Archive)
	}
	return os.ReadFile(path)
}

// finding is a problem or a warning, and the text it points into.
type finding struct {
	bundle.Problem
	source string
}

// validation is what registering a bundle would say, and what was found beyond.
type validation struct {
	path     string
	strict   bool
	want     bundle.Want
	problems []finding
	warnings []finding
}

func (v *validation) valid() bool {
	return len(v.problems) == 0 && (!v.strict || len(v.warnings) == 0)
}

// validate makes all checks. The error is about what could not be checked.
func validate(ctx context.Context, path string, o *validateOptions) (*validation, error) {
	archive, err := readBundle(path)
	if err != nil {
		return nil, err
	}
	v := &validation{path: path, strict: o.strict}
	b, warnings, problems := v.register(archive)
	v.warnings, v.problems = v.findings(warnings), v.findings(problems)
	if o.previous != "" {
		before, err := openBundle(o.previous)
		if err != nil {
			return nil, fmt.Errorf("--previous %s: %w", o.previous, err)
		}
		if next, err := bundle.Load(archive, bundle.DefaultLimits()); err == nil {
			v.compatible(before, next)
		}
	}
	if b == nil {
		return v, nil
	}
	v.withDefaults(ctx, b)
	return v, v.withTests(ctx, b)
}

// register makes all checks for what the bundle seems to be. One too broken to
// tell is checked as each kind, and taken for the one that it fits best. The
// bundle is nil if there are problems.
func (v *validation) register(archive []byte) (b *bundle.Bundle, warnings, problems []bundle.Problem) {
	kinds := []bundle.Want{
		{Kind: bundle.EnvironmentTemplate}, {Kind: bundle.ServiceTemplate},
		{Kind: bundle.ServiceTemplate, CustomerManaged: true}, {Kind: bundle.EnvironmentTemplate, CustomerManaged: true},
	}
	if b, err := bundle.Load(archive, bundle.DefaultLimits()); err == nil {
		_, standard := b.Method(bundle.Infrastructure)
		if b.Kind() == bundle.ServiceTemplate {
			standard = b.HasPipeline()
		}
		kinds = []bundle.Want{{Kind: b.Kind(), CustomerManaged: !standard}}
	}
	for n, want := range kinds {
		registered, odd, err := bundle.Register(archive, want, bundle.DefaultLimits())
		var wrong []bundle.Problem
		if e, ok := errors.AsType[*bundle.ProblemError](err); ok {
			wrong = e.Problems
		} else if err != nil {
			wrong = []bundle.Problem{{Message: err.Error()}}
		}
		if n == 0 || len(wrong) < len(problems) {
			b, v.want, warnings, problems = registered, want, odd, wrong
		}
	}
	return b, warnings, problems
}

func (v *validation) findings(problems []bundle.Problem) []finding {
	var out []finding
	for _, p := range problems {
		out = append(out, finding{located(v.path, p), sourceOf(v.path, p)})
	}
	return out
}

// compatible adds what keeps the bundle from following another.
func (v *validation) compatible(before, next *bundle.Bundle) {
	err := bundle.Compatible(before, next)
	if e, ok := errors.AsType[*bundle.ProblemError](err); ok {
		v.problems = append(v.problems, v.findings(e.Problems)...)
	} else if err != nil {
		v.problems = append(v.problems, finding{Problem: bundle.Problem{Path: v.path, Message: err.Error()}})
	}
}

// withDefaults renders an environment whose spec gives no inputs, if its schema
// lets one do so. What fails then is not refused at registration.
func (v *validation) withDefaults(ctx context.Context, b *bundle.Bundle) {
	if b.Kind() != bundle.EnvironmentTemplate {
		return
	}
	s := &specTargets{bundle: b, text: "proton: EnvironmentSpec\n"}
	known, err := readParameters("")
	if err != nil {
		return
	}
	if _, err := s.environment(known); err != nil {
		return // it needs inputs
	}
	_, err = s.render(ctx, s.targets[0])
	if e, ok := errors.AsType[*bundle.RenderError](err); ok {
		p := bundle.Problem{Path: e.Path, Line: e.Line, Column: e.Column, Message: "rendered for a spec without inputs: " + e.Message}
		v.warnings = append(v.warnings, v.findings([]bundle.Problem{p})...)
	}
}

// withTests renders what the bundle's tests have specs for. Those that expect
// an error are left to "template test".
func (v *validation) withTests(ctx context.Context, b *bundle.Bundle) error {
	if info, err := os.Stat(v.path); err != nil || !info.IsDir() {
		return err
	}
	tests, err := testsOf(v.path)
	if err != nil {
		return err
	}
	for _, test := range tests {
		if test.expectsError() {
			continue
		}
		result := test.render(ctx, b)
		v.problems = append(v.problems, result.problems...)
		v.warnings = append(v.warnings, result.warnings...)
	}
	return nil
}

// describe names what a bundle was checked as.
func (v *validation) describe() string {
	switch {
	case v.want.Kind == bundle.EnvironmentTemplate && v.want.CustomerManaged:
		return "environment template without infrastructure (provisioning CUSTOMER_MANAGED)"
	case v.want.Kind == bundle.EnvironmentTemplate:
		return "environment template"
	case v.want.CustomerManaged:
		return "service template without pipeline (pipelineProvisioning CUSTOMER_MANAGED)"
	}
	return "service template with pipeline"
}

func (t *tool) printValidation(v *validation) {
	for _, w := range v.warnings {
		t.diagnose(t.stdout, "warning", w.Problem, w.source)
	}
	for _, p := range v.problems {
		t.diagnose(t.stdout, "", p.Problem, p.source)
	}
	warned := ""
	if n := len(v.warnings); n > 0 {
		warned = ", " + count(n, "warning")
	}
	switch {
	case len(v.problems) > 0:
		fmt.Fprintf(t.stderr, "%s: not a valid %s: %s%s\n", v.path, v.describe(), count(len(v.problems), "problem"), warned)
	case !v.valid():
		fmt.Fprintf(t.stderr, "%s: valid %s, but --strict accepts no warnings: %s\n", v.path, v.describe(), count(len(v.warnings), "warning"))
	default:
		fmt.Fprintf(t.stdout, "%s: valid %s%s\n", v.path, v.describe(), warned)
	}
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

type jsonProblem struct {
	Path    string `json:"path"`
	Line    int    `json:"line,omitzero"`
	Column  int    `json:"column,omitzero"`
	Message string `json:"message"`
}

type jsonReport struct {
	Valid           bool          `json:"valid"`
	Kind            string        `json:"kind"`
	CustomerManaged bool          `json:"customerManaged"`
	Problems        []jsonProblem `json:"problems"`
	Warnings        []jsonProblem `json:"warnings"`
}

func (v *validation) report() jsonReport {
	kind := "environment"
	if v.want.Kind == bundle.ServiceTemplate {
		kind = "service"
	}
	return jsonReport{v.valid(), kind, v.want.CustomerManaged, jsonProblems(v.problems), jsonProblems(v.warnings)}
}

func jsonProblems(findings []finding) []jsonProblem {
	out := make([]jsonProblem, len(findings))
	for n, p := range findings {
		out[n] = jsonProblem{p.Path, p.Line, p.Column, p.Message}
	}
	return out
}
