package control

import (
	"context"
	"errors"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateEnvironment makes an environment and starts its first deployment. A
// repeat answers the existing one. Invalid, NotFound, Conflict, QuotaExceeded.
func (p *Plane) CreateEnvironment(ctx context.Context, in *api.CreateEnvironmentInput) (*api.CreateEnvironmentOutput, error) {
	s := scopeOf(ctx)
	arn := s.EnvironmentARN(*in.Name)
	if err := p.authorize(ctx, "CreateEnvironment", arn); err != nil {
		return nil, err
	}
	if err := p.authorizeTags(ctx, in.Tags, arn); err != nil {
		return nil, err
	}
	if err := p.authorizeRoles(ctx, in.ProtonServiceRoleArn, in.CodebuildRoleArn, in.ComponentRoleArn); err != nil {
		return nil, err
	}
	if err := proton.CheckTags(fromTags(in.Tags)); err != nil {
		return nil, err
	}
	request := *in
	request.Tags = nil
	e := proton.Environment{
		Scope: s, Name: *in.Name, TemplateName: *in.TemplateName, Description: api.Value(in.Description),
		ServiceRoleARN: api.Value(in.ProtonServiceRoleArn), CodebuildRoleARN: api.Value(in.CodebuildRoleArn),
		ComponentRoleARN: api.Value(in.ComponentRoleArn), AccountConnectionID: api.Value(in.EnvironmentAccountConnectionId),
		ProvisioningRepository: fromRepositoryBranch(in.ProvisioningRepository),
		Creation:               proton.Creation{RequestHash: requestHash(request, in.Tags)},
	}
	if existing, err := p.existingEnvironment(ctx, e); err != nil || existing != nil {
		return &api.CreateEnvironmentOutput{Environment: existing}, err
	}
	v, outputs, err := p.checkEnvironment(ctx, &e, in)
	if err != nil {
		return nil, err
	}
	var repeated *proton.Environment
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		existing, err := tx.Environment(ctx, s, e.Name)
		if err == nil { // made since it was looked for
			repeated = &existing
			return judgeEnvironment(existing, e)
		}
		if !proton.IsNotFound(err) {
			return err
		}
		return p.insertEnvironment(ctx, tx, &e, *in.Spec, v, outputs, in.Tags)
	})
	if err != nil {
		return nil, err
	}
	if repeated != nil {
		e = *repeated
	}
	return &api.CreateEnvironmentOutput{Environment: toEnvironment(e)}, nil
}

// existingEnvironment answers the environment that the same call made before,
// nil if the name is free.
func (p *Plane) existingEnvironment(ctx context.Context, wanted proton.Environment) (*api.Environment, error) {
	var existing proton.Environment
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		existing, err = tx.Environment(ctx, wanted.Scope, wanted.Name)
		return err
	})
	if proton.IsNotFound(err) {
		return nil, nil
	}
	if err == nil {
		err = judgeEnvironment(existing, wanted)
	}
	if err != nil {
		return nil, err
	}
	return toEnvironment(existing), nil
}

func judgeEnvironment(existing, wanted proton.Environment) error {
	deleting := existing.Status == proton.DeleteInProgress || existing.Status == proton.DeleteFailed
	return proton.JudgeRepeat(existing.Creation, wanted.Creation.RequestHash, existing.ARN(), deleting)
}

// checkEnvironment makes all checks of a create call that need no transaction
// of their own, and answers the version to deploy. The outputs are those that
// the spec of a customer-managed environment gives.
func (p *Plane) checkEnvironment(ctx context.Context, e *proton.Environment, in *api.CreateEnvironmentInput) (proton.TemplateVersion, []proton.Output, error) {
	var v proton.TemplateVersion
	if err := checkIdentity(*e); err != nil {
		return v, nil, err
	}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		t, err := tx.Template(ctx, e.Scope, proton.EnvironmentTemplate, e.TemplateName)
		if err != nil {
			return err
		}
		e.CustomerManaged = t.CustomerManaged
		if err := p.useConnection(ctx, tx, e); err != nil {
			return err
		}
		if r := e.ProvisioningRepository; r != nil {
			if _, err := tx.Repository(ctx, e.Scope, r.Provider, r.Name); err != nil {
				return err
			}
		}
		v, err = deployableVersion(ctx, tx, t, *in.TemplateMajorVersion, in.TemplateMinorVersion)
		return err
	})
	if err != nil {
		return v, nil, err
	}
	if err := p.checkMethod(v.Methods.Infrastructure, v.ARN(), e.ProvisioningRepository); err != nil {
		return v, nil, err
	}
	b, err := p.Bundles.Bundle(ctx, v.BundleDigest)
	if err != nil {
		return v, nil, err
	}
	spec, err := bundle.ParseEnvironmentSpec(*in.Spec, p.strictness()...)
	if err != nil {
		return v, nil, invalidSpec(err)
	}
	if paths := spec.CurrentValues(); len(paths) > 0 {
		return v, nil, noCurrentValue(paths)
	}
	inputs, _, err := b.EnvironmentInputs(spec, p.strictness()...)
	if err != nil {
		return v, nil, invalidSpec(err)
	}
	if !e.CustomerManaged {
		return v, nil, nil
	}
	outputs, err := specOutputs(inputs)
	return v, outputs, err
}

// checkIdentity refuses combinations of provisioning identities that Proton
// forbids.
func checkIdentity(e proton.Environment) error {
	given := 0
	for _, yes := range []bool{e.ServiceRoleARN != "", e.AccountConnectionID != "", e.ProvisioningRepository != nil} {
		if yes {
			given++
		}
	}
	if given > 1 {
		return proton.Errorf(proton.Invalid, "Specify at most one of protonServiceRoleArn, environmentAccountConnectionId or provisioningRepository.")
	}
	return nil
}

// checkMethod refuses what no engine of this server can provision, and what
// can't be provisioned by pull requests if there is a repository for them.
func (p *Plane) checkMethod(method string, version proton.ARN, repository *proton.ProvisioningRepository) error {
	if repository != nil && method != "" {
		if method != "TERRAFORM" {
			return proton.Errorf(proton.Invalid, "Template version %s is provisioned with %s, and an environment with a provisioningRepository takes Terraform alone.", version, method)
		}
		method = proton.MethodPullRequest
	}
	if method == "" || p.Methods[method] {
		return nil
	}
	return proton.Errorf(proton.Invalid, "Template version %s is provisioned with %s, and this server has no engine for it yet.", version, method)
}

// insertEnvironment writes a checked environment with its first deployment.
func (p *Plane) insertEnvironment(ctx context.Context, tx *store.Tx, e *proton.Environment, spec string, v proton.TemplateVersion, outputs []proton.Output, tags []api.Tag) error {
	if err := recheckVersion(ctx, tx, v); err != nil {
		return err
	}
	if err := p.useConnection(ctx, tx, e); err != nil {
		return err
	}
	n, err := tx.CountEnvironments(ctx, e.Scope)
	if err != nil {
		return err
	}
	if n >= p.Quotas.Environments {
		return proton.Errorf(proton.QuotaExceeded, "The maximum number of environments for this account has been reached.")
	}
	planned, d, err := proton.PlanEnvironment(*e, spec, v, outputs, p.newID, p.now())
	if err != nil {
		return err
	}
	*e = planned
	if err := tx.InsertEnvironment(ctx, planned); err != nil {
		return err
	}
	if err := tx.PutTags(ctx, planned.ARN(), fromTags(tags)); err != nil {
		return err
	}
	return tx.InsertDeployments(ctx, d)
}

// deployableVersion finds the version that a create call deploys: the minor
// it names, or the recommended one of the major.
func deployableVersion(ctx context.Context, tx *store.Tx, t proton.Template, majorText string, minorText *string) (proton.TemplateVersion, error) {
	var none proton.TemplateVersion
	major, ok := proton.ParseVersionPart(majorText)
	if !ok || major == 0 {
		return none, proton.NoTemplateVersion(t.Scope, t.Kind, t.Name, majorText)
	}
	if minorText != nil {
		v, err := version(ctx, tx, t.Scope, t.Kind, t.Name, &majorText, minorText)
		if err == nil && !v.Status.Deployable() {
			err = proton.Errorf(proton.Invalid, "%s version %s is not in a deployable state.", capital(t.Kind.Noun()), v.ARN())
		}
		return v, err
	}
	versions, err := tx.TemplateVersions(ctx, t.Scope, t.Kind, t.Name, major)
	if err != nil {
		return none, err
	}
	if len(versions) == 0 {
		return none, proton.NoTemplateVersion(t.Scope, t.Kind, t.Name, majorText)
	}
	minor := proton.RecommendMinor(versions, major)
	for _, v := range versions {
		if v.Minor == minor {
			return v, nil
		}
	}
	return none, proton.Errorf(proton.Invalid, "No published version of %s %s is available for major version %s.", t.Kind.Noun(), t.Name, majorText)
}

// recheckVersion refuses a version that was deleted while its bundle was read.
func recheckVersion(ctx context.Context, tx *store.Tx, v proton.TemplateVersion) error {
	there, err := tx.HasTemplateVersion(ctx, v)
	if err == nil && !there {
		err = proton.NoTemplateVersion(v.Scope, v.Kind, v.TemplateName, v.Version.String())
	}
	return err
}

// GetEnvironment reads an environment. NotFound.
func (p *Plane) GetEnvironment(ctx context.Context, in *api.GetEnvironmentInput) (*api.GetEnvironmentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetEnvironment", s.EnvironmentARN(*in.Name)); err != nil {
		return nil, err
	}
	out := &api.GetEnvironmentOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		e, err := tx.Environment(ctx, s, *in.Name)
		out.Environment = toEnvironment(e)
		return err
	})
	return out, err
}

// ListEnvironments lists environments by name, of certain template majors if
// a filter is given.
func (p *Plane) ListEnvironments(ctx context.Context, in *api.ListEnvironmentsInput) (*api.ListEnvironmentsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListEnvironments", anyResource); err != nil {
		return nil, err
	}
	var filter []store.TemplateMajor
	for _, f := range in.EnvironmentTemplates {
		major, ok := proton.ParseVersionPart(*f.MajorVersion)
		if !ok || major == 0 {
			major = -1 // a number that no version has matches nothing
		}
		filter = append(filter, store.TemplateMajor{Name: *f.TemplateName, Major: major})
	}
	out := &api.ListEnvironmentsOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		name := func(e proton.Environment) string { return e.Name }
		rows, next, err := listByName(p, s, "ListEnvironments", filter, in.NextToken, in.MaxResults,
			seenByName(ctx, p, tx, "proton:GetEnvironment", name, proton.Environment.ARN, func(after string, limit int) ([]proton.Environment, error) {
				return tx.Environments(ctx, s, filter, after, limit)
			}), name)
		out.Environments, out.NextToken = toList(rows, toEnvironmentSummary), next
		return err
	})
	return out, err
}

// DeleteEnvironment starts to remove an environment that nothing lives in any
// more; while that goes on a repeat answers it, and afterwards an empty
// object. Conflict.
func (p *Plane) DeleteEnvironment(ctx context.Context, in *api.DeleteEnvironmentInput) (*api.DeleteEnvironmentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "DeleteEnvironment", s.EnvironmentARN(*in.Name)); err != nil {
		return nil, err
	}
	out := &api.DeleteEnvironmentOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := tx.Environment(ctx, s, *in.Name)
		if err != nil {
			return err
		}
		if e.Status != proton.DeleteInProgress {
			if e, err = p.beginEnvironmentDelete(ctx, tx, e, false); err != nil {
				return err
			}
		}
		out.Environment = toEnvironment(e)
		return nil
	})
	if proton.IsNotFound(err) {
		return &api.DeleteEnvironmentOutput{}, nil
	}
	return out, err
}

// namedDependents is how many instances or components a refusal lists.
const namedDependents = 20

// dependents are what lives in an environment, or as much as a refusal lists.
func dependents(ctx context.Context, tx *store.Tx, e proton.Environment) (instances, components []proton.ARN, err error) {
	is, err := tx.InstancesInEnvironment(ctx, e.Scope, e.Name, namedDependents)
	if err != nil {
		return nil, nil, err
	}
	for _, i := range is {
		instances = append(instances, i.ARN())
	}
	cs, err := tx.Components(ctx, e.Scope, store.ComponentFilter{Environment: e.Name}, "", namedDependents)
	for _, c := range cs {
		components = append(components, c.ARN())
	}
	return instances, components, err
}

func (p *Plane) beginEnvironmentDelete(ctx context.Context, tx *store.Tx, e proton.Environment, forced bool) (proton.Environment, error) {
	instances, components, err := dependents(ctx, tx, e)
	if err != nil {
		return e, err
	}
	if err := proton.RefuseEnvironmentDelete(e, instances, components); err != nil {
		return e, err
	}
	if err := p.useConnection(ctx, tx, &e); err != nil {
		return e, err
	}
	next, d, err := proton.PlanDestroy(e.Scope, proton.TargetEnvironment, e.Deployable, e.TemplateName, p.newID, p.now())
	if err != nil {
		return e, err
	}
	e.Deployable, d.EnvironmentName, d.Forced = next, e.Name, forced
	if !e.CustomerManaged {
		if err := tx.SaveEnvironment(ctx, e); err != nil {
			return e, err
		}
		return e, tx.InsertDeployments(ctx, d)
	}
	// Nothing was provisioned, so nothing is left to do.
	if d, err = d.End(proton.Outcome{}, p.now()); err != nil {
		return e, err
	}
	if err := tx.DeleteEnvironment(ctx, e); err != nil {
		return e, err
	}
	return e, tx.InsertDeployments(ctx, d)
}

// specOutputs are the values of a customer-managed environment's spec.
func specOutputs(inputs bundle.Inputs) ([]proton.Output, error) {
	var outputs []proton.Output
	for _, key := range inputs.Keys() {
		value, _ := inputs.Get(key)
		s, ok := value.(string)
		if !ok {
			return nil, proton.Errorf(proton.Invalid, "Spec validation failed: spec.%s: outputs of a customer-managed environment must be strings", key)
		}
		outputs = append(outputs, proton.Output{Key: key, Value: s})
	}
	return outputs, nil
}

// invalidSpec is a refusal with everything that is wrong with a spec.
func invalidSpec(err error) error {
	if problems, ok := errors.AsType[*bundle.SpecError](err); ok {
		return &proton.Error{Kind: proton.Invalid, Message: problems.Error()}
	}
	return err
}

func noCurrentValue(paths []string) error {
	lines := make([]string, len(paths))
	for n, path := range paths {
		lines[n] = "Spec validation failed: " + path + ": " + bundle.CurrentValue + " has no meaning in a create call: there is no current value"
	}
	return proton.Errorf(proton.Invalid, "%s", strings.Join(lines, "\n"))
}

func fromRepositoryBranch(in *api.RepositoryBranchInput) *proton.ProvisioningRepository {
	if in == nil {
		return nil
	}
	return &proton.ProvisioningRepository{Provider: string(*in.Provider), Name: *in.Name, Branch: *in.Branch}
}

// capital is a noun at the start of a sentence.
func capital(noun string) string {
	return string(noun[0]-'a'+'A') + noun[1:]
}
