package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// read is one place where a template reads its data: the names that lead there
// from the top of the namespace, and what else the last one may be.
type read struct {
	path  []string
	or    []string
	place Problem // without message
	// followed is true if what is below path has reads of its own.
	followed bool
}

// anyItem stands in the path of a read for the items of a list.
const anyItem = "*"

// reads lists what a part's templates read. It is false for a part whose
// commands get all of the data, so that what they read cannot be seen.
func (b *Bundle) reads(part Part) ([]read, bool) {
	m := b.manifests[part]
	switch {
	case m == nil:
		return nil, true
	case m.engine == engineCodeBuild:
		return propertyReads(m.path, m.build.projectProperties), false
	}
	var out []read
	for _, f := range b.selected(part, m) {
		name := part.String() + "/" + f.Path
		if m.engine == engineHCL {
			out = append(out, hclReads(name, f.Content)...)
		} else {
			out = append(out, templateReads(name, string(f.Content))...)
		}
	}
	return out, true
}

// inputsRoots are the paths at which each part finds inputs.
var inputsRoots = [len(partDirs)][][]string{
	Infrastructure:         {{kindEnvironment, "inputs"}},
	InstanceInfrastructure: {{kindInstance, "inputs"}},
	PipelineInfrastructure: {{kindPipeline, "inputs"}, {"service_instances", anyItem, "inputs"}},
}

// outputsRoots are the paths at which each part finds its environment's outputs.
var outputsRoots = [len(partDirs)][][]string{
	InstanceInfrastructure: {{kindEnvironment, "outputs"}, {kindInstance, kindEnvironment, "outputs"}},
	PipelineInfrastructure: {{"service_instances", anyItem, kindEnvironment, "outputs"}},
}

// namespaces are the names that each part has; others belong to other parts.
var namespaces = [len(partDirs)][]string{
	Infrastructure:         {kindEnvironment},
	InstanceInfrastructure: {kindEnvironment, "service", kindInstance},
	PipelineInfrastructure: {kindPipeline, "service", "service_instances"},
}

var allNames = []string{kindEnvironment, "service", kindInstance, "service_instances", kindPipeline, kindComponent}

// below returns the name that a path has right behind root; whole is true if
// the path ends at or above there, so that everything below may be read. It is
// false for a read that leads elsewhere.
func (r read) below(root []string) (name string, whole, ok bool) {
	n := min(len(root), len(r.path))
	if !slices.Equal(r.path[:n], root[:n]) {
		return "", false, false
	}
	if len(r.path) <= len(root) || r.path[len(root)] == anyItem {
		return "", true, !r.followed
	}
	return r.path[len(root)], false, true
}

// names are what the name behind root may be.
func (r read) names(root []string, name string) []string {
	if len(r.path) == len(root)+1 {
		return append([]string{name}, r.or...)
	}
	return []string{name}
}

func (r read) problem(format string, args ...any) Problem {
	r.place.Message = fmt.Sprintf(format, args...)
	return r.place
}

// adviser collects what is odd about what templates read.
type adviser struct {
	bundle   *Bundle
	warnings []Problem
	said     map[Problem]bool // without line: once for each file
	used     map[*schema.Type]map[string]bool
	all      map[*schema.Type]bool
}

// adviceFor is what a registration warns of beyond its checks: inputs that the
// schema does not define, inputs that nothing uses, namespaces of other parts,
// and what is wrong with CloudFormation rendered from example values.
func adviceFor(b *Bundle, schemaFile string) []Problem {
	a := &adviser{bundle: b, said: map[Problem]bool{}, used: map[*schema.Type]map[string]bool{}, all: map[*schema.Type]bool{}}
	parts := 0
	for i := range partDirs {
		if b.manifests[i] != nil {
			parts++
			a.part(Part(i))
		}
	}
	if parts > 0 {
		a.unused(schemaFile, b.input)
		a.unused(schemaFile, b.pipeline)
	}
	for i := range partDirs {
		if m := b.manifests[i]; m != nil && m.engine == engineJinja {
			a.warnings = append(a.warnings, b.exampleProblems(Part(i))...)
		}
	}
	if more := len(a.warnings) - maxAdvice; more > 0 {
		return append(a.warnings[:maxAdvice], Problem{Message: fmt.Sprintf("and %d more warnings about templates", more)})
	}
	return a.warnings
}

// maxAdvice bounds how many warnings are kept with a template version.
const maxAdvice = 100

func (a *adviser) warn(p Problem) {
	key := Problem{Path: p.Path, Message: p.Message}
	if !a.said[key] {
		a.said[key] = true
		a.warnings = append(a.warnings, p)
	}
}

func (a *adviser) part(part Part) {
	reads, visible := a.bundle.reads(part)
	for _, root := range inputsRoots[part] {
		t := a.bundle.inputType(root)
		if t == nil {
			continue
		}
		if a.used[t] == nil {
			a.used[t] = map[string]bool{}
		}
		a.all[t] = a.all[t] || !visible
		for _, r := range reads {
			a.input(t, root, r)
		}
	}
	if a.bundle.manifests[part].engine == engineHCL {
		return // where a template may have variables of its own
	}
	for _, r := range reads {
		a.foreign(part, r)
	}
}

// inputType is the type of the inputs found at a path.
func (b *Bundle) inputType(root []string) *schema.Type {
	if root[0] == kindPipeline {
		return b.pipeline
	}
	return b.input
}

func (a *adviser) input(t *schema.Type, root []string, r read) {
	name, whole, ok := r.below(root)
	if !ok {
		return
	}
	if whole {
		a.all[t] = true
		return
	}
	names := r.names(root, name)
	for _, p := range t.Properties() {
		if slices.Contains(names, p.Name) {
			a.used[t][p.Name] = true
			return
		}
	}
	if !t.TakesAny() {
		a.warn(r.problem("%s is not defined: the schema's type %s has no property %s", spelled(append(slices.Clone(root), name)), t.Name, name))
	}
}

// foreign warns of a namespace that the part does not have.
func (a *adviser) foreign(part Part, r read) {
	top := r.path[0]
	switch {
	case part == InstanceInfrastructure && len(r.path) > 1 && top == kindEnvironment && r.path[1] == "inputs":
		a.warn(r.problem("environment.inputs is not available in %s/; use environment.outputs", part))
	case slices.Contains(allNames, top) && !slices.Contains(namespaces[part], top):
		a.warn(r.problem("%s is not available in %s/; use %s", top, part, strings.Join(namespaces[part], ", ")))
	}
}

func (a *adviser) unused(schemaFile string, t *schema.Type) {
	if t == nil || a.all[t] || a.used[t] == nil {
		return
	}
	for _, p := range t.Properties() {
		if !a.used[t][p.Name] {
			a.warn(Problem{schemaFile, p.Line, p.Column, fmt.Sprintf("the input %s of %s is never used by a template", p.Name, t.Name)})
		}
	}
}

// spelled writes a path as a template does.
func spelled(path []string) string {
	return strings.ReplaceAll(strings.Join(path, "."), "."+anyItem, "[]")
}

// UnofferedOutputs warns of every environment output that the bundle of a
// service template reads and that is not among the names offered by the
// environment templates it is compatible with. Each name is reported once for
// each file, where it is read first.
func (b *Bundle) UnofferedOutputs(offered []string) []Problem {
	a := &adviser{bundle: b, said: map[Problem]bool{}}
	for i := range partDirs {
		reads, _ := b.reads(Part(i))
		for _, root := range outputsRoots[i] {
			for _, r := range reads {
				name, whole, ok := r.below(root)
				if !ok || whole || slices.ContainsFunc(r.names(root, name), func(n string) bool { return slices.Contains(offered, n) }) {
					continue
				}
				a.warn(r.problem("%s is not an output of any compatible environment template", spelled(append(slices.Clone(root), name))))
			}
		}
	}
	return a.warnings
}

// OutputNames are the outputs that an environment of this bundle will have, in
// the order they are declared. It is false if that cannot be known before a
// deployment: the outputs of commands, or of a CloudFormation template that
// does not render from example values.
func (b *Bundle) OutputNames() ([]string, bool) {
	if b.kind != EnvironmentTemplate {
		return nil, false
	}
	m := b.manifests[Infrastructure]
	var out []string
	switch {
	case m == nil:
		for _, p := range b.input.Properties() {
			out = append(out, p.Name)
		}
		return out, true
	case m.engine == engineCodeBuild:
		return nil, false
	case m.engine == engineHCL:
		for _, f := range b.selected(Infrastructure, m) {
			out = append(out, hclOutputs(f.Path, f.Content)...)
		}
		return out, true
	}
	r, err := b.renderExample(Infrastructure)
	if err != nil {
		return nil, false
	}
	doc, err := parseCloudFormation(r.Files[0].Content)
	if err != nil {
		return nil, false
	}
	if outputs := doc.Get("Outputs"); outputs != nil {
		for _, f := range outputs.Fields {
			out = append(out, f.Key)
		}
	}
	return out, true
}
