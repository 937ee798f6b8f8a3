package console

import (
	"net/http"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
)

func (c *Console) services(w http.ResponseWriter, r *http.Request) error {
	out, err := c.client.ListServices(r.Context(), &api.ListServicesInput{NextToken: token(r)})
	if err != nil {
		return err
	}
	return c.ok(w, r, "Services", servicesView(out))
}

// token is the page of a list that is asked for.
func token(r *http.Request) *string { return optional(r.URL.Query().Get("token")) }

// optional is nil for a text that was not given.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// serviceFacts is what a service's page shows.
type serviceFacts struct {
	Service     *api.Service
	Instances   []api.ServiceInstanceSummary
	Deployments []api.DeploymentSummary
	Outputs     []api.Output // of the pipeline
	About       about
	Sync        *syncFacts // nil: it is not synced
}

func (c *Console) service(w http.ResponseWriter, r *http.Request) error {
	ctx, name := r.Context(), r.PathValue("service")
	out, err := c.client.GetService(ctx, &api.GetServiceInput{Name: &name})
	if err != nil {
		return err
	}
	f := serviceFacts{Service: out.Service}
	for next := (*string)(nil); ; {
		page, err := c.client.ListServiceInstances(ctx, &api.ListServiceInstancesInput{ServiceName: &name, NextToken: next})
		if err != nil {
			return err
		}
		f.Instances = append(f.Instances, page.ServiceInstances...)
		if next = page.NextToken; next == nil {
			break
		}
	}
	if f.Deployments, err = c.latest(r, &api.ListDeploymentsInput{ServiceName: &name}); err != nil {
		return err
	}
	if f.About, err = c.about(r, out.Service.Arn); err != nil {
		return err
	}
	if f.Sync, err = c.serviceSync(r, name); err != nil {
		return err
	}
	return c.ok(w, r, name, serviceView(f))
}

// latest are the newest deployments of something.
func (c *Console) latest(r *http.Request, in *api.ListDeploymentsInput) ([]api.DeploymentSummary, error) {
	in.MaxResults = api.Ptr[int64](20)
	out, err := c.client.ListDeployments(r.Context(), in)
	if err != nil {
		return nil, err
	}
	return out.Deployments, nil
}

// about is what the pages of all resources show.
type about struct {
	ARN    *string
	Tags   []api.Tag
	Done   []auditRow // the newest
	Hidden bool       // who did it may not be seen by everybody
}

// lastDone is how many calls a resource's page shows.
const lastDone = 5

func (c *Console) about(r *http.Request, arn *string) (about, error) {
	a := about{ARN: arn}
	tags, err := c.client.ListTagsForResource(r.Context(), &api.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		return a, err
	}
	a.Tags = tags.Tags
	if a.Hidden = !mayBeGranted(r, "cloudtrail:LookupEvents"); a.Hidden {
		return a, nil
	}
	done, err := c.client.ListAuditEvents(r.Context(), &api.ListAuditEventsInput{ResourceArn: arn, MaxResults: api.Ptr[int64](lastDone)})
	if err != nil {
		a.Hidden = true
		_, err = refused(err)
		return a, err
	}
	a.Done = readAudits(done.Events)
	return a, nil
}

// changeTags adds a tag to a resource or removes one, and goes back.
func (c *Console) changeTags(w http.ResponseWriter, r *http.Request) error {
	arn := r.PostFormValue("arn")
	var err error
	if key := r.PostFormValue("remove"); key != "" {
		_, err = c.client.UntagResource(r.Context(), &api.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{key}})
	} else {
		key, value := r.PostFormValue("key"), r.PostFormValue("value")
		_, err = c.client.TagResource(r.Context(), &api.TagResourceInput{ResourceArn: &arn, Tags: []api.Tag{{Key: &key, Value: &value}}})
	}
	if err != nil {
		return err
	}
	return done(w, r, destination(pathOf(r.Referer())))
}

func (c *Console) deleteService(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("service")
	if r.PostFormValue("confirm") != name {
		return invalid("To delete the service, type its name, " + name + ", into the field beside the button.")
	}
	if _, err := c.client.DeleteService(r.Context(), &api.DeleteServiceInput{Name: &name}); err != nil {
		return err
	}
	return done(w, r, at("services"))
}

// lastResort forgets a resource that can't be deleted.
func (c *Console) lastResort(w http.ResponseWriter, r *http.Request) error {
	resource := r.PostFormValue("resource")
	_, name, _ := strings.Cut(resource, "/")
	if r.PostFormValue("confirm") != name {
		return invalid("To go on, type the name, " + name + ", into the field beside the button.")
	}
	var err error
	if r.PostFormValue("do") == "abandon" {
		_, err = c.client.AbandonResource(r.Context(), &api.AbandonResourceInput{Resource: &resource})
	} else {
		_, err = c.client.ForceDeleteResource(r.Context(), &api.ForceDeleteResourceInput{Resource: &resource})
	}
	if err != nil {
		return err
	}
	return done(w, r, at(r.PostFormValue("back")))
}

// instanceFacts is what the page of a service instance, or of a pipeline, shows.
type instanceFacts struct {
	Service     *api.Service
	Instance    *api.ServiceInstance
	Outputs     []api.Output
	Resources   []api.ProvisionedResource
	Deployments []api.DeploymentSummary
	About       about
}

func (c *Console) instance(w http.ResponseWriter, r *http.Request) error {
	ctx, service, name := r.Context(), r.PathValue("service"), r.PathValue("instance")
	out, err := c.client.GetServiceInstance(ctx, &api.GetServiceInstanceInput{ServiceName: &service, Name: &name})
	if err != nil {
		return err
	}
	f := instanceFacts{Instance: out.ServiceInstance}
	outputs, err := c.client.ListServiceInstanceOutputs(ctx, &api.ListServiceInstanceOutputsInput{ServiceName: &service, ServiceInstanceName: &name})
	if err != nil {
		return err
	}
	f.Outputs = outputs.Outputs
	resources, err := c.client.ListServiceInstanceProvisionedResources(ctx, &api.ListServiceInstanceProvisionedResourcesInput{ServiceName: &service, ServiceInstanceName: &name})
	if err != nil {
		return err
	}
	f.Resources = resources.ProvisionedResources
	if f.Deployments, err = c.latest(r, &api.ListDeploymentsInput{ServiceName: &service, ServiceInstanceName: &name}); err != nil {
		return err
	}
	if f.About, err = c.about(r, out.ServiceInstance.Arn); err != nil {
		return err
	}
	return c.ok(w, r, service+" / "+name, instanceView(f))
}

func (c *Console) cancelInstance(w http.ResponseWriter, r *http.Request) error {
	service, name := r.PathValue("service"), r.PathValue("instance")
	_, err := c.client.CancelServiceInstanceDeployment(r.Context(), &api.CancelServiceInstanceDeploymentInput{ServiceName: &service, ServiceInstanceName: &name})
	if err != nil {
		return err
	}
	return done(w, r, at("services", service, "instances", name))
}

func (c *Console) pipeline(w http.ResponseWriter, r *http.Request) error {
	ctx, service := r.Context(), r.PathValue("service")
	out, err := c.client.GetService(ctx, &api.GetServiceInput{Name: &service})
	if err != nil {
		return err
	}
	f := instanceFacts{Service: out.Service}
	if out.Service.Pipeline == nil {
		return c.ok(w, r, service+" / pipeline", pipelineView(f))
	}
	outputs, err := c.client.ListServicePipelineOutputs(ctx, &api.ListServicePipelineOutputsInput{ServiceName: &service})
	if err != nil {
		return err
	}
	f.Outputs = outputs.Outputs
	resources, err := c.client.ListServicePipelineProvisionedResources(ctx, &api.ListServicePipelineProvisionedResourcesInput{ServiceName: &service})
	if err != nil {
		return err
	}
	f.Resources = resources.ProvisionedResources
	all, err := c.latest(r, &api.ListDeploymentsInput{ServiceName: &service})
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.ServiceInstanceName == nil {
			f.Deployments = append(f.Deployments, d)
		}
	}
	return c.ok(w, r, service+" / pipeline", pipelineView(f))
}

func (c *Console) cancelPipeline(w http.ResponseWriter, r *http.Request) error {
	service := r.PathValue("service")
	_, err := c.client.CancelServicePipelineDeployment(r.Context(), &api.CancelServicePipelineDeploymentInput{ServiceName: &service})
	if err != nil {
		return err
	}
	return done(w, r, at("services", service, "pipeline"))
}
