package control

import (
	"context"
	"errors"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// errRollBack undoes a transaction that was only made to see what it would do.
type errRollBack struct{}

func (errRollBack) Error() string { return "only tried" }

// planned is a deployment that was not started, and what says what it would do.
type planned struct {
	proton.Deployment
	preview func(context.Context) (proton.Record, error)
}

// foresee reads what a deployment that was planned in a transaction would be
// carried out with.
func (p *Plane) foresee(ctx context.Context, tx *store.Tx, d proton.Deployment) (planned, error) {
	if !d.CompletedAt.IsZero() {
		return planned{}, proton.Errorf(proton.Invalid, "Environment %s is managed by its owner: a deployment of it changes nothing outside.", d.TargetARN())
	}
	preview, err := p.Preview(ctx, tx, d)
	return planned{d, preview}, err
}

// tried is nil for a transaction that was only made to see what it would do.
func tried(err error) error {
	if _, ok := errors.AsType[errRollBack](err); ok {
		return nil
	}
	return err
}

// PreviewDeployment says what a deployment of a resource would change, and what
// its engine would be given, without deploying: with another spec, another
// version, or as it is; what an update of a component would; or what removing it
// would. Invalid, NotFound, Conflict.
func (p *Plane) PreviewDeployment(ctx context.Context, in *api.PreviewDeploymentInput) (*api.PreviewDeploymentOutput, error) {
	r, t, err := p.namedPart(ctx, "PreviewDeployment", *in.Resource)
	if err != nil {
		return nil, err
	}
	destroy := in.Goal != nil && *in.Goal == api.HadronDeploymentGoalDestroy
	permission := t.update
	if destroy {
		permission = t.remove
	}
	if err := p.authorize(ctx, permission, t.arn(r)); err != nil {
		return nil, err
	}
	var d planned
	switch {
	case in.Component != nil:
		d, err = p.plannedComponent(ctx, r, in)
	case destroy:
		d, err = p.plannedRemoval(ctx, t, r, in)
	default:
		d, err = p.plannedUpdate(ctx, t, r, in)
	}
	if err != nil {
		return nil, err
	}
	return p.preview(ctx, d)
}

// plannedComponent tries an update of a component, which can change more of it
// than updates of other resources can.
func (p *Plane) plannedComponent(ctx context.Context, r proton.Resource, in *api.PreviewDeploymentInput) (d planned, err error) {
	update := in.Component
	switch {
	case r.Type != proton.ResourceComponent || r.Name != *update.Name:
		return d, proton.Errorf(proton.Invalid, "component is an update of component/%s, and resource is another: %s.", *update.Name, *in.Resource)
	case in.Goal != nil || in.Spec != nil || in.TemplateMajorVersion != nil || in.TemplateMinorVersion != nil:
		return d, proton.Errorf(proton.Invalid, "goal, spec and template versions can't be specified beside component, which has the whole update.")
	case proton.UpdateType(*update.DeploymentType) == proton.UpdateNone:
		return d, proton.Errorf(proton.Invalid, "component.deploymentType %s deploys nothing; specify %s.", *update.DeploymentType, proton.UpdateCurrentVersion)
	}
	plans, _, err := p.try(ctx, trial{
		call:    func(ctx context.Context) error { _, err := p.UpdateComponent(ctx, update); return err },
		started: lastOf(func(s proton.Scope) deployed { return componentTarget(s, *update.Name) }),
	})
	if err != nil {
		return d, err
	}
	return plans[0], nil
}

func (p *Plane) plannedUpdate(ctx context.Context, t part, r proton.Resource, in *api.PreviewDeploymentInput) (d planned, err error) {
	var current proton.Version
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		_, deployed, err := t.read(r)(ctx, tx)
		current = deployed.CurrentVersion()
		return err
	})
	if err != nil {
		return d, err
	}
	u := proton.UpdateRequest{Type: proton.UpdateCurrentVersion, Major: in.TemplateMajorVersion, Minor: in.TemplateMinorVersion}
	switch {
	case u.Major != nil && *u.Major != current.MajorString():
		u.Type = proton.UpdateMajorVersion
	case u.Major != nil || u.Minor != nil:
		u.Type = proton.UpdateMinorVersion
	}
	w, err := t.check(p, ctx, r, u, in.Spec)
	if err != nil {
		return d, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		next, err := t.deploy(p, ctx, tx, r, w)
		if err != nil {
			return err
		}
		if d, err = p.foresee(ctx, tx, next); err != nil {
			return err
		}
		return errRollBack{}
	})
	return d, tried(err)
}

func (p *Plane) plannedRemoval(ctx context.Context, t part, r proton.Resource, in *api.PreviewDeploymentInput) (d planned, err error) {
	if in.Spec != nil || in.TemplateMajorVersion != nil || in.TemplateMinorVersion != nil {
		return d, proton.Errorf(proton.Invalid, "spec and template versions can't be specified with goal DESTROY: what was deployed last is removed.")
	}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		_, was, err := t.read(r)(ctx, tx)
		if err != nil {
			return err
		}
		last, _, err := tx.DeploymentByID(ctx, was.LastAttemptedDeploymentID)
		if err != nil {
			return err
		}
		_, next, err := proton.PlanDestroy(r.Scope, t.what, was, last.Target.TemplateName, p.newID, p.now())
		if err != nil {
			return err
		}
		next.EnvironmentName, next.ServiceName, next.InstanceName, next.ComponentName = last.EnvironmentName, last.ServiceName, last.InstanceName, last.ComponentName
		d, err = p.foresee(ctx, tx, next)
		return err
	})
	return d, err
}

func (p *Plane) preview(ctx context.Context, plan planned) (*api.PreviewDeploymentOutput, error) {
	record, err := plan.preview(ctx)
	if err != nil {
		return nil, err
	}
	d := plan.Deployment
	out := &api.PreviewDeploymentOutput{
		ResourceArn: text(d.TargetARN()), Engine: text(record.Method), TemplateName: text(d.Target.TemplateName),
		TemplateVersion: versionText(d.Target.Version), TemplateVersionBefore: versionText(d.Initial.Version),
		Preview: toPreview(record.Preview), Files: toDeploymentFiles(record.Files, nil),
	}
	if d.Goal == proton.GoalDestroy || d.TargetType == proton.TargetComponent {
		return out, nil
	}
	var before proton.Deployment
	err = p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if before, _, err = tx.DeploymentByID(ctx, d.PrecedingSucceededID); err != nil {
			return err
		}
		d.Inputs = &proton.Inputs{Spec: d.Target.Spec, BundleDigest: d.Target.BundleDigest}
		if d.Inputs.BundleDigest == "" {
			kind := proton.ServiceTemplate
			if d.TargetType == proton.TargetEnvironment {
				kind = proton.EnvironmentTemplate
			}
			v, err := tx.TemplateVersion(ctx, d.Scope, kind, d.Target.TemplateName, d.Target.Version)
			d.Inputs.BundleDigest = v.BundleDigest
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Inputs, err = p.inputsOf(ctx, before, d)
	return out, err
}
