package bundle

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

const (
	engineJinja     = "jinja"
	engineHCL       = "hcl"
	engineCodeBuild = "codebuild"
)

// languages pairs each rendering engine with its template language.
var languages = map[string]string{engineJinja: "cloudformation", engineHCL: "terraform", engineCodeBuild: ""}

// manifest is what a manifest.yaml says.
type manifest struct {
	path     string // of the manifest, below the bundle's root
	engine   string
	pattern  string // file: a name, or "*" for hcl
	fileNode *schema.Node
	files    []string // what pattern selects, relative to the part
	build    build    // codebuild
}

// build is the codebuild part of a manifest.
type build struct {
	image                                            string
	runtimes, variables, secretsManager, paramsStore map[string]string
	provision, deprovision                           []string
	projectProperties                                *schema.Node
	hclInputs                                        bool
}

func (m *manifest) method() string {
	switch m.engine {
	case engineJinja:
		return "CLOUDFORMATION"
	case engineHCL:
		return "TERRAFORM"
	}
	return "CODEBUILD"
}

type manifestReader struct {
	path               string
	warnings, problems []Problem
}

func (r *manifestReader) problem(n *schema.Node, format string, args ...any) {
	r.problems = append(r.problems, at(r.path, n, format, args...))
}

func (r *manifestReader) warn(n *schema.Node, format string, args ...any) {
	r.warnings = append(r.warnings, at(r.path, n, format, args...))
}

func (r *manifestReader) read(content []byte) *manifest {
	doc, err := schema.ParseYAML(content)
	if err != nil {
		r.problems = append(r.problems, yamlProblem(r.path, err))
		return nil
	}
	r.known(doc, "", "infrastructure")
	top := doc.Get("infrastructure")
	r.known(top, "infrastructure.", "templates")
	list := top.Get("templates")
	switch {
	case top.IsNull():
		r.problem(doc, "infrastructure is missing; a manifest starts with infrastructure: {templates: [...]}")
	case list.IsNull():
		r.problem(top, "infrastructure.templates is missing; it must be a list with one entry")
	case list.Kind != schema.List:
		r.problem(list, "infrastructure.templates must be a list with one entry, not a %s", list.Kind)
	case len(list.Items) != 1:
		r.problem(list, "infrastructure.templates must have one entry, not %d", len(list.Items))
	case list.Items[0].Kind != schema.Map:
		r.problem(list.Items[0], "the entry of infrastructure.templates must be a mapping, not a %s", list.Items[0].Kind)
	default:
		return r.entry(list.Items[0])
	}
	return nil
}

func (r *manifestReader) known(n *schema.Node, prefix string, keys ...string) {
	if n == nil {
		return
	}
	for _, f := range n.Fields {
		if !slices.Contains(keys, f.Key) {
			r.warnings = append(r.warnings, Problem{r.path, f.Line, f.Column, "unknown key " + prefix + f.Key + " is ignored"})
		}
	}
}

func (r *manifestReader) entry(n *schema.Node) *manifest {
	r.known(n, "", "file", "rendering_engine", "template_language", "settings", "codebuild", "input_type")
	m := &manifest{path: r.path, fileNode: n.Get("file")}
	engine, language := n.Get("rendering_engine"), n.Get("template_language")
	if engine.IsNull() {
		r.problem(n, "rendering_engine is missing; use jinja, hcl or codebuild")
		return m
	}
	m.engine = engine.Text
	want, ok := languages[m.engine]
	switch {
	case !ok:
		r.problem(engine, "rendering_engine %q is not known; use jinja, hcl or codebuild", engine.Text)
		return m
	case want == "" && !language.IsNull():
		r.problem(language, "template_language can't stand with rendering_engine codebuild; remove it")
	case want != "" && language.IsNull():
		r.problem(n, "template_language is missing; with rendering_engine %s use %s", m.engine, want)
	case want != "" && language.Text != want:
		r.problem(language, "template_language %q does not go with rendering_engine %s; use %s", language.Text, m.engine, want)
	}
	if m.engine == engineCodeBuild {
		if m.fileNode != nil {
			r.warn(m.fileNode, "file has no meaning with rendering_engine codebuild and is ignored")
		}
		r.settings(n, &m.build)
		return m
	}
	r.file(n, m)
	return m
}

func (r *manifestReader) file(n *schema.Node, m *manifest) {
	for _, key := range []string{"settings", "codebuild", "input_type"} {
		if v := n.Get(key); v != nil {
			r.warn(v, "%s has no meaning with rendering_engine %s and is ignored", key, m.engine)
		}
	}
	if m.fileNode.IsNull() {
		r.problem(n, "file is missing; it names the template file beside the manifest")
		return
	}
	m.pattern = strings.TrimPrefix(m.fileNode.Text, "./")
	switch {
	case !m.fileNode.IsScalar():
		r.problem(m.fileNode, "file must be one name, not a %s", m.fileNode.Kind)
	case m.engine == engineJinja && strings.ContainsAny(m.pattern, "*?["):
		r.problem(m.fileNode, "file %q can't be a wildcard with rendering_engine jinja; name one file", m.pattern)
	case m.engine == engineHCL && m.pattern != "*" && strings.ContainsAny(m.pattern, "*?["):
		r.problem(m.fileNode, "file %q must be \"*\" or the name of one file", m.pattern)
	case strings.Contains(m.pattern, "/"):
		r.problem(m.fileNode, "file %q must be a file in the manifest's own directory", m.pattern)
	}
}

// either returns the value of a key or of its older spelling.
func (r *manifestReader) either(n *schema.Node, key string, aliases ...string) *schema.Node {
	v := n.Get(key)
	for _, alias := range aliases {
		old := n.Get(alias)
		switch {
		case old == nil:
		case v != nil:
			r.problem(old, "%s and %s are the same setting; keep %s", alias, key, key)
		default:
			if strings.ReplaceAll(alias, "-", "_") != key {
				r.warn(old, "%s is an older spelling of %s", alias, key)
			}
			v = old
		}
	}
	return v
}

func (r *manifestReader) settings(entry *schema.Node, b *build) {
	s := r.either(entry, "settings", "codebuild")
	if s.IsNull() {
		r.problem(entry, "settings is missing; rendering_engine codebuild needs image, provision and deprovision there")
		return
	}
	if s.Kind != schema.Map {
		r.problem(s, "settings must be a mapping, not a %s", s.Kind)
		return
	}
	r.known(s, "settings.", "image", "runtimes", "env", "provision", "deprovision", "deprovisioning", "project_properties", "input_type")
	if image := s.Get("image"); !image.IsScalar() {
		r.problem(or(image, s), "settings.image is missing; it names the build image")
	} else {
		b.image = image.Text
	}
	b.runtimes = r.texts(s.Get("runtimes"), "settings.runtimes")
	r.env(s.Get("env"), b)
	b.provision = r.commands(s, s.Get("provision"), "provision")
	b.deprovision = r.commands(s, r.either(s, "deprovision", "deprovisioning"), "deprovision")
	if p := s.Get("project_properties"); !p.IsNull() {
		if p.Kind != schema.Map {
			r.problem(p, "settings.project_properties must be a mapping, not a %s", p.Kind)
		} else {
			b.projectProperties = p
		}
	}
	for _, n := range []*schema.Node{entry.Get("input_type"), s.Get("input_type")} {
		switch {
		case n.IsNull() || strings.EqualFold(n.Text, "JSON"):
		case strings.EqualFold(n.Text, "HCL"):
			b.hclInputs = true
		default:
			r.problem(n, "input_type must be JSON or HCL")
		}
	}
}

func or(n, fallback *schema.Node) *schema.Node {
	if n == nil {
		return fallback
	}
	return n
}

func (r *manifestReader) env(n *schema.Node, b *build) {
	if n.IsNull() {
		return
	}
	if n.Kind != schema.Map {
		r.problem(n, "settings.env must be a mapping, not a %s", n.Kind)
		return
	}
	r.known(n, "settings.env.", "variables", "secrets_manager", "secrets-manager", "parameter_store", "parameter-store")
	b.variables = r.variables(n.Get("variables"), "settings.env.variables")
	b.secretsManager = r.variables(r.either(n, "secrets_manager", "secrets-manager"), "settings.env.secrets_manager")
	b.paramsStore = r.variables(r.either(n, "parameter_store", "parameter-store"), "settings.env.parameter_store")
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r *manifestReader) variables(n *schema.Node, where string) map[string]string {
	out := r.texts(n, where)
	if n == nil {
		return out
	}
	for _, f := range n.Fields {
		if !variableName.MatchString(f.Key) {
			r.problem(f.Value, "%s: %q is not a name of an environment variable", where, f.Key)
		}
	}
	return out
}

// texts reads a mapping to single values, which keep their source text: 1.10
// is not 1.1.
func (r *manifestReader) texts(n *schema.Node, where string) map[string]string {
	if n.IsNull() {
		return nil
	}
	if n.Kind != schema.Map {
		r.problem(n, "%s must be a mapping, not a %s", where, n.Kind)
		return nil
	}
	out := make(map[string]string, len(n.Fields))
	for _, f := range n.Fields {
		switch {
		case f.Value.IsNull():
			out[f.Key] = ""
		case !f.Value.IsScalar():
			r.problem(f.Value, "%s.%s must be a single value, not a %s", where, f.Key, f.Value.Kind)
		default:
			out[f.Key] = f.Value.Text
		}
	}
	return out
}

func (r *manifestReader) commands(settings, n *schema.Node, key string) []string {
	where := "settings." + key
	switch {
	case n.IsNull():
		r.problem(settings, "%s is missing; it is the list of commands to run", where)
		return nil
	case n.Kind != schema.List:
		r.problem(n, "%s must be a list of commands, not a %s", where, n.Kind)
		return nil
	}
	out := make([]string, 0, len(n.Items))
	for i, item := range n.Items {
		switch {
		case item.Kind == schema.Map:
			r.problem(item, "%s must be a command; it was read as a mapping because it holds \": \", put it in quotes", fmt.Sprintf("%s[%d]", where, i))
		case !item.IsScalar():
			r.problem(item, "%s[%d] must be a command, not a %s", where, i, item.Kind)
		default:
			out = append(out, item.Text)
		}
	}
	return out
}
