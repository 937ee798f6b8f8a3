package provision

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// run renders what a deployment's driver is to carry out, and names the driver.
// What is odd about the spec goes to log. An error is worded for the person who
// deployed.
func (p *Provisioner) run(ctx context.Context, d proton.Deployment, log io.Writer) (engine.Run, engine.Method, error) {
	r, err := p.roles(ctx, d)
	if err != nil {
		return engine.Run{}, "", err
	}
	return p.runAs(ctx, d, r, log)
}

func (p *Provisioner) runAs(ctx context.Context, d proton.Deployment, r roles, log io.Writer) (engine.Run, engine.Method, error) {
	in, ended := engine.Trace(ctx, "render", "hadron.deployment", d.ID)
	rendered, method, err := p.render(in, d, log)
	ended(err)
	if err != nil {
		return engine.Run{}, "", err
	}
	who, err := r.choose(d.TargetType, engine.Method(method))
	if err != nil {
		return engine.Run{}, "", err
	}
	run := engine.Run{
		ID: d.RunID, DeploymentID: d.ID, Goal: engine.Goal(d.Goal), ResourceARN: string(d.TargetARN()), StackName: d.StackName(),
		AccountID: account(d), Region: d.Region, RoleARN: who, Build: build(rendered.Build, d.Goal), Secrets: secrets(d.Inputs),
		Report: func(ctx context.Context) (engine.Report, error) { return p.report(ctx, d.ID) },
		Held:   func(ctx context.Context) (bool, error) { return p.held(ctx, d) },
	}
	run.CreatedAt, run.Force = d.CreatedAt, d.Forced
	run.Repository = repository(d, engine.Method(method))
	for _, t := range tags(d) {
		run.Tags = append(run.Tags, engine.Tag(t))
	}
	for _, f := range rendered.Files {
		run.Files = append(run.Files, engine.File(f))
		if engine.Method(method) == engine.CloudFormation {
			run.Secrets = append(run.Secrets, bundle.NoEcho(f.Content)...)
		}
	}
	if run.Repository != nil {
		run.Files = append(run.Files, metadata(d))
	}
	return run, engine.Method(method), nil
}

// render makes the files of a deployment, and says how they are provisioned.
func (p *Provisioner) render(ctx context.Context, d proton.Deployment, log io.Writer) (*bundle.Rendered, string, error) {
	if d.TargetType == proton.TargetComponent {
		return p.renderComponent(ctx, d, log)
	}
	b, err := p.Bundles.Bundle(ctx, d.Inputs.BundleDigest)
	if err != nil {
		return nil, "", err
	}
	part := bundlePart(d.TargetType)
	method, _ := b.Method(part)
	method = chosen(d, method)
	if err := p.hasEngine(d, method); err != nil {
		return nil, "", err
	}
	data, err := p.data(ctx, b, d, log)
	if err != nil {
		return nil, "", err
	}
	rendered, err := b.Render(ctx, part, data)
	return rendered, method, err
}

func (p *Provisioner) hasEngine(d proton.Deployment, method string) error {
	if p.Engines[engine.Method(method)] == nil {
		return fmt.Errorf("%s is provisioned with %s: %w", d.TargetARN(), method, errNoEngine)
	}
	return nil
}

// renderComponent makes the files of a component from its own texts.
func (p *Provisioner) renderComponent(ctx context.Context, d proton.Deployment, log io.Writer) (*bundle.Rendered, string, error) {
	in := d.Inputs
	c, err := bundle.ParseComponent(in.Component.Manifest, in.Component.TemplateFile)
	if err != nil {
		return nil, "", err
	}
	method := chosen(d, c.Method())
	if err := p.hasEngine(d, method); err != nil {
		return nil, "", err
	}
	data := bundle.Data{
		ResourceARN: string(d.TargetARN()), Tags: tags(d), Environment: environmentData(*in.Environment),
		Component: &bundle.ComponentData{Name: in.Component.Name},
	}
	warnings := c.Warnings
	if in.Service != nil {
		b, err := p.Bundles.Bundle(ctx, in.Instances[0].BundleDigest)
		if err != nil {
			return nil, "", err
		}
		instance, noticed, err := instanceData(b, in.Instances[0])
		if err != nil {
			return nil, "", err
		}
		warnings = append(slices.Clone(warnings), noticed...)
		data.Service, data.Instance = &bundle.ServiceData{Name: in.Service.Name}, instance
	}
	for _, w := range warnings {
		fmt.Fprintln(log, "warning:", w)
	}
	rendered, err := c.Render(ctx, data)
	return rendered, method, err
}

func bundlePart(t proton.TargetType) bundle.Part {
	switch t {
	case proton.TargetServiceInstance:
		return bundle.InstanceInfrastructure
	case proton.TargetPipeline:
		return bundle.PipelineInfrastructure
	}
	return bundle.Infrastructure
}

// account is where the deployment provisions: a pipeline always in its own.
func account(d proton.Deployment) string {
	if d.Inputs.Environment != nil {
		return d.Inputs.Environment.AccountID
	}
	return d.Account
}

func build(b *bundle.Build, goal proton.Goal) *engine.Build {
	if b == nil {
		return nil
	}
	commands := b.Provision
	if goal == proton.GoalDestroy {
		commands = b.Deprovision
	}
	return &engine.Build{
		Image: b.Image, Commands: commands, Variables: b.Variables,
		SecretsManager: b.SecretsManager, ParameterStore: b.ParameterStore, Timeout: b.Timeout,
	}
}

// report reads what NotifyResourceDeploymentStatusChange has told so far.
func (p *Provisioner) report(ctx context.Context, id string) (engine.Report, error) {
	var d proton.Deployment
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		d, _, err = tx.DeploymentByID(ctx, id)
		return err
	})
	r := engine.Report{Status: d.Report.Status, Message: d.Report.Message, HasOutputs: d.Report.HasOutputs}
	for _, o := range d.Report.Outputs {
		r.Outputs = append(r.Outputs, engine.Output{Key: o.Key, Value: o.Value})
	}
	return r, err
}

// data is what the templates of a deployment may refer to.
func (p *Provisioner) data(ctx context.Context, b *bundle.Bundle, d proton.Deployment, log io.Writer) (bundle.Data, error) {
	in := d.Inputs
	data := bundle.Data{ResourceARN: string(d.TargetARN()), Tags: tags(d)}
	if in.Service != nil {
		data.Service = &bundle.ServiceData{
			Name: in.Service.Name, BranchName: in.Service.BranchName,
			RepositoryID: in.Service.RepositoryID, RepositoryConnectionARN: in.Service.RepositoryConnectionARN,
		}
	}
	var err error
	var warnings []bundle.Problem
	switch d.TargetType {
	case proton.TargetEnvironment:
		data.Environment, warnings, err = environmentInputs(b, in)
	case proton.TargetServiceInstance:
		data.Environment = environmentData(*in.Environment)
		data.Instance, warnings, err = instanceData(b, in.Instances[0])
		if c := in.Component; c != nil {
			data.Component = &bundle.ComponentData{Name: c.Name, Outputs: outputs(c.Outputs)}
		}
	case proton.TargetPipeline:
		data.Pipeline, warnings, err = pipelineInputs(b, in)
		for _, facts := range in.Instances {
			if err != nil {
				break
			}
			err = p.addInstance(ctx, &data, facts)
		}
	}
	for _, w := range warnings {
		fmt.Fprintln(log, "warning:", w)
	}
	return data, err
}

func environmentInputs(b *bundle.Bundle, in *proton.Inputs) (*bundle.EnvironmentData, []bundle.Problem, error) {
	spec, err := bundle.ParseEnvironmentSpec(in.Spec)
	if err != nil {
		return nil, nil, err
	}
	data := environmentData(*in.Environment)
	inputs, warnings, err := b.EnvironmentInputs(spec)
	data.Inputs = inputs
	return data, append(spec.Warnings, warnings...), err
}

func pipelineInputs(b *bundle.Bundle, in *proton.Inputs) (*bundle.PipelineData, []bundle.Problem, error) {
	spec, err := bundle.ParseServiceSpec(in.Spec)
	if err != nil {
		return nil, nil, err
	}
	inputs, warnings, err := b.PipelineInputs(spec)
	return &bundle.PipelineData{Inputs: inputs}, append(spec.Warnings, warnings...), err
}

// addInstance adds an instance as a pipeline sees it; each has the inputs that
// its own template version makes of its spec.
func (p *Provisioner) addInstance(ctx context.Context, data *bundle.Data, facts proton.InstanceFacts) error {
	b, err := p.Bundles.Bundle(ctx, facts.BundleDigest)
	if err != nil {
		return err
	}
	i, _, err := instanceData(b, facts)
	if err != nil {
		return err
	}
	i.Outputs = outputs(facts.Outputs)
	i.Environment = environmentData(facts.Environment)
	data.Instances = append(data.Instances, *i)
	return nil
}

func instanceData(b *bundle.Bundle, facts proton.InstanceFacts) (*bundle.InstanceData, []bundle.Problem, error) {
	spec, err := bundle.ParseServiceSpec(facts.Spec)
	if err != nil {
		return nil, nil, err
	}
	inputs, warnings, err := b.InstanceInputs(spec, facts.Name)
	return &bundle.InstanceData{Name: facts.Name, Inputs: inputs}, append(spec.Warnings, warnings...), err
}

func environmentData(facts proton.EnvironmentFacts) *bundle.EnvironmentData {
	return &bundle.EnvironmentData{Name: facts.Name, AccountID: facts.AccountID, Outputs: outputs(facts.Outputs)}
}

func outputs(list []proton.Output) []bundle.Output {
	var out []bundle.Output
	for _, o := range list {
		out = append(out, bundle.Output{Key: o.Key, Value: o.Value})
	}
	return out
}

// tags are those that provisioned infrastructure gets.
func tags(d proton.Deployment) []bundle.Tag {
	l := proton.Lineage{
		Scope: d.Scope, TemplateKind: proton.ServiceTemplate, Template: d.Target.TemplateName,
		Environment: d.EnvironmentName, Service: d.ServiceName, Instance: d.InstanceName, Component: d.ComponentName,
	}
	if d.TargetType == proton.TargetEnvironment {
		l.TemplateKind = proton.EnvironmentTemplate
	}
	var list []bundle.Tag
	for _, t := range l.ProvisionedTags() {
		list = append(list, bundle.Tag(t))
	}
	return list
}
