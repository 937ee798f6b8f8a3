package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

const resourceHelp = `RESOURCE is environment/NAME, service/NAME/service-instance/NAME,
service/NAME/pipeline, component/NAME, or a whole ARN.

`

func (t *tool) previewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preview RESOURCE",
		Short: "Say what a deployment would change, without deploying",
		Long: `Say what a deployment of a resource would change, without deploying: as it is, with
another spec, with another template version; or what removing it would. The engine
looks at what is there, so this takes as long as a plan or a change set takes.

With --new, what creating it would make. --template, --spec and the versions are those
of the create call; whatever else it takes is read from --input, a JSON file as
"aws proton create-environment --cli-input-json" takes it. service/NAME previews each
instance of a new service.

A deployment keeps the preview that it was started with: hadron deployment show.

` + resourceHelp + credentialsHelp,
		Example: `  hadron deployment preview environment/dev
  hadron deployment preview service/shop/service-instance/prod --spec spec.yaml
  hadron deployment preview environment/dev --template-minor-version 4
  hadron deployment preview environment/dev --remove
  hadron deployment preview component/queue --template-file component.yaml
  hadron deployment preview --new environment/test --template net --template-major-version 1 --spec spec.yaml
  hadron deployment preview --new service/shop --input create-service.json`,
		Args: wants("RESOURCE"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	spec := cmd.Flags().String("spec", "", "file with the spec to deploy (default: the current one)")
	major := cmd.Flags().String("template-major-version", "", "major version of the template (default: the current one)")
	minor := cmd.Flags().String("template-minor-version", "", "minor version of the template (default: the current one, or the recommended one of another major)")
	templateFile := cmd.Flags().String("template-file", "", "of a component: file with the template file to deploy (default: the current one)")
	remove := cmd.Flags().Bool("remove", false, "preview the removal of the resource")
	out := cmd.Flags().String("out", "", "folder to save the rendered files in")
	n := &newResource{}
	n.flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := n.check(*remove); err != nil {
			return err
		}
		in := &api.PreviewDeploymentInput{Resource: &args[0], TemplateMajorVersion: given(*major), TemplateMinorVersion: given(*minor)}
		if *spec != "" {
			text, err := os.ReadFile(*spec)
			if err != nil {
				return fmt.Errorf("--spec: %w", err)
			}
			in.Spec = api.Ptr(string(text))
		}
		if *remove {
			in.Goal = api.Ptr(api.HadronDeploymentGoalDestroy)
		}
		if *templateFile != "" {
			if err := withTemplateFile(in, *templateFile); err != nil {
				return fmt.Errorf("--template-file: %w", err)
			}
		}
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		if n.wanted {
			create, err := n.call(in)
			if err != nil {
				return err
			}
			answer, err := a.client().PreviewCreation(cmd.Context(), create)
			if err != nil {
				return a.explain(err)
			}
			return t.showCreation(answer, *out, output.json())
		}
		answer, err := a.client().PreviewDeployment(cmd.Context(), in)
		switch {
		case err != nil:
			return a.explain(err)
		case *out != "":
			return t.saveFiles(answer.Files, *out)
		case output.json():
			return t.writeJSON(answer)
		}
		verb := "would be deployed"
		if *remove {
			verb = "would be removed"
		}
		(&page{w: t.stdout, color: t.color}).planned(answer, verb)
		return nil
	}
	return cmd
}

// withTemplateFile has a preview be one of a component's update.
func withTemplateFile(in *api.PreviewDeploymentInput, file string) error {
	_, name, ok := strings.Cut(*in.Resource, "component/")
	if !ok {
		return fmt.Errorf("only components have one, and RESOURCE is %s", *in.Resource)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	in.Component = &api.UpdateComponentInput{Name: &name, DeploymentType: api.Ptr(api.ComponentDeploymentUpdateTypeCurrentVersion),
		TemplateFile: api.Ptr(string(text)), ServiceSpec: in.Spec}
	in.Spec = nil
	return nil
}

// planned prints what a deployment would do.
func (p *page) planned(answer *api.PreviewDeploymentOutput, verb string) {
	fmt.Fprintf(p.w, "%s %s; nothing is changed yet\n\n", p.paint(bold, resourcePath(api.Value(answer.ResourceArn))), verb)
	p.field("template", templateText(answer.TemplateName, answer.TemplateVersionBefore, answer.TemplateVersion))
	p.field("engine", engineText(api.Value(answer.Engine)))
	p.preview("What would change", answer.Preview)
	p.values("Inputs", answer.Inputs, true)
	if n := len(answer.Files); n > 0 {
		p.section("Files")
		fmt.Fprintf(p.w, "  %d were rendered; save them with --out DIR\n", n)
	}
}
