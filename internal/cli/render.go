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

// parameters is what only a deployment knows, in the shape of its inputs file.
// Inputs in it are ignored: they come from the spec.
type parameters struct {
	Environment environmentParameters `json:"environment"`
	Service     struct {
		Name          string `json:"name"`
		ConnectionARN string `json:"repository_connection_arn"`
		RepositoryID  string `json:"repository_id"`
		BranchName    string `json:"branch_name"`
	} `json:"service"`
	Instance struct {
		Components map[string]struct {
			Name    string        `json:"name"`
			Outputs bundle.Inputs `json:"outputs"`
		} `json:"components"`
	} `json:"service_instance"`
	Instances []struct {
		Name        string                 `json:"name"`
		Outputs     bundle.Inputs          `json:"outputs"`
		Environment *environmentParameters `json:"environment"`
	} `json:"service_instances"`
}

type environmentParameters struct {
	Name      string        `json:"name"`
	AccountID string        `json:"account_id"`
	Outputs   bundle.Inputs `json:"outputs"`
}

func readParameters(file string) (parameters, error) {
	var p parameters
	p.Environment.Name, p.Environment.AccountID, p.Service.Name = "example", "000000000000", "example"
	if file == "" {
		return p, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func (e environmentParameters) data() *bundle.EnvironmentData {
	return &bundle.EnvironmentData{Name: e.Name, AccountID: e.AccountID, Outputs: outputs(e.Outputs)}
}

func outputs(o bundle.Inputs) []bundle.Output {
	var list []bundle.Output
	if o == nil {
		return nil
	}
	for _, key := range o.Keys() {
		value, _ := o.Get(key)
		text, ok := value.(string)
		if !ok { // outputs are texts; a list arrives as its JSON
			raw, err := json.Marshal(value)
			if err != nil {
				continue
			}
			text = string(raw)
		}
		list = append(list, bundle.Output{Key: key, Value: text})
	}
	return list
}

func (t *tool) renderBundle(ctx context.Context, source string, o *renderOptions) error {
	archive, err := readBundle(source)
	if err != nil {
		return err
	}
	b, err := bundle.Load(archive, bundle.DefaultLimits())
	if e, ok := errors.AsType[*bundle.ProblemError](err); ok {
		for _, p := range e.Problems {
			fmt.Fprintln(t.stdout, located(source, p))
		}
		return fmt.Errorf("%s is not a valid bundle; \"hadron template validate %s\" says more", source, source)
	}
	if err != nil {
		return err
	}
	spec, err := os.ReadFile(o.spec)
	if err != nil {
		return err
	}
	known, err := readParameters(o.parameters)
	if err != nil {
		return err
	}
	r := &specRender{tool: t, bundle: b, options: o, known: known}
	part, data, err := r.data(string(spec))
	if e, ok := errors.AsType[*bundle.SpecError](err); ok {
		return fmt.Errorf("%s: %s", o.spec, strings.Join(e.Problems, "\n"+o.spec+": "))
	}
	if err != nil {
		return err
	}
	rendered, err := b.Render(ctx, part, data)
	if e, ok := errors.AsType[*bundle.RenderError](err); ok {
		p := located(source, bundle.Problem{Path: e.Path, Line: e.Line, Column: e.Column, Message: e.Message})
		return fmt.Errorf("%s\nOutputs and names that only a deployment knows can be given with --parameters", p)
	}
	if err != nil {
		return err
	}
	return t.writeRendered(o.out, rendered)
}

// specRender turns a spec and parameters to the data of one part.
type specRender struct {
	*tool
	bundle  *bundle.Bundle
	options *renderOptions
	known   parameters
}

func (r *specRender) data(spec string) (bundle.Part, bundle.Data, error) {
	if r.bundle.Kind() == bundle.ServiceTemplate {
		return r.serviceData(spec)
	}
	if r.options.instance != "" || r.options.pipeline {
		return 0, bundle.Data{}, usagef("--instance and --pipeline are for service templates; this is an environment template")
	}
	s, err := bundle.ParseEnvironmentSpec(spec)
	if err != nil {
		return 0, bundle.Data{}, err
	}
	inputs, warnings, err := r.bundle.EnvironmentInputs(s)
	r.warn(append(s.Warnings, warnings...))
	environment := r.known.Environment.data()
	environment.Inputs = inputs
	return bundle.Infrastructure, bundle.Data{Environment: environment, ResourceARN: r.arn("environment/" + environment.Name)}, err
}

func (r *specRender) serviceData(spec string) (bundle.Part, bundle.Data, error) {
	s, err := bundle.ParseServiceSpec(spec)
	if err != nil {
		return 0, bundle.Data{}, err
	}
	warnings, err := r.bundle.ServiceProblems(s)
	r.warn(append(s.Warnings, warnings...))
	if err != nil {
		return 0, bundle.Data{}, err
	}
	service := &bundle.ServiceData{
		Name: r.known.Service.Name, BranchName: r.known.Service.BranchName,
		RepositoryID: r.known.Service.RepositoryID, RepositoryConnectionARN: r.known.Service.ConnectionARN,
	}
	if r.options.pipeline {
		return r.pipelineData(s, service)
	}
	name, err := r.chooseInstance(s)
	if err != nil {
		return 0, bundle.Data{}, err
	}
	instance, err := r.instance(s, name)
	if err != nil {
		return 0, bundle.Data{}, err
	}
	data := bundle.Data{
		Service: service, Instance: &instance, Environment: instance.Environment,
		ResourceARN: r.arn("service/" + service.Name + "/service-instance/" + name),
	}
	if c, ok := r.known.Instance.Components["default"]; ok {
		data.Component = &bundle.ComponentData{Name: c.Name, Outputs: outputs(c.Outputs)}
	}
	return bundle.InstanceInfrastructure, data, nil
}

func (r *specRender) pipelineData(s *bundle.ServiceSpec, service *bundle.ServiceData) (bundle.Part, bundle.Data, error) {
	if !r.bundle.HasPipeline() {
		return 0, bundle.Data{}, usagef("--pipeline: this service template has no pipeline")
	}
	inputs, _, err := r.bundle.PipelineInputs(s)
	data := bundle.Data{
		Service: service, Pipeline: &bundle.PipelineData{Inputs: inputs},
		ResourceARN: r.arn("service/" + service.Name + "/pipeline"),
	}
	for _, i := range s.Instances {
		instance, e := r.instance(s, i.Name)
		err = errors.Join(err, e)
		data.Instances = append(data.Instances, instance)
	}
	return bundle.PipelineInfrastructure, data, err
}

// arn is what the ARN of a deployed resource would be.
func (r *specRender) arn(resource string) string {
	return "arn:aws:proton:" + region + ":" + r.known.Environment.AccountID + ":" + resource
}

// chooseInstance is the instance that --instance names, or the only one.
func (r *specRender) chooseInstance(s *bundle.ServiceSpec) (string, error) {
	var names []string
	for _, i := range s.Instances {
		names = append(names, i.Name)
	}
	if _, ok := s.Instance(r.options.instance); ok {
		return r.options.instance, nil
	}
	switch {
	case r.options.instance != "":
		return "", usagef("--instance: the spec has no instance %q; it has: %s", r.options.instance, strings.Join(names, ", "))
	case len(names) == 0:
		return "", usagef("the spec has no instances; render the pipeline with --pipeline")
	case len(names) > 1:
		return "", usagef("the spec has %d instances: choose one with --instance (%s), or --pipeline", len(names), strings.Join(names, ", "))
	}
	return names[0], nil
}

// instance is one instance of the spec with what the parameters know of it.
func (r *specRender) instance(s *bundle.ServiceSpec, name string) (bundle.InstanceData, error) {
	i, _ := s.Instance(name)
	inputs, _, err := r.bundle.InstanceInputs(s, name)
	environment := r.known.Environment
	out := bundle.InstanceData{Name: name, Inputs: inputs}
	for _, p := range r.known.Instances {
		if p.Name == name {
			out.Outputs = outputs(p.Outputs)
			if p.Environment != nil {
				environment = *p.Environment
			}
		}
	}
	environment.Name = i.Environment
	out.Environment = environment.data()
	return out, err
}

func (r *specRender) warn(warnings []bundle.Problem) {
	for _, w := range warnings {
		fmt.Fprintf(r.stderr, "%s: warning: %s\n", r.options.spec, w)
	}
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
