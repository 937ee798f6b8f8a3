package proton

import (
	"slices"
	"time"
)

// UpdateType says what an update call deploys.
type UpdateType string

const (
	UpdateNone           UpdateType = "NONE"            // nothing: metadata only
	UpdateCurrentVersion UpdateType = "CURRENT_VERSION" // the version in use, perhaps with a new spec
	UpdateMinorVersion   UpdateType = "MINOR_VERSION"   // another minor of the major in use
	UpdateMajorVersion   UpdateType = "MAJOR_VERSION"   // a higher major
)

// UpdateRequest is what an update call says about versions. Major and Minor
// are nil where it says nothing.
type UpdateRequest struct {
	Type         UpdateType
	Major, Minor *string
}

// ChooseVersion is the version of t that an update call deploys to what runs
// current. versions are all of the template. Invalid, NotFound.
func (r UpdateRequest) ChooseVersion(t Template, current Version, versions []TemplateVersion) (TemplateVersion, error) {
	want, err := r.wanted(t, current, versions)
	if err != nil {
		return TemplateVersion{}, err
	}
	for _, v := range versions {
		if v.Version != want {
			continue
		}
		if !v.Status.Deployable() {
			return v, Errorf(Invalid, "Template version %s is not in a deployable state.", v.ARN())
		}
		return v, nil
	}
	return TemplateVersion{}, NoTemplateVersion(t.Scope, t.Kind, t.Name, want.String())
}

func (r UpdateRequest) wanted(t Template, current Version, versions []TemplateVersion) (Version, error) {
	var none Version
	major, err := r.major(t, current)
	if err != nil || r.Type == UpdateCurrentVersion {
		return current, err
	}
	if r.Minor != nil {
		minor, ok := ParseVersionPart(*r.Minor)
		if !ok {
			return none, NoTemplateVersion(t.Scope, t.Kind, t.Name, Version{Major: major}.MajorString()+"."+*r.Minor)
		}
		return Version{major, minor}, nil
	}
	minor := RecommendMinor(versions, major)
	exists := slices.ContainsFunc(versions, func(v TemplateVersion) bool { return v.Major == major })
	if minor < 0 && !exists {
		return none, NoTemplateVersion(t.Scope, t.Kind, t.Name, Version{Major: major}.MajorString())
	}
	if minor < 0 {
		return none, Errorf(Invalid, "No published version of template %s is available.", t.Name)
	}
	return Version{major, minor}, nil
}

// major is the major version that an update call deploys.
func (r UpdateRequest) major(t Template, current Version) (int64, error) {
	given := current.Major
	if r.Major != nil {
		n, ok := ParseVersionPart(*r.Major)
		if !ok {
			return 0, NoTemplateVersion(t.Scope, t.Kind, t.Name, *r.Major)
		}
		given = n
	}
	switch r.Type {
	case UpdateCurrentVersion:
		if r.Major != nil || r.Minor != nil {
			return 0, Errorf(Invalid, "templateMajorVersion and templateMinorVersion can't be specified with deploymentType %s.", r.Type)
		}
	case UpdateMinorVersion:
		if given != current.Major {
			return 0, Errorf(Invalid, "templateMajorVersion must be %s, the major version in use, with deploymentType %s.", current.MajorString(), r.Type)
		}
	case UpdateMajorVersion:
		if r.Major == nil {
			given = t.Recommended.Major
			if given == 0 {
				return 0, Errorf(Invalid, "No published version of template %s is available.", t.Name)
			}
		}
		if given <= current.Major {
			return 0, Errorf(Invalid, "The template major version must be higher than the major version in use.")
		}
	}
	return given, nil
}

// CheckNone refuses what a call of type NONE may not say: it deploys nothing.
func (r UpdateRequest) CheckNone(spec *string, current string) error {
	switch {
	case r.Major != nil || r.Minor != nil:
		return Errorf(Invalid, "templateMajorVersion and templateMinorVersion can't be specified with deploymentType %s.", r.Type)
	case spec != nil && *spec != current:
		return Errorf(Invalid, "spec can't be changed with deploymentType %s.", r.Type)
	}
	return nil
}

// PlanApply is a resource and the deployment that an update call starts.
// Conflict if the resource takes none now.
func PlanApply(s Scope, t TargetType, arn ARN, r Deployable, target State, newID func() string, now time.Time) (Deployable, Deployment, error) {
	d := Deployment{
		Scope: s, ID: newID(), RunID: newID(), TargetType: t, Goal: GoalApply, Status: InProgress,
		CreatedAt: now, LastModifiedAt: now, TargetCreatedAt: r.CreatedAt, Target: target, Ready: true,
		PrecedingAttemptedID: r.LastAttemptedDeploymentID, PrecedingSucceededID: r.LastSucceededDeploymentID,
	}
	if !r.Version.IsZero() {
		d.Initial = State{TemplateName: target.TemplateName, Version: r.Version, Spec: r.Spec}
	}
	if r.Status.Running() {
		return r, d, busy(t.noun(), arn)
	}
	next, err := r.Begin(d)
	return next, d, err
}
