package proton

import (
	"fmt"
	"slices"
	"strings"
)

// ARN is an Amazon Resource Name of one of Proton's resources.
type ARN string

func (s Scope) arn(resource string) ARN {
	return ARN("arn:aws:proton:" + s.Region + ":" + s.Account + ":" + resource)
}

// The ARNs of everything that has one.

func (s Scope) TemplateARN(kind TemplateKind, name string) ARN {
	return s.arn(kind.resource() + "/" + name)
}

func (s Scope) TemplateVersionARN(kind TemplateKind, name string, v Version) ARN {
	return s.arn(kind.resource() + "/" + name + ":" + v.String())
}

func (s Scope) EnvironmentARN(name string) ARN { return s.arn("environment/" + name) }
func (s Scope) ServiceARN(name string) ARN     { return s.arn("service/" + name) }
func (s Scope) ComponentARN(name string) ARN   { return s.arn("component/" + name) }
func (s Scope) DeploymentARN(id string) ARN    { return s.arn("deployment/" + id) }

func (s Scope) ServiceInstanceARN(service, name string) ARN {
	return s.arn("service/" + service + "/service-instance/" + name)
}

// PipelineARN is the short form that the files rendered by Proton carry.
func (s Scope) PipelineARN(service string) ARN { return s.arn("service/" + service + "/pipeline") }

func (s Scope) AccountConnectionARN(id string) ARN {
	return s.arn("environment-account-connection/" + id)
}

func (s Scope) RepositoryARN(provider, name string) ARN {
	return s.arn("repository/" + strings.ToLower(provider) + ":" + name)
}

// ResourceType is the kind of resource an ARN names.
type ResourceType string

const (
	ResourceEnvironmentTemplate        ResourceType = "environment template"
	ResourceEnvironmentTemplateVersion ResourceType = "environment template version"
	ResourceServiceTemplate            ResourceType = "service template"
	ResourceServiceTemplateVersion     ResourceType = "service template version"
	ResourceEnvironment                ResourceType = "environment"
	ResourceService                    ResourceType = "service"
	ResourceServiceInstance            ResourceType = "service instance"
	ResourcePipeline                   ResourceType = "service pipeline"
	ResourceComponent                  ResourceType = "component"
	ResourceRepository                 ResourceType = "repository"
	ResourceAccountConnection          ResourceType = "environment account connection"
	ResourceDeployment                 ResourceType = "deployment"
)

// Resource is a parsed ARN.
type Resource struct {
	Scope   Scope
	Type    ResourceType
	Name    string // template, environment, service, component name; id of a deployment or connection
	Child   string // service instance name
	Version Version
}

// ParseARN reads any ARN this package can make, and a pipeline's long form
// with an id behind it. Kind Invalid otherwise.
func ParseARN(arn string) (Resource, error) {
	bad := Errorf(Invalid, "The ARN %s does not name a Proton resource.", arn)
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || slices.Contains(parts, "") || parts[0] != "arn" || parts[2] != "proton" {
		return Resource{}, bad
	}
	r := Resource{Scope: Scope{Region: parts[3], Account: parts[4]}}
	kind, rest, _ := strings.Cut(parts[5], "/")
	if rest == "" {
		return Resource{}, bad
	}
	r.Name = rest
	switch kind {
	case "environment-template", "service-template":
		return parseTemplateARN(r, kind, rest, bad)
	case "environment":
		r.Type = ResourceEnvironment
	case "component":
		r.Type = ResourceComponent
	case "deployment":
		r.Type = ResourceDeployment
	case "repository":
		r.Type = ResourceRepository
		return r, nil
	case "environment-account-connection":
		r.Type = ResourceAccountConnection
	case "service":
		return parseServiceARN(r, rest, bad)
	default:
		return Resource{}, bad
	}
	if !isPart(rest) {
		return Resource{}, bad
	}
	return r, nil
}

// isPart reports whether s can stand between the separators of an ARN.
func isPart(s string) bool { return s != "" && !strings.ContainsAny(s, "/:") }

func parseTemplateARN(r Resource, kind, rest string, bad error) (Resource, error) {
	name, version, versioned := strings.Cut(rest, ":")
	if !isPart(name) {
		return Resource{}, bad
	}
	r.Name = name
	r.Type = ResourceEnvironmentTemplate
	if kind == "service-template" {
		r.Type = ResourceServiceTemplate
	}
	if !versioned {
		return r, nil
	}
	v, ok := ParseVersion(version)
	if !ok {
		return Resource{}, bad
	}
	r.Version = v
	r.Type += " version"
	return r, nil
}

func parseServiceARN(r Resource, rest string, bad error) (Resource, error) {
	parts := strings.Split(rest, "/")
	for _, part := range parts {
		if !isPart(part) {
			return Resource{}, bad
		}
	}
	r.Name = parts[0]
	switch {
	case len(parts) == 1:
		r.Type = ResourceService
	case len(parts) == 3 && parts[1] == "service-instance":
		r.Type, r.Child = ResourceServiceInstance, parts[2]
	case (len(parts) == 2 || len(parts) == 3) && parts[1] == "pipeline":
		r.Type = ResourcePipeline
	default:
		return Resource{}, bad
	}
	return r, nil
}

// ARN is the canonical ARN of the resource.
func (r Resource) ARN() ARN {
	switch r.Type {
	case ResourceEnvironmentTemplate:
		return r.Scope.TemplateARN(EnvironmentTemplate, r.Name)
	case ResourceServiceTemplate:
		return r.Scope.TemplateARN(ServiceTemplate, r.Name)
	case ResourceEnvironmentTemplateVersion:
		return r.Scope.TemplateVersionARN(EnvironmentTemplate, r.Name, r.Version)
	case ResourceServiceTemplateVersion:
		return r.Scope.TemplateVersionARN(ServiceTemplate, r.Name, r.Version)
	case ResourceEnvironment:
		return r.Scope.EnvironmentARN(r.Name)
	case ResourceService:
		return r.Scope.ServiceARN(r.Name)
	case ResourceServiceInstance:
		return r.Scope.ServiceInstanceARN(r.Name, r.Child)
	case ResourcePipeline:
		return r.Scope.PipelineARN(r.Name)
	case ResourceComponent:
		return r.Scope.ComponentARN(r.Name)
	case ResourceDeployment:
		return r.Scope.DeploymentARN(r.Name)
	case ResourceRepository:
		return r.Scope.arn("repository/" + r.Name)
	case ResourceAccountConnection:
		return r.Scope.arn("environment-account-connection/" + r.Name)
	}
	panic(fmt.Sprintf("proton: resource type %q has no ARN", r.Type))
}
