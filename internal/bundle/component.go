package bundle

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// Component is the parsed manifest and template of a directly defined
// component. It never changes and may be used concurrently.
type Component struct {
	// Warnings name what is accepted although it is odd.
	Warnings []Problem

	manifest *manifest
	source   string
	limits   Limits
}

// componentManifest is how a component's manifest is named in problems.
const componentManifest = "manifest"

// ParseComponent reads a component's manifest and the template it names. The
// manifest has the form of a bundle's, with one named file, for CloudFormation
// or Terraform; the name only names the file, the text is templateFile. The
// error is a *ProblemError with everything that is wrong.
func ParseComponent(manifest, templateFile string) (*Component, error) {
	r := &manifestReader{path: componentManifest}
	m := r.read([]byte(manifest))
	o := &opener{}
	o.warnings, o.problems = r.warnings, r.problems
	switch {
	case m == nil:
	case m.engine == engineCodeBuild:
		o.problems = []Problem{{Path: componentManifest, Message: "a component can't have rendering_engine codebuild; use jinja with cloudformation, or hcl with terraform"}}
	case m.pattern == "*":
		o.problem(at(componentManifest, m.fileNode, "file must name one file, not \"*\": a component has one template"))
	case m.engine == engineHCL && m.pattern != "" && !strings.HasSuffix(m.pattern, ".tf"):
		o.problem(at(componentManifest, m.fileNode, "file %q must end in .tf, or Terraform does not read it", m.pattern))
	}
	if len(o.problems) > 0 {
		return nil, &ProblemError{o.problems}
	}
	if m.engine == engineHCL {
		o.hcl(kindComponent, m.pattern, []byte(templateFile))
	} else if p := templateProblem(m.pattern, templateFile); p != nil {
		o.problem(*p)
	}
	if len(o.problems) > 0 {
		return nil, &ProblemError{o.problems}
	}
	return &Component{o.warnings, m, templateFile, DefaultLimits()}, nil
}

// Method says which engine provisions the component: "CLOUDFORMATION" or
// "TERRAFORM".
func (c *Component) Method() string { return c.manifest.method() }

// Render makes the component's working files. The data must have the component
// and its environment; service and instance are those it is attached to, nil
// when it is detached, and null in the template then.
func (c *Component) Render(ctx context.Context, d Data) (*Rendered, error) {
	data, err := componentNamespace(d)
	if err != nil {
		return nil, err
	}
	f := File{Path: c.manifest.pattern, Mode: 0o644, Content: []byte(c.source)}
	if c.manifest.engine == engineHCL {
		files, err := terraformFolder(kindComponent, []File{f}, data, d)
		return &Rendered{Files: files}, err
	}
	vars := toJinjaMap(data)
	if v, _ := vars.Get(kindInstance); v != nil {
		aliasEnvironment(vars)
	}
	text, err := renderWithin(ctx, f.Path, c.source, vars, c.limits)
	if err != nil {
		return nil, err
	}
	f.Content = []byte(text)
	return &Rendered{Files: []File{f}}, nil
}

// componentNamespace is what a component's template may refer to. A detached
// component has no inputs and sees no service or instance.
func componentNamespace(d Data) (*schema.Object, error) {
	switch {
	case d.Component == nil:
		return nil, errors.New("render component: data has no component")
	case d.Environment == nil:
		return nil, errors.New("render component: data has no environment")
	case (d.Service == nil) != (d.Instance == nil):
		return nil, fmt.Errorf("render component %s: data must have both a service and its instance, or neither", d.Component.Name)
	}
	data := object(kindComponent, object("name", d.Component.Name), kindEnvironment, deployed(d.Environment), "service", nil, kindInstance, nil)
	if d.Instance != nil {
		data.Set("service", object("name", d.Service.Name))
		data.Set(kindInstance, object("name", d.Instance.Name, "inputs", inputsOf(d.Instance.Inputs)))
	}
	return data, nil
}
