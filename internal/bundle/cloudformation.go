package bundle

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// shortTags are CloudFormation's short forms of its functions.
var shortTags = strings.Fields("!And !Base64 !Cidr !Condition !Equals !FindInMap !GetAZs !GetAtt !If !ImportValue " +
	"!Join !Length !Not !Or !Ref !Select !Split !Sub !ToJsonString !Transform")

// outputName is what CloudFormation accepts as the logical name of an output.
var outputName = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// CheckCloudFormation looks at a rendered CloudFormation template: problems are
// what CloudFormation refuses at sight (no YAML or JSON, no Resources),
// warnings what it refuses later or ignores. Lines are those of the text; name
// is its path in what is reported.
func CheckCloudFormation(name string, text []byte) (warnings, problems []Problem) {
	doc, err := parseCloudFormation(text)
	if err != nil {
		return nil, []Problem{yamlProblem(name, err)}
	}
	c := &cloudFormation{name: name}
	resources := doc.Get("Resources")
	switch {
	case doc.Kind != schema.Map:
		problems = append(problems, at(name, doc, "the template must be a mapping with Resources, not a %s", doc.Kind))
	case resources == nil:
		problems = append(problems, at(name, doc, "the template has no Resources"))
	case resources.Kind != schema.Map:
		problems = append(problems, at(name, resources, "Resources must be a mapping from names to resources, not a %s", resources.Kind))
	case len(resources.Fields) == 0:
		problems = append(problems, at(name, resources, "Resources is empty; CloudFormation wants at least one"))
	default:
		problems = append(problems, c.resources(resources)...)
	}
	c.walk(doc, "")
	if outputs := doc.Get("Outputs"); outputs != nil {
		for _, f := range outputs.Fields {
			if !outputName.MatchString(f.Key) {
				c.warnings = append(c.warnings, Problem{name, f.Line, f.Column,
					fmt.Sprintf("the output name %q is not accepted by CloudFormation; use letters and digits only", f.Key)})
			}
		}
	}
	return c.warnings, problems
}

// parseCloudFormation reads YAML, or JSON, which may be indented with tabs.
func parseCloudFormation(text []byte) (*schema.Node, error) {
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		text = bytes.ReplaceAll(text, []byte("\t"), []byte(" "))
	}
	return schema.ParseYAML(text)
}

type cloudFormation struct {
	name     string
	warnings []Problem
}

func (c *cloudFormation) resources(n *schema.Node) []Problem {
	var out []Problem
	for _, f := range n.Fields {
		switch {
		case strings.HasPrefix(f.Key, "Fn::"): // loops and transforms make resources
		case f.Value.Kind != schema.Map:
			out = append(out, Problem{c.name, f.Line, f.Column, fmt.Sprintf("the resource %s must be a mapping with Type, not a %s", f.Key, f.Value.Kind)})
		case !f.Value.Get("Type").IsScalar():
			out = append(out, Problem{c.name, f.Line, f.Column, fmt.Sprintf("the resource %s has no Type", f.Key)})
		}
	}
	return out
}

// walk warns of null values, in CloudFormation's own words, and of tags it
// does not know.
func (c *cloudFormation) walk(n *schema.Node, path string) {
	switch n.Kind {
	case schema.Null:
		if n.Tag == "" && path != "" {
			c.warnings = append(c.warnings, at(c.name, n, "[%s] 'null' values are not allowed in templates", path))
		}
	case schema.List:
		for i, item := range n.Items {
			c.walk(item, fmt.Sprintf("%s/%d", path, i))
		}
	case schema.Map:
		for _, f := range n.Fields {
			c.walk(f.Value, path+"/"+f.Key)
		}
	}
	if n.Tag != "" && !slices.Contains(shortTags, n.Tag) {
		c.warnings = append(c.warnings, at(c.name, n, "the tag %s is not one of CloudFormation's", n.Tag))
	}
}

// exampleProblems checks what a part's template renders to with example
// values. One that stops at them is not judged: they are only examples.
func (b *Bundle) exampleProblems(part Part) []Problem {
	r, err := b.renderExample(part)
	if err != nil {
		return nil
	}
	var out []Problem
	for _, f := range r.Files {
		warnings, problems := CheckCloudFormation(part.String()+"/"+f.Path, f.Content)
		for _, p := range append(problems, warnings...) {
			p.Message = "rendered with example values: " + p.Message
			if p.Line > 0 {
				p.Message = fmt.Sprintf("line %d of what is %s", p.Line, p.Message)
			}
			p.Line, p.Column = 0, 0 // not of the file
			out = append(out, p)
		}
	}
	return out
}

// exampleSteps bounds rendering whose result only serves for advice; it is many
// times what real templates take.
const exampleSteps = 200_000

func (b *Bundle) renderExample(part Part) (*Rendered, error) {
	hasty := *b
	hasty.limits.RenderSteps = min(b.limits.RenderSteps, exampleSteps)
	return hasty.Render(context.Background(), part, b.exampleData(part))
}

// exampleData fills a part's namespace with example values: the inputs a spec
// without values has, and every output that the part reads.
func (b *Bundle) exampleData(part Part) Data {
	reads, _ := b.reads(part)
	outputs := func(roots ...[]string) []Output {
		var out []Output
		for _, root := range roots {
			for _, r := range reads {
				name, whole, ok := r.below(root)
				if ok && !whole && !slices.ContainsFunc(out, func(o Output) bool { return o.Key == name }) {
					out = append(out, Output{name, "example"})
				}
			}
		}
		return out
	}
	environment := &EnvironmentData{Name: "environment", AccountID: "111122223333", Outputs: outputs(outputsRoots[part]...)}
	instance := InstanceData{Name: "instance", Environment: environment, Outputs: outputs([]string{"service_instances", anyItem, "outputs"})}
	if part == Infrastructure {
		environment.Inputs = b.input.Example()
	} else {
		instance.Inputs = b.input.Example()
	}
	d := Data{Environment: environment, Instance: &instance, Instances: []InstanceData{instance},
		Service: &ServiceData{Name: "service", BranchName: "main", RepositoryID: "owner/repository", RepositoryConnectionARN: "arn:aws:codestar-connections:us-east-1:111122223333:connection/example"}}
	if b.pipeline != nil {
		d.Pipeline = &PipelineData{b.pipeline.Example()}
	}
	return d
}
