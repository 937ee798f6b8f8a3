package cli

import (
	"context"
	"fmt"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

// started is what a call that starts a deployment answers.
type started struct {
	DeploymentID *string `json:"deploymentId,omitempty"`
	ResourceARN  *string `json:"resourceArn"`
	Status       *string `json:"status"`
}

func (t *tool) retryCommand() *cobra.Command {
	return t.startCommand("retry DEPLOYMENT", "Try a deployment that did not succeed again, as it is",
		`Start a new deployment that does what one that failed or was cancelled was to do:
the same template, the same spec, the same goal. It must be the last deployment of
its resource.

`+deploymentHelp, `  hadron deployment retry environment/dev
  hadron deployment retry 0f5b3d1e-0000-4000-8000-000000000001`,
		func(ctx context.Context, c *api.Client, id string) (started, error) {
			out, err := c.RetryDeployment(ctx, &api.RetryDeploymentInput{DeploymentId: &id})
			if err != nil {
				return started{}, err
			}
			return started{out.DeploymentId, out.ResourceArn, out.Status}, nil
		})
}

func (t *tool) rollbackCommand() *cobra.Command {
	return t.startCommand("rollback DEPLOYMENT", "Deploy again what an earlier deployment has deployed",
		`Start a new deployment of what DEPLOYMENT has deployed: the very same template
bundle with the same spec, also if the template version was deleted since.
DEPLOYMENT must have succeeded; a resource with a failed deployment names the one
to go back to in "hadron deployment show". Outputs of the environment are taken as
they are now.

`, `  hadron deployment rollback 0f5b3d1e-0000-4000-8000-000000000001`,
		func(ctx context.Context, c *api.Client, id string) (started, error) {
			out, err := c.RollBackDeployment(ctx, &api.RollBackDeploymentInput{DeploymentId: &id})
			if err != nil {
				return started{}, err
			}
			return started{out.DeploymentId, out.ResourceArn, out.Status}, nil
		})
}

// startCommand makes a command that starts a deployment out of another one.
func (t *tool) startCommand(use, short, long, example string, call func(context.Context, *api.Client, string) (started, error)) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long + credentialsHelp, Example: example, Args: wants("DEPLOYMENT")}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		id, err := deploymentID(cmd.Context(), a.client(), args[0])
		if err != nil {
			return a.explain(err)
		}
		s, err := call(cmd.Context(), a.client(), id)
		if err != nil {
			return a.explain(err)
		}
		if output.json() {
			return t.writeJSON(s)
		}
		fmt.Fprintf(t.stdout, "%s %s\n", resourcePath(api.Value(s.ResourceARN)), statusWords[api.Value(s.Status)])
		if s.DeploymentID != nil {
			fmt.Fprintf(t.stdout, "  hadron deployment logs --follow %s\n", *s.DeploymentID)
		}
		return nil
	}
	return cmd
}

func (t *tool) resourceCommand() *cobra.Command {
	return group("resource", "Get out of what is stuck", "Remove resources whose removal fails, or forget them.", t.abandonCommand(), t.forceDeleteCommand())
}

const removableHelp = `RESOURCE is environment/NAME, service/NAME (with its instances and pipeline),
service/NAME/service-instance/NAME, service/NAME/pipeline, component/NAME, or a whole ARN.

`

func (t *tool) abandonCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "abandon RESOURCE",
		Short: "Forget a resource and keep what is running outside",
		Long: `Forget a resource, and leave what it has provisioned as it is: nothing is run, no
stack is deleted, no command is called. A deployment that is going on is stopped
where it is. The deployments of the resource stay readable.

What would refuse a removal refuses this too: an environment that service
instances live in must be empty first.

` + removableHelp + credentialsHelp,
		Example: "  hadron resource abandon environment/old --yes",
		Args:    wants("RESOURCE"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	yes := cmd.Flags().Bool("yes", false, "do it without asking")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		if err := t.confirm(*yes, "Forget "+args[0]+" and leave what it has provisioned running?"); err != nil {
			return err
		}
		out, err := a.client().AbandonResource(cmd.Context(), &api.AbandonResourceInput{Resource: &args[0]})
		if err != nil {
			return a.explain(err)
		}
		if output.json() {
			return t.writeJSON(out)
		}
		p := &page{w: t.stdout, color: t.color}
		fmt.Fprintf(p.w, "%s %s is forgotten\n", p.paint(green, "✓"), resourcePath(api.Value(out.ResourceArn)))
		p.things("Left running", out.Left)
		return nil
	}
	return cmd
}

func (t *tool) forceDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "force-delete RESOURCE",
		Short: "Remove a resource, and forget it even if that fails",
		Long: `Remove a resource as its delete call would, and forget it even if what it has
provisioned can't all be removed. The deployment that tried says what went wrong.
A removal that is going on is turned into a forced one.

` + removableHelp + credentialsHelp,
		Example: "  hadron resource force-delete service/shop --yes",
		Args:    wants("RESOURCE"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	yes := cmd.Flags().Bool("yes", false, "do it without asking")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		if err := t.confirm(*yes, "Remove "+args[0]+", and forget it even if that fails?"); err != nil {
			return err
		}
		out, err := a.client().ForceDeleteResource(cmd.Context(), &api.ForceDeleteResourceInput{Resource: &args[0]})
		if err != nil {
			return a.explain(err)
		}
		if output.json() {
			return t.writeJSON(out)
		}
		fmt.Fprintf(t.stdout, "%s is being removed\n", resourcePath(api.Value(out.ResourceArn)))
		for _, id := range out.DeploymentIds {
			fmt.Fprintf(t.stdout, "  hadron deployment logs --follow %s\n", id)
		}
		return nil
	}
	return cmd
}

// confirm asks before something that can't be undone.
func (t *tool) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !t.terminal {
		return usagef("%s Say so with --yes.", question)
	}
	fmt.Fprintf(t.stderr, "%s Type yes: ", question)
	var answer string
	fmt.Fscanln(t.stdin, &answer)
	if answer != "yes" {
		return fmt.Errorf("nothing was changed")
	}
	return nil
}
