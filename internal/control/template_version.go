package control

import (
	"context"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// createVersion numbers a version and queues its registration, or answers the
// one that an earlier call with the same token made.
func (p *Plane) createVersion(ctx context.Context, operation string, v proton.TemplateVersion, major, token *string, hash string, tags []api.Tag) (d versionDetail, err error) {
	template := v.TemplateARN(v.Kind, v.TemplateName)
	if err := p.authorize(ctx, operation, template); err != nil {
		return d, err
	}
	if err := p.authorizeTags(ctx, tags, template); err != nil {
		return d, err
	}
	if err := proton.CheckTags(fromTags(tags)); err != nil {
		return d, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		ok, err := p.repeat(ctx, tx, v.Scope, operation, token, hash, func(id string) (bool, error) {
			existing, ok, err := tx.TemplateVersionByID(ctx, id)
			v = existing
			return ok, err
		})
		if err != nil {
			return err
		}
		if !ok {
			if v, err = p.insertVersion(ctx, tx, v, numberOf(major), tags); err != nil {
				return err
			}
			if err := p.remember(ctx, tx, v.Scope, operation, token, hash, v.ID); err != nil {
				return err
			}
		}
		d, err = detail(ctx, tx, v)
		return err
	})
	return d, err
}

// numbering finds the number of a new version beside those that a template has.
type numbering func(context.Context, *store.Tx, proton.Template, []proton.TemplateVersion) (proton.Version, error)

func (p *Plane) insertVersion(ctx context.Context, tx *store.Tx, v proton.TemplateVersion, number numbering, tags []api.Tag) (proton.TemplateVersion, error) {
	t, err := tx.Template(ctx, v.Scope, v.Kind, v.TemplateName)
	if err != nil {
		return v, err
	}
	if err := compatibleExist(ctx, tx, v); err != nil {
		return v, err
	}
	siblings, err := tx.TemplateVersions(ctx, v.Scope, v.Kind, v.TemplateName, 0)
	if err != nil {
		return v, err
	}
	if len(siblings) >= p.Quotas.VersionsPerTemplate {
		return v, proton.Errorf(proton.QuotaExceeded, "The maximum number of versions for template %s has been reached.", t.ARN())
	}
	if v.Version, err = number(ctx, tx, t, siblings); err != nil {
		return v, err
	}
	v.ID, v.Status = p.newID(), proton.RegistrationInProgress
	v.CreatedAt = p.now()
	v.LastModifiedAt = v.CreatedAt
	if err := tx.InsertTemplateVersion(ctx, v); err != nil {
		return v, err
	}
	if v.Major > t.LastMajor {
		t.LastMajor = v.Major
		if err := tx.SaveTemplate(ctx, t); err != nil {
			return v, err
		}
	}
	return v, inheritTags(ctx, tx, t.ARN(), v.ARN(), tags)
}

// numberOf is how a create call numbers its version.
func numberOf(major *string) numbering {
	return func(ctx context.Context, tx *store.Tx, t proton.Template, siblings []proton.TemplateVersion) (proton.Version, error) {
		if major == nil {
			return proton.NumberVersion(t, siblings, 0, -1)
		}
		n, ok := proton.ParseVersionPart(*major)
		if !ok || n == 0 {
			return proton.Version{}, proton.Errorf(proton.NotFound, "The requested template major version does not exist: %s:%s", t.ARN(), *major)
		}
		last, err := tx.LastMinor(ctx, t, n)
		if err != nil {
			return proton.Version{}, err
		}
		return proton.NumberVersion(t, siblings, n, last)
	}
}

// compatibleExist refuses compatible environment templates that are not there.
func compatibleExist(ctx context.Context, tx *store.Tx, v proton.TemplateVersion) error {
	for _, c := range v.Compatible {
		versions, err := tx.TemplateVersions(ctx, v.Scope, proton.EnvironmentTemplate, c.Name, c.Major)
		if err != nil {
			return err
		}
		if len(versions) == 0 {
			return proton.NoTemplateVersion(v.Scope, proton.EnvironmentTemplate, c.Name, proton.Version{Major: c.Major}.MajorString())
		}
	}
	return nil
}

// inheritTags gives a new child its parent's customer tags, and over them its own.
func inheritTags(ctx context.Context, tx *store.Tx, parent, child proton.ARN, own []api.Tag) error {
	inherited, err := tx.Tags(ctx, parent)
	if err != nil {
		return err
	}
	tags, err := proton.MergeTags(inherited, fromTags(own))
	if err != nil {
		return err
	}
	return tx.PutTags(ctx, child, tags)
}

// detail adds to a version what its siblings say of it.
func detail(ctx context.Context, tx *store.Tx, v proton.TemplateVersion) (versionDetail, error) {
	siblings, err := tx.TemplateVersions(ctx, v.Scope, v.Kind, v.TemplateName, v.Major)
	return versionDetail{v, proton.RecommendMinor(siblings, v.Major)}, err
}

// version reads a version by the numbers of a request. NotFound, also for
// numbers that no version can have.
func version(ctx context.Context, tx *store.Tx, s proton.Scope, kind proton.TemplateKind, name string, major, minor *string) (proton.TemplateVersion, error) {
	v, ok := proton.ParseVersion(*major + "." + *minor)
	if !ok {
		return proton.TemplateVersion{}, proton.NoTemplateVersion(s, kind, name, *major+"."+*minor)
	}
	return tx.TemplateVersion(ctx, s, kind, name, v)
}

func (p *Plane) getVersion(ctx context.Context, operation string, kind proton.TemplateKind, name string, major, minor *string) (d versionDetail, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, s.TemplateARN(kind, name)); err != nil {
		return d, err
	}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		v, err := version(ctx, tx, s, kind, name, major, minor)
		if err != nil {
			return err
		}
		d, err = detail(ctx, tx, v)
		return err
	})
	return d, err
}

// listVersions lists the minors of a major, highest first, or one row for each
// major: its recommended minor, or its highest while none is published.
func (p *Plane) listVersions(ctx context.Context, operation string, kind proton.TemplateKind, name string, majorText, token *string, maxResults *int64) (rows []versionDetail, next *string, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, s.TemplateARN(kind, name)); err != nil {
		return nil, nil, err
	}
	filters := []any{name, majorText}
	var after proton.Version
	paged, err := p.pagePosition(s, operation, filters, token, &after)
	if err != nil {
		return nil, nil, err
	}
	var all []proton.TemplateVersion
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		if _, err := tx.Template(ctx, s, kind, name); err != nil {
			return err
		}
		all, err = tx.TemplateVersions(ctx, s, kind, name, 0)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for n := len(all) - 1; n >= 0; n-- { // stored lowest first, listed highest first
		v := versionDetail{all[n], proton.RecommendMinor(all, all[n].Major)}
		switch {
		case majorText != nil && v.MajorString() != *majorText:
		case majorText == nil && !standsForMajor(all, n, v.recommendedMinor):
		case paged && v.Version.Compare(after) >= 0:
		default:
			rows = append(rows, v)
		}
	}
	return page(p, s, operation, filters, rows, pageSize(maxResults), func(v versionDetail) any { return v.Version })
}

// standsForMajor reports whether all[n] is the row that its major is listed by.
func standsForMajor(all []proton.TemplateVersion, n int, recommendedMinor int64) bool {
	if recommendedMinor >= 0 {
		return all[n].Minor == recommendedMinor
	}
	return n == len(all)-1 || all[n+1].Major != all[n].Major
}

// versionChange is what an update call asks for; nil members stay.
type versionChange struct {
	description *string
	status      *api.TemplateVersionStatus
	compatible  []api.CompatibleEnvironmentTemplateInput
	sources     []api.ServiceTemplateSupportedComponentSourceType
}

func (p *Plane) updateVersion(ctx context.Context, operation string, kind proton.TemplateKind, name string, major, minor *string, c versionChange) (d versionDetail, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, s.TemplateARN(kind, name)); err != nil {
		return d, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		v, err := version(ctx, tx, s, kind, name, major, minor)
		if err != nil {
			return err
		}
		if c.status != nil {
			if v.Status, err = publish(v, proton.TemplateVersionStatus(*c.status)); err != nil {
				return err
			}
		}
		if c.description != nil {
			v.Description = *c.description
		}
		if c.compatible != nil {
			if v.Compatible, err = fromCompatible(s, c.compatible); err != nil {
				return err
			}
			if err := compatibleExist(ctx, tx, v); err != nil {
				return err
			}
		}
		if c.sources != nil {
			v.ComponentSources = fromSources(c.sources)
		}
		v.LastModifiedAt = p.now()
		if err := tx.SaveTemplateVersion(ctx, v); err != nil {
			return err
		}
		if err := recommend(ctx, tx, v); err != nil {
			return err
		}
		v.Revision++
		d, err = detail(ctx, tx, v)
		return err
	})
	return d, err
}

// publish is the status that an update call asks for: only DRAFT to PUBLISHED
// is a change that callers can make.
func publish(v proton.TemplateVersion, want proton.TemplateVersionStatus) (proton.TemplateVersionStatus, error) {
	switch {
	case v.Status == proton.RegistrationInProgress:
		return v.Status, proton.Errorf(proton.Conflict, "Template version %s can't be changed to %s while it is being registered.", v.ARN(), want)
	case want == v.Status && v.Status.Deployable():
		return v.Status, nil
	case want != proton.Published || v.Status != proton.Draft:
		return v.Status, proton.Errorf(proton.Invalid, "Template version %s can't change from %s to %s: only DRAFT can be changed, to PUBLISHED.", v.ARN(), v.Status, want)
	}
	return v.Status.On(proton.PublishRequested)
}

// recommend recomputes the recommended version of a version's template.
func recommend(ctx context.Context, tx *store.Tx, v proton.TemplateVersion) error {
	t, err := tx.Template(ctx, v.Scope, v.Kind, v.TemplateName)
	if err != nil {
		return err
	}
	versions, err := tx.TemplateVersions(ctx, v.Scope, v.Kind, v.TemplateName, 0)
	if err != nil {
		return err
	}
	best := proton.Recommend(versions)
	if best == t.Recommended {
		return nil
	}
	t.Recommended = best
	return tx.SaveTemplate(ctx, t)
}

// deleteVersion answers the version as it was; ok is false if there is none.
func (p *Plane) deleteVersion(ctx context.Context, operation string, kind proton.TemplateKind, name string, major, minor *string) (d versionDetail, ok bool, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, s.TemplateARN(kind, name)); err != nil {
		return d, false, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		v, err := version(ctx, tx, s, kind, name, major, minor)
		if err != nil {
			return err
		}
		if d, err = detail(ctx, tx, v); err != nil {
			return err
		}
		t, err := tx.Template(ctx, s, kind, name)
		if err != nil {
			return err
		}
		siblings, err := tx.TemplateVersions(ctx, s, kind, name, 0)
		if err != nil {
			return err
		}
		inUse, err := tx.TemplateVersionInUse(ctx, v)
		if err != nil {
			return err
		}
		if err := proton.RefuseVersionDelete(t, v, siblings, inUse); err != nil {
			return err
		}
		if err := tx.DeleteTemplateVersion(ctx, v); err != nil {
			return err
		}
		return recommend(ctx, tx, v)
	})
	if proton.IsNotFound(err) {
		return d, false, nil
	}
	return d, err == nil, err
}

func fromCompatible(s proton.Scope, in []api.CompatibleEnvironmentTemplateInput) ([]proton.CompatibleTemplate, error) {
	list := make([]proton.CompatibleTemplate, 0, len(in))
	for _, c := range in {
		major, ok := proton.ParseVersionPart(*c.MajorVersion)
		if !ok || major == 0 {
			return nil, proton.NoTemplateVersion(s, proton.EnvironmentTemplate, *c.TemplateName, *c.MajorVersion)
		}
		list = append(list, proton.CompatibleTemplate{Name: *c.TemplateName, Major: major})
	}
	return list, nil
}

func fromSources(in []api.ServiceTemplateSupportedComponentSourceType) []string {
	list := make([]string, 0, len(in))
	for _, source := range in {
		list = append(list, string(source))
	}
	return list
}

// tokenLife is how long a client token is remembered.
const tokenLife = 8 * time.Hour

// repeat looks whether a call with a token was made before, and if so calls
// find with what it made. Answers true if the call is such a repeat; Invalid
// if the token came with other parameters.
func (p *Plane) repeat(ctx context.Context, tx *store.Tx, s proton.Scope, operation string, token *string, hash string, find func(resource string) (bool, error)) (bool, error) {
	if api.Value(token) == "" {
		return false, nil
	}
	known, ok, err := tx.ClientToken(ctx, s, operation, *token)
	if err != nil || !ok || p.now().Sub(known.CreatedAt) > tokenLife {
		return false, err
	}
	found, err := find(known.Resource)
	if err != nil || !found {
		return false, err
	}
	if known.RequestHash != hash {
		return false, proton.Errorf(proton.Invalid, "Idempotent parameter mismatch")
	}
	return true, nil
}

func (p *Plane) remember(ctx context.Context, tx *store.Tx, s proton.Scope, operation string, token *string, hash, resource string) error {
	if api.Value(token) == "" {
		return nil
	}
	return tx.SaveClientToken(ctx, s, operation, *token, store.ClientToken{RequestHash: hash, Resource: resource, CreatedAt: p.now()})
}

// source reads the one member that a version's source must carry.
func source(v *proton.TemplateVersion, in *api.TemplateVersionSourceInput) {
	v.SourceBucket, v.SourceKey = *in.S3.Bucket, strings.TrimPrefix(*in.S3.Key, "/")
}

// CreateEnvironmentTemplateVersion registers a bundle as a new minor of
// majorVersion, or as a new major without it. Registration goes on after the
// answer. Invalid, NotFound, QuotaExceeded.
func (p *Plane) CreateEnvironmentTemplateVersion(ctx context.Context, in *api.CreateEnvironmentTemplateVersionInput) (*api.CreateEnvironmentTemplateVersionOutput, error) {
	v := proton.TemplateVersion{
		Scope: scopeOf(ctx), Kind: proton.EnvironmentTemplate, TemplateName: *in.TemplateName, Description: api.Value(in.Description),
	}
	source(&v, in.Source)
	request := *in
	request.ClientToken, request.Tags = nil, nil
	d, err := p.createVersion(ctx, "CreateEnvironmentTemplateVersion", v, in.MajorVersion, in.ClientToken, requestHash(request, in.Tags), in.Tags)
	if err != nil {
		return nil, err
	}
	return &api.CreateEnvironmentTemplateVersionOutput{EnvironmentTemplateVersion: toEnvironmentTemplateVersion(d)}, nil
}

// CreateServiceTemplateVersion registers a bundle as a new minor of
// majorVersion, or as a new major without it, to be deployed in environments
// of the compatible templates. Invalid, NotFound, QuotaExceeded.
func (p *Plane) CreateServiceTemplateVersion(ctx context.Context, in *api.CreateServiceTemplateVersionInput) (*api.CreateServiceTemplateVersionOutput, error) {
	s := scopeOf(ctx)
	compatible, err := fromCompatible(s, in.CompatibleEnvironmentTemplates)
	if err != nil {
		return nil, err
	}
	v := proton.TemplateVersion{
		Scope: s, Kind: proton.ServiceTemplate, TemplateName: *in.TemplateName, Description: api.Value(in.Description),
		Compatible: compatible, ComponentSources: fromSources(in.SupportedComponentSources),
	}
	source(&v, in.Source)
	request := *in
	request.ClientToken, request.Tags = nil, nil
	d, err := p.createVersion(ctx, "CreateServiceTemplateVersion", v, in.MajorVersion, in.ClientToken, requestHash(request, in.Tags), in.Tags)
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceTemplateVersionOutput{ServiceTemplateVersion: toServiceTemplateVersion(d)}, nil
}

// GetEnvironmentTemplateVersion reads a version with its schema. NotFound.
func (p *Plane) GetEnvironmentTemplateVersion(ctx context.Context, in *api.GetEnvironmentTemplateVersionInput) (*api.GetEnvironmentTemplateVersionOutput, error) {
	d, err := p.getVersion(ctx, "GetEnvironmentTemplateVersion", proton.EnvironmentTemplate, *in.TemplateName, in.MajorVersion, in.MinorVersion)
	if err != nil {
		return nil, err
	}
	return &api.GetEnvironmentTemplateVersionOutput{EnvironmentTemplateVersion: toEnvironmentTemplateVersion(d)}, nil
}

// GetServiceTemplateVersion reads a version with its schema. NotFound.
func (p *Plane) GetServiceTemplateVersion(ctx context.Context, in *api.GetServiceTemplateVersionInput) (*api.GetServiceTemplateVersionOutput, error) {
	d, err := p.getVersion(ctx, "GetServiceTemplateVersion", proton.ServiceTemplate, *in.TemplateName, in.MajorVersion, in.MinorVersion)
	if err != nil {
		return nil, err
	}
	return &api.GetServiceTemplateVersionOutput{ServiceTemplateVersion: toServiceTemplateVersion(d)}, nil
}

// ListEnvironmentTemplateVersions lists majors, or the minors of one. NotFound.
func (p *Plane) ListEnvironmentTemplateVersions(ctx context.Context, in *api.ListEnvironmentTemplateVersionsInput) (*api.ListEnvironmentTemplateVersionsOutput, error) {
	rows, next, err := p.listVersions(ctx, "ListEnvironmentTemplateVersions", proton.EnvironmentTemplate, *in.TemplateName, in.MajorVersion, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &api.ListEnvironmentTemplateVersionsOutput{TemplateVersions: toList(rows, toEnvironmentTemplateVersionSummary), NextToken: next}, nil
}

// ListServiceTemplateVersions lists majors, or the minors of one. NotFound.
func (p *Plane) ListServiceTemplateVersions(ctx context.Context, in *api.ListServiceTemplateVersionsInput) (*api.ListServiceTemplateVersionsOutput, error) {
	rows, next, err := p.listVersions(ctx, "ListServiceTemplateVersions", proton.ServiceTemplate, *in.TemplateName, in.MajorVersion, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &api.ListServiceTemplateVersionsOutput{TemplateVersions: toList(rows, toServiceTemplateVersionSummary), NextToken: next}, nil
}

// UpdateEnvironmentTemplateVersion changes the description, or publishes.
// Invalid, Conflict, NotFound.
func (p *Plane) UpdateEnvironmentTemplateVersion(ctx context.Context, in *api.UpdateEnvironmentTemplateVersionInput) (*api.UpdateEnvironmentTemplateVersionOutput, error) {
	d, err := p.updateVersion(ctx, "UpdateEnvironmentTemplateVersion", proton.EnvironmentTemplate, *in.TemplateName, in.MajorVersion, in.MinorVersion,
		versionChange{description: in.Description, status: in.Status})
	if err != nil {
		return nil, err
	}
	return &api.UpdateEnvironmentTemplateVersionOutput{EnvironmentTemplateVersion: toEnvironmentTemplateVersion(d)}, nil
}

// UpdateServiceTemplateVersion changes description, compatible templates and
// component sources, or publishes. Invalid, Conflict, NotFound.
func (p *Plane) UpdateServiceTemplateVersion(ctx context.Context, in *api.UpdateServiceTemplateVersionInput) (*api.UpdateServiceTemplateVersionOutput, error) {
	d, err := p.updateVersion(ctx, "UpdateServiceTemplateVersion", proton.ServiceTemplate, *in.TemplateName, in.MajorVersion, in.MinorVersion,
		versionChange{in.Description, in.Status, in.CompatibleEnvironmentTemplates, in.SupportedComponentSources})
	if err != nil {
		return nil, err
	}
	return &api.UpdateServiceTemplateVersionOutput{ServiceTemplateVersion: toServiceTemplateVersion(d)}, nil
}

// DeleteEnvironmentTemplateVersion removes a version that nothing uses; a
// missing one answers an empty object. Conflict.
func (p *Plane) DeleteEnvironmentTemplateVersion(ctx context.Context, in *api.DeleteEnvironmentTemplateVersionInput) (*api.DeleteEnvironmentTemplateVersionOutput, error) {
	d, ok, err := p.deleteVersion(ctx, "DeleteEnvironmentTemplateVersion", proton.EnvironmentTemplate, *in.TemplateName, in.MajorVersion, in.MinorVersion)
	if err != nil || !ok {
		return &api.DeleteEnvironmentTemplateVersionOutput{}, err
	}
	return &api.DeleteEnvironmentTemplateVersionOutput{EnvironmentTemplateVersion: toEnvironmentTemplateVersion(d)}, nil
}

// DeleteServiceTemplateVersion removes a version that nothing uses; a missing
// one answers an empty object. Conflict.
func (p *Plane) DeleteServiceTemplateVersion(ctx context.Context, in *api.DeleteServiceTemplateVersionInput) (*api.DeleteServiceTemplateVersionOutput, error) {
	d, ok, err := p.deleteVersion(ctx, "DeleteServiceTemplateVersion", proton.ServiceTemplate, *in.TemplateName, in.MajorVersion, in.MinorVersion)
	if err != nil || !ok {
		return &api.DeleteServiceTemplateVersionOutput{}, err
	}
	return &api.DeleteServiceTemplateVersionOutput{ServiceTemplateVersion: toServiceTemplateVersion(d)}, nil
}

// ListTemplateVersionWarnings lists what registration noticed about a version's
// bundle and let pass. NotFound.
func (p *Plane) ListTemplateVersionWarnings(ctx context.Context, in *api.ListTemplateVersionWarningsInput) (*api.ListTemplateVersionWarningsOutput, error) {
	operation, kind := "GetEnvironmentTemplateVersion", kindOfTemplate(*in.TemplateType)
	if kind == proton.ServiceTemplate {
		operation = "GetServiceTemplateVersion"
	}
	d, err := p.getVersion(ctx, operation, kind, *in.TemplateName, in.MajorVersion, in.MinorVersion)
	if err != nil {
		return nil, err
	}
	return &api.ListTemplateVersionWarningsOutput{Warnings: append([]string{}, d.Warnings...)}, nil
}
