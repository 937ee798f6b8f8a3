package bundle

import "github.com/hadronhq/hadron/internal/schema"

// InputTypes are the inputs that a schema file describes.
type InputTypes struct {
	Kind     TemplateKind
	Inputs   *schema.Type // of the environment, or of each service instance
	Pipeline *schema.Type // nil without pipeline
}

// ReadSchema reads the text of a schema file on its own, as template versions
// show it. The error is a *ProblemError.
func ReadSchema(text string) (InputTypes, error) {
	const name = "schema.yaml"
	o := &opener{limits: DefaultLimits()}
	doc, err := schema.ParseYAML([]byte(text))
	if err != nil {
		return InputTypes{}, &ProblemError{[]Problem{yamlProblem(name, err)}}
	}
	b := &Bundle{}
	(&schemaReader{opener: o, path: name}).read(b, doc)
	if len(o.problems) > 0 {
		return InputTypes{}, &ProblemError{o.problems}
	}
	return InputTypes{Kind: b.kind, Inputs: b.input, Pipeline: b.pipeline}, nil
}
