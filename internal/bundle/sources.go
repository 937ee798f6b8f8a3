package bundle

import (
	"path"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// sources checks that the files a manifest names can be parsed; what is in
// them, beyond that, is never judged.
func (o *opener) sources(b *Bundle, part Part, m *manifest) {
	for _, f := range b.selected(part, m) {
		name := path.Join(part.String(), f.Path)
		if m.engine == engineHCL {
			o.hcl(name, f.Content)
		} else if p := templateProblem(name, string(f.Content)); p != nil {
			o.problem(*p)
		}
	}
	if m.build.projectProperties != nil {
		p := &propertyRenderer{path: m.path}
		o.problems = append(o.problems, p.check(m.build.projectProperties)...)
	}
}

func (o *opener) hcl(name string, content []byte) {
	_, diagnostics := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	for _, d := range diagnostics {
		if d.Severity != hcl.DiagError {
			continue
		}
		p := Problem{Path: name, Message: d.Summary + ": " + d.Detail}
		if d.Subject != nil {
			p.Line, p.Column = d.Subject.Start.Line, d.Subject.Start.Column
		}
		o.problem(p)
	}
}
