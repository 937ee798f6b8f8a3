package bundle

import (
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// Inputs are the values of a spec, checked and completed with defaults, in the
// order of the schema. Values are bool, int64, *big.Int, float64, string,
// []any and nested Inputs. They are written to JSON and read back unchanged.
type Inputs = *schema.Object

// Option changes how a spec is held against a schema.
type Option int

// Strict refuses inputs that the schema does not define, and keys of a spec that
// mean nothing, instead of leaving them out with a warning.
const Strict Option = 1

// EnvironmentInputs holds an environment spec against the schema. For a
// customer-managed environment the inputs are its outputs. Warnings name what
// is accepted and ignored; the error is a *SpecError with every problem.
func (b *Bundle) EnvironmentInputs(s *EnvironmentSpec, options ...Option) (Inputs, []Problem, error) {
	return applyInputs(b.input, s.doc, s.values, "spec", options)
}

// InstanceInputs holds one instance of a service spec against the schema.
func (b *Bundle) InstanceInputs(s *ServiceSpec, instance string, options ...Option) (Inputs, []Problem, error) {
	i, ok := s.Instance(instance)
	if !ok {
		return nil, nil, specProblem(s.doc, "instances", "no instance is named "+instance)
	}
	return applyInputs(b.input, i.entry, i.values, i.path(), options)
}

// PipelineInputs holds the pipeline section of a service spec against the
// schema. A bundle without pipeline has no inputs for it and accepts none.
func (b *Bundle) PipelineInputs(s *ServiceSpec, options ...Option) (Inputs, []Problem, error) {
	if b.pipeline == nil {
		if s.HasPipelineSection {
			return nil, nil, specProblem(s.pipeline, "pipeline", "the service template has no pipeline; remove this section")
		}
		return schema.NewObject(), nil, nil
	}
	return applyInputs(b.pipeline, s.doc, s.pipeline, "pipeline", options)
}

// ServiceProblems holds a whole service spec against the schema: the pipeline
// and every instance.
func (b *Bundle) ServiceProblems(s *ServiceSpec, options ...Option) (warnings []Problem, err error) {
	_, warnings, err = b.PipelineInputs(s, options...)
	for _, i := range s.Instances {
		_, w, e := b.InstanceInputs(s, i.Name, options...)
		warnings = append(warnings, w...)
		err = JoinSpecErrors(err, e)
	}
	return warnings, err
}

func specProblem(n *schema.Node, path, message string) error {
	p := Problem{Path: path, Message: message}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	return &SpecError{[]SpecProblem{{Problem: p}}}
}

// applyInputs holds the values at a path against a type. What they lack is
// reported where they are or, if they are not there, at the part of the spec
// that would have them.
func applyInputs(t *schema.Type, part, values *schema.Node, path string, options []Option) (Inputs, []Problem, error) {
	inputs, warnings, issues := t.Apply(values)
	var warned []Problem
	for _, w := range warnings {
		if w.Unknown && slices.Contains(options, Strict) {
			w.Message = "is not an input of the template"
			issues = append(issues, w)
			continue
		}
		warned = append(warned, Problem{below(path, w.Path), w.Line, w.Column, w.Message})
	}
	if len(issues) == 0 {
		return inputs, warned, nil
	}
	e := &SpecError{}
	for _, i := range issues {
		if i.Line == 0 && part != nil {
			i.Line, i.Column = part.Line, part.Column
		}
		e.Problems = append(e.Problems, SpecProblem{Problem: Problem{below(path, i.Path), i.Line, i.Column, i.Message}})
	}
	return nil, warned, e
}

func below(path, inner string) string {
	if inner == "" || strings.HasPrefix(inner, "[") {
		return path + inner
	}
	return path + "." + inner
}
