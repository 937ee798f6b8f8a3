package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/schema"
)

// What an editor edits.
const (
	editsEnvironment = "environment"
	editsService     = "service"
	editsInstance    = "instance" // one of a service's spec
	editsPipeline    = "pipeline" // of a service's spec
)

// editor is a spec as a form and as YAML beside it. The YAML is the truth: a
// change of the form is written into it, and the form is made from it anew.
type editor struct {
	Edits        string
	Only         string // the instance that editsInstance is about
	Inputs       *schema.Type
	Pipeline     *schema.Type
	Environments []string // that an instance can be in
	YAML         string
	Sections     []section
	Problems     []string // that belong to no field
	Untouched    bool     // nobody has filled anything in: nothing is said to be wrong
}

// section is a group of inputs.
type section struct {
	Key      string // "spec", "pipeline", or the number of an instance
	Title    string
	Instance *instanceControls
	Controls []control
}

// instanceControls are what an instance has besides inputs.
type instanceControls struct {
	Number                          int
	Name, Environment               string
	NameProblem, EnvironmentProblem string
}

// control is one input with its value, as text.
type control struct {
	schema.FormField
	Field   string // its name in the posted form
	Value   string
	Lines   bool // a list, one item a line
	Raw     bool // YAML, for what has no better form
	Problem string
	Parts   []control // of an object
}

// ID is the control's id in the page.
func (c control) ID() string { return "f-" + strings.NewReplacer("/", "-", ".", "-").Replace(c.Field) }

// Label is what the control is called.
func (c control) Label() string { return cmp.Or(c.Title, c.Name) }

// read takes in what was posted: the YAML if it was edited, else the form.
func (e *editor) read(post url.Values) {
	now, was := newlines(post.Get("spec")), newlines(post.Get("spec-was"))
	if now != was {
		e.YAML = now
		return
	}
	e.YAML = e.written(was, post)
}

func newlines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// written is the YAML with the form's values in it. Keys the form does not
// know are kept.
func (e *editor) written(was string, post url.Values) string {
	base := schema.NewObject()
	if doc, err := schema.ParseYAML([]byte(was)); err == nil {
		if o, ok := doc.Value().(*schema.Object); ok {
			base = o
		}
	}
	if e.Edits == editsEnvironment {
		base.Set("proton", "EnvironmentSpec")
		base.Set("spec", formObject(e.Inputs.FormFields(), object(base, "spec"), "spec", post))
	} else {
		base.Set("proton", "ServiceSpec")
		if e.Pipeline != nil && e.Edits != editsInstance {
			base.Set("pipeline", formObject(e.Pipeline.FormFields(), object(base, "pipeline"), "pipeline", post))
		}
		if e.Edits != editsPipeline {
			base.Set("instances", e.instances(base, post))
		}
	}
	text, err := schema.WriteYAML(base)
	if err != nil {
		return was
	}
	return text
}

func object(o *schema.Object, key string) *schema.Object {
	v, _ := o.Get(key)
	inner, _ := v.(*schema.Object)
	return inner
}

// instances are the instances of the form; the others, of a form for one,
// stay as they were.
func (e *editor) instances(base *schema.Object, post url.Values) []any {
	v, _ := base.Get("instances")
	old, _ := v.([]any)
	if e.Edits == editsInstance {
		for n, item := range old {
			if o, ok := item.(*schema.Object); ok && text(o, "name") == e.Only {
				o.Set("spec", formObject(e.Inputs.FormFields(), object(o, "spec"), strconv.Itoa(n), post))
			}
		}
		return old
	}
	remove, adds := post.Get("remove-instance"), post.Get("add-instance") != ""
	out := []any{}
	count, _ := strconv.Atoi(post.Get("instances"))
	for n := range min(count, 1000) {
		key := strconv.Itoa(n)
		if key == remove {
			continue
		}
		o := schema.NewObject()
		if n < len(old) {
			if was, ok := old[n].(*schema.Object); ok {
				o = was
			}
		}
		o.Set("name", strings.TrimSpace(post.Get("i/"+key+"/name")))
		o.Set("environment", post.Get("i/"+key+"/environment"))
		inputs := formObject(e.Inputs.FormFields(), object(o, "spec"), key, post)
		if _, had := o.Get("spec"); had || inputs.Len() > 0 {
			o.Set("spec", inputs)
		}
		out = append(out, o)
	}
	if adds {
		out = append(out, e.newInstance())
	}
	return out
}

func (e *editor) newInstance() *schema.Object {
	o := schema.NewObject()
	o.Set("name", "")
	environment := ""
	if len(e.Environments) > 0 {
		environment = e.Environments[0]
	}
	o.Set("environment", environment)
	return o
}

func text(o *schema.Object, key string) string {
	v, _ := o.Get(key)
	s, _ := v.(string)
	return s
}

// formObject reads the values of an object's controls. What equals the default
// is left out, unless it was written before: the template's default then goes
// on to hold.
func formObject(fields []schema.FormField, was *schema.Object, prefix string, post url.Values) *schema.Object {
	out, known := schema.NewObject(), map[string]bool{}
	for _, f := range fields {
		known[f.Name] = true
		v, given := formValue(f, was, prefix+"/"+f.Name, post)
		if !given {
			continue
		}
		if _, before := was.Get(f.Name); !before && f.Default != nil && plain(v) == plain(f.Default) {
			continue
		}
		out.Set(f.Name, v)
	}
	for _, key := range was.Keys() {
		if v, _ := was.Get(key); !known[key] {
			out.Set(key, v)
		}
	}
	return out
}

func formValue(f schema.FormField, was *schema.Object, name string, post url.Values) (v any, given bool) {
	posted := strings.TrimRight(newlines(post.Get("f/"+name)), "\n")
	switch {
	case f.Kind == "object" && len(f.Properties) > 0:
		o := formObject(f.Properties, object(was, f.Name), name, post)
		return o, o.Len() > 0
	case f.Kind == "boolean":
		on := posted != ""
		_, before := was.Get(f.Name)
		return on, on || f.Default != nil || f.Required || before
	case posted == "":
		return nil, false
	case f.Kind == "array" && lineItems(f):
		items := []any{}
		for line := range strings.SplitSeq(posted, "\n") {
			if line != "" {
				items = append(items, scalar(f.Items.Kind, line))
			}
		}
		return items, true
	case f.Kind == "string" || f.Kind == "number" || f.Kind == "integer":
		return scalar(f.Kind, posted), true
	}
	if doc, err := schema.ParseYAML([]byte(posted)); err == nil {
		return doc.Value(), true
	}
	return posted, true // the check says what is wrong with it
}

func lineItems(f schema.FormField) bool {
	return f.Items != nil && slices.Contains([]string{"string", "number", "integer"}, f.Items.Kind)
}

func scalar(kind, text string) any {
	if kind != "string" {
		if v, ok := schema.ParseNumber(strings.TrimSpace(text)); ok {
			return v
		}
	}
	return text
}

// build makes the form from the YAML, with what is wrong at its field.
func (e *editor) build() {
	doc, err := schema.ParseYAML([]byte(e.YAML))
	if err != nil {
		e.Problems = append(e.Problems, "The spec is not valid YAML: "+err.Error())
		doc = nil
	}
	if e.Edits == editsEnvironment {
		e.Sections = []section{{Key: "spec", Title: "Inputs", Controls: e.controls(e.Inputs, doc.Get("spec"), "spec")}}
		return
	}
	if e.Edits != editsPipeline {
		e.buildInstances(doc.Get("instances"))
	}
	if e.Pipeline != nil && e.Edits != editsInstance {
		e.Sections = append(e.Sections, section{Key: "pipeline", Title: "Pipeline", Controls: e.controls(e.Pipeline, doc.Get("pipeline"), "pipeline")})
	}
}

func (e *editor) buildInstances(list *schema.Node) {
	if list.IsNull() || list.Kind != schema.List {
		return
	}
	names := map[string]bool{}
	for n, item := range list.Items {
		name := nodeText(item.Get("name"))
		if e.Edits == editsInstance && name != e.Only {
			continue
		}
		s := section{Key: strconv.Itoa(n), Title: cmp.Or(name, "New instance"), Controls: e.controls(e.Inputs, item.Get("spec"), strconv.Itoa(n))}
		if e.Edits == editsService {
			i := &instanceControls{Number: n, Name: name, Environment: nodeText(item.Get("environment"))}
			switch {
			case e.Untouched:
			case name == "":
				i.NameProblem = "is required"
			case names[name]:
				i.NameProblem = "is the name of another instance too"
			}
			if i.Environment == "" && !e.Untouched {
				i.EnvironmentProblem = "is required"
			}
			s.Instance = i
		}
		names[name] = true
		e.Sections = append(e.Sections, s)
	}
}

func nodeText(n *schema.Node) string {
	if n.IsScalar() {
		return n.Text
	}
	return ""
}

// controls are the inputs of a type with the values that a spec gives.
func (e *editor) controls(t *schema.Type, values *schema.Node, key string) []control {
	if t == nil {
		return nil
	}
	_, _, problems := t.Apply(values)
	if e.Untouched {
		problems = nil
	}
	at := map[string]string{}
	for _, p := range problems {
		if _, had := at[p.Path]; !had {
			at[p.Path] = p.Message
		}
	}
	list := e.controlsOf(t.FormFields(), values, key, "", at)
	for _, p := range problems {
		if message, left := at[p.Path]; left {
			e.Problems = append(e.Problems, strings.TrimSpace(p.Path+" "+message))
			delete(at, p.Path)
		}
	}
	return list
}

// controlsOf makes controls; the problems it can show it takes out of the map.
func (e *editor) controlsOf(fields []schema.FormField, values *schema.Node, key, path string, problems map[string]string) []control {
	var out []control
	for _, f := range fields {
		inner := f.Name
		if path != "" {
			inner = path + "." + f.Name
		}
		given := values.Get(f.Name)
		c := control{FormField: f, Field: "f/" + key + "/" + f.Name}
		switch {
		case f.Kind == "object" && len(f.Properties) > 0:
			c.Parts = e.controlsOf(f.Properties, given, key+"/"+f.Name, inner, problems)
		case f.Kind == "array" && lineItems(f):
			c.Lines, c.Value = true, listText(given, f.Default)
		case f.Kind == "string" || f.Kind == "number" || f.Kind == "integer" || f.Kind == "boolean":
			c.Value = scalarText(given, f.Default)
		default:
			c.Raw, c.Value = true, rawText(given, f.Default)
		}
		for where, message := range problems {
			if where == inner || len(c.Parts) == 0 && (strings.HasPrefix(where, inner+".") || strings.HasPrefix(where, inner+"[")) {
				c.Problem = strings.TrimSpace(strings.TrimPrefix(where, inner) + " " + message)
				delete(problems, where)
			}
		}
		out = append(out, c)
	}
	return out
}

func scalarText(n *schema.Node, def any) string {
	switch {
	case n.IsScalar():
		return n.Text
	case !n.IsNull(): // a list or mapping where one value is wanted
		return rawText(n, nil)
	case def == nil:
		return ""
	}
	if s, ok := def.(string); ok {
		return s
	}
	return plain(def)
}

func listText(n *schema.Node, def any) string {
	var items []string
	switch {
	case !n.IsNull() && n.Kind == schema.List:
		for _, item := range n.Items {
			items = append(items, nodeText(item))
		}
	case n.IsScalar():
		return n.Text
	case n.IsNull():
		list, _ := def.([]any)
		for _, item := range list {
			items = append(items, scalarText(nil, item))
		}
	}
	return strings.Join(items, "\n")
}

func rawText(n *schema.Node, def any) string {
	v := def
	if !n.IsNull() {
		v = n.Value()
	}
	if v == nil {
		return ""
	}
	text, err := schema.WriteYAML(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return text
}

// fine reports whether nothing is known to be wrong.
func (e *editor) fine() bool {
	if len(e.Problems) > 0 {
		return false
	}
	for _, s := range e.Sections {
		if s.Instance != nil && s.Instance.NameProblem+s.Instance.EnvironmentProblem != "" || !fine(s.Controls) {
			return false
		}
	}
	return true
}

func fine(list []control) bool {
	for _, c := range list {
		if c.Problem != "" || !fine(c.Parts) {
			return false
		}
	}
	return true
}

// starter is the spec a new resource begins with.
func (e *editor) starter() string {
	o := schema.NewObject()
	if e.Edits == editsEnvironment {
		o.Set("proton", "EnvironmentSpec")
		o.Set("spec", schema.NewObject())
	} else {
		o.Set("proton", "ServiceSpec")
		if e.Pipeline != nil {
			o.Set("pipeline", schema.NewObject())
		}
		o.Set("instances", []any{e.newInstance()})
	}
	text, _ := schema.WriteYAML(o)
	return text
}

// compatible lists the environments that instances of a template version can
// be in.
func compatible(list []api.EnvironmentSummary) []string {
	var names []string
	for _, e := range list {
		names = append(names, api.Value(e.Name))
	}
	return names
}
