package console

import (
	"net/http"

	"github.com/hadronhq/hadron/internal/api"
)

// homeFacts is what the home page shows.
type homeFacts struct {
	Counts  *api.CountsSummary
	Running []api.DeploymentSummary
	Recent  []api.DeploymentSummary
	Failed  []api.ServiceInstanceSummary
	// FailedEnvironments are those whose last deployment failed.
	FailedEnvironments []api.EnvironmentSummary
}

// recentOnHome is how many deployments the home page lists.
const recentOnHome = 10

func (c *Console) home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	summary, err := c.client.GetResourcesSummary(ctx, &api.GetResourcesSummaryInput{})
	if err != nil {
		return err
	}
	f := homeFacts{Counts: summary.Counts}
	deployments, err := c.client.ListDeployments(ctx, &api.ListDeploymentsInput{MaxResults: api.Ptr[int64](100)})
	if err != nil {
		return err
	}
	for _, d := range deployments.Deployments {
		switch {
		case d.CompletedAt == nil:
			f.Running = append(f.Running, d)
		case len(f.Recent) < recentOnHome:
			f.Recent = append(f.Recent, d)
		}
	}
	instances, err := c.client.ListServiceInstances(ctx, &api.ListServiceInstancesInput{Filters: []api.ListServiceInstancesFilter{
		{Key: api.Ptr(api.ListServiceInstancesFilterByDeploymentStatus), Value: api.Ptr(string(api.DeploymentStatusFailed))},
		{Key: api.Ptr(api.ListServiceInstancesFilterByDeploymentStatus), Value: api.Ptr(string(api.DeploymentStatusDeleteFailed))},
	}})
	if err != nil {
		return err
	}
	f.Failed = instances.ServiceInstances
	environments, err := c.client.ListEnvironments(ctx, &api.ListEnvironmentsInput{MaxResults: api.Ptr[int64](100)})
	if err != nil {
		return err
	}
	for _, e := range environments.Environments {
		if tone(string(api.Value(e.DeploymentStatus))) == "bad" {
			f.FailedEnvironments = append(f.FailedEnvironments, e)
		}
	}
	return c.ok(w, r, "Home", homeView(f))
}
