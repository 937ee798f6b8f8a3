package provision

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// settleComponent carries a deployment's end over to its component.
func (p *Provisioner) settleComponent(ctx context.Context, tx *store.Tx, d proton.Deployment) error {
	c, err := tx.Component(ctx, d.Scope, d.ComponentName)
	if err != nil {
		return err
	}
	if d.RemovesTarget() {
		return tx.DeleteComponent(ctx, c)
	}
	next := c.Finish(d, p.now())
	if err := tx.SaveComponent(ctx, next); err != nil {
		return err
	}
	if !p.RedeployInstances || d.Status != proton.Succeeded {
		return nil
	}
	return p.redeployInstances(ctx, tx, c, next, d)
}

// redeployInstances starts to deploy anew, as they are, the instances that see
// something else of a component than before: the one that it has left, the one
// it has come to, or the one it is attached to if its outputs are others now.
func (p *Provisioner) redeployInstances(ctx context.Context, tx *store.Tx, before, now proton.Component, d proton.Deployment) error {
	var instances []proton.Attachment
	first := before.LastSucceededDeploymentID == ""
	switch {
	case before.Attachment != now.Attachment:
		instances = []proton.Attachment{before.Attachment, now.Attachment}
	case first:
		instances = []proton.Attachment{now.Attachment}
	default:
		old, err := outputsOf(ctx, tx, before.LastSucceededDeploymentID)
		if err != nil || slices.Equal(old, d.Outputs) {
			return err
		}
		instances = []proton.Attachment{now.Attachment}
	}
	for _, a := range instances {
		if a.Detached() {
			continue
		}
		if err := p.redeployInstance(ctx, tx, d.Scope, a); err != nil {
			return err
		}
	}
	return nil
}

// redeployInstance deploys an instance anew with the version and spec it has.
// One that was never deployed, or whose service is being changed, is left alone.
func (p *Provisioner) redeployInstance(ctx context.Context, tx *store.Tx, s proton.Scope, a proton.Attachment) error {
	service, err := tx.Service(ctx, s, a.ServiceName)
	if err != nil {
		return err
	}
	i, err := tx.ServiceInstance(ctx, s, a.ServiceName, a.InstanceName)
	if err != nil {
		return err
	}
	if service.Status.Running() || service.Status == proton.ServiceDeleteFailed || i.Status.Running() || i.Status == proton.DeleteFailed || i.Version.IsZero() {
		return nil
	}
	target := proton.State{TemplateName: i.TemplateName, Version: i.Version, Spec: i.Spec}
	next, d, err := proton.PlanApply(s, proton.TargetServiceInstance, i.ARN(), i.Deployable, target, uuid.NewString, p.now())
	if err != nil {
		return err
	}
	d.ServiceName, d.InstanceName, d.EnvironmentName = i.ServiceName, i.Name, i.EnvironmentName
	i.Deployable = next
	if err := tx.SaveServiceInstance(ctx, i); err != nil {
		return err
	}
	return tx.InsertDeployments(ctx, d)
}
