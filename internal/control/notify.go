package control

import (
	"context"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// NotifyResourceDeploymentStatusChange records what automation reports of a
// running deployment: a status, a message, outputs. Whether that ends the
// deployment is its engine's to say: for commands the exit of the job decides,
// though a report of failure counts as failure. Invalid, NotFound, Conflict.
func (p *Plane) NotifyResourceDeploymentStatusChange(ctx context.Context, in *api.NotifyResourceDeploymentStatusChangeInput) (*api.NotifyResourceDeploymentStatusChangeOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "NotifyResourceDeploymentStatusChange", proton.ARN(*in.ResourceArn)); err != nil {
		return nil, err
	}
	r, err := proton.ParseARN(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if err := p.sameScope(ctx, "NotifyResourceDeploymentStatusChange", r); err != nil {
		return nil, err
	}
	target, err := notifiable(s, r)
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		arn, current, err := target(ctx, tx)
		if err != nil {
			return err
		}
		d, err := tx.Deployment(ctx, s, current.LastAttemptedDeploymentID)
		if err != nil {
			return err
		}
		if in.DeploymentId != nil && *in.DeploymentId != d.ID {
			return proton.Errorf(proton.Conflict, "Deployment %s is not the current deployment of %s.", *in.DeploymentId, arn)
		}
		if !d.Status.Running() {
			return p.lateReport(ctx, tx, in, d, current)
		}
		d.Report = mergeReport(d.Report, in)
		if err := tx.SaveDeployment(ctx, d); err != nil {
			return err
		}
		return tx.WakeDeployment(ctx, d.ID)
	})
	return &api.NotifyResourceDeploymentStatusChangeOutput{}, err
}

func notifiable(s proton.Scope, r proton.Resource) (deployed, error) {
	switch r.Type {
	case proton.ResourceEnvironment:
		return environmentTarget(s, r.Name), nil
	case proton.ResourceServiceInstance:
		return instanceTarget(s, r.Name, r.Child), nil
	case proton.ResourcePipeline:
		return pipelineTarget(s, r.Name), nil
	case proton.ResourceComponent:
		return componentTarget(s, r.Name), nil
	}
	return nil, proton.Errorf(proton.Invalid, "Resource %s is not deployed: give the ARN of an environment, a service instance, a pipeline or a component.", r.ARN())
}

// lateReport judges a report on a deployment that has ended: a repeat of the
// status it ended with is taken, and changes nothing; outputs alone replace
// those in force of what others provision.
func (p *Plane) lateReport(ctx context.Context, tx *store.Tx, in *api.NotifyResourceDeploymentStatusChangeInput, d proton.Deployment, current proton.Deployable) error {
	if in.Status == nil && in.Outputs != nil && d.Inputs != nil && d.Inputs.Repository != nil && current.LastSucceededDeploymentID != "" {
		good, err := tx.Deployment(ctx, d.Scope, current.LastSucceededDeploymentID)
		if err != nil {
			return err
		}
		good.Outputs, good.LastModifiedAt = fromOutputs(in.Outputs), p.now()
		return tx.SaveDeployment(ctx, good)
	}
	if in.DeploymentId != nil && in.Status != nil && string(*in.Status) == string(d.Status) {
		return nil
	}
	return proton.Errorf(proton.Conflict, "%s has no deployment in progress.", d.TargetARN())
}

func mergeReport(r proton.Report, in *api.NotifyResourceDeploymentStatusChangeInput) proton.Report {
	if in.Status != nil {
		r.Status = string(*in.Status)
	}
	if in.StatusMessage != nil {
		r.Message = strings.ToValidUTF8(*in.StatusMessage, "\uFFFD")
	}
	if in.Outputs != nil {
		r.HasOutputs, r.Outputs = true, fromOutputs(in.Outputs)
	}
	return r
}
