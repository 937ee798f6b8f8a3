package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// NotifyResourceDeploymentStatusChange records what automation reports of a
// running deployment: a status, a message, outputs. Whether that ends the
// deployment is its engine's to say: for commands the exit of the job decides,
// though a report of failure counts as failure. Invalid, NotFound, Conflict.
func (p *Plane) NotifyResourceDeploymentStatusChange(ctx context.Context, in *api.NotifyResourceDeploymentStatusChangeInput) (*api.NotifyResourceDeploymentStatusChangeOutput, error) {
	if err := p.authorize(ctx, "NotifyResourceDeploymentStatusChange", proton.ARN(*in.ResourceArn)); err != nil {
		return nil, err
	}
	r, err := proton.ParseARN(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	target, err := notifiable(r.Scope, r)
	if err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if err := p.mayNotify(ctx, tx, r); err != nil {
			return err
		}
		arn, current, err := target(ctx, tx)
		if err != nil {
			return err
		}
		d, err := tx.Deployment(ctx, r.Scope, current.LastAttemptedDeploymentID)
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
		if err := tx.AddMilestone(ctx, d.ID, reported(in, p.now())); err != nil {
			return err
		}
		if err := tx.SaveDeployment(ctx, d); err != nil {
			return err
		}
		return tx.WakeDeployment(ctx, d.ID)
	})
	return &api.NotifyResourceDeploymentStatusChangeOutput{}, err
}

// mayNotify refuses callers of other accounts, but for the account that the
// resource's environment is provisioned in through a connection: automation
// there reports on what it runs. Denied.
func (p *Plane) mayNotify(ctx context.Context, tx *store.Tx, r proton.Resource) error {
	s := scopeOf(ctx)
	if r.Scope == s {
		return nil
	}
	name, err := environmentOf(ctx, tx, r)
	if err == nil && r.Scope.Region == s.Region {
		var e proton.Environment
		if e, err = tx.Environment(ctx, r.Scope, name); err == nil && e.AccountID == s.Account {
			return nil
		}
	}
	if err != nil && !proton.IsNotFound(err) {
		return err
	}
	return denied(ctx, "NotifyResourceDeploymentStatusChange", r.ARN())
}

// environmentOf is the name of the environment that a resource is in; a pipeline
// is in none.
func environmentOf(ctx context.Context, tx *store.Tx, r proton.Resource) (string, error) {
	switch r.Type {
	case proton.ResourceEnvironment:
		return r.Name, nil
	case proton.ResourceServiceInstance:
		i, err := tx.ServiceInstance(ctx, r.Scope, r.Name, r.Child)
		return i.EnvironmentName, err
	case proton.ResourceComponent:
		c, err := tx.Component(ctx, r.Scope, r.Name)
		return c.EnvironmentName, err
	}
	return "", proton.Errorf(proton.NotFound, "Resource %s is in no environment.", r.ARN())
}

func reported(in *api.NotifyResourceDeploymentStatusChangeInput, now time.Time) proton.Milestone {
	var said []string
	if in.Status != nil {
		said = append(said, string(*in.Status))
	}
	if in.Outputs != nil {
		said = append(said, fmt.Sprintf("%d outputs", len(in.Outputs)))
	}
	if in.StatusMessage != nil {
		said = append(said, proton.FirstLine(strings.ToValidUTF8(*in.StatusMessage, "\uFFFD")))
	}
	return proton.Milestone{At: now, Kind: proton.MilestoneReported, Message: strings.Join(said, ", ")}
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
	if in.DeploymentId != nil && in.Status != nil && d.EndedAs(string(*in.Status)) {
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
