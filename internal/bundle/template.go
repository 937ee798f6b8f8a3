package bundle

// The only file that knows the Jinja engine.

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hadronhq/hadron/internal/jinja"
	"github.com/hadronhq/hadron/internal/schema"
)

// templateProblem says why a file is not a template, or nil.
func templateProblem(name, source string) *Problem {
	_, err := jinja.Parse(name, source)
	if err == nil {
		return nil
	}
	p := jinjaProblem(name, err)
	return &p
}

func jinjaProblem(name string, err error) Problem {
	if e, ok := errors.AsType[*jinja.Error](err); ok {
		return Problem{Path: name, Line: e.Line, Column: e.Column, Message: e.Message}
	}
	return Problem{Path: name, Message: err.Error()}
}

// RenderError is a template that could not be rendered.
type RenderError struct {
	Path         string // of the file, below the bundle's root
	Line, Column int
	Message      string
	err          error
}

func (e *RenderError) Error() string {
	return fmt.Sprintf("Template rendering failed at line %d: %s (%s)", e.Line, e.Message, e.Path)
}

func (e *RenderError) Unwrap() error { return e.err }

func renderError(name string, err error) error {
	p := jinjaProblem(name, err)
	return &RenderError{p.Path, p.Line, p.Column, p.Message, err}
}

func renderTemplate(ctx context.Context, name, source string, vars *jinja.Map) (string, error) {
	return renderWithin(ctx, name, source, vars, DefaultLimits())
}

func renderWithin(ctx context.Context, name, source string, vars *jinja.Map, l Limits) (string, error) {
	t, err := jinja.Parse(name, source)
	if err != nil {
		return "", renderError(name, err)
	}
	text, err := t.Render(ctx, vars, l.rendering())
	if err != nil {
		return "", renderError(name, err)
	}
	return text, nil
}

// variables makes the names a template of a part may use: the namespace, and
// for an instance its components and the older spelling of its environment.
func variables(part Part, data *schema.Object, d Data) *jinja.Map {
	vars := toJinjaMap(data)
	if part != InstanceInfrastructure {
		return vars
	}
	if d.Component == nil {
		v, _ := vars.Get(kindInstance)
		v.(*jinja.Map).Set("components", nothingAttached())
	}
	aliasEnvironment(vars)
	return vars
}

// nothingAttached is an empty object that templates may still ask for its
// default component, and that for its outputs: both are empty objects.
func nothingAttached() *jinja.Map {
	component := jinja.NewMap()
	component.SetHidden("outputs", jinja.NewMap())
	components := jinja.NewMap()
	components.SetHidden("default", component)
	return components
}

// aliasEnvironment lets an instance's environment be found below the instance.
func aliasEnvironment(vars *jinja.Map) {
	environment, _ := vars.Get(kindEnvironment)
	instance, _ := vars.Get(kindInstance)
	instance.(*jinja.Map).Set(kindEnvironment, environment)
}

func toJinjaMap(o *schema.Object) *jinja.Map { return toJinja(o).(*jinja.Map) }

func toJinja(v any) any {
	switch v := v.(type) {
	case *schema.Object:
		m := jinja.NewMap()
		for _, k := range v.Keys() {
			value, _ := v.Get(k)
			m.Set(k, toJinja(value))
		}
		return m
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = toJinja(item)
		}
		return items
	}
	return v
}

func fromJinja(v any) any {
	switch v := v.(type) {
	case *jinja.Map:
		o := schema.NewObject()
		for _, k := range v.Keys() {
			value, _ := v.Get(k)
			o.Set(k, fromJinja(value))
		}
		return o
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = fromJinja(item)
		}
		return items
	}
	return v
}

// templateReads lists what a template reads. One that does not parse reads
// nothing; that is another check's to say.
func templateReads(name, source string) []read {
	parsed, err := jinja.Parse(name, source)
	if err != nil {
		return nil
	}
	return readsOf(name, parsed.References())
}

func readsOf(name string, references []jinja.Reference) []read {
	out := make([]read, 0, len(references))
	for _, r := range references {
		out = append(out, read{r.Path, r.Or, Problem{Path: name, Line: r.Line, Column: r.Column}, r.Followed})
	}
	return out
}

// propertyReads lists what the expressions of project_properties read, all
// placed where their scalar starts.
func propertyReads(path string, n *schema.Node) []read {
	var out []read
	switch {
	case n == nil:
	case n.Kind == schema.List:
		for _, item := range n.Items {
			out = append(out, propertyReads(path, item)...)
		}
	case n.Kind == schema.Map:
		for _, f := range n.Fields {
			out = append(out, propertyReads(path, f.Value)...)
		}
	case isTemplate(n):
		out = templateReads(path, n.Text)
		if e := wholeExpression(path, n.Text); e != nil {
			out = readsOf(path, e.References())
		}
		for i := range out {
			out[i].place.Line, out[i].place.Column = n.Line, n.Column
		}
	}
	return out
}

// propertyRenderer renders the expressions in project_properties.
type propertyRenderer struct {
	ctx  context.Context
	path string // of the manifest
	vars *jinja.Map

	limits Limits
}

// check reports texts that don't parse.
func (p *propertyRenderer) check(n *schema.Node) []Problem {
	var out []Problem
	switch {
	case n.Kind == schema.List:
		for _, item := range n.Items {
			out = append(out, p.check(item)...)
		}
	case n.Kind == schema.Map:
		for _, f := range n.Fields {
			out = append(out, p.check(f.Value)...)
		}
	case isTemplate(n) && wholeExpression(p.path, n.Text) == nil:
		if problem := templateProblem(p.path, n.Text); problem != nil {
			problem.Line, problem.Column = n.Line, n.Column
			out = append(out, *problem)
		}
	}
	return out
}

func isTemplate(n *schema.Node) bool {
	return n.Kind == schema.String && (strings.Contains(n.Text, "{{") || strings.Contains(n.Text, "{%") || strings.Contains(n.Text, "{#"))
}

// wholeExpression returns the expression that a text is nothing but, or nil:
// its value keeps its type.
func wholeExpression(name, text string) *jinja.Expression {
	inner, ok := strings.CutPrefix(strings.TrimSpace(text), "{{")
	if !ok {
		return nil
	}
	if inner, ok = strings.CutSuffix(inner, "}}"); !ok {
		return nil
	}
	e, err := jinja.ParseExpression(name, strings.TrimSuffix(strings.TrimPrefix(inner, "-"), "-"))
	if err != nil {
		return nil
	}
	return e
}

func (p *propertyRenderer) value(n *schema.Node) (any, error) {
	switch {
	case n.Kind == schema.List:
		items := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			v, err := p.value(item)
			if err != nil {
				return nil, err
			}
			items = append(items, v)
		}
		return items, nil
	case n.Kind == schema.Map:
		o := schema.NewObject()
		for _, f := range n.Fields {
			v, err := p.value(f.Value)
			if err != nil {
				return nil, err
			}
			o.Set(f.Key, v)
		}
		return o, nil
	case isTemplate(n):
		return p.text(n)
	}
	return n.Value(), nil
}

func (p *propertyRenderer) text(n *schema.Node) (any, error) {
	if e := wholeExpression(p.path, n.Text); e != nil {
		v, err := e.Eval(p.ctx, p.vars, p.limits.rendering())
		if err != nil {
			return nil, p.atNode(n, err)
		}
		return fromJinja(v), nil
	}
	text, err := renderWithin(p.ctx, p.path, n.Text, p.vars, p.limits)
	if err != nil {
		return nil, p.atNode(n, err)
	}
	return text, nil
}

// atNode moves an error inside a scalar to the scalar's place in the manifest.
func (p *propertyRenderer) atNode(n *schema.Node, err error) error {
	return &RenderError{p.path, n.Line, n.Column, jinjaProblem(p.path, err).Message, err}
}
