package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

const (
	mostRolledOut = 500 // things that are updated together
	mostAtOnce    = 20  // of them
)

// rollout is an update of many things, some at a time. All of it stands in its
// page, which posts itself until it has ended: the server keeps nothing of it, and
// closing the page lets what was begun end and begins no more.
type rollout struct {
	Type          api.DeploymentUpdateType
	AtOnce        int
	StopOnFailure bool
	Stopped       bool // by hand
	Items         []rolloutItem
}

// What became of an item.
const (
	itemWaits, itemRuns, itemDone, itemFailed, itemRefused = "waiting", "running", "done", "failed", "refused"
)

// rolloutItem is one thing that is updated.
type rolloutItem struct{ Kind, Service, Name, State, Problem string }

// ID names the item in forms.
func (i rolloutItem) ID() string { return i.Kind + "/" + i.Service + "/" + i.Name }

// Title is what people call it.
func (i rolloutItem) Title() string {
	switch i.Kind {
	case kindEnvironment:
		return i.Name
	case kindPipeline:
		return i.Service + " / pipeline"
	}
	return i.Service + " / " + i.Name
}

// Path is its page.
func (i rolloutItem) Path() string {
	switch i.Kind {
	case kindEnvironment:
		return at("environments", i.Name)
	case kindPipeline:
		return at("services", i.Service, "pipeline")
	}
	return at("services", i.Service, "instances", i.Name)
}

// Text is the item as its page keeps it.
func (i rolloutItem) Text() string { return i.State + " " + i.ID() + " " + i.Problem }

func readItem(text string) (i rolloutItem, ok bool) {
	state, rest, _ := strings.Cut(text, " ")
	id, problem, _ := strings.Cut(rest, " ")
	parts := strings.Split(id, "/")
	if len(parts) != 3 || !slices.Contains([]string{kindInstance, kindEnvironment, kindPipeline}, parts[0]) ||
		!slices.Contains([]string{itemWaits, itemRuns, itemDone, itemFailed, itemRefused}, state) {
		return i, false
	}
	return rolloutItem{parts[0], parts[1], parts[2], state, problem}, true
}

// readRollout reads a rollout from its page, or begins one from what was chosen.
func readRollout(r *http.Request) (f rollout, err error) {
	for _, id := range r.PostForm["choose"] {
		r.PostForm.Add("item", itemWaits+" "+id)
	}
	f.Type, f.StopOnFailure, f.Stopped = api.DeploymentUpdateType(r.PostFormValue("type")), r.PostFormValue("stop-on-failure") != "", r.PostFormValue("stopped") != ""
	f.AtOnce, err = strconv.Atoi(cmp.Or(r.PostFormValue("at-once"), "5"))
	texts := r.PostForm["item"]
	switch {
	case len(texts) == 0:
		return f, invalid("Choose what to update.")
	case len(texts) > mostRolledOut:
		return f, invalid(fmt.Sprintf("At most %d things are updated together; %d are chosen.", mostRolledOut, len(texts)))
	case err != nil || f.AtOnce < 1 || f.AtOnce > mostAtOnce:
		return f, invalid(fmt.Sprintf("How many at once must be a number from 1 to %d.", mostAtOnce))
	case f.Type != api.DeploymentUpdateTypeMinorVersion && f.Type != api.DeploymentUpdateTypeMajorVersion:
		return f, invalid("Choose to update to the newest minor or major version.")
	}
	for _, text := range texts {
		item, ok := readItem(text)
		if !ok {
			return f, invalid("This is not something that can be updated: " + text)
		}
		f.Items = append(f.Items, item)
	}
	return f, nil
}

// rollOut looks how the items stand that were begun, and begins others.
func (c *Console) rollOut(w http.ResponseWriter, r *http.Request) error {
	f, err := readRollout(r)
	if err != nil {
		return err
	}
	for n := range f.Items {
		if f.Items[n].State == itemRuns {
			if err := c.lookAt(r, &f.Items[n]); err != nil {
				return err
			}
		}
	}
	for n := range f.Items {
		if f.Items[n].State == itemWaits && f.goesOn() {
			if err := c.beginUpdate(r, f.Type, &f.Items[n]); err != nil {
				return err
			}
		}
	}
	return c.ok(w, r, "Update of many", rolloutView(f))
}

// count is how many items stand so.
func (f rollout) count(states ...string) (n int) {
	for _, i := range f.Items {
		if slices.Contains(states, i.State) {
			n++
		}
	}
	return n
}

// halted reports whether no more items are begun.
func (f rollout) halted() bool {
	return f.Stopped || f.StopOnFailure && f.count(itemFailed, itemRefused) > 0
}

func (f rollout) goesOn() bool { return !f.halted() && f.count(itemRuns) < f.AtOnce }

// ended reports whether nothing runs and nothing will.
func (f rollout) ended() bool {
	return f.count(itemRuns) == 0 && (f.halted() || f.count(itemWaits) == 0)
}

// beginUpdate starts the update of an item. What the API refuses is said of it.
func (c *Console) beginUpdate(r *http.Request, kind api.DeploymentUpdateType, i *rolloutItem) (err error) {
	switch i.Kind {
	case kindEnvironment:
		_, err = c.client.UpdateEnvironment(r.Context(), &api.UpdateEnvironmentInput{Name: &i.Name, DeploymentType: &kind})
	case kindInstance:
		_, err = c.client.UpdateServiceInstance(r.Context(), &api.UpdateServiceInstanceInput{ServiceName: &i.Service, Name: &i.Name, DeploymentType: &kind})
	default:
		var out *api.GetServiceOutput
		if out, err = c.client.GetService(r.Context(), &api.GetServiceInput{Name: &i.Service}); err != nil {
			break
		}
		p := cmp.Or(out.Service.Pipeline, &api.ServicePipeline{})
		spec := cmp.Or(api.Value(p.Spec), api.Value(out.Service.Spec))
		_, err = c.client.UpdateServicePipeline(r.Context(), &api.UpdateServicePipelineInput{ServiceName: &i.Service, DeploymentType: &kind, Spec: &spec})
	}
	i.State = itemRuns
	if e, ok := errors.AsType[*awsjson.Error](err); ok && e.Status < http.StatusInternalServerError {
		i.State, i.Problem, err = itemRefused, e.Message, nil
	}
	return err
}

// lookAt finds out how the deployment of an item stands.
func (c *Console) lookAt(r *http.Request, i *rolloutItem) error {
	var status *api.DeploymentStatus
	var message *string
	var err error
	switch i.Kind {
	case kindEnvironment:
		var out *api.GetEnvironmentOutput
		if out, err = c.client.GetEnvironment(r.Context(), &api.GetEnvironmentInput{Name: &i.Name}); err == nil {
			status, message = out.Environment.DeploymentStatus, out.Environment.DeploymentStatusMessage
		}
	case kindInstance:
		var out *api.GetServiceInstanceOutput
		if out, err = c.client.GetServiceInstance(r.Context(), &api.GetServiceInstanceInput{ServiceName: &i.Service, Name: &i.Name}); err == nil {
			status, message = out.ServiceInstance.DeploymentStatus, out.ServiceInstance.DeploymentStatusMessage
		}
	default:
		var out *api.GetServiceOutput
		if out, err = c.client.GetService(r.Context(), &api.GetServiceInput{Name: &i.Service}); err == nil && out.Service.Pipeline != nil {
			status, message = out.Service.Pipeline.DeploymentStatus, out.Service.Pipeline.DeploymentStatusMessage
		}
	}
	e, ok := errors.AsType[*awsjson.Error](err)
	switch text := string(api.Value(status)); {
	case ok && e.Status < http.StatusInternalServerError: // gone, or not to be seen any more
		i.State, i.Problem, err = itemFailed, e.Message, nil
	case err == nil && text == string(api.DeploymentStatusSucceeded):
		i.State = itemDone
	case err == nil && tone(text) != "busy":
		i.State, i.Problem = itemFailed, cmp.Or(api.Value(message), words(text))
	}
	return err
}
