package console

import (
	"cmp"
	"net/http"

	"github.com/hadronhq/hadron/internal/api"
)

func (c *Console) deployments(w http.ResponseWriter, r *http.Request) error {
	out, err := c.client.ListDeployments(r.Context(), &api.ListDeploymentsInput{MaxResults: api.Ptr[int64](50), NextToken: token(r)})
	if err != nil {
		return err
	}
	return c.ok(w, r, "Deployments", deploymentsView(out))
}

// deploymentFacts is what a deployment's page shows.
type deploymentFacts struct {
	Deployment *api.Deployment
	Details    *api.DeploymentDetails
	Log        []api.DeploymentLogEvent
	Change     []specLine // the spec, with what the deployment changed in it
	Files      []api.DeploymentFile
	Shown      *api.DeploymentFile // the one whose text is asked for
}

// maxLogLines bounds what the page shows of a log: its end.
const maxLogLines = 5000

func (c *Console) deployment(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("deployment")
	out, err := c.client.GetDeployment(r.Context(), &api.GetDeploymentInput{Id: &id})
	if err != nil {
		return err
	}
	f := deploymentFacts{Deployment: out.Deployment, Change: specChange(specOf(out.Deployment.InitialState), specOf(out.Deployment.TargetState))}
	details, err := c.client.GetDeploymentDetails(r.Context(), &api.GetDeploymentDetailsInput{DeploymentId: &id})
	if err != nil {
		return err
	}
	f.Details = details.Details
	if f.Log, err = c.logOf(r, id); err != nil {
		return err
	}
	if err := c.filesOf(r, &f); err != nil {
		return err
	}
	return c.ok(w, r, "Deployment "+shortID(&id), deploymentView(f))
}

// logOf reads the end of a deployment's log.
func (c *Console) logOf(r *http.Request, id string) (events []api.DeploymentLogEvent, err error) {
	for next := (*string)(nil); ; {
		page, err := c.client.ListDeploymentLogEvents(r.Context(), &api.ListDeploymentLogEventsInput{DeploymentId: &id, MaxResults: api.Ptr[int64](1000), NextToken: next})
		if err != nil {
			return nil, err
		}
		events = append(events, page.Events...)
		if len(events) > maxLogLines {
			events = events[len(events)-maxLogLines:]
		}
		if next = page.NextToken; next == nil || len(page.Events) == 0 {
			return events, nil
		}
	}
}

// filesOf lists what a deployment rendered, and reads the file that is asked for.
func (c *Console) filesOf(r *http.Request, f *deploymentFacts) error {
	out, err := c.client.ListDeploymentFiles(r.Context(), &api.ListDeploymentFilesInput{DeploymentId: f.Deployment.Id})
	if err != nil {
		return err
	}
	f.Files = out.Files
	path := r.URL.Query().Get("file")
	if path == "" {
		return nil
	}
	one, err := c.client.ListDeploymentFiles(r.Context(), &api.ListDeploymentFilesInput{DeploymentId: f.Deployment.Id, Path: &path})
	if err != nil {
		return err
	}
	if len(one.Files) == 1 {
		f.Shown = &one.Files[0]
	}
	return nil
}

// actOnDeployment tries a deployment again, or goes back to it.
func (c *Console) actOnDeployment(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("deployment")
	var next *string
	switch r.PostFormValue("do") {
	case "retry":
		out, err := c.client.RetryDeployment(r.Context(), &api.RetryDeploymentInput{DeploymentId: &id})
		if err != nil {
			return err
		}
		next = out.DeploymentId
	case "roll-back":
		out, err := c.client.RollBackDeployment(r.Context(), &api.RollBackDeploymentInput{DeploymentId: &id})
		if err != nil {
			return err
		}
		next = out.DeploymentId
	default:
		return invalid("Retry the deployment, or roll back to it.")
	}
	return done(w, r, at("deployments", cmp.Or(api.Value(next), id)))
}

// specOf is the spec that a state of a deployment holds.
func specOf(s *api.DeploymentState) string {
	switch {
	case s == nil:
		return ""
	case s.Environment != nil:
		return api.Value(s.Environment.Spec)
	case s.ServiceInstance != nil:
		return api.Value(s.ServiceInstance.Spec)
	case s.ServicePipeline != nil:
		return api.Value(s.ServicePipeline.Spec)
	case s.Component != nil:
		return api.Value(s.Component.ServiceSpec)
	}
	return ""
}
