// Package bundle is a template bundle: the archive a platform team registers,
// holding a schema, manifests and infrastructure files. It opens and checks
// archives, reads specs, holds their values against the bundle's schema and
// renders what an engine is given to run.
//
// It hides the archive's many shapes, the grammar of manifests, the YAML and
// schema libraries and the Jinja engine; nobody else needs to know them.
//
// It never touches a file system or the network, never changes the text of a
// schema or spec, and takes every input to be hostile: sizes, counts, depths
// and expansion are bounded.
package bundle

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/schema"
)

// TemplateKind says what a template makes.
type TemplateKind int

// The kinds of templates that have bundles of their own.
const (
	EnvironmentTemplate TemplateKind = iota
	ServiceTemplate
)

func (k TemplateKind) String() string {
	if k == ServiceTemplate {
		return "Service"
	}
	return "Environment"
}

// Want is what a bundle is to be registered for.
type Want struct {
	Kind TemplateKind
	// CustomerManaged is an environment template's provisioning, or a service
	// template's pipelineProvisioning, when it is CUSTOMER_MANAGED.
	CustomerManaged bool
}

// Part is one infrastructure directory of a bundle.
type Part int

// The infrastructure directories.
const (
	Infrastructure         Part = iota // of an environment template
	InstanceInfrastructure             // of a service template
	PipelineInfrastructure             // of a service template
)

var partDirs = [...]string{"infrastructure", "instance_infrastructure", "pipeline_infrastructure"}

// String is the name of the part's directory.
func (p Part) String() string { return partDirs[p] }

// Problem is one thing wrong, or odd, at one place of a bundle or spec. Path
// is a file's path below the bundle's root, or a path inside a spec. Line and
// Column are 1-based, 0 when unknown.
type Problem struct {
	Path         string
	Line, Column int
	Message      string
}

// String is "path:line:column: message", as far as these are known.
func (p Problem) String() string {
	switch {
	case p.Path == "":
		return p.Message
	case p.Line == 0:
		return p.Path + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Path, p.Line, max(p.Column, 1), p.Message)
}

// notValid is how Proton's own message about an incomplete schema starts.
const notValid = " template schema is not valid: "

// ProblemError is everything that is wrong with a bundle.
type ProblemError struct{ Problems []Problem }

// Error has one line for each problem. Texts that are known from Proton stand
// alone, as they did there, without the place.
func (e *ProblemError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
		if strings.Contains(p.Message, notValid) {
			lines[i] = p.Message
		}
	}
	return strings.Join(lines, "\n")
}

// Bundle is an opened bundle. It never changes and may be used concurrently.
type Bundle struct {
	kind       TemplateKind
	files      []file // below the root, sorted by path
	schemaText string
	types      *schema.Types
	input      *schema.Type // environment or service inputs
	pipeline   *schema.Type // nil without pipeline
	manifests  [len(partDirs)]*manifest
	limits     Limits
	listing    func() []Listed
}

// Register opens an archive and makes all checks of a registration. Every
// problem is reported in a *ProblemError; what Proton accepted although it is
// odd is returned as warnings, with the bundle.
func Register(archive []byte, want Want, l Limits) (*Bundle, []Problem, error) {
	o := &opener{limits: l, want: &want}
	b := o.open(archive)
	if len(o.problems) > 0 {
		return nil, o.warnings, &ProblemError{o.problems}
	}
	return b, o.warnings, nil
}

// Load opens the archive of a bundle that was registered before. Only what is
// needed to use it is checked. The error is a *ProblemError.
func Load(archive []byte, l Limits) (*Bundle, error) {
	o := &opener{limits: l}
	b := o.open(archive)
	if len(o.problems) > 0 {
		return nil, &ProblemError{o.problems}
	}
	return b, nil
}

// Kind says what the bundle's template makes.
func (b *Bundle) Kind() TemplateKind { return b.kind }

// Listed is a file of a bundle as lists of files tell it.
type Listed struct {
	Path   string
	Size   int
	SHA256 [sha256.Size]byte
	Text   bool // it is valid UTF-8
}

// Listing tells the bundle's files below its root, sorted by path. It reads all
// of them the first time, and is not to be changed.
func (b *Bundle) Listing() []Listed { return b.listing() }

func listing(files []file) []Listed {
	list := make([]Listed, len(files))
	for n, f := range files {
		list[n] = Listed{f.path, len(f.content), sha256.Sum256(f.content), utf8.Valid(f.content)}
	}
	return list
}

// Content is the content of a file of the listing, by its number.
func (b *Bundle) Content(n int) string { return string(b.files[n].content) }

// SchemaText is the schema file as it was written.
func (b *Bundle) SchemaText() string { return b.schemaText }

// HasPipeline says whether a service of this bundle gets a pipeline.
func (b *Bundle) HasPipeline() bool { return b.manifests[PipelineInfrastructure] != nil }

// Method says which engine provisions a part: "CLOUDFORMATION", "TERRAFORM" or
// "CODEBUILD". It is false for a part the bundle does not have.
func (b *Bundle) Method(part Part) (string, bool) {
	m := b.manifests[part]
	if m == nil {
		return "", false
	}
	return m.method(), true
}

// opener opens one bundle and collects what is wrong with it.
type opener struct {
	limits             Limits
	want               *Want // nil: the bundle was registered before
	warnings, problems []Problem
}

func (o *opener) problem(p Problem) { o.problems = append(o.problems, p) }

func (o *opener) problemf(path, format string, args ...any) {
	o.problem(Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (o *opener) warnf(path, format string, args ...any) {
	o.warnings = append(o.warnings, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// at makes a problem at a place of a YAML file.
func at(path string, n *schema.Node, format string, args ...any) Problem {
	p := Problem{Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

func (o *opener) open(archive []byte) *Bundle {
	files, err := unpack(archive, o.limits)
	if err != nil {
		o.problemf("", "%v", err)
		return nil
	}
	files, schemaFile, ok := o.root(files)
	if !ok {
		return nil
	}
	b := &Bundle{files: files, limits: o.limits, listing: sync.OnceValue(func() []Listed { return listing(files) })}
	o.schema(b, schemaFile)
	if o.want != nil {
		b.kind = o.want.Kind
		o.directories(b)
	}
	for part := range b.manifests {
		o.part(b, Part(part))
	}
	o.templates(b)
	if o.want != nil && len(o.problems) == 0 {
		o.warnings = append(o.warnings, adviceFor(b, schemaFile)...)
	}
	slices.SortStableFunc(o.problems, func(a, b Problem) int {
		if a.Path != b.Path {
			return 0 // the order of the checks
		}
		return cmp.Compare(a.Line, b.Line)
	})
	return b
}

// in lists the files of a part, paths relative to its directory.
func (b *Bundle) in(part Part) []file {
	prefix := part.String() + "/"
	var out []file
	for _, f := range b.files {
		if name, ok := strings.CutPrefix(f.path, prefix); ok {
			out = append(out, file{path: name, mode: f.mode, content: f.content})
		}
	}
	return out
}

// file returns a file by its path below the root.
func (b *Bundle) file(name string) (file, bool) {
	i, ok := slices.BinarySearchFunc(b.files, name, func(f file, name string) int { return strings.Compare(f.path, name) })
	if !ok {
		return file{}, false
	}
	return b.files[i], true
}

// root finds the bundle's root and returns the files below it, with paths
// from there, and the path of the schema file.
func (o *opener) root(files []file) ([]file, string, bool) {
	roots := map[string]string{}
	for _, f := range files {
		dir, base := path.Split(f.path)
		if base != "schema.yaml" && base != "schema.yml" || path.Base(dir) != "schema" {
			continue
		}
		root := strings.TrimSuffix(strings.TrimSuffix(dir, "/"), "schema")
		if roots[root] == "" || base == "schema.yaml" {
			roots[root] = "schema/" + base
		}
	}
	if len(roots) == 0 {
		o.problemf("", "the bundle has no schema/schema.yaml; %s", found(files))
		return nil, "", false
	}
	var shallow []string
	for root := range roots {
		depth := strings.Count(root, "/")
		switch {
		case len(shallow) == 0 || depth < strings.Count(shallow[0], "/"):
			shallow = []string{root}
		case depth == strings.Count(shallow[0], "/"):
			shallow = append(shallow, root)
		}
	}
	if len(shallow) > 1 {
		slices.Sort(shallow)
		o.problemf("", "the bundle has several schema/schema.yaml at the same depth, below %s; keep one", strings.Join(shallow, " and "))
		return nil, "", false
	}
	var below []file
	for _, f := range files {
		if name, ok := strings.CutPrefix(f.path, shallow[0]); ok {
			f.path = name
			below = append(below, f)
		}
	}
	return below, roots[shallow[0]], true
}

// found describes the directories of a bundle for a message.
func found(files []file) string {
	dirs := map[string]bool{}
	for _, f := range files {
		if dir, _, nested := strings.Cut(f.path, "/"); nested {
			dirs[dir+"/"] = true
		}
	}
	if len(dirs) == 0 {
		return "it has no directories"
	}
	names := make([]string, 0, len(dirs))
	for dir := range dirs {
		names = append(names, dir)
	}
	slices.Sort(names)
	const most = 10
	if len(names) > most {
		names = append(names[:most], "...")
	}
	return "the directories found are " + strings.Join(names, ", ")
}

// directories checks that the parts fit what is wanted.
func (o *opener) directories(b *Bundle) {
	need := map[Part]bool{}
	switch {
	case o.want.Kind == ServiceTemplate:
		need[InstanceInfrastructure] = true
		need[PipelineInfrastructure] = !o.want.CustomerManaged
	case !o.want.CustomerManaged:
		need[Infrastructure] = true
	}
	for i := range partDirs {
		part := Part(i)
		have := len(b.in(part)) > 0
		switch {
		case need[part] && !have:
			o.problemf("", "the bundle has no directory %s/; %s", part, found(b.files))
		case have && !need[part] && o.want.Kind == EnvironmentTemplate && o.want.CustomerManaged:
			o.problemf(part.String(), "a template with provisioning CUSTOMER_MANAGED holds a schema only; remove this directory")
		case have && part == PipelineInfrastructure && o.want.Kind == ServiceTemplate && !need[part]:
			o.problemf(part.String(), "the template has pipelineProvisioning CUSTOMER_MANAGED; remove this directory")
		case have && !need[part]:
			o.warnf(part.String(), "this directory has no meaning in a bundle of a template for %ss and is ignored", strings.ToLower(o.want.Kind.String()))
		}
	}
	if o.want.Kind == EnvironmentTemplate && o.want.CustomerManaged {
		o.noInfrastructureFiles(b)
	}
}

func (o *opener) noInfrastructureFiles(b *Bundle) {
	for _, f := range b.files {
		dir, base := path.Split(f.path)
		if slices.Contains(partDirs[:], strings.SplitN(dir, "/", 2)[0]) {
			continue // reported with the directory
		}
		if strings.HasSuffix(base, ".tf") || base == "manifest.yaml" || base == "cloudformation.yaml" {
			o.problemf(f.path, "a template with provisioning CUSTOMER_MANAGED holds a schema only; remove this file")
		}
	}
}

// wanted says whether a part of the bundle is used.
func (o *opener) wanted(b *Bundle, part Part) bool {
	switch {
	case len(b.in(part)) == 0:
		return false
	case b.kind == EnvironmentTemplate:
		return part == Infrastructure && (o.want == nil || !o.want.CustomerManaged)
	case part == PipelineInfrastructure:
		return o.want == nil || !o.want.CustomerManaged
	}
	return part == InstanceInfrastructure
}

// part reads the manifest of a part.
func (o *opener) part(b *Bundle, part Part) {
	if !o.wanted(b, part) {
		return
	}
	name := part.String() + "/manifest.yaml"
	f, ok := b.file(name)
	if !ok {
		if f, ok = b.file(part.String() + "/manifest.yml"); !ok {
			o.problemf(name, "the manifest is missing")
			return
		}
		name = f.path
	}
	if int64(len(f.content)) > o.limits.Manifest {
		o.problemf(name, "the manifest has %d bytes; the limit is %d", len(f.content), o.limits.Manifest)
		return
	}
	r := &manifestReader{path: name}
	m := r.read(f.content)
	o.warnings = append(o.warnings, r.warnings...)
	o.problems = append(o.problems, r.problems...)
	if len(r.problems) == 0 {
		o.selectFiles(b, part, m)
		b.manifests[part] = m
	}
}

// selectFiles finds the files that a jinja or hcl manifest names.
func (o *opener) selectFiles(b *Bundle, part Part, m *manifest) {
	if m.engine == engineCodeBuild {
		return
	}
	for _, f := range b.in(part) {
		if m.pattern == f.path || m.pattern == "*" && !strings.Contains(f.path, "/") && strings.HasSuffix(f.path, ".tf") {
			m.files = append(m.files, f.path)
		}
	}
	if len(m.files) == 0 {
		o.problem(at(m.path, m.fileNode, "file %q selects nothing in %s/", m.pattern, part))
	}
	for _, name := range m.files {
		f, _ := b.file(part.String() + "/" + name)
		if int64(len(f.content)) > o.limits.TemplateFile {
			o.problemf(f.path, "the file has %d bytes; the limit is %d", len(f.content), o.limits.TemplateFile)
		}
	}
}

// templates checks the files that manifests name.
func (o *opener) templates(b *Bundle) {
	count := 0
	for part, m := range b.manifests {
		if m == nil {
			continue
		}
		count += len(m.files)
		if o.want != nil {
			o.sources(b, Part(part), m)
		}
	}
	if count > o.limits.TemplateFiles {
		o.problemf("", "the manifests name %d template files; the limit is %d", count, o.limits.TemplateFiles)
	}
}
