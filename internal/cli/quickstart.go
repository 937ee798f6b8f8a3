package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/app"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/library"
	"github.com/spf13/cobra"
)

// What the quickstart makes.
const (
	quickBucket      = "hadron-quickstart"
	quickEnvironment = "local"
	quickService     = "hello"
	quickConnection  = "arn:aws:codestar-connections:us-east-1:000000000000:connection/00000000-0000-4000-8000-000000000000"
)

func (t *tool) quickstartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "Run a server with templates, an environment and a service, really deployed",
		Long: `Run a server as "hadron serve" does, and on it, through the public API: upload and
register a small template library, create the environment "local" and the service
"hello" with two instances and a pipeline, and wait until they are deployed. Then
go on serving until Ctrl-C.

Everything is kept in the data folder, what is deployed too (DATA/quickstart). It
can be run again on the same folder, and makes only what is missing. To be rid of
everything, stop it and remove the folder.`,
		Example: `  hadron quickstart
  hadron quickstart --listen 127.0.0.1:9000 --data /tmp/try-hadron
  hadron quickstart --exit && echo deployed`,
		Args: wants(),
	}
	app.AddFlags(cmd.Flags(), "listen", "data", "log-level")
	exit := cmd.Flags().Bool("exit", false, "end once everything is deployed")
	cmd.Flags().Lookup("log-level").DefValue = quietLevel
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := app.LoadConfig(cmd.Flags(), t.quietLog, "")
		if err != nil {
			return err
		}
		return t.quickstart(cmd.Context(), config, *exit)
	}
	return cmd
}

// quietLevel keeps the server's log from between the quickstart's own lines.
const quietLevel = "warn"

func (t *tool) quietLog(name string) (string, bool) {
	value, ok := t.lookupEnv(name)
	if name == "HADRON_LOG_LEVEL" && value == "" {
		return quietLevel, true
	}
	return value, ok
}

func (t *tool) quickstart(ctx context.Context, config app.Config, exit bool) error {
	began := time.Now()
	log := app.NewLogger(config, t.stderr)
	s, err := t.start(ctx, config, log)
	if err != nil {
		return err
	}
	q := &quickstart{tool: t, progress: newProgress(t)}
	q.access = access{endpoint: s.URL, region: region, accessKeyID: s.Root.AccessKeyID, secret: s.Root.SecretAccessKey}
	if q.access.http, err = httpClient(t.env("AWS_CA_BUNDLE")); err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	q.client = q.access.client()
	q.state, err = filepath.Abs(app.QuickstartFolder(config.Data))
	if err == nil {
		err = os.MkdirAll(q.state, 0o700)
	}
	if err == nil {
		fmt.Fprintf(t.stdout, "Hadron %s serves on %s\n\n", app.Version, s.URL)
		err = q.run(ctx)
	}
	if err == nil {
		q.explain(ctx, time.Since(began))
		fmt.Fprintln(t.stdout)
		t.explainAccess(s)
		fmt.Fprintf(t.stdout, "\nThen, with the AWS CLI or without it:\n\n  aws proton get-service --name %[1]s\n  %[2]s api get-service --input-json '{\"name\": \"%[1]s\"}'\n", quickService, program())
	}
	switch {
	case ctx.Err() != nil && err != nil:
		err = quietError{err} // whoever pressed Ctrl-C knows why
		fmt.Fprintln(t.stderr, "hadron: stopped before everything was deployed; run it again to go on")
	case err == nil && !exit:
		fmt.Fprint(t.stdout, "\nServing. Press Ctrl-C to stop.\n")
		return t.untilDone(ctx, s, log)
	}
	if err == nil {
		fmt.Fprintf(t.stdout, "\nThe server stops now; \"%s\" starts it again.\n", serveAgain(config))
	}
	return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
}

// program is how this program is called from where it was called.
func program() string {
	if _, err := exec.LookPath("hadron"); err == nil {
		return "hadron"
	}
	return shellWord(os.Args[0])
}

// serveAgain is the command that serves what the quickstart has made.
func serveAgain(c app.Config) string {
	command, usual := program()+" serve", app.DefaultConfig()
	if c.Listen != usual.Listen {
		command += " --listen " + shellWord(c.Listen)
	}
	if c.Data != usual.Data {
		command += " --data " + shellWord(c.Data)
	}
	return command
}

// quickstart is one run of the command.
type quickstart struct {
	*tool
	*progress
	access access
	client *api.Client
	state  string // absolute path of the folder of what is deployed
}

func (q *quickstart) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		q.bucket, q.environmentTemplate, q.serviceTemplate, q.environment, q.service,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func notFound(err error) bool {
	e, ok := errors.AsType[*awsjson.Error](err)
	return ok && e.Code == api.ResourceNotFoundException
}

func (q *quickstart) environmentSpec() string {
	return fmt.Sprintf("proton: EnvironmentSpec\nspec:\n  state_dir: %q\n  stage: development\n", q.state)
}

func (q *quickstart) serviceSpec() string {
	return fmt.Sprintf(`proton: ServiceSpec
pipeline:
  deploy_dir: %q
instances:
  - name: hello-dev
    environment: %[2]s
    spec:
      greeting: "Hello from the development instance"
      cache_seconds: 0
  - name: hello-prod
    environment: %[2]s
    spec:
      greeting: "Hello, world"
      theme: dark
`, filepath.Join(q.state, "pipelines", quickService), quickEnvironment)
}

// environment makes the environment, takes up what an interrupted run has
// begun, and tries again what has failed.
func (q *quickstart) environment(ctx context.Context) error {
	const what = "environment " + quickEnvironment
	name := api.Ptr(quickEnvironment)
	found, err := q.client.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: name})
	switch {
	case notFound(err):
		_, err = q.client.CreateEnvironment(ctx, &api.CreateEnvironmentInput{
			Name: name, TemplateName: api.Ptr(library.LocalNetwork), TemplateMajorVersion: api.Ptr("1"), Spec: api.Ptr(q.environmentSpec()),
		})
	case err != nil:
	case api.Value(found.Environment.DeploymentStatus) == api.DeploymentStatusSucceeded:
		q.there(what, "deployed already")
		return nil
	case api.Value(found.Environment.DeploymentStatus) != api.DeploymentStatusInProgress:
		_, err = q.client.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{
			Name: name, DeploymentType: api.Ptr(api.DeploymentUpdateTypeCurrentVersion), Spec: api.Ptr(q.environmentSpec()),
		})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return q.wait(ctx, func(ctx context.Context) error {
		return api.WaiterEnvironmentDeployed.Every(pollEvery).Wait(ctx, q.client, &api.GetEnvironmentInput{Name: name})
	}, func(ctx context.Context) ([]deployable, error) {
		out, err := q.client.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: name})
		if err != nil {
			return nil, err
		}
		e := out.Environment
		return []deployable{{what, e.DeploymentStatus, e.DeploymentStatusMessage, e.LastAttemptedDeploymentId}}, nil
	})
}

// service makes the service with its instances and pipeline. One whose
// creation has failed is removed first: Proton knows no way to create it again.
func (q *quickstart) service(ctx context.Context) error {
	const what = "service " + quickService
	in := &api.GetServiceInput{Name: api.Ptr(quickService)}
	found, err := q.client.GetService(ctx, in)
	create := notFound(err)
	if err != nil && !create {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !create {
		switch status := api.Value(found.Service.Status); status {
		case api.ServiceStatusActive:
			q.there(what, "deployed already")
			return nil
		case api.ServiceStatusCreateInProgress:
		default:
			q.there(what, fmt.Sprintf("is %s: it is removed and made again", status))
			if err := q.removeService(ctx, in); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			create = true
		}
	}
	if create {
		_, err := q.client.CreateService(ctx, &api.CreateServiceInput{
			Name: in.Name, TemplateName: api.Ptr(library.WebService), TemplateMajorVersion: api.Ptr("1"), Spec: api.Ptr(q.serviceSpec()),
			// Where a real service has its code; the template makes no use of it.
			RepositoryConnectionArn: api.Ptr(quickConnection), RepositoryId: api.Ptr("example/hello"), BranchName: api.Ptr("main"),
		})
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return q.wait(ctx, func(ctx context.Context) error {
		return api.WaiterServiceCreated.Every(pollEvery).Wait(ctx, q.client, in)
	}, q.serviceState)
}

func (q *quickstart) removeService(ctx context.Context, in *api.GetServiceInput) error {
	_, err := q.client.DeleteService(ctx, &api.DeleteServiceInput{Name: in.Name})
	if err != nil {
		return err
	}
	return api.WaiterServiceDeleted.Every(pollEvery).Wait(ctx, q.client, in)
}

// serviceState is what of the service is deployed: instances and pipeline.
func (q *quickstart) serviceState(ctx context.Context) ([]deployable, error) {
	var list []deployable
	for i, err := range q.instances(ctx) {
		if err != nil {
			return nil, err
		}
		list = append(list, deployable{"instance " + api.Value(i.Name), i.DeploymentStatus, i.DeploymentStatusMessage, i.LastAttemptedDeploymentId})
	}
	out, err := q.client.GetService(ctx, &api.GetServiceInput{Name: api.Ptr(quickService)})
	if err != nil {
		return nil, err
	}
	if p := out.Service.Pipeline; p != nil {
		list = append(list, deployable{"pipeline of " + quickService, p.DeploymentStatus, p.DeploymentStatusMessage, p.LastAttemptedDeploymentId})
	}
	return list, nil
}

// instances are the service's, by name.
func (q *quickstart) instances(ctx context.Context) func(func(api.ServiceInstanceSummary, error) bool) {
	return awsjson.Pages(func(token *string) ([]api.ServiceInstanceSummary, *string, error) {
		out, err := q.client.ListServiceInstances(ctx, &api.ListServiceInstancesInput{ServiceName: api.Ptr(quickService), NextToken: token})
		if err != nil {
			return nil, nil, err
		}
		return out.ServiceInstances, out.NextToken, nil
	})
}

// explain prints what there is now, with its outputs.
func (q *quickstart) explain(ctx context.Context, took time.Duration) {
	if len(q.took) > 0 {
		fmt.Fprintf(q.stdout, "\nEverything is deployed, after %.1f s. Outputs:\n\n", took.Seconds())
	} else {
		fmt.Fprint(q.stdout, "\nEverything is there. Outputs:\n\n")
	}
	if out, err := q.client.ListEnvironmentOutputs(ctx, &api.ListEnvironmentOutputsInput{EnvironmentName: api.Ptr(quickEnvironment)}); err == nil {
		q.outputs("environment "+quickEnvironment, out.Outputs)
	}
	for i, err := range q.instances(ctx) {
		if err != nil {
			break
		}
		out, err := q.client.ListServiceInstanceOutputs(ctx, &api.ListServiceInstanceOutputsInput{ServiceName: i.ServiceName, ServiceInstanceName: i.Name})
		if err == nil {
			q.outputs("instance "+api.Value(i.Name), out.Outputs)
		}
	}
	if out, err := q.client.ListServicePipelineOutputs(ctx, &api.ListServicePipelineOutputsInput{ServiceName: api.Ptr(quickService)}); err == nil {
		q.outputs("pipeline of "+quickService, out.Outputs)
	}
}

func (q *quickstart) outputs(of string, list []api.Output) {
	fmt.Fprintln(q.stdout, "  "+of)
	for _, o := range list {
		fmt.Fprintf(q.stdout, "    %-14s %s\n", api.Value(o.Key), api.Value(o.ValueString))
	}
}
