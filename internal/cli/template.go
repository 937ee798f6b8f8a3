package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/spf13/cobra"
)

func (t *tool) templateCommand() *cobra.Command {
	return group("template", "Check and render template bundles",
		"Check and render template bundles. These commands need no server.", t.validateCommand(), t.renderCommand())
}

func (t *tool) validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate PATH",
		Short: "Check a template bundle as registering it would",
		Long: `Check a template bundle with all the checks of a registration. PATH is a bundle's
folder (the one that holds schema/) or an archive of one, .tar.gz.

Problems are printed as file:line:column: message, and end the command with exit
code 1. Warnings name what is accepted although it is odd. Whether the bundle is of
an environment or a service template is seen from its content.`,
		Example: `  hadron template validate ./environment-templates/vpc/v1
  hadron template validate bundle.tar.gz
  hadron template validate --output json ./v1`,
		Args: wants("PATH"),
	}
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		archive, err := readBundle(args[0])
		if err != nil {
			return err
		}
		v := register(archive)
		if output.json() {
			if err := t.writeJSON(v.report(args[0])); err != nil {
				return err
			}
		} else {
			t.printValidation(args[0], v)
		}
		if len(v.problems) > 0 {
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

// validation is what registering a bundle would say.
type validation struct {
	want     bundle.Want
	problems []bundle.Problem
	warnings []bundle.Problem
}

// register makes all checks for what the bundle seems to be. One too broken to
// tell is checked as each kind, and taken for the one that it fits best.
func register(archive []byte) validation {
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
	var best *validation
	for _, want := range kinds {
		_, warnings, err := bundle.Register(archive, want, bundle.DefaultLimits())
		v := validation{want: want, warnings: warnings}
		if e, ok := errors.AsType[*bundle.ProblemError](err); ok {
			v.problems = e.Problems
		} else if err != nil {
			v.problems = []bundle.Problem{{Message: err.Error()}}
		}
		if best == nil || len(v.problems) < len(best.problems) {
			best = &v
		}
	}
	return *best
}

// describe names what a bundle was checked as.
func (v validation) describe() string {
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

// located gives a problem the path that an editor can open.
func located(path string, p bundle.Problem) bundle.Problem {
	if full := filepath.Join(path, filepath.FromSlash(p.Path)); p.Path != "" {
		if _, err := os.Stat(full); err == nil {
			p.Path = full
		}
		return p
	}
	p.Path = path
	return p
}

func (t *tool) printValidation(path string, v validation) {
	for _, w := range v.warnings {
		w.Message = "warning: " + w.Message
		fmt.Fprintln(t.stdout, located(path, w))
	}
	for _, p := range v.problems {
		fmt.Fprintln(t.stdout, located(path, p))
	}
	switch n := len(v.problems); n {
	case 0:
		fmt.Fprintf(t.stdout, "%s: valid %s\n", path, v.describe())
	case 1:
		fmt.Fprintf(t.stderr, "%s: not a valid %s: 1 problem\n", path, v.describe())
	default:
		fmt.Fprintf(t.stderr, "%s: not a valid %s: %d problems\n", path, v.describe(), n)
	}
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

func (v validation) report(path string) jsonReport {
	list := func(problems []bundle.Problem) []jsonProblem {
		out := make([]jsonProblem, len(problems))
		for n, p := range problems {
			p = located(path, p)
			out[n] = jsonProblem{p.Path, p.Line, p.Column, p.Message}
		}
		return out
	}
	kind := "environment"
	if v.want.Kind == bundle.ServiceTemplate {
		kind = "service"
	}
	return jsonReport{len(v.problems) == 0, kind, v.want.CustomerManaged, list(v.problems), list(v.warnings)}
}

func (t *tool) renderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "render PATH --spec FILE --out DIR | --file TEMPLATE",
		Short: "Render a template bundle for a spec, or one template file",
		Long: `Render a bundle for a spec: write the files that an engine would be given to DIR,
and print the commands it would run. Nothing is deployed.

What only a deployment knows is taken from --parameters, a JSON file that looks like
the inputs file of a deployment; all of it may be left out:

  {"environment": {"name": "dev", "account_id": "111122223333", "outputs": {"VpcId": "vpc-1"}},
   "service": {"name": "shop", "repository_id": "acme/shop", "branch_name": "main"},
   "service_instances": [{"name": "shop-dev", "outputs": {"Url": "http://…"}}]}

Of a service template, --instance names the instance to render, or --pipeline the
pipeline; a spec with one instance needs neither.

With --file, one Jinja template is rendered to standard output, with exactly the
names in --parameters.`,
		Example: `  hadron template render ./vpc/v1 --spec spec.yaml --out /tmp/out
  hadron template render ./web/v1 --spec spec.yaml --out /tmp/out --instance shop-dev --parameters outputs.json
  hadron template render ./web/v1 --spec spec.yaml --out /tmp/out --pipeline
  hadron template render --file cloudformation.yaml --parameters names.json`,
	}
	o := &renderOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.spec, "spec", "", "spec file of the environment or service")
	flags.StringVar(&o.out, "out", "", "folder to write to; made if it is not there")
	flags.StringVar(&o.parameters, "parameters", "", "JSON file of what only a deployment knows")
	flags.StringVar(&o.instance, "instance", "", "service instance to render")
	flags.BoolVar(&o.pipeline, "pipeline", false, "render the pipeline")
	flags.StringVar(&o.file, "file", "", "one template file, rendered to standard output")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if o.file != "" {
			for _, name := range []string{"spec", "out", "instance", "pipeline"} {
				if flags.Changed(name) {
					return usagef("%s: --file and --%s exclude each other", cmd.CommandPath(), name)
				}
			}
			return wants()(cmd, args)
		}
		return wants("PATH (or --file)")(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.file != "" {
			return t.renderFile(cmd, o)
		}
		switch {
		case o.spec == "":
			return usagef("%s: --spec FILE is missing", cmd.CommandPath())
		case o.out == "":
			return usagef("%s: --out DIR is missing", cmd.CommandPath())
		case o.pipeline && o.instance != "":
			return usagef("%s: --instance and --pipeline exclude each other", cmd.CommandPath())
		}
		return t.renderBundle(cmd.Context(), args[0], o)
	}
	return cmd
}

func (t *tool) renderFile(cmd *cobra.Command, o *renderOptions) error {
	source, err := os.ReadFile(o.file)
	if err != nil {
		return err
	}
	parameters := []byte("{}")
	if o.parameters != "" {
		if parameters, err = os.ReadFile(o.parameters); err != nil {
			return err
		}
	}
	text, err := bundle.RenderFile(cmd.Context(), o.file, string(source), bytes.TrimSpace(parameters))
	if e, ok := errors.AsType[*bundle.RenderError](err); ok {
		return errors.New(bundle.Problem{Path: e.Path, Line: e.Line, Column: e.Column, Message: e.Message}.String())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(o.parameters, "--parameters"), err)
	}
	_, err = t.stdout.Write([]byte(text))
	return err
}
