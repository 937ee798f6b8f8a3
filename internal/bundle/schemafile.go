package bundle

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/schema"
)

// schema reads the schema file into the bundle.
func (o *opener) schema(b *Bundle, name string) {
	f, _ := b.file(name)
	if int64(len(f.content)) > o.limits.Schema {
		o.problemf(name, "the schema has %d bytes; the limit is %d", len(f.content), o.limits.Schema)
		return
	}
	b.schemaText = string(f.content)
	doc, err := schema.ParseYAML(f.content)
	if err != nil {
		o.problem(yamlProblem(name, err))
		return
	}
	s := &schemaReader{opener: o, path: name}
	s.read(b, doc)
}

func yamlProblem(path string, err error) Problem {
	p := Problem{Path: path, Message: err.Error()}
	if e, ok := errors.AsType[*schema.SyntaxError](err); ok {
		p.Line, p.Column, p.Message = e.Line, e.Column, e.Message
	}
	return p
}

type schemaReader struct {
	*opener
	path string
	kind TemplateKind
}

// missing reports an absent property with Proton's own words.
func (s *schemaReader) missing(n *schema.Node, property string) {
	s.problem(at(s.path, n, "%s%sMissing property [%s]", s.kind, notValid, property))
}

func (s *schemaReader) read(b *Bundle, doc *schema.Node) {
	top := doc.Get("schema")
	if s.want != nil {
		s.kind = s.want.Kind
	} else if top.Get("service_input_type") != nil {
		s.kind = ServiceTemplate
	}
	b.kind = s.kind
	s.unknown(doc, "", "schema")
	if top.IsNull() {
		s.missing(doc, "schema")
		return
	}
	if top.Kind != schema.Map {
		s.problem(at(s.path, top, "schema must be a mapping with format, types and the input types, not a %s", top.Kind))
		return
	}
	s.unknown(top, "schema.", "format", "types", "environment_input_type", "service_input_type", "pipeline_input_type")
	s.format(top)
	types := top.Get("types")
	if types.IsNull() {
		s.missing(top, "types")
	} else {
		t, warnings, problems := schema.Compile(types)
		s.warnings = append(s.warnings, problemsOf(s.path, "types.", warnings)...)
		s.problems = append(s.problems, problemsOf(s.path, "types.", problems)...)
		b.types = t
	}
	if s.kind == ServiceTemplate {
		b.input = s.inputType(b, top, types, "service_input_type", "serviceInputType")
		b.pipeline = s.pipelineType(b, top, types)
		return
	}
	b.input = s.inputType(b, top, types, "environment_input_type", "environmentInputType")
	if s.want != nil && s.want.CustomerManaged && b.input != nil {
		s.outputsOnly(types, b.input)
	}
}

// problemsOf turns the issues of a schema into problems of its file.
func problemsOf(path, prefix string, issues []schema.Issue) []Problem {
	var out []Problem
	for _, i := range issues {
		i.Path = prefix + i.Path
		out = append(out, Problem{Path: path, Line: i.Line, Column: i.Column, Message: i.String()})
	}
	return out
}

func (s *schemaReader) unknown(n *schema.Node, prefix string, known ...string) {
	if n == nil {
		return
	}
next:
	for _, f := range n.Fields {
		for _, k := range known {
			if f.Key == k {
				continue next
			}
		}
		s.warnings = append(s.warnings, Problem{s.path, f.Line, f.Column, "unknown key " + prefix + f.Key + " is ignored"})
	}
}

func (s *schemaReader) format(top *schema.Node) {
	format := top.Get("format")
	version := format.Get("openapi")
	switch {
	case format.IsNull():
		s.missing(top, "format")
	case version.IsNull():
		s.missing(format, "openapi")
	case version.Text != "3.0" && !strings.HasPrefix(version.Text, "3.0."):
		s.problem(at(s.path, version, "format.openapi is %q; only \"3.0.0\" is supported", version.Text))
	}
}

func (s *schemaReader) inputType(b *Bundle, top, types *schema.Node, key, property string) *schema.Type {
	n := top.Get(key)
	if n.IsNull() {
		s.missing(top, property)
		return nil
	}
	if types.IsNull() {
		return nil
	}
	def := types.Get(n.Text)
	if def == nil {
		s.problem(at(s.path, n, "%s names the type %q, which types does not have", key, n.Text))
		return nil
	}
	if kind := def.Get("type"); kind != nil && kind.Text != "object" {
		s.problem(at(s.path, kind, "the input type %s must be of type object, not %s", n.Text, kind.Text))
	}
	if b.types == nil {
		return nil
	}
	t := b.types.Lookup(n.Text)
	for _, p := range t.Properties() {
		if n := utf8.RuneCountInString(p.Name); s.want != nil && n > s.limits.ParameterName {
			s.problem(Problem{s.path, p.Line, p.Column, fmt.Sprintf("the name of an input has %d characters; the limit is %d", n, s.limits.ParameterName)})
		}
	}
	return t
}

func (s *schemaReader) pipelineType(b *Bundle, top, types *schema.Node) *schema.Type {
	n := top.Get("pipeline_input_type")
	switch {
	case s.want != nil && s.want.CustomerManaged:
		if !n.IsNull() {
			s.problem(at(s.path, n, "the template has pipelineProvisioning CUSTOMER_MANAGED; remove pipeline_input_type"))
		}
		return nil
	case s.want == nil && n.IsNull():
		return nil
	}
	return s.inputType(b, top, types, "pipeline_input_type", "pipelineInputType")
}

// outputsOnly checks the schema of a customer-managed environment, which
// describes outputs.
func (s *schemaReader) outputsOnly(types *schema.Node, t *schema.Type) {
	properties := types.Get(t.Name).Get("properties")
	for _, p := range t.Properties() {
		n := properties.Get(p.Name)
		if p.Type != "string" {
			s.problem(at(s.path, n, "the output %s of a CUSTOMER_MANAGED environment must be of type string, not %s", p.Name, p.Type))
		}
		if p.HasDefault {
			s.problem(at(s.path, n.Get("default"), "the output %s of a CUSTOMER_MANAGED environment can't have a default", p.Name))
		}
	}
}

// Compatible says whether next may be the next minor version after previous:
// no spec that was valid becomes invalid without new information. The error is
// a *ProblemError that lists each property and reason.
func Compatible(previous, next *Bundle) error {
	var problems []Problem
	add := func(name string, old, new *schema.Type) {
		switch {
		case old == nil && new == nil:
		case old == nil:
			// A bundle gains a pipeline only together with its template's kind.
		case new == nil:
			problems = append(problems, Problem{Path: "schema/schema.yaml", Message: name + " removed"})
		default:
			_, issues := schema.Incompatible(old, new)
			for _, i := range issues {
				i.Path = new.Name + "." + i.Path
				problems = append(problems, Problem{"schema/schema.yaml", i.Line, i.Column,
					"not compatible with the previous minor version: " + i.String()})
			}
		}
	}
	add(strings.ToLower(next.kind.String())+"_input_type", previous.input, next.input)
	add("pipeline_input_type", previous.pipeline, next.pipeline)
	if len(problems) > 0 {
		return &ProblemError{problems}
	}
	return nil
}
