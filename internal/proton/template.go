package proton

import (
	"slices"
	"time"
)

// TemplateKind tells environment templates and service templates apart. They
// are separate name spaces.
type TemplateKind string

const (
	EnvironmentTemplate TemplateKind = "ENVIRONMENT"
	ServiceTemplate     TemplateKind = "SERVICE"
)

// resource is the kind as an ARN spells it.
func (k TemplateKind) resource() string {
	if k == ServiceTemplate {
		return "service-template"
	}
	return "environment-template"
}

// Noun is the kind as messages spell it: "environment template".
func (k TemplateKind) Noun() string {
	if k == ServiceTemplate {
		return "service template"
	}
	return "environment template"
}

// Template is an environment or service template. Empty strings are values
// that were never given.
type Template struct {
	Scope
	Kind          TemplateKind
	Name          string
	DisplayName   string
	Description   string
	EncryptionKey string
	// CustomerManaged: an environment template that describes infrastructure
	// made elsewhere, or a service template without a pipeline.
	CustomerManaged bool
	Recommended     Version // highest published; zero while nothing is published
	LastMajor       int64   // highest major ever given out
	CreatedAt       time.Time
	LastModifiedAt  time.Time
	Creation        Creation
	Revision        int64
}

func (t Template) ARN() ARN { return t.TemplateARN(t.Kind, t.Name) }

// CompatibleTemplate is a major version of an environment template that a
// service template version can be deployed on.
type CompatibleTemplate struct {
	Name  string `json:"name"`
	Major int64  `json:"major"`
}

// TemplateVersion is one registered bundle of a template.
type TemplateVersion struct {
	Scope
	ID           string // UUID, names the registration job
	Kind         TemplateKind
	TemplateName string
	Version
	Description   string
	Status        TemplateVersionStatus
	StatusMessage string
	Schema        string // verbatim; set once registered
	Compatible    []CompatibleTemplate
	// ComponentSources: DIRECTLY_DEFINED or none.
	ComponentSources []string
	SourceBucket     string
	SourceKey        string
	BundleDigest     string   // "sha256:…" of the stored archive; set once registered
	Warnings         []string // what registration noticed and let pass
	Methods          Methods  // set once registered
	Attempt          int64    // of the registration job
	CreatedAt        time.Time
	LastModifiedAt   time.Time
	Revision         int64
}

func (v TemplateVersion) ARN() ARN { return v.TemplateVersionARN(v.Kind, v.TemplateName, v.Version) }

// SupportsComponents reports whether directly defined components can be attached.
func (v TemplateVersion) SupportsComponents() bool {
	return slices.Contains(v.ComponentSources, "DIRECTLY_DEFINED")
}

// Methods says how the parts of a bundle are provisioned: CLOUDFORMATION,
// TERRAFORM, CODEBUILD, or empty where there is no such part.
type Methods struct {
	Infrastructure string `json:"infrastructure,omitempty"` // of the environment, or of each service instance
	Pipeline       string `json:"pipeline,omitempty"`
}

// MethodPullRequest is how Terraform is provisioned where a repository is
// given: by a pull request that someone else's automation applies.
const MethodPullRequest = "PULL_REQUEST"

// NumberVersion is the version that a create call gets: the next minor of
// major, or the first minor of the next major if major is zero. lastMinor is
// the highest minor ever given out in major. NotFound for a major that none of
// the template's versions has: it goes with its last minor.
func NumberVersion(t Template, versions []TemplateVersion, major, lastMinor int64) (Version, error) {
	if major == 0 {
		return Version{Major: t.LastMajor + 1}, nil
	}
	if !slices.ContainsFunc(versions, func(v TemplateVersion) bool { return v.Major == major }) {
		return Version{}, Errorf(NotFound, "The requested template major version does not exist: %s:%d", t.ARN(), major)
	}
	return Version{Major: major, Minor: lastMinor + 1}, nil
}

// Recommend is the highest published version, zero without one.
func Recommend(versions []TemplateVersion) Version {
	var best Version
	for _, v := range versions {
		if v.Status == Published && v.Version.Compare(best) > 0 {
			best = v.Version
		}
	}
	return best
}

// RecommendMinor is the highest published minor of a major, -1 without one.
func RecommendMinor(versions []TemplateVersion, major int64) int64 {
	best := int64(-1)
	for _, v := range versions {
		if v.Status == Published && v.Major == major {
			best = max(best, v.Minor)
		}
	}
	return best
}

// RefuseVersionDelete says why v can't be deleted, or nil. siblings are all
// versions of the template, v among them.
func RefuseVersionDelete(t Template, v TemplateVersion, siblings []TemplateVersion, inUse bool) error {
	switch {
	case inUse:
		return Errorf(Conflict, "Template version %s can't be deleted because it is in use.", v.ARN())
	case v.Status == RegistrationInProgress:
		return Errorf(Conflict, "Template version %s can't be deleted while it is being registered.", v.ARN())
	case v.Version == t.Recommended && len(siblings) > 1:
		return Errorf(Conflict, "Recommended template version %s can't be deleted.", v.ARN())
	}
	return nil
}

// Messages for what is missing, in the real service's pattern.

func NoTemplate(s Scope, kind TemplateKind, name string) error {
	return Errorf(NotFound, "The requested %s does not exist: %s", kind.Noun(), s.TemplateARN(kind, name))
}

// NoTemplateVersion takes the version as the caller wrote it, "1" or "1.0".
func NoTemplateVersion(s Scope, kind TemplateKind, name, version string) error {
	return Errorf(NotFound, "The requested %s version does not exist: %s:%s", kind.Noun(), s.TemplateARN(kind, name), version)
}

func NoEnvironment(s Scope, name string) error {
	return Errorf(NotFound, "The requested environment does not exist: %s", s.EnvironmentARN(name))
}

func NoService(s Scope, name string) error {
	return Errorf(NotFound, "The requested service does not exist: %s", s.ServiceARN(name))
}

func NoServiceInstance(s Scope, service, name string) error {
	return Errorf(NotFound, "The requested service instance does not exist: %s", s.ServiceInstanceARN(service, name))
}

func NoPipeline(s Scope, service string) error {
	return Errorf(NotFound, "Service %s has no pipeline.", s.ServiceARN(service))
}

func NoDeployment(id string) error {
	return Errorf(NotFound, "The requested deployment does not exist: %s", id)
}
