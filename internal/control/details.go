package control

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// GetDeploymentDetails reads what is to be seen of a deployment: what it will
// change or has changed, what happened to it and when, why it stands where it
// stands, and what can be done next. NotFound.
func (p *Plane) GetDeploymentDetails(ctx context.Context, in *api.GetDeploymentDetailsInput) (*api.GetDeploymentDetailsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetDeployment", s.DeploymentARN(*in.DeploymentId)); err != nil {
		return nil, err
	}
	var d, before proton.Deployment
	var record proton.Record
	var timeline []proton.Milestone
	var standing proton.Standing
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if d, err = p.readableDeployment(ctx, tx, *in.DeploymentId); err != nil {
			return err
		}
		if before, _, err = tx.DeploymentByID(ctx, d.PrecedingSucceededID); err != nil {
			return err
		}
		if record, err = tx.Record(ctx, d.ID, true); err != nil {
			return err
		}
		if timeline, err = tx.Timeline(ctx, d.ID); err != nil {
			return err
		}
		standing, err = stand(ctx, tx, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	timeline = d.Timeline(timeline)
	standing.Last = timeline[len(timeline)-1]
	out := toDeploymentDetails(d, before, record, timeline)
	reason, next := d.Explain(standing)
	out.StatusReason, out.Current = &reason, &standing.Current
	for _, step := range next {
		out.NextSteps = append(out.NextSteps, api.DeploymentNextStep{Description: text(step.Description), Command: text(step.Command)})
	}
	if out.Inputs, err = p.inputsOf(ctx, before, d); err != nil {
		return nil, err
	}
	return &api.GetDeploymentDetailsOutput{Details: out}, nil
}

// readableDeployment reads a deployment for a caller who may see what it deploys.
func (p *Plane) readableDeployment(ctx context.Context, tx *store.Tx, id string) (proton.Deployment, error) {
	d, err := tx.Deployment(ctx, scopeOf(ctx), id)
	if err == nil {
		err = p.authorizeTarget(ctx, tx, d)
	}
	return d, err
}

// stand finds out how a deployment stands to its target.
func stand(ctx context.Context, tx *store.Tx, d proton.Deployment) (proton.Standing, error) {
	var s proton.Standing
	_, r, err := targetOf(d)(ctx, tx)
	if proton.IsNotFound(err) {
		return s, nil
	}
	s.Latest, s.Current = r.LastAttemptedDeploymentID, r.LastAttemptedDeploymentID == d.ID
	if r.LastSucceededDeploymentID != d.ID {
		s.Good = r.LastSucceededDeploymentID
	}
	return s, err
}

// targetOf reads what a deployment deploys.
func targetOf(d proton.Deployment) deployed {
	switch d.TargetType {
	case proton.TargetEnvironment:
		return environmentTarget(d.Scope, d.EnvironmentName)
	case proton.TargetServiceInstance:
		return instanceTarget(d.Scope, d.ServiceName, d.InstanceName)
	case proton.TargetPipeline:
		return pipelineTarget(d.Scope, d.ServiceName)
	}
	return componentTarget(d.Scope, d.ComponentName)
}

func toDeploymentDetails(d, before proton.Deployment, r proton.Record, timeline []proton.Milestone) *api.DeploymentDetails {
	out := &api.DeploymentDetails{
		Id: &d.ID, Arn: text(d.ARN()), ResourceArn: text(d.TargetARN()), ResourceType: text(d.TargetType),
		Goal: api.Ptr(api.HadronDeploymentGoal(d.Goal)), Status: text(d.Status), StatusMessage: text(d.StatusMessage),
		CreatedAt: timestamp(d.CreatedAt), CompletedAt: timestamp(d.CompletedAt), Engine: text(r.Method), Attempts: &d.Attempt,
		TemplateName: text(d.Target.TemplateName), TemplateVersion: versionText(d.Target.Version), TemplateVersionBefore: versionText(d.Initial.Version),
		Spec: text(d.Target.Spec), PrecedingSucceededDeploymentId: text(d.PrecedingSucceededID),
		Preview: toPreview(r.Preview), Outputs: outputsBeforeAndAfter(before, d), FileCount: api.Ptr(int64(len(r.Files))),
		ProvisionedResources: toDeployedThings(d.Resources),
	}
	for _, m := range timeline {
		out.Timeline = append(out.Timeline, api.DeploymentMilestone{
			At: timestamp(m.At), Until: timestamp(m.Until), Times: &m.Times, Kind: text(m.Kind), Message: text(m.Message), Attempt: counted(m.Attempt),
		})
	}
	return out
}

func toDeployedThings(list []proton.ProvisionedResource) []api.DeployedThing {
	var out []api.DeployedThing
	for _, r := range list {
		out = append(out, api.DeployedThing{Name: text(r.Name), Identifier: text(r.Identifier)})
	}
	return out
}

func toPreview(v *proton.Preview) *api.DeploymentPreview {
	if v == nil {
		return nil
	}
	return &api.DeploymentPreview{Summary: &v.Summary, Details: v.Details, CreatedAt: timestamp(v.At)}
}

func versionText(v proton.Version) *string {
	if v.IsZero() {
		return nil
	}
	return api.Ptr(v.String())
}

func counted(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// outputsBeforeAndAfter compares the outputs of a deployment with those of the
// last good one before it. One that did not succeed, or has not yet, has none.
func outputsBeforeAndAfter(before, d proton.Deployment) []api.DeploymentValue {
	c := &comparison{}
	for _, o := range toOutputs(before.Outputs) {
		c.before(*o.Key, *o.ValueString)
	}
	if d.Status == proton.Succeeded {
		for _, o := range toOutputs(d.Outputs) {
			c.after(*o.Key, *o.ValueString)
		}
	}
	return c.list
}

// inputsOf compares the inputs that the templates of a deployment see, defaults
// filled in, with those of the last good one before it.
func (p *Plane) inputsOf(ctx context.Context, before, d proton.Deployment) ([]api.DeploymentValue, error) {
	c := &comparison{}
	for _, side := range []struct {
		d   proton.Deployment
		add func(name, value string)
	}{{before, c.before}, {d, c.after}} {
		inputs, err := p.inputs(ctx, side.d)
		if err != nil {
			return nil, err
		}
		for _, key := range inputs.Keys() {
			value, _ := inputs.Get(key)
			text, isText := value.(string)
			if !isText {
				b, err := json.Marshal(value)
				if err != nil {
					return nil, err
				}
				text = string(b)
			}
			side.add(key, text)
		}
	}
	return c.list, nil
}

// inputs are those that a deployment rendered with; nil while it has not
// rendered, of a component, and of a spec that does not fit.
func (p *Plane) inputs(ctx context.Context, d proton.Deployment) (inputs bundle.Inputs, err error) {
	if d.Inputs == nil || d.TargetType == proton.TargetComponent { // whose texts are its own
		return nil, nil
	}
	b, err := p.Bundles.Bundle(ctx, d.Inputs.BundleDigest)
	if err != nil {
		return nil, err
	}
	switch d.TargetType {
	case proton.TargetEnvironment:
		spec, err := bundle.ParseEnvironmentSpec(d.Inputs.Spec)
		if err == nil {
			inputs, _, _ = b.EnvironmentInputs(spec)
		}
	case proton.TargetServiceInstance:
		spec, err := bundle.ParseServiceSpec(d.Inputs.Spec)
		if err == nil {
			inputs, _, _ = b.InstanceInputs(spec, d.InstanceName)
		}
	case proton.TargetPipeline:
		spec, err := bundle.ParseServiceSpec(d.Inputs.Spec)
		if err == nil {
			inputs, _, _ = b.PipelineInputs(spec)
		}
	}
	return inputs, nil
}

// comparison gathers named values of two sides, in the order they come.
type comparison struct{ list []api.DeploymentValue }

func (c *comparison) before(name, value string) { c.entry(name).Before = &value }
func (c *comparison) after(name, value string)  { c.entry(name).After = &value }

func (c *comparison) entry(name string) *api.DeploymentValue {
	i := slices.IndexFunc(c.list, func(v api.DeploymentValue) bool { return *v.Name == name })
	if i < 0 {
		i = len(c.list)
		c.list = append(c.list, api.DeploymentValue{Name: &name})
	}
	return &c.list[i]
}

// ListDeploymentFiles lists the files that a deployment handed to its engine,
// without secrets; with a path, that file alone. NotFound.
func (p *Plane) ListDeploymentFiles(ctx context.Context, in *api.ListDeploymentFilesInput) (*api.ListDeploymentFilesOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetDeployment", s.DeploymentARN(*in.DeploymentId)); err != nil {
		return nil, err
	}
	out := &api.ListDeploymentFilesOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		d, err := p.readableDeployment(ctx, tx, *in.DeploymentId)
		if err != nil {
			return err
		}
		record, err := tx.Record(ctx, d.ID, true)
		out.Files = toDeploymentFiles(record.Files, in.Path)
		if err == nil && in.Path != nil && len(out.Files) == 0 {
			err = proton.Errorf(proton.NotFound, "Deployment %s has no file %s.", d.ID, *in.Path)
		}
		return err
	})
	return out, err
}

func toDeploymentFiles(files []proton.RenderedFile, path *string) []api.DeploymentFile {
	list := []api.DeploymentFile{}
	for _, f := range files {
		if path == nil || *path == f.Path {
			list = append(list, api.DeploymentFile{Path: &f.Path, Size: &f.Size, Content: text(f.Content), Note: text(f.Note)})
		}
	}
	return list
}
