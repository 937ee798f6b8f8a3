package bundle

import (
	"fmt"
	"path"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// sources checks that the files a manifest names can be parsed; what is in
// them, beyond that, is never judged.
func (o *opener) sources(b *Bundle, part Part, m *manifest) {
	for _, f := range b.selected(part, m) {
		name := path.Join(part.String(), f.Path)
		if m.engine == engineHCL {
			o.hcl(partKinds[part], name, f.Content)
		} else if p := templateProblem(name, string(f.Content)); p != nil {
			o.problem(*p)
		}
	}
	if m.build.projectProperties != nil {
		p := &propertyRenderer{path: m.path}
		o.problems = append(o.problems, p.check(m.build.projectProperties)...)
	}
}

// hcl checks that a file is HCL. A variable of a name that Proton declares is
// odd: Terraform will refuse to plan.
func (o *opener) hcl(kind, name string, content []byte) {
	f, diagnostics := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
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
	if f == nil {
		return
	}
	body, ok := f.Body.(*hclsyntax.Body)
	if !ok || path.Base(name) == declarationsFile(kind) { // which is replaced
		return
	}
	for _, block := range body.Blocks {
		if block.Type != "variable" || len(block.Labels) != 1 || !slices.Contains(declaredVariables(kind), block.Labels[0]) {
			continue
		}
		start := block.DefRange().Start
		o.warnings = append(o.warnings, Problem{name, start.Line, start.Column,
			fmt.Sprintf("variable %q is declared in the generated %s too; Terraform refuses two declarations", block.Labels[0], declarationsFile(kind))})
	}
}

// hclReads lists what the expressions of a file read of the variables.
func hclReads(name string, content []byte) []read {
	f, diagnostics := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	if diagnostics.HasErrors() {
		return nil
	}
	var out []read
	_ = hclsyntax.VisitAll(f.Body.(*hclsyntax.Body), func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ScopeTraversalExpr)
		if !ok || e.Traversal.RootName() != "var" {
			return nil
		}
		if path := traversalPath(e.Traversal[1:]); len(path) > 0 {
			out = append(out, read{path, nil, Problem{Path: name, Line: e.SrcRange.Start.Line, Column: e.SrcRange.Start.Column}, false})
		}
		return nil
	})
	return out
}

// traversalPath writes constant lookups as names, and any item of a list as anyItem.
func traversalPath(steps hcl.Traversal) []string {
	var path []string
	for _, step := range steps {
		switch step := step.(type) {
		case hcl.TraverseAttr:
			path = append(path, step.Name)
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String {
				path = append(path, step.Key.AsString())
			} else {
				path = append(path, anyItem)
			}
		default:
			return path
		}
	}
	return path
}

// hclOutputs lists the outputs that a file declares.
func hclOutputs(name string, content []byte) []string {
	f, diagnostics := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	if diagnostics.HasErrors() {
		return nil
	}
	var out []string
	for _, block := range f.Body.(*hclsyntax.Body).Blocks {
		if block.Type == "output" && len(block.Labels) == 1 {
			out = append(out, block.Labels[0])
		}
	}
	return out
}
