package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/spf13/cobra"
)

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
   "service_instance": {"components": {"default": {"name": "c", "outputs": {"Arn": "…"}}}},
   "service_instances": [{"name": "shop-dev", "outputs": {"Url": "http://…"},
                          "environment": {"account_id": "444455556666"}}],
   "proton_tags": {"team": "shop"}}

An entry of "service_instances" may have components and an environment of its own.
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
		t.diagnose(t.stderr, "", bundle.Problem{Path: e.Path, Line: e.Line, Column: e.Column, Message: e.Message}, string(source))
		return quietError{err}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(o.parameters, "--parameters"), err)
	}
	_, err = t.stdout.Write([]byte(text))
	return err
}
