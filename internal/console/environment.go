package console

import (
	"net/http"

	"github.com/hadronhq/hadron/internal/api"
)

func (c *Console) environments(w http.ResponseWriter, r *http.Request) error {
	out, err := c.client.ListEnvironments(r.Context(), &api.ListEnvironmentsInput{NextToken: token(r)})
	if err != nil {
		return err
	}
	return c.ok(w, r, "Environments", environmentsView(out))
}

// environmentFacts is what an environment's page shows.
type environmentFacts struct {
	Environment *api.Environment
	Instances   []api.ServiceInstanceSummary
	More        bool // there are more instances than listed
	Outputs     []api.Output
	Resources   []api.ProvisionedResource
	Deployments []api.DeploymentSummary
	About       about
}

func (c *Console) environment(w http.ResponseWriter, r *http.Request) error {
	ctx, name := r.Context(), r.PathValue("environment")
	out, err := c.client.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: &name})
	if err != nil {
		return err
	}
	f := environmentFacts{Environment: out.Environment}
	instances, err := c.client.ListServiceInstances(ctx, &api.ListServiceInstancesInput{Filters: []api.ListServiceInstancesFilter{
		{Key: api.Ptr(api.ListServiceInstancesFilterByEnvironmentName), Value: &name}}})
	if err != nil {
		return err
	}
	f.Instances, f.More = instances.ServiceInstances, instances.NextToken != nil
	outputs, err := c.client.ListEnvironmentOutputs(ctx, &api.ListEnvironmentOutputsInput{EnvironmentName: &name})
	if err != nil {
		return err
	}
	f.Outputs = outputs.Outputs
	resources, err := c.client.ListEnvironmentProvisionedResources(ctx, &api.ListEnvironmentProvisionedResourcesInput{EnvironmentName: &name})
	if err != nil {
		return err
	}
	f.Resources = resources.ProvisionedResources
	all, err := c.latest(r, &api.ListDeploymentsInput{EnvironmentName: &name})
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.ServiceName == nil && d.ComponentName == nil {
			f.Deployments = append(f.Deployments, d)
		}
	}
	if f.About, err = c.about(r, out.Environment.Arn); err != nil {
		return err
	}
	return c.ok(w, r, name, environmentView(f))
}

func (c *Console) cancelEnvironment(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("environment")
	if _, err := c.client.CancelEnvironmentDeployment(r.Context(), &api.CancelEnvironmentDeploymentInput{EnvironmentName: &name}); err != nil {
		return err
	}
	return done(w, r, at("environments", name))
}

func (c *Console) deleteEnvironment(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("environment")
	if r.PostFormValue("confirm") != name {
		return invalid("To delete the environment, type its name, " + name + ", into the field beside the button.")
	}
	if _, err := c.client.DeleteEnvironment(r.Context(), &api.DeleteEnvironmentInput{Name: &name}); err != nil {
		return err
	}
	return done(w, r, at("environments"))
}
