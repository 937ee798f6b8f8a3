package bundle

import (
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// Inputs are the values of a spec, checked and completed with defaults, in the
// order of the schema. Values are bool, int64, *big.Int, float64, string,
// []any and nested Inputs. They are written to JSON and read back unchanged.
type Inputs = *schema.Object

// EnvironmentInputs holds an environment spec against the schema. For a
// customer-managed environment the inputs are its outputs. Warnings name what
// is accepted and ignored; the error is a *SpecError with every problem.
func (b *Bundle) EnvironmentInputs(s *EnvironmentSpec) (Inputs, []Problem, error) {
	return applyInputs(b.input, s.values, "spec")
}

// InstanceInputs holds one instance of a service spec against the schema.
func (b *Bundle) InstanceInputs(s *ServiceSpec, instance string) (Inputs, []Problem, error) {
	i, ok := s.Instance(instance)
	if !ok {
		return nil, nil, &SpecError{[]string{"Spec validation failed: instances: no instance is named " + instance}}
	}
	return applyInputs(b.input, i.values, i.path())
}

// PipelineInputs holds the pipeline section of a service spec against the
// schema. A bundle without pipeline has no inputs for it and accepts none.
func (b *Bundle) PipelineInputs(s *ServiceSpec) (Inputs, []Problem, error) {
	if b.pipeline == nil {
		if s.HasPipelineSection {
			return nil, nil, &SpecError{[]string{"Spec validation failed: pipeline: the service template has no pipeline; remove this section"}}
		}
		return schema.NewObject(), nil, nil
	}
	return applyInputs(b.pipeline, s.pipeline, "pipeline")
}

// ServiceProblems holds a whole service spec against the schema: the pipeline
// and every instance.
func (b *Bundle) ServiceProblems(s *ServiceSpec) (warnings []Problem, err error) {
	_, warnings, err = b.PipelineInputs(s)
	for _, i := range s.Instances {
		_, w, e := b.InstanceInputs(s, i.Name)
		warnings = append(warnings, w...)
		err = JoinSpecErrors(err, e)
	}
	return warnings, err
}

func applyInputs(t *schema.Type, values *schema.Node, path string) (Inputs, []Problem, error) {
	inputs, warnings, issues := t.Apply(values)
	var warned []Problem
	for _, w := range warnings {
		warned = append(warned, Problem{below(path, w.Path), w.Line, w.Column, w.Message})
	}
	if len(issues) == 0 {
		return inputs, warned, nil
	}
	e := &SpecError{}
	for _, i := range issues {
		e.Problems = append(e.Problems, "Spec validation failed: "+below(path, i.Path)+": "+i.Message)
	}
	return nil, warned, e
}

func below(path, inner string) string {
	if inner == "" || strings.HasPrefix(inner, "[") {
		return path + inner
	}
	return path + "." + inner
}
