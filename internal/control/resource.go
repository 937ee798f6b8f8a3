package control

import (
	"context"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// named finds the resource that a caller names: by its ARN, or by what stands
// last in that ("environment/dev", "service/shop/service-instance/prod"). A
// caller who may not carry out the operation at all learns nothing of why a name
// is wrong. Invalid, NotFound, Denied.
func (p *Plane) named(ctx context.Context, operation, name string) (proton.Resource, error) {
	s := scopeOf(ctx)
	if !strings.HasPrefix(name, "arn:") {
		name = "arn:aws:proton:" + s.Region + ":" + s.Account + ":" + name
	}
	r, err := proton.ParseARN(name)
	if err == nil && r.Scope != s {
		err = proton.Errorf(proton.NotFound, "The requested resource does not exist: %s", name)
	}
	if err != nil {
		if refused := p.authorize(ctx, operation, proton.ARN(name)); refused != nil {
			return r, refused
		}
	}
	return r, err
}

// namedPart finds the part that a caller names.
func (p *Plane) namedPart(ctx context.Context, operation, name string) (proton.Resource, part, error) {
	r, err := p.named(ctx, operation, name)
	if err != nil {
		return r, part{}, err
	}
	t, ok := parts[r.Type]
	if ok {
		return r, t, nil
	}
	if err := p.authorize(ctx, operation, r.ARN()); err != nil {
		return r, t, err
	}
	return r, t, proton.Errorf(proton.Invalid, "Resource %s is not deployed by itself: name an environment, a service instance, a pipeline or a component.", r.ARN())
}

// A part is a kind of resource that is deployed by itself, as operations on any
// kind of it see it.
type part struct {
	what   proton.TargetType
	update string // the call of Proton's that deploys it, whose permission deploying it needs
	remove string // the one that removes it
	arn    func(proton.Resource) proton.ARN
	read   func(proton.Resource) deployed
	// check makes an update's checks that need no transaction of their own.
	check func(p *Plane, ctx context.Context, r proton.Resource, u proton.UpdateRequest, spec *string) (wanted, error)
	// deploy starts a deployment of what was checked.
	deploy func(p *Plane, ctx context.Context, tx *store.Tx, r proton.Resource, w wanted) (proton.Deployment, error)
	// destroy starts to remove it; forced: and forgets it even if that fails.
	destroy func(p *Plane, ctx context.Context, tx *store.Tx, r proton.Resource, forced bool) error
}

// parts are all of them; a kind without an entry is not deployed.
var parts = map[proton.ResourceType]part{
	proton.ResourceEnvironment: {
		what: proton.TargetEnvironment, update: "UpdateEnvironment", remove: "DeleteEnvironment",
		arn:   proton.Resource.ARN,
		read:  func(r proton.Resource) deployed { return environmentTarget(r.Scope, r.Name) },
		check: (*Plane).checkEnvironmentPart, deploy: (*Plane).deployEnvironmentPart, destroy: (*Plane).destroyEnvironmentPart,
	},
	proton.ResourceServiceInstance: {
		what: proton.TargetServiceInstance, update: "UpdateServiceInstance", remove: "UpdateService",
		arn:   proton.Resource.ARN,
		read:  func(r proton.Resource) deployed { return instanceTarget(r.Scope, r.Name, r.Child) },
		check: (*Plane).checkInstancePart, deploy: (*Plane).deployInstancePart, destroy: (*Plane).destroyServicePart,
	},
	proton.ResourcePipeline: {
		what: proton.TargetPipeline, update: "UpdateServicePipeline", remove: "DeleteService",
		arn:   func(r proton.Resource) proton.ARN { return r.Scope.ServiceARN(r.Name) },
		read:  func(r proton.Resource) deployed { return pipelineTarget(r.Scope, r.Name) },
		check: (*Plane).checkPipelinePart, deploy: (*Plane).deployPipelinePart, destroy: (*Plane).destroyServicePart,
	},
	proton.ResourceComponent: {
		what: proton.TargetComponent, update: "UpdateComponent", remove: "DeleteComponent",
		arn:   proton.Resource.ARN,
		read:  func(r proton.Resource) deployed { return componentTarget(r.Scope, r.Name) },
		check: (*Plane).checkComponentPart, deploy: (*Plane).deployComponentPart, destroy: (*Plane).destroyComponentPart,
	},
}

func (p *Plane) environmentFacts(ctx context.Context, r proton.Resource) (e proton.Environment, err error) {
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		e, err = tx.Environment(ctx, r.Scope, r.Name)
		return err
	})
	return e, err
}

func (p *Plane) checkEnvironmentPart(ctx context.Context, r proton.Resource, u proton.UpdateRequest, spec *string) (wanted, error) {
	e, err := p.environmentFacts(ctx, r)
	if err != nil {
		return wanted{}, err
	}
	return p.checkEnvironmentDeployment(ctx, e, u, spec)
}

func (p *Plane) deployEnvironmentPart(ctx context.Context, tx *store.Tx, r proton.Resource, w wanted) (proton.Deployment, error) {
	e, err := tx.Environment(ctx, r.Scope, r.Name)
	if err != nil {
		return proton.Deployment{}, err
	}
	if err := p.useConnection(ctx, tx, &e); err != nil {
		return proton.Deployment{}, err
	}
	e, d, err := p.deployEnvironment(ctx, tx, e, w)
	if err != nil {
		return d, err
	}
	return d, tx.SaveEnvironment(ctx, e)
}

func (p *Plane) checkInstancePart(ctx context.Context, r proton.Resource, u proton.UpdateRequest, spec *string) (w wanted, err error) {
	var i proton.ServiceInstance
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		i, err = tx.ServiceInstance(ctx, r.Scope, r.Name, r.Child)
		return err
	})
	if err != nil {
		return w, err
	}
	return p.checkInstanceDeployment(ctx, i, u, spec)
}

func (p *Plane) deployInstancePart(ctx context.Context, tx *store.Tx, r proton.Resource, w wanted) (proton.Deployment, error) {
	_, d, err := p.deployInstance(ctx, tx, proton.ServiceInstance{Scope: r.Scope, ServiceName: r.Name, Name: r.Child}, w, nil)
	return d, err
}

func (p *Plane) checkPipelinePart(ctx context.Context, r proton.Resource, u proton.UpdateRequest, spec *string) (wanted, error) {
	pipeline, settings, err := p.pipelineFacts(ctx, r.Scope, r.Name)
	if err != nil {
		return wanted{}, err
	}
	if spec == nil {
		current, err := p.currentSpec(ctx, r.Scope, pipeline.Deployable)
		if err != nil {
			return wanted{}, err
		}
		spec = &current
	}
	return p.checkPipelineDeployment(ctx, pipeline, u, *spec, settings)
}

func (p *Plane) deployPipelinePart(ctx context.Context, tx *store.Tx, r proton.Resource, w wanted) (proton.Deployment, error) {
	_, d, err := p.deployPipeline(ctx, tx, r.Scope, r.Name, w)
	return d, err
}

// checkComponentPart takes the spec for the component's service spec.
func (p *Plane) checkComponentPart(ctx context.Context, r proton.Resource, u proton.UpdateRequest, spec *string) (w wanted, err error) {
	if u.Major != nil || u.Minor != nil {
		return w, proton.Errorf(proton.Invalid, "templateMajorVersion and templateMinorVersion can't be specified: a component has no template version.")
	}
	var c proton.Component
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		c, err = tx.Component(ctx, r.Scope, r.Name)
		return err
	})
	if err != nil {
		return w, err
	}
	checked, err := p.checkComponentUpdate(ctx, c, &api.UpdateComponentInput{Name: &r.Name, ServiceSpec: spec})
	w.target.Component = checked.to
	return w, err
}

func (p *Plane) deployComponentPart(ctx context.Context, tx *store.Tx, r proton.Resource, w wanted) (d proton.Deployment, err error) {
	c, err := tx.Component(ctx, r.Scope, r.Name)
	if err != nil {
		return d, err
	}
	method, err := p.componentMethod(c.Manifest, w.target.Component.TemplateFile)
	if err != nil {
		return d, err
	}
	c, err = p.updateComponent(ctx, tx, c, componentUpdate{to: w.target.Component, method: method}, &api.UpdateComponentInput{})
	if err != nil {
		return d, err
	}
	return tx.Deployment(ctx, r.Scope, c.LastAttemptedDeploymentID)
}
