package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// behindFacts is what the page about who runs which version shows.
type behindFacts struct {
	Instances []api.ServiceInstanceSummary
	Next      *string
	Show      string            // minor, major or all
	Newest    map[string]string // recommended version, by template
	Results   []result
}

// result is what became of one update of many.
type result struct{ Name, Path, Problem string }

// shown are the choices of what the page lists.
var shown = []struct{ Value, Name string }{{"minor", "A minor version behind"}, {"major", "A major version behind"}, {"all", "All"}}

func (c *Console) behind(w http.ResponseWriter, r *http.Request) error {
	f, err := c.behindOf(r)
	if err != nil {
		return err
	}
	return c.ok(w, r, "Behind", behindView(f))
}

func (c *Console) behindOf(r *http.Request) (behindFacts, error) {
	f := behindFacts{Show: r.URL.Query().Get("show"), Newest: map[string]string{}}
	in := &api.ListServiceInstancesInput{MaxResults: api.Ptr[int64](100), NextToken: token(r)}
	switch f.Show {
	case "all":
	case "major":
		in.Filters = []api.ListServiceInstancesFilter{{Key: api.Ptr(api.ListServiceInstancesFilterByDeployedTemplateVersionStatus), Value: api.Ptr("BEHIND_MAJOR")}}
	default:
		f.Show = "minor"
		in.Filters = []api.ListServiceInstancesFilter{{Key: api.Ptr(api.ListServiceInstancesFilterByDeployedTemplateVersionStatus), Value: api.Ptr("BEHIND_MINOR")}}
	}
	out, err := c.client.ListServiceInstances(r.Context(), in)
	if err != nil {
		return f, err
	}
	f.Instances, f.Next = out.ServiceInstances, out.NextToken
	rows, err := c.templateRows(r, ofServices)
	for _, t := range rows {
		f.Newest[t.Name] = t.Recommended
	}
	return f, err
}

// mostAtOnce bounds how many deployments one press of a button starts.
const mostAtOnce = 20

// updateBehind updates the chosen instances to the recommended minor version
// of the major they run, or to the recommended major.
func (c *Console) updateBehind(w http.ResponseWriter, r *http.Request) error {
	chosen := r.PostForm["instance"]
	kind := api.DeploymentUpdateType(r.PostFormValue("type"))
	switch {
	case len(chosen) == 0:
		return invalid("Choose the instances to update.")
	case len(chosen) > mostAtOnce:
		return invalid(fmt.Sprintf("At most %d instances are updated at once; %d are chosen.", mostAtOnce, len(chosen)))
	case kind != api.DeploymentUpdateTypeMinorVersion && kind != api.DeploymentUpdateTypeMajorVersion:
		return invalid("Choose to update to the newest minor or major version.")
	}
	f, err := c.behindOf(r)
	if err != nil {
		return err
	}
	for _, one := range chosen {
		service, instance, _ := strings.Cut(one, "/")
		res := result{Name: service + " / " + instance, Path: at("services", service, "instances", instance)}
		_, err := c.client.UpdateServiceInstance(r.Context(), &api.UpdateServiceInstanceInput{ServiceName: &service, Name: &instance, DeploymentType: &kind})
		if e, ok := errors.AsType[*awsjson.Error](err); ok {
			res.Problem = e.Message
		} else if err != nil {
			return err
		}
		f.Results = append(f.Results, res)
	}
	return c.ok(w, r, "Behind", behindView(f))
}
