package console

import (
	"net/http"
	"slices"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/schema"
)

// forecast is what a form would change, asked for before it is submitted.
type forecast struct {
	Parts   []api.PreviewDeploymentOutput
	Gone    []api.PreviewDeploymentOutput // what would be removed
	Left    []string                      // what can't be foreseen, and why
	Refusal *refusal
}

// asksWhat reports whether a form only asks what it would change.
func asksWhat(r *http.Request) bool { return r.PostFormValue("do") == "preview" }

// foreseeCreation asks what creating something would make.
func (c *Console) foreseeCreation(r *http.Request, in *api.PreviewCreationInput) (*forecast, error) {
	f := &forecast{}
	out, err := c.client.PreviewCreation(r.Context(), in)
	return f, f.creation(out, err)
}

// creation takes in what creating something would change. An error is one that
// is not to be shown in the form.
func (f *forecast) creation(out *api.PreviewCreationOutput, err error) error {
	if err != nil {
		f.Refusal, err = refused(err)
		return err
	}
	f.Parts, f.Left = append(f.Parts, out.Previews...), append(f.Left, out.NotPreviewed...)
	return nil
}

// deployment takes in what a deployment of something would change.
func (f *forecast) deployment(list *[]api.PreviewDeploymentOutput, out *api.PreviewDeploymentOutput, err error) error {
	if err != nil {
		f.Refusal, err = refused(err)
		return err
	}
	*list = append(*list, *out)
	return nil
}

// foresee asks what a deployment of one resource would change.
func (c *Console) foresee(r *http.Request, in *api.PreviewDeploymentInput) (*forecast, error) {
	f := &forecast{}
	out, err := c.client.PreviewDeployment(r.Context(), in)
	return f, f.deployment(&f.Parts, out, err)
}

// foreseeService asks what a new list of a service's instances would change:
// those that are added and those that are removed.
func (c *Console) foreseeService(r *http.Request, name, before, after string, pipeline bool) (*forecast, error) {
	f := &forecast{}
	old, wanted := instanceNames(before), instanceNames(after)
	for _, instance := range wanted {
		if slices.Contains(old, instance) || f.Refusal != nil {
			continue
		}
		// Beside those that are there, the call takes one new instance.
		spec := withInstances(after, append(slices.Clone(old), instance))
		out, err := c.client.PreviewCreation(r.Context(), &api.PreviewCreationInput{ServiceInstance: &api.CreateServiceInstanceInput{Name: &instance, ServiceName: &name, Spec: &spec}})
		if err := f.creation(out, err); err != nil {
			return nil, err
		}
	}
	for _, instance := range old {
		if slices.Contains(wanted, instance) || f.Refusal != nil {
			continue
		}
		out, err := c.client.PreviewDeployment(r.Context(), &api.PreviewDeploymentInput{
			Resource: api.Ptr("service/" + name + "/service-instance/" + instance), Goal: api.Ptr(api.HadronDeploymentGoalDestroy)})
		if err := f.deployment(&f.Gone, out, err); err != nil {
			return nil, err
		}
	}
	if pipeline && len(f.Parts)+len(f.Gone) > 0 {
		f.Left = append(f.Left, "The pipeline is deployed again afterwards, with what its instances put out then.")
	}
	return f, nil
}

// instanceNames are the names of a spec's instances; of a spec that cannot be
// read there are none, and the API says why.
func instanceNames(spec string) (names []string) {
	for _, item := range instancesIn(spec) {
		if o, ok := item.(*schema.Object); ok {
			names = append(names, text(o, "name"))
		}
	}
	return names
}

func instancesIn(spec string) []any {
	doc, err := schema.ParseYAML([]byte(spec))
	if err != nil {
		return nil
	}
	o, _ := doc.Value().(*schema.Object)
	list, _ := o.Get("instances")
	items, _ := list.([]any)
	return items
}

// withInstances is a spec with those of its instances only that have a name of
// the list.
func withInstances(spec string, names []string) string {
	doc, err := schema.ParseYAML([]byte(spec))
	if err != nil {
		return spec
	}
	o, ok := doc.Value().(*schema.Object)
	if !ok {
		return spec
	}
	o.Set("instances", slices.DeleteFunc(instancesIn(spec), func(item any) bool {
		instance, ok := item.(*schema.Object)
		return !ok || !slices.Contains(names, text(instance, "name"))
	}))
	kept, err := schema.WriteYAML(o)
	if err != nil {
		return spec
	}
	return kept
}
