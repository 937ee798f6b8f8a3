package console

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
)

// deploymentType is the kind of an update from one version to another.
func deploymentType(from, to string) api.DeploymentUpdateType {
	oldMajor, _, _ := strings.Cut(from, ".")
	newMajor, _, _ := strings.Cut(to, ".")
	switch {
	case from == to:
		return api.DeploymentUpdateTypeCurrentVersion
	case oldMajor == newMajor:
		return api.DeploymentUpdateTypeMinorVersion
	}
	return api.DeploymentUpdateTypeMajorVersion
}

// versionsOf are the members of an update for its version: none to keep it.
func versionsOf(kind api.DeploymentUpdateType, v versionFacts) (major, minor *string) {
	if kind == api.DeploymentUpdateTypeCurrentVersion {
		return nil, nil
	}
	return &v.Major, &v.Minor
}

// updateForm prepares the form of an update of what was last deployed by the
// deployment last.
func (c *Console) updateForm(r *http.Request, f *resourceForm, edits, only, spec string, last *string) (versionFacts, error) {
	f.keep(r)
	f.Begun, f.Meanwhile = changedSince(r, "template version: "+f.Now+"\nlast deployment: "+api.Value(last)+"\n"+spec)
	f.Version = cmp.Or(r.FormValue("version"), f.Now)
	v, err := c.choose(r, f)
	if err != nil {
		return v, err
	}
	f.dropOlderMajors()
	if f.Editor, err = c.editorFor(r, edits, v); err != nil {
		return v, err
	}
	f.Editor.Only, f.Editor.YAML = only, spec
	f.Editor.begin(r)
	return v, nil
}

// dropOlderMajors keeps what an update can go to.
func (f *resourceForm) dropOlderMajors() {
	now, _, _ := strings.Cut(f.Now, ".")
	least, _ := strconv.Atoi(now)
	kept := f.Versions[:0]
	for _, v := range f.Versions {
		if major, _ := strconv.Atoi(v.Major); major >= least {
			kept = append(kept, v)
		}
	}
	f.Versions = kept
}

func (c *Console) environmentUpdate(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("environment")
	out, err := c.client.GetEnvironment(r.Context(), &api.GetEnvironmentInput{Name: &name})
	if err != nil {
		return err
	}
	e := out.Environment
	f := &resourceForm{Title: "Update " + name, Noun: "environment", Back: at("environments", name), Kind: ofEnvironments, Submit: "Update environment",
		Template: api.Value(e.TemplateName), Now: version(e.TemplateMajorVersion, e.TemplateMinorVersion)}
	v, err := c.updateForm(r, f, editsEnvironment, "", api.Value(e.Spec), e.LastAttemptedDeploymentId)
	if err != nil {
		return err
	}
	kind := deploymentType(f.Now, f.Version)
	in := &api.UpdateEnvironmentInput{Name: &name, DeploymentType: &kind, Spec: &f.Editor.YAML}
	in.TemplateMajorVersion, in.TemplateMinorVersion = versionsOf(kind, v)
	f.Command = command("update-environment", f.Editor.YAML, "name", name, "deployment-type", string(kind),
		"template-major-version", api.Value(in.TemplateMajorVersion), "template-minor-version", api.Value(in.TemplateMinorVersion))
	if f.submits(r) {
		_, err := c.client.UpdateEnvironment(r.Context(), in)
		if err == nil {
			return done(w, r, f.Back)
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foresee(r, &api.PreviewDeploymentInput{Resource: api.Ptr("environment/" + name), Spec: &f.Editor.YAML, TemplateMajorVersion: in.TemplateMajorVersion, TemplateMinorVersion: in.TemplateMinorVersion}); err != nil {
			return err
		}
	}
	return c.ok(w, r, f.Title, resourceFormView(f))
}

// serviceUpdate is the form for a service's whole spec: instances that are
// added are deployed, those that are left out are removed.
func (c *Console) serviceUpdate(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("service")
	out, err := c.client.GetService(r.Context(), &api.GetServiceInput{Name: &name})
	if err != nil {
		return err
	}
	f := &resourceForm{Title: "Edit " + name, Noun: "service", Back: at("services", name), Kind: ofServices, Submit: "Update service",
		Template: api.Value(out.Service.TemplateName)}
	if f.Now, err = c.versionOfService(r, out.Service); err != nil {
		return err
	}
	if _, err := c.updateForm(r, f, editsService, "", api.Value(out.Service.Spec), nil); err != nil {
		return err
	}
	f.Versions = nil // a service has no version of its own
	f.Begun, f.Meanwhile = changedSince(r, "description: "+api.Value(out.Service.Description)+"\n"+api.Value(out.Service.Spec))
	if f.Fields["description"] == "" && r.Method == http.MethodGet {
		f.Fields["description"] = api.Value(out.Service.Description)
	}
	in := &api.UpdateServiceInput{Name: &name, Spec: &f.Editor.YAML, Description: api.Ptr(f.Fields["description"])}
	f.Command = command("update-service", f.Editor.YAML, "name", name, "description", f.Fields["description"])
	if f.submits(r) {
		_, err := c.client.UpdateService(r.Context(), in)
		if err == nil {
			return done(w, r, f.Back)
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foreseeService(r, name, api.Value(out.Service.Spec), f.Editor.YAML, out.Service.Pipeline != nil); err != nil {
			return err
		}
	}
	return c.ok(w, r, f.Title, resourceFormView(f))
}

// versionOfService is the version whose schema a service's spec is shown with:
// the pipeline's, or the first instance's.
func (c *Console) versionOfService(r *http.Request, s *api.Service) (string, error) {
	if p := s.Pipeline; p != nil && api.Value(p.TemplateMajorVersion) != "" {
		return version(p.TemplateMajorVersion, p.TemplateMinorVersion), nil
	}
	out, err := c.client.ListServiceInstances(r.Context(), &api.ListServiceInstancesInput{ServiceName: s.Name})
	if err != nil || len(out.ServiceInstances) == 0 {
		return "", err
	}
	i := out.ServiceInstances[0]
	return version(i.TemplateMajorVersion, i.TemplateMinorVersion), nil
}

func (c *Console) instanceUpdate(w http.ResponseWriter, r *http.Request) error {
	service, name := r.PathValue("service"), r.PathValue("instance")
	out, err := c.client.GetServiceInstance(r.Context(), &api.GetServiceInstanceInput{ServiceName: &service, Name: &name})
	if err != nil {
		return err
	}
	i := out.ServiceInstance
	f := &resourceForm{Title: "Update " + service + " / " + name, Noun: "service instance", Back: at("services", service, "instances", name), Kind: ofServices,
		Submit: "Update instance", Template: api.Value(i.TemplateName), Now: version(i.TemplateMajorVersion, i.TemplateMinorVersion)}
	v, err := c.updateForm(r, f, editsInstance, name, api.Value(i.Spec), i.LastAttemptedDeploymentId)
	if err != nil {
		return err
	}
	kind := deploymentType(f.Now, f.Version)
	in := &api.UpdateServiceInstanceInput{ServiceName: &service, Name: &name, DeploymentType: &kind, Spec: &f.Editor.YAML}
	in.TemplateMajorVersion, in.TemplateMinorVersion = versionsOf(kind, v)
	f.Command = command("update-service-instance", f.Editor.YAML, "service-name", service, "name", name, "deployment-type", string(kind),
		"template-major-version", api.Value(in.TemplateMajorVersion), "template-minor-version", api.Value(in.TemplateMinorVersion))
	if f.submits(r) {
		_, err := c.client.UpdateServiceInstance(r.Context(), in)
		if err == nil {
			return done(w, r, f.Back)
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foresee(r, &api.PreviewDeploymentInput{Resource: api.Ptr("service/" + service + "/service-instance/" + name), Spec: &f.Editor.YAML, TemplateMajorVersion: in.TemplateMajorVersion, TemplateMinorVersion: in.TemplateMinorVersion}); err != nil {
			return err
		}
	}
	return c.ok(w, r, f.Title, resourceFormView(f))
}

func (c *Console) pipelineUpdate(w http.ResponseWriter, r *http.Request) error {
	service := r.PathValue("service")
	out, err := c.client.GetService(r.Context(), &api.GetServiceInput{Name: &service})
	if err != nil {
		return err
	}
	p := out.Service.Pipeline
	if p == nil {
		return invalid("The service " + service + " has no pipeline.")
	}
	f := &resourceForm{Title: "Update " + service + " / pipeline", Noun: "pipeline", Back: at("services", service, "pipeline"), Kind: ofServices, Submit: "Update pipeline",
		Template: api.Value(p.TemplateName), Now: version(p.TemplateMajorVersion, p.TemplateMinorVersion)}
	v, err := c.updateForm(r, f, editsPipeline, "", cmp.Or(api.Value(p.Spec), api.Value(out.Service.Spec)), p.LastAttemptedDeploymentId)
	if err != nil {
		return err
	}
	kind := deploymentType(f.Now, f.Version)
	in := &api.UpdateServicePipelineInput{ServiceName: &service, DeploymentType: &kind, Spec: &f.Editor.YAML}
	in.TemplateMajorVersion, in.TemplateMinorVersion = versionsOf(kind, v)
	f.Command = command("update-service-pipeline", f.Editor.YAML, "service-name", service, "deployment-type", string(kind),
		"template-major-version", api.Value(in.TemplateMajorVersion), "template-minor-version", api.Value(in.TemplateMinorVersion))
	if f.submits(r) {
		_, err := c.client.UpdateServicePipeline(r.Context(), in)
		if err == nil {
			return done(w, r, f.Back)
		}
		if f.Refusal, err = refused(err); err != nil {
			return err
		}
	}
	if asksWhat(r) {
		if f.Forecast, err = c.foresee(r, &api.PreviewDeploymentInput{Resource: api.Ptr("service/" + service + "/pipeline"), Spec: &f.Editor.YAML, TemplateMajorVersion: in.TemplateMajorVersion, TemplateMinorVersion: in.TemplateMinorVersion}); err != nil {
			return err
		}
	}
	return c.ok(w, r, f.Title, resourceFormView(f))
}
