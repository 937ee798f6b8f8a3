package console

import (
	"net/http"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
)

func (c *Console) components(w http.ResponseWriter, r *http.Request) error {
	out, err := c.client.ListComponents(r.Context(), &api.ListComponentsInput{NextToken: token(r)})
	if err != nil {
		return err
	}
	return c.ok(w, r, "Components", componentsView(out))
}

// componentFacts is what a component's page shows.
type componentFacts struct {
	Component    *api.Component
	TemplateFile string // as last tried
	Outputs      []api.Output
	Resources    []api.ProvisionedResource
	Deployments  []api.DeploymentSummary
	About        about
}

func (c *Console) component(w http.ResponseWriter, r *http.Request) error {
	f, err := c.componentOf(r)
	if err != nil {
		return err
	}
	outputs, err := c.client.ListComponentOutputs(r.Context(), &api.ListComponentOutputsInput{ComponentName: f.Component.Name})
	if err != nil {
		return err
	}
	f.Outputs = outputs.Outputs
	resources, err := c.client.ListComponentProvisionedResources(r.Context(), &api.ListComponentProvisionedResourcesInput{ComponentName: f.Component.Name})
	if err != nil {
		return err
	}
	f.Resources = resources.ProvisionedResources
	if f.Deployments, err = c.latest(r, &api.ListDeploymentsInput{ComponentName: f.Component.Name}); err != nil {
		return err
	}
	if f.About, err = c.about(r, f.Component.Arn); err != nil {
		return err
	}
	return c.ok(w, r, *f.Component.Name, componentView(f))
}

// componentOf reads a component and the template file that its last deployment
// was made of; component calls do not return it.
func (c *Console) componentOf(r *http.Request) (componentFacts, error) {
	name := r.PathValue("component")
	out, err := c.client.GetComponent(r.Context(), &api.GetComponentInput{Name: &name})
	if err != nil {
		return componentFacts{}, err
	}
	f := componentFacts{Component: out.Component}
	if f.Component.LastAttemptedDeploymentId == nil {
		return f, nil
	}
	last, err := c.client.GetDeployment(r.Context(), &api.GetDeploymentInput{Id: f.Component.LastAttemptedDeploymentId})
	if err != nil {
		return f, err
	}
	if s := last.Deployment.TargetState; s != nil && s.Component != nil {
		f.TemplateFile = api.Value(s.Component.TemplateFile)
	}
	return f, nil
}

// componentForm is the form of a component.
type componentForm struct {
	New                                 bool
	Back                                string
	Name, Description, Environment      string
	Service, Instance                   string // attached to
	TemplateFile, Manifest, ServiceSpec string
	Environments                        []string
	Refusal                             *refusal
	Forecast                            *forecast
	Region                              string
	Kept                                bool   // over a sign-in
	Begun                               string // what the form was made from
	Meanwhile                           []specLine
	Command                             string
}

func (f *componentForm) keep(r *http.Request) {
	value := func(name string) string { return strings.TrimSpace(newlines(r.PostFormValue(name))) }
	f.Name, f.Description, f.Environment = value("name"), value("description"), value("environment")
	f.Service, f.Instance, _ = strings.Cut(value("attached"), "/")
	f.Kept = r.PostForm.Has("kept")
	f.TemplateFile, f.Manifest, f.ServiceSpec = newlines(r.PostFormValue("template-file")), newlines(r.PostFormValue("manifest")), value("service-spec")
}

// starterManifest is the manifest of a CloudFormation component.
const starterManifest = `infrastructure:
  templates:
    - file: "component.yaml"
      rendering_engine: jinja
      template_language: cloudformation
`

func (c *Console) newComponent(w http.ResponseWriter, r *http.Request) error {
	f := &componentForm{New: true, Region: regionOf(r), Back: at("components"), Manifest: starterManifest}
	var err error
	if f.Environments, err = c.environmentNames(r); err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		f.keep(r)
	}
	f.Command = command("create-component", "", "name", f.Name, "description", f.Description, "environment-name", f.Environment,
		"service-name", f.Service, "service-instance-name", f.Instance, "manifest", "file://manifest.yaml", "template-file", "file://component.yaml")
	in := &api.CreateComponentInput{
		Name: &f.Name, Description: optional(f.Description), EnvironmentName: optional(f.Environment),
		ServiceName: optional(f.Service), ServiceInstanceName: optional(f.Instance),
		TemplateFile: &f.TemplateFile, Manifest: &f.Manifest, ServiceSpec: optional(f.ServiceSpec),
	}
	if submitted(r) {
		_, err := c.client.CreateComponent(r.Context(), in)
		if err == nil {
			return done(w, r, at("components", f.Name))
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foreseeCreation(r, &api.PreviewCreationInput{Component: in}); err != nil {
			return err
		}
	}
	return c.ok(w, r, "Create component", componentFormView(f))
}

func (c *Console) environmentNames(r *http.Request) (names []string, err error) {
	for in := (&api.ListEnvironmentsInput{}); ; {
		out, err := c.client.ListEnvironments(r.Context(), in)
		if err != nil {
			return nil, err
		}
		names = append(names, compatible(out.Environments)...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return names, nil
		}
	}
}

// updateComponent changes what a component is made of, or where it is
// attached: to another instance only over being detached.
func (c *Console) updateComponent(w http.ResponseWriter, r *http.Request) error {
	facts, err := c.componentOf(r)
	if err != nil {
		return err
	}
	now := facts.Component
	f := &componentForm{Region: regionOf(r), Back: at("components", *now.Name), Description: api.Value(now.Description), Environment: api.Value(now.EnvironmentName),
		Service: api.Value(now.ServiceName), Instance: api.Value(now.ServiceInstanceName), TemplateFile: facts.TemplateFile, ServiceSpec: api.Value(now.ServiceSpec)}
	f.Begun, f.Meanwhile = changedSince(r, strings.Join([]string{"attached to: " + attached(f), "description: " + f.Description, f.ServiceSpec, f.TemplateFile}, "\n"))
	if r.Method == http.MethodPost {
		f.keep(r)
	}
	f.Name, f.Environment = *now.Name, api.Value(now.EnvironmentName)
	in := &api.UpdateComponentInput{Name: now.Name, DeploymentType: api.Ptr(api.ComponentDeploymentUpdateTypeCurrentVersion),
		Description: &f.Description, TemplateFile: optional(f.TemplateFile), ServiceSpec: optional(f.ServiceSpec)}
	if f.Service != api.Value(now.ServiceName) || f.Instance != api.Value(now.ServiceInstanceName) {
		in.ServiceName, in.ServiceInstanceName = &f.Service, &f.Instance
	}
	f.Command = command("update-component", "", "name", f.Name, "description", f.Description, "deployment-type", "CURRENT_VERSION",
		"service-name", api.Value(in.ServiceName), "service-instance-name", api.Value(in.ServiceInstanceName), "template-file", "file://component.yaml")
	if submitted(r) && len(f.Meanwhile) == 0 {
		_, err := c.client.UpdateComponent(r.Context(), in)
		if err == nil {
			return done(w, r, f.Back)
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foresee(r, &api.PreviewDeploymentInput{Resource: api.Ptr("component/" + f.Name), Component: in}); err != nil {
			return err
		}
	}
	return c.ok(w, r, "Update "+f.Name, componentFormView(f))
}

func (c *Console) cancelComponent(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("component")
	if _, err := c.client.CancelComponentDeployment(r.Context(), &api.CancelComponentDeploymentInput{ComponentName: &name}); err != nil {
		return err
	}
	return done(w, r, at("components", name))
}

func (c *Console) deleteComponent(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("component")
	if r.PostFormValue("confirm") != name {
		return invalid("To delete the component, type its name, " + name + ", into the field beside the button.")
	}
	if _, err := c.client.DeleteComponent(r.Context(), &api.DeleteComponentInput{Name: &name}); err != nil {
		return err
	}
	return done(w, r, at("components"))
}
