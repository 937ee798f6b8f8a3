package provision

import (
	"context"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// gather records in a deployment the facts that it renders from. For a removal
// they are those of the last good deployment, or of the last one that began if
// none was good; they stay nil if none ever began.
func gather(ctx context.Context, tx *store.Tx, d *proton.Deployment) error {
	if err := gatherInputs(ctx, tx, d); err != nil || d.Goal == proton.GoalDestroy {
		return err
	}
	var err error
	d.Inputs.Repository, err = repositoryOf(ctx, tx, d)
	return err
}

// repositoryOf is where pull requests are opened for a deployment: the
// repository of its environment or, for a pipeline, that of the account. Only
// Terraform is provisioned so; nothing else is let into such an environment.
func repositoryOf(ctx context.Context, tx *store.Tx, d *proton.Deployment) (*proton.ProvisioningRepository, error) {
	if d.TargetType == proton.TargetPipeline {
		settings, err := tx.AccountSettings(ctx, d.Scope)
		return settings.PipelineRepository, err
	}
	e, err := tx.Environment(ctx, d.Scope, d.EnvironmentName)
	return e.ProvisioningRepository, err
}

func gatherInputs(ctx context.Context, tx *store.Tx, d *proton.Deployment) error {
	if d.Goal == proton.GoalDestroy {
		return gatherPast(ctx, tx, d)
	}
	if d.TargetType == proton.TargetComponent {
		return gatherComponent(ctx, tx, d)
	}
	digest, err := bundleDigest(ctx, tx, *d)
	if err != nil {
		return err
	}
	in := &proton.Inputs{BundleDigest: digest, Spec: d.Target.Spec}
	d.Inputs = in
	if d.TargetType == proton.TargetEnvironment {
		e, err := tx.Environment(ctx, d.Scope, d.EnvironmentName)
		in.Environment = &proton.EnvironmentFacts{Name: e.Name, AccountID: e.ProvisioningAccount()}
		return err
	}
	service, err := tx.Service(ctx, d.Scope, d.ServiceName)
	if err != nil {
		return err
	}
	in.Service = &proton.ServiceFacts{
		Name: service.Name, RepositoryConnectionARN: service.RepositoryConnectionARN,
		RepositoryID: service.RepositoryID, BranchName: service.BranchName,
	}
	if d.TargetType == proton.TargetPipeline {
		return gatherInstances(ctx, tx, d)
	}
	if in.Environment, err = environmentFacts(ctx, tx, d.Scope, d.EnvironmentName); err != nil {
		return err
	}
	d.Target.EnvironmentDeploymentID = in.Environment.DeploymentID
	pipeline, err := tx.Pipeline(ctx, d.Scope, d.ServiceName)
	if pipeline != nil {
		d.Target.PipelineDeploymentID = pipeline.LastSucceededDeploymentID
	}
	if err != nil {
		return err
	}
	in.Instances = []proton.InstanceFacts{{Name: d.InstanceName, BundleDigest: digest, Spec: d.Target.Spec, Environment: *in.Environment}}
	return gatherAttached(ctx, tx, d)
}

// gatherAttached adds what an instance sees of the component attached to it;
// nothing while that has never been deployed.
func gatherAttached(ctx context.Context, tx *store.Tx, d *proton.Deployment) error {
	c, err := tx.AttachedComponent(ctx, d.Scope, d.ServiceName, d.InstanceName)
	if err != nil || c == nil || c.LastSucceededDeploymentID == "" || c.InstanceName != d.InstanceName {
		return err
	}
	d.Target.ComponentDeploymentIDs = []string{c.LastSucceededDeploymentID}
	d.Inputs.Component = &proton.ComponentFacts{Name: c.Name}
	d.Inputs.Component.Outputs, err = outputsOf(ctx, tx, c.LastSucceededDeploymentID)
	return err
}

// gatherComponent records what a component renders from: its environment, and
// while it is attached names and inputs of the instance.
func gatherComponent(ctx context.Context, tx *store.Tx, d *proton.Deployment) error {
	c, err := tx.Component(ctx, d.Scope, d.ComponentName)
	if err != nil {
		return err
	}
	state := d.Target.Component
	in := &proton.Inputs{Component: &proton.ComponentFacts{Name: c.Name, Manifest: c.Manifest, TemplateFile: state.TemplateFile}}
	d.Inputs = in
	if in.Environment, err = environmentFacts(ctx, tx, d.Scope, c.EnvironmentName); err != nil || state.Attachment().Detached() {
		return err
	}
	i, err := tx.ServiceInstance(ctx, d.Scope, state.ServiceName, state.InstanceName)
	if err != nil {
		return err
	}
	digest, err := instanceBundle(ctx, tx, i)
	if err != nil {
		return err
	}
	facts := proton.InstanceFacts{Name: i.Name, BundleDigest: digest, Spec: state.ServiceSpec, Environment: *in.Environment}
	if facts.Spec == "" {
		if facts.Spec, err = instanceSpec(ctx, tx, i); err != nil {
			return err
		}
	}
	in.Service, in.Instances = &proton.ServiceFacts{Name: state.ServiceName}, []proton.InstanceFacts{facts}
	return nil
}

// bundleDigest is the bundle that a deployment renders.
func bundleDigest(ctx context.Context, tx *store.Tx, d proton.Deployment) (string, error) {
	if d.Target.BundleDigest != "" {
		return d.Target.BundleDigest, nil
	}
	kind := proton.ServiceTemplate
	if d.TargetType == proton.TargetEnvironment {
		kind = proton.EnvironmentTemplate
	}
	v, err := tx.TemplateVersion(ctx, d.Scope, kind, d.Target.TemplateName, d.Target.Version)
	return v.BundleDigest, err
}

// gatherPast takes the facts over from the deployment that is to be undone.
func gatherPast(ctx context.Context, tx *store.Tx, d *proton.Deployment) error {
	for _, id := range []string{d.PrecedingSucceededID, d.PrecedingAttemptedID} {
		for id != "" {
			past, ok, err := tx.DeploymentByID(ctx, id)
			if err != nil || !ok {
				return err
			}
			if past.Begun {
				d.Inputs = past.Inputs
				return nil
			}
			id = past.PrecedingAttemptedID
		}
	}
	return nil
}

// gatherInstances adds what a pipeline sees of every instance, in spec order.
func gatherInstances(ctx context.Context, tx *store.Tx, d *proton.Deployment) error {
	instances, err := tx.InstancesOfService(ctx, d.Scope, d.ServiceName)
	if err != nil {
		return err
	}
	for _, i := range instances {
		digest, err := instanceBundle(ctx, tx, i)
		if err != nil {
			return err
		}
		e, err := environmentFacts(ctx, tx, d.Scope, i.EnvironmentName)
		if err != nil {
			return err
		}
		facts := proton.InstanceFacts{Name: i.Name, BundleDigest: digest, Environment: *e}
		if facts.Spec, err = instanceSpec(ctx, tx, i); err != nil {
			return err
		}
		if facts.Outputs, err = outputsOf(ctx, tx, i.LastSucceededDeploymentID); err != nil {
			return err
		}
		d.Inputs.Instances = append(d.Inputs.Instances, facts)
	}
	return nil
}

// instanceSpec is the spec that an instance runs or, while it was never
// deployed, that was last tried.
func instanceSpec(ctx context.Context, tx *store.Tx, i proton.ServiceInstance) (string, error) {
	if i.Spec != "" {
		return i.Spec, nil
	}
	d, ok, err := tx.DeploymentByID(ctx, i.LastAttemptedDeploymentID)
	for ok && err == nil && d.Goal == proton.GoalDestroy { // a removal tries none
		d, ok, err = tx.DeploymentByID(ctx, d.PrecedingAttemptedID)
	}
	return d.Target.Spec, err
}

// instanceBundle is the bundle that an instance runs, also when its template
// version was deleted since.
func instanceBundle(ctx context.Context, tx *store.Tx, i proton.ServiceInstance) (string, error) {
	d, ok, err := tx.DeploymentByID(ctx, i.LastSucceededDeploymentID)
	if err != nil {
		return "", err
	}
	if ok && d.Inputs != nil {
		return d.Inputs.BundleDigest, nil
	}
	v, err := tx.TemplateVersion(ctx, i.Scope, proton.ServiceTemplate, i.TemplateName, i.CurrentVersion())
	return v.BundleDigest, err
}

func environmentFacts(ctx context.Context, tx *store.Tx, s proton.Scope, name string) (*proton.EnvironmentFacts, error) {
	e, err := tx.Environment(ctx, s, name)
	if err != nil {
		return nil, err
	}
	facts := &proton.EnvironmentFacts{Name: e.Name, AccountID: e.ProvisioningAccount(), DeploymentID: e.LastSucceededDeploymentID}
	facts.Outputs, err = outputsOf(ctx, tx, e.LastSucceededDeploymentID)
	return facts, err
}

func outputsOf(ctx context.Context, tx *store.Tx, deploymentID string) ([]proton.Output, error) {
	if deploymentID == "" {
		return nil, nil
	}
	d, _, err := tx.DeploymentByID(ctx, deploymentID)
	return d.Outputs, err
}
