package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hadronhq/hadron/internal/bundle"
)

// renderOptions are the flags of "template render".
type renderOptions struct {
	spec, out, parameters, instance, file string
	pipeline                              bool
}

func (t *tool) renderBundle(ctx context.Context, source string, o *renderOptions) error {
	b, err := openBundle(source)
	if err == nil {
		err = t.renderSpec(ctx, b, o)
	}
	return t.explain(source, err)
}

func (t *tool) renderSpec(ctx context.Context, b *bundle.Bundle, o *renderOptions) error {
	known, err := readParameters(o.parameters)
	if err != nil {
		return err
	}
	s, err := readSpec(b, o.spec, known)
	if err != nil {
		return err
	}
	target, err := s.choose(o)
	if err != nil {
		return err
	}
	for _, w := range s.warnings {
		t.diagnose(t.stderr, "warning", w, s.text)
	}
	rendered, err := s.render(ctx, target)
	if err != nil {
		return err
	}
	if err := t.writeRendered(o.out, rendered); err != nil {
		return err
	}
	for _, w := range s.advice(target, rendered) {
		w.Path = filepath.Join(o.out, w.Path)
		t.diagnose(t.stderr, "warning", w, string(rendered.Files[0].Content))
	}
	return nil
}

// openBundle opens a bundle that need not be registered.
func openBundle(source string) (*bundle.Bundle, error) {
	archive, err := readBundle(source)
	if err != nil {
		return nil, err
	}
	return bundle.Load(archive, bundle.DefaultLimits())
}

// explain prints an error about a bundle with the line that it is about. What
// is left to say is returned.
func (t *tool) explain(source string, err error) error {
	if e, ok := errors.AsType[*bundle.ProblemError](err); ok {
		for _, p := range e.Problems {
			t.diagnose(t.stderr, "", located(source, p), sourceOf(source, p))
		}
		return fmt.Errorf("%s is not a valid bundle; \"hadron template validate %s\" says more", source, source)
	}
	if e, ok := errors.AsType[*bundle.RenderError](err); ok {
		p := bundle.Problem{Path: e.Path, Line: e.Line, Column: e.Column, Message: e.Message}
		t.diagnose(t.stderr, "", located(source, p), sourceOf(source, p))
		return errors.New("nothing was rendered; outputs and names that only a deployment knows can be given with --parameters")
	}
	if e, ok := errors.AsType[*specError](err); ok {
		for _, f := range e.findings() {
			t.diagnose(t.stderr, "", f.Problem, f.source)
		}
		return quietError{err}
	}
	return err
}

// target is one thing that a spec deploys: the environment, an instance or the
// pipeline.
type target struct {
	name string // "environment", "pipeline", or that of the instance
	part bundle.Part
	data bundle.Data
}

// pipelineName and environmentName are the names of the targets that a spec
// gives no name.
const (
	environmentName = "environment"
	pipelineName    = "pipeline"
)

// specTargets is a spec, held against a bundle.
type specTargets struct {
	bundle   *bundle.Bundle
	text     string
	targets  []target
	warnings []bundle.Problem // of the spec, with its file as path
}

// specError is a spec that the bundle does not accept.
type specError struct {
	file, text string
	cause      *bundle.SpecError
}

func (e *specError) Error() string { return e.file + ": " + e.cause.Error() }

func (e *specError) Unwrap() error { return e.cause }

// findings are what is wrong, with the lines of the spec.
func (e *specError) findings() []finding {
	var list []finding
	for _, p := range e.cause.Problems {
		list = append(list, finding{bundle.Problem{Path: e.file, Line: p.Line, Column: p.Column, Message: p.String()}, e.text})
	}
	return list
}

// readSpec reads a spec and makes the data of everything it deploys. A spec
// that the bundle does not accept is a *specError.
func readSpec(b *bundle.Bundle, file string, known parameters) (*specTargets, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &specTargets{bundle: b, text: string(text)}
	var warnings []bundle.Problem
	if b.Kind() == bundle.ServiceTemplate {
		warnings, err = s.service(known)
	} else {
		warnings, err = s.environment(known)
	}
	for _, w := range warnings {
		s.warnings = append(s.warnings, bundle.Problem{Path: file, Line: w.Line, Column: w.Column, Message: w.Path + ": " + w.Message})
	}
	if e, ok := errors.AsType[*bundle.SpecError](err); ok {
		err = &specError{file, s.text, e}
	}
	return s, err
}

func (s *specTargets) environment(known parameters) ([]bundle.Problem, error) {
	spec, err := bundle.ParseEnvironmentSpec(s.text)
	if err != nil {
		return nil, err
	}
	inputs, warnings, err := s.bundle.EnvironmentInputs(spec)
	environment := known.Environment.data()
	environment.Inputs = inputs
	s.targets = []target{{environmentName, bundle.Infrastructure, bundle.Data{
		Environment: environment,
		Tags:        known.tags(environment.Name, "", ""),
		ResourceARN: known.arn("environment/" + environment.Name),
	}}}
	return append(spec.Warnings, warnings...), err
}

func (s *specTargets) service(known parameters) ([]bundle.Problem, error) {
	spec, err := bundle.ParseServiceSpec(s.text)
	if err != nil {
		return nil, err
	}
	warnings, err := s.bundle.ServiceProblems(spec)
	warnings = append(spec.Warnings, warnings...)
	if err != nil {
		return warnings, err
	}
	service := &bundle.ServiceData{
		Name: known.Service.Name, BranchName: known.Service.BranchName,
		RepositoryID: known.Service.RepositoryID, RepositoryConnectionARN: known.Service.ConnectionARN,
	}
	pipeline := target{pipelineName, bundle.PipelineInfrastructure, bundle.Data{
		Service: service, Tags: known.tags("", service.Name, ""),
		ResourceARN: known.arn("service/" + service.Name + "/pipeline"),
	}}
	for _, i := range spec.Instances {
		t, err := s.instance(spec, i, known)
		if err != nil {
			return warnings, err
		}
		t.data.Service = service
		s.targets = append(s.targets, t)
		asSeen := *t.data.Instance
		asSeen.Outputs, asSeen.Environment = outputs(known.instance(i.Name).Outputs), t.data.Environment
		pipeline.data.Instances = append(pipeline.data.Instances, asSeen)
	}
	if !s.bundle.HasPipeline() {
		return warnings, nil
	}
	inputs, _, err := s.bundle.PipelineInputs(spec)
	pipeline.data.Pipeline = &bundle.PipelineData{Inputs: inputs}
	s.targets = append(s.targets, pipeline)
	return warnings, err
}

// instance is one instance of the spec with what the parameters know of it.
func (s *specTargets) instance(spec *bundle.ServiceSpec, i bundle.InstanceSpec, known parameters) (target, error) {
	inputs, _, err := s.bundle.InstanceInputs(spec, i.Name)
	facts := known.instance(i.Name)
	environment := known.Environment
	if facts.Environment != nil {
		environment = *facts.Environment
	}
	if environment.AccountID == "" {
		environment.AccountID = known.Environment.AccountID
	}
	environment.Name = i.Environment
	data := bundle.Data{
		Environment: environment.data(),
		Instance:    &bundle.InstanceData{Name: i.Name, Inputs: inputs, Environment: environment.data()},
		Tags:        known.tags(i.Environment, known.Service.Name, i.Name),
		ResourceARN: known.arn("service/" + known.Service.Name + "/service-instance/" + i.Name),
	}
	if c, ok := facts.Components["default"]; ok {
		data.Component = &bundle.ComponentData{Name: c.Name, Outputs: outputs(c.Outputs)}
	}
	return target{i.Name, bundle.InstanceInfrastructure, data}, err
}

// choose is the target that --instance or --pipeline names, or the only one.
func (s *specTargets) choose(o *renderOptions) (target, error) {
	if s.bundle.Kind() == bundle.EnvironmentTemplate {
		if o.instance != "" || o.pipeline {
			return target{}, usagef("--instance and --pipeline are for service templates; this is an environment template")
		}
		return s.targets[0], nil
	}
	instances := s.targets
	if s.bundle.HasPipeline() {
		instances = s.targets[:len(s.targets)-1]
	}
	if o.pipeline {
		if !s.bundle.HasPipeline() {
			return target{}, usagef("--pipeline: this service template has no pipeline")
		}
		return s.targets[len(s.targets)-1], nil
	}
	var names []string
	for _, i := range instances {
		if i.name == o.instance {
			return i, nil
		}
		names = append(names, i.name)
	}
	switch {
	case o.instance != "":
		return target{}, usagef("--instance: the spec has no instance %q; it has: %s", o.instance, strings.Join(names, ", "))
	case len(names) == 0:
		return target{}, usagef("the spec has no instances; render the pipeline with --pipeline")
	case len(names) > 1:
		return target{}, usagef("the spec has %d instances: choose one with --instance (%s), or --pipeline", len(names), strings.Join(names, ", "))
	}
	return instances[0], nil
}

// outputsFile is what stands for the rendering of an environment that its
// owner provisions: the outputs that services get.
const outputsFile = "outputs.json"

func (s *specTargets) render(ctx context.Context, t target) (*bundle.Rendered, error) {
	if _, provisioned := s.bundle.Method(t.part); provisioned {
		return s.bundle.Render(ctx, t.part, t.data)
	}
	text, err := json.MarshalIndent(t.data.Environment.Inputs, "", "  ")
	return &bundle.Rendered{Files: []bundle.File{{Path: outputsFile, Mode: 0o644, Content: append(text, '\n')}}}, err
}

// advice is what CloudFormation would say of the rendered template.
func (s *specTargets) advice(t target, rendered *bundle.Rendered) []bundle.Problem {
	if method, _ := s.bundle.Method(t.part); method != "CLOUDFORMATION" {
		return nil
	}
	f := rendered.Files[0]
	warnings, problems := bundle.CheckCloudFormation(f.Path, f.Content)
	return append(problems, warnings...)
}

// writeRendered writes the files below a folder, and nothing outside of it.
func (t *tool) writeRendered(out string, rendered *bundle.Rendered) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(out)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range rendered.Files {
		if err := root.MkdirAll(path.Dir(f.Path), 0o755); err != nil {
			return err
		}
		mode := f.Mode.Perm() | 0o600
		if err := root.WriteFile(f.Path, f.Content, mode); err != nil {
			return err
		}
		fmt.Fprintln(t.stdout, filepath.Join(out, filepath.FromSlash(f.Path)))
	}
	if rendered.Build == nil {
		return nil
	}
	fmt.Fprintf(t.stdout, "\nA deployment runs there, in one shell:\n")
	for _, c := range rendered.Build.Provision {
		fmt.Fprintln(t.stdout, "  "+strings.ReplaceAll(strings.TrimRight(c, "\n"), "\n", "\n  "))
	}
	return nil
}
