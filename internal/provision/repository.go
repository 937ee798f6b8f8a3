package provision

import (
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/proton"
)

// chosen is the engine for a bundle's method: Terraform goes to a pull request
// where there is a repository for it.
func chosen(d proton.Deployment, method string) string {
	if d.Inputs.Repository != nil && method == string(engine.OpenTofu) {
		return string(engine.PullRequest)
	}
	return method
}

// repository is where the files of a deployment go; nil if it is provisioned
// directly.
func repository(d proton.Deployment, method engine.Method) *engine.Repository {
	if method != engine.PullRequest {
		return nil
	}
	r := &engine.Repository{
		Provider: d.Inputs.Repository.Provider, Name: d.Inputs.Repository.Name, Branch: d.Inputs.Repository.Branch, Account: d.Account,
	}
	switch d.TargetType {
	case proton.TargetEnvironment:
		r.Kind, r.Folder = "environment", d.EnvironmentName
	case proton.TargetServiceInstance:
		r.Kind, r.Folder = "service_instance", d.EnvironmentName+"/"+d.ServiceName+"-"+d.InstanceName
	case proton.TargetPipeline:
		r.Kind, r.Folder = "service_pipeline", d.ServiceName+"/pipeline"
	default:
		r.Kind, r.Folder = "component", d.EnvironmentName+"/"+d.ComponentName
	}
	return r
}

// metadata is the file that tells automation what a folder is.
func metadata(d proton.Deployment) engine.File {
	m := bundle.Metadata{DeploymentID: d.ID, Deleted: d.Goal == proton.GoalDestroy, ARN: string(d.TargetARN())}
	if d.TargetType == proton.TargetComponent {
		m.Component, m.EnvironmentARN = true, string(d.EnvironmentARN(d.EnvironmentName))
		if in := d.Inputs; in.Service != nil {
			m.ServiceARN = string(d.ServiceARN(in.Service.Name))
			m.InstanceARN = string(d.ServiceInstanceARN(in.Service.Name, in.Instances[0].Name))
		}
		return engine.File{Path: bundle.MetadataFile, Mode: 0o644, Content: m.Text()}
	}
	kind := proton.ServiceTemplate
	if d.TargetType == proton.TargetEnvironment {
		kind = proton.EnvironmentTemplate
	}
	m.TemplateARN = string(d.TemplateARN(kind, d.Target.TemplateName))
	m.Major, m.Minor = d.Target.Version.MajorString(), d.Target.Version.MinorString()
	if d.TargetType == proton.TargetServiceInstance {
		m.EnvironmentARN = string(d.EnvironmentARN(d.EnvironmentName))
	}
	return engine.File{Path: bundle.MetadataFile, Mode: 0o644, Content: m.Text()}
}
