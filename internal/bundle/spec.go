package bundle

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// SpecProblem is one thing that is wrong with a spec. Its path is that of the
// value, "instances[dev].spec.port", and empty where the document itself is not
// what it should be.
type SpecProblem struct {
	Problem
	form string // "Service" or "Environment" if the form of such a spec is wrong
}

// String names the value that is wrong, without the place in the text.
func (p SpecProblem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// SpecError is everything that is wrong with a spec.
type SpecError struct{ Problems []SpecProblem }

// Error is worded for the caller of an operation. It has one line for each
// problem; those of the form share Proton's own sentence.
func (e *SpecError) Error() string {
	var lines, places []string
	for _, p := range e.Problems {
		switch {
		case p.form != "":
			places = append(places, p.place())
		case p.Path == "":
			lines = append(lines, p.Message)
		default:
			lines = append(lines, "Spec validation failed: "+p.String())
		}
	}
	if len(places) > 0 {
		sentence := "The provided " + e.Problems[0].form + " Spec file was not correctly formatted. " +
			"Please check that it is valid yaml according to the Spec definition. (" + strings.Join(places, "; ") + ")"
		lines = append([]string{sentence}, lines...)
	}
	return strings.Join(lines, "\n")
}

func (p SpecProblem) place() string {
	if p.Line == 0 {
		return p.Message
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Message)
}

// JoinSpecErrors makes one *SpecError of several, in their order; nil if all
// are nil. Another kind of error is returned at once.
func JoinSpecErrors(errs ...error) error {
	all := &SpecError{}
	for _, err := range errs {
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*SpecError](err)
		if !ok {
			return err
		}
		all.Problems = append(all.Problems, e.Problems...)
	}
	if len(all.Problems) == 0 {
		return nil
	}
	return all
}

// CurrentValue is what a spec writes for "keep the value this input has".
const CurrentValue = "${Proton::CURRENT_VAL}"

// EnvironmentSpec is a parsed environment spec.
type EnvironmentSpec struct {
	// Warnings name keys that have no meaning.
	Warnings []Problem
	text     string
	doc      *schema.Node
	values   *schema.Node
}

// ServiceSpec is a parsed service spec.
type ServiceSpec struct {
	Instances []InstanceSpec // in the order of the document
	// HasPipelineSection is true when pipeline: gives at least one input.
	HasPipelineSection bool
	// Warnings name keys that have no meaning.
	Warnings []Problem
	text     string
	doc      *schema.Node
	pipeline *schema.Node
}

// InstanceSpec is one service instance of a service spec.
type InstanceSpec struct {
	Name        string
	Environment string
	entry       *schema.Node // the whole of it
	values      *schema.Node
}

// Instance returns the instance of a name.
func (s *ServiceSpec) Instance(name string) (InstanceSpec, bool) {
	for _, i := range s.Instances {
		if i.Name == name {
			return i, true
		}
	}
	return InstanceSpec{}, false
}

// specReader reads one document and collects what is wrong with it.
type specReader struct {
	kind     string // Service or Environment
	strict   bool   // keys without a meaning are problems
	warnings []Problem
	problems []SpecProblem
}

// form notes that the document does not have the form of a spec.
func (r *specReader) form(n *schema.Node, format string, args ...any) {
	p := SpecProblem{Problem{Message: fmt.Sprintf(format, args...)}, r.kind}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

// invalid notes that a value of the document can't be taken.
func (r *specReader) invalid(n *schema.Node, path, format string, args ...any) {
	r.problems = append(r.problems, SpecProblem{Problem{path, n.Line, n.Column, fmt.Sprintf(format, args...)}, ""})
}

func (r *specReader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	// Without a form a spec has no values: what is wrong with it comes first.
	slices.SortStableFunc(r.problems, func(a, b SpecProblem) int { return strings.Compare(b.form, a.form) })
	return &SpecError{r.problems}
}

// document parses the text and checks its header.
func (r *specReader) document(text string) *schema.Node {
	doc, err := schema.ParseYAML([]byte(text))
	if e, ok := errors.AsType[*schema.SyntaxError](err); ok {
		r.form(&schema.Node{Line: e.Line, Column: e.Column}, "%s", e.Message)
		return nil
	}
	if err != nil {
		r.form(nil, "%v", err)
		return nil
	}
	if doc.Kind != schema.Map {
		r.form(doc, "the document must be a mapping that starts with proton: %sSpec, not a %s", r.kind, doc.Kind)
		return nil
	}
	header := doc.Get("proton")
	switch {
	case header.IsNull():
		r.form(doc, "proton: %sSpec is missing", r.kind)
	case header.Text != r.kind+"Spec":
		r.form(header, "proton must be %sSpec, not %q", r.kind, header.Text)
	}
	return doc
}

func (r *specReader) unknown(n *schema.Node, prefix string, known ...string) {
next:
	for _, f := range n.Fields {
		for _, k := range known {
			if f.Key == k {
				continue next
			}
		}
		p := Problem{prefix + f.Key, f.Line, f.Column, "unknown key is ignored"}
		if r.strict {
			p.Message = "is not a key that a spec has here"
			r.problems = append(r.problems, SpecProblem{p, ""})
			continue
		}
		r.warnings = append(r.warnings, p)
	}
}

// inputs checks that a section of inputs is a mapping, or absent.
func (r *specReader) inputs(n *schema.Node, path string) *schema.Node {
	if n.IsNull() {
		return nil
	}
	if n.Kind != schema.Map {
		r.form(n, "%s must be a mapping from input names to values, not a %s", path, n.Kind)
		return nil
	}
	return n
}

// ParseEnvironmentSpec reads an environment spec. The error is a *SpecError.
func ParseEnvironmentSpec(text string, options ...Option) (*EnvironmentSpec, error) {
	r := &specReader{kind: "Environment", strict: slices.Contains(options, Strict)}
	s := &EnvironmentSpec{text: text}
	if doc := r.document(text); doc != nil {
		s.doc = doc
		r.unknown(doc, "", "proton", "spec")
		s.values = r.inputs(doc.Get("spec"), "spec")
	}
	s.Warnings = r.warnings
	return s, r.err()
}

// ParseServiceSpec reads a service spec. The error is a *SpecError.
func ParseServiceSpec(text string, options ...Option) (*ServiceSpec, error) {
	r := &specReader{kind: "Service", strict: slices.Contains(options, Strict)}
	s := &ServiceSpec{text: text}
	if doc := r.document(text); doc != nil {
		s.doc = doc
		r.unknown(doc, "", "proton", "pipeline", "instances")
		s.pipeline = r.inputs(doc.Get("pipeline"), "pipeline")
		s.HasPipelineSection = s.pipeline != nil && len(s.pipeline.Fields) > 0
		s.Instances = r.instances(doc.Get("instances"))
	}
	s.Warnings = r.warnings
	return s, r.err()
}

func (r *specReader) instances(n *schema.Node) []InstanceSpec {
	if n.IsNull() {
		return nil
	}
	if n.Kind != schema.List {
		r.form(n, "instances must be a list, not a %s", n.Kind)
		return nil
	}
	var out []InstanceSpec
	seen := map[string]bool{}
	for i, item := range n.Items {
		instance, ok := r.instance(item, fmt.Sprintf("instances[%d]", i))
		if !ok {
			continue
		}
		if seen[instance.Name] {
			r.invalid(item, "", "Duplicate service instance name in spec: %s", instance.Name)
		}
		seen[instance.Name] = true
		out = append(out, instance)
	}
	return out
}

// resourceName is Proton's pattern of names, of at most 100 characters.
var resourceName = regexp.MustCompile(`^[0-9A-Za-z]+[0-9A-Za-z_\-]*$`)

const maxResourceName = 100

func (r *specReader) instance(n *schema.Node, path string) (InstanceSpec, bool) {
	if n.Kind != schema.Map {
		r.form(n, "%s must be a mapping with name and environment, not a %s", path, n.Kind)
		return InstanceSpec{}, false
	}
	name, environment := n.Get("name"), n.Get("environment")
	ok := true
	for _, f := range []struct {
		key string
		n   *schema.Node
	}{{"name", name}, {"environment", environment}} {
		switch {
		case !f.n.IsScalar():
			r.form(n, "%s has no %s", path, f.key)
			ok = false
		case len(f.n.Text) > maxResourceName || !resourceName.MatchString(f.n.Text):
			r.invalid(f.n, path+"."+f.key, "%q is not a name: use 1 to %d letters, digits, - and _, starting with a letter or digit",
				f.n.Text[:min(len(f.n.Text), maxResourceName)], maxResourceName)
			ok = false
		}
	}
	if !ok {
		return InstanceSpec{}, false
	}
	path = "instances[" + name.Text + "]"
	r.unknown(n, path+".", "name", "environment", "spec")
	return InstanceSpec{name.Text, environment.Text, n, r.inputs(n.Get("spec"), path+".spec")}, true
}

// CurrentValues lists the paths of the inputs written as CurrentValue.
func (s *EnvironmentSpec) CurrentValues() []string { return currentValues(s.values, "spec") }

// CurrentValues lists the paths of the inputs written as CurrentValue.
func (s *ServiceSpec) CurrentValues() []string {
	paths := currentValues(s.pipeline, "pipeline")
	for _, i := range s.Instances {
		paths = append(paths, i.CurrentValues()...)
	}
	return paths
}

// CurrentValues lists the paths of the inputs written as CurrentValue.
func (i InstanceSpec) CurrentValues() []string { return currentValues(i.values, i.path()) }

func (i InstanceSpec) path() string { return "instances[" + i.Name + "].spec" }

func currentValues(n *schema.Node, path string) []string {
	var out []string
	walkCurrent(n, path, func(path string, _ *schema.Node) { out = append(out, path) })
	return out
}

// walkCurrent visits every value below n that is written as CurrentValue.
func walkCurrent(n *schema.Node, path string, visit func(path string, n *schema.Node)) {
	switch {
	case n == nil:
	case n.Kind == schema.String && n.Text == CurrentValue:
		visit(path, n)
	case n.Kind == schema.List:
		for i, item := range n.Items {
			walkCurrent(item, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case n.Kind == schema.Map:
		for _, f := range n.Fields {
			walkCurrent(f.Value, path+"."+f.Key, visit)
		}
	}
}
