package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// UpdateComponent changes a component's description and, with the type
// CURRENT_VERSION, deploys it anew: with another template or spec, or attached
// or detached. Invalid, NotFound, Conflict.
func (p *Plane) UpdateComponent(ctx context.Context, in *api.UpdateComponentInput) (*api.UpdateComponentOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "UpdateComponent", s.ComponentARN(*in.Name)); err != nil {
		return nil, err
	}
	request := *in
	request.ClientToken = nil
	hash := requestHash(request, nil)
	var was proton.Component
	repeated := false
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if was, err = tx.Component(ctx, s, *in.Name); err != nil {
			return err
		}
		repeated, err = p.repeat(ctx, tx, s, "UpdateComponent", in.ClientToken, hash, func(arn string) (bool, error) {
			return arn == string(was.ARN()) && was.LastClientToken == *in.ClientToken, nil
		})
		return err
	})
	if err != nil || repeated {
		return &api.UpdateComponentOutput{Component: toComponent(was)}, err
	}
	var u componentUpdate
	if proton.UpdateType(*in.DeploymentType) == proton.UpdateNone {
		err = checkComponentNone(in)
	} else {
		u, err = p.checkComponentUpdate(ctx, was, in)
	}
	if err != nil {
		return nil, err
	}
	out := &api.UpdateComponentOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Component(ctx, s, *in.Name)
		if err != nil {
			return err
		}
		if c.Revision != was.Revision {
			return proton.Errorf(proton.Conflict, "Component %s was changed by another request. Try again.", c.ARN())
		}
		if c, err = p.updateComponent(ctx, tx, c, u, in); err != nil {
			return err
		}
		out.Component = toComponent(c)
		return p.remember(ctx, tx, s, "UpdateComponent", in.ClientToken, hash, string(c.ARN()))
	})
	return out, err
}

func checkComponentNone(in *api.UpdateComponentInput) error {
	for _, member := range []struct {
		name  string
		value *string
	}{
		{"serviceName", in.ServiceName}, {"serviceInstanceName", in.ServiceInstanceName},
		{"serviceSpec", in.ServiceSpec}, {"templateFile", in.TemplateFile},
	} {
		if member.value != nil {
			return proton.Errorf(proton.Invalid, "%s can't be specified with deploymentType %s.", member.name, *in.DeploymentType)
		}
	}
	return nil
}

// componentUpdate is an update that has been checked.
type componentUpdate struct {
	to     *proton.ComponentState // nil: nothing is deployed
	method string
}

// checkComponentUpdate makes the checks of a deploying update that need no
// transaction of their own.
func (p *Plane) checkComponentUpdate(ctx context.Context, c proton.Component, in *api.UpdateComponentInput) (u componentUpdate, err error) {
	to := c.State()
	attachment, err := c.Move(in.ServiceName, in.ServiceInstanceName)
	if err != nil {
		return u, err
	}
	if attachment != c.Attachment {
		to.ServiceName, to.InstanceName, to.ServiceSpec = attachment.ServiceName, attachment.InstanceName, ""
	}
	if in.TemplateFile != nil {
		to.TemplateFile = *in.TemplateFile
	}
	if u.method, err = p.componentMethod(c.Manifest, to.TemplateFile); err != nil {
		return u, err
	}
	var at placement
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		at, err = p.move(ctx, tx, c, attachment, u.method)
		return err
	})
	if err != nil {
		return u, err
	}
	u.to = &to
	if at.instance == nil {
		if in.ServiceSpec != nil {
			err = noServiceSpec()
		}
		return u, err
	}
	if in.ServiceSpec != nil {
		if to.ServiceSpec, err = p.resolveServiceSpec(ctx, *in.ServiceSpec, to.ServiceSpec, *at.instance); err != nil {
			return u, err
		}
	}
	if to.ServiceSpec != "" {
		err = p.checkServiceSpecOf(ctx, to.ServiceSpec, at)
	}
	return u, err
}

// resolveServiceSpec fills current values into a component's service spec: of
// the one it has, or of the instance's.
func (p *Plane) resolveServiceSpec(ctx context.Context, spec, current string, i proton.ServiceInstance) (string, error) {
	if current == "" {
		var err error
		if current, err = p.currentSpec(ctx, i.Scope, i.Deployable); err != nil {
			return "", err
		}
	}
	resolved, err := bundle.ResolveServiceSpec(spec, current)
	return resolved, invalidSpec(err)
}

// move finds where a component is after an update, and refuses what its
// instances don't allow now: the one it is attached to, or the one it leaves.
func (p *Plane) move(ctx context.Context, tx *store.Tx, c proton.Component, to proton.Attachment, method string) (placement, error) {
	for _, a := range []proton.Attachment{c.Attachment, to} {
		if a.Detached() {
			continue
		}
		i, err := tx.ServiceInstance(ctx, c.Scope, a.ServiceName, a.InstanceName)
		if err != nil {
			return placement{}, err
		}
		if err := i.RefuseBusy(); err != nil {
			return placement{}, err
		}
	}
	attaches := to != c.Attachment
	c.Attachment = to
	at, err := p.place(ctx, tx, &c, method)
	if err != nil || !attaches {
		return at, err
	}
	return at, p.attach(ctx, tx, c, at)
}

// updateComponent writes an update, with the deployment it starts.
func (p *Plane) updateComponent(ctx context.Context, tx *store.Tx, c proton.Component, u componentUpdate, in *api.UpdateComponentInput) (proton.Component, error) {
	if c.Status == proton.DeleteInProgress || c.Status == proton.DeleteFailed {
		return c, proton.Errorf(proton.Conflict, "Component %s is being deleted.", c.ARN())
	}
	if err := c.RefuseBusy(); err != nil {
		return c, err
	}
	if in.Description != nil {
		c.Description = *in.Description
	}
	c.LastClientToken, c.LastModifiedAt = api.Value(in.ClientToken), p.now()
	if u.to == nil {
		return c, tx.SaveComponent(ctx, c)
	}
	at, err := p.move(ctx, tx, c, u.to.Attachment(), u.method)
	if err != nil {
		return c, err
	}
	if err := at.hold(ctx, tx); err != nil {
		return c, err
	}
	c, d, err := proton.PlanComponentUpdate(c, *u.to, p.newID, p.now())
	if err != nil {
		return c, err
	}
	if err := tx.SaveComponent(ctx, c); err != nil {
		return c, err
	}
	return c, tx.InsertDeployments(ctx, d)
}
