package jinja

import (
	"slices"
	"unicode/utf8"
)

// Reference is one place where a template reads a variable, or something below
// one, as far as it can be seen without rendering.
type Reference struct {
	// Path is the variable and the names looked up below it; "*" stands for the
	// items of a list. What is looked up with a computed key, or passed on
	// whole, ends the path.
	Path []string
	// Or are other names that the last one of Path may be, where hyphens make
	// a text ambiguous.
	Or []string
	// Followed is true where a name of the template's own now stands for the
	// path: what is read below it has references of its own.
	Followed     bool
	Line, Column int // from 1
}

// anyItem stands in a path for the items of a list.
const anyItem = "*"

// maxReference bounds the length of a path: set x = x.y, over and over, makes
// it long. What is read below is as if it were passed on whole.
const maxReference = 16

// References lists what the template reads of its variables, in the order of
// the source. Names that the template sets itself are left out, but followed
// where they stand for a path (for s in service_instances).
func (t *Template) References() []Reference {
	c := &collector{prog: t.prog, known: &bindings{}}
	c.body(t.body)
	return c.sorted()
}

// References lists what the expression reads of its variables.
func (e *Expression) References() []Reference {
	c := &collector{prog: e.prog, known: &bindings{}}
	c.expr(e.expr)
	return c.sorted()
}

// bindings are the names that a template has set so far, in one scope. A name
// with a nil path stands for something that no path leads to.
type bindings struct {
	outer *bindings
	names map[string][]string
}

func (b *bindings) find(name string) (path []string, ok bool) {
	for ; b != nil; b = b.outer {
		if path, ok = b.names[name]; ok {
			return path, true
		}
	}
	return nil, false
}

func (b *bindings) set(name string, path []string) {
	if b.names == nil {
		b.names = map[string][]string{}
	}
	b.names[name] = path
}

type collector struct {
	prog  *program
	known *bindings
	found []Reference
	at    []int // byte offset of each
}

func (c *collector) sorted() []Reference {
	order := make([]int, len(c.found))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return c.at[a] - c.at[b] })
	out := make([]Reference, 0, len(order))
	line, column, pos := 1, 1, 0
	for _, i := range order {
		for ; pos < c.at[i]; pos++ {
			switch b := c.prog.source[pos]; {
			case b == '\n':
				line, column = line+1, 1
			case utf8.RuneStart(b):
				column++
			}
		}
		r := c.found[i]
		r.Line, r.Column = line, column
		out = append(out, r)
	}
	return out
}

// scoped runs f in a scope of its own.
func (c *collector) scoped(f func()) {
	c.known = &bindings{outer: c.known}
	f()
	c.known = c.known.outer
}

// assign binds what a target names to a path; the parts of a tuple, and what
// has no path, to nothing.
func (c *collector) assign(target expr, path []string) {
	if n, ok := target.(*nameExpr); ok {
		c.known.set(n.name, path)
		return
	}
	walkExpr(target, func(n *nameExpr) { c.known.set(n.name, nil) })
}

func (c *collector) body(body []stmt) {
	for _, st := range body {
		c.stmt(st)
	}
}

func (c *collector) stmt(st stmt) {
	switch st := st.(type) {
	case *outputStmt:
		c.expr(st.expr)
	case *ifStmt:
		for _, b := range st.branches {
			c.expr(b.test)
			c.body(b.body)
		}
		c.body(st.otherwise)
	case *forStmt:
		c.forLoop(st)
	case *setStmt:
		c.assign(st.target, c.source(st.target, st.value))
	case *setBlockStmt:
		c.scoped(func() { c.body(st.body) })
		if st.filter != nil {
			c.expr(st.filter)
		}
		c.assign(st.target, nil)
	case *withStmt:
		paths := make([][]string, len(st.values))
		for i, v := range st.values {
			paths[i] = c.source(st.targets[i], v)
		}
		c.scoped(func() {
			for i, t := range st.targets {
				c.assign(t, paths[i])
			}
			c.body(st.body)
		})
	case *filterBlockStmt:
		c.scoped(func() { c.body(st.body) })
		c.expr(st.filter)
	case *macroStmt:
		c.assign(st.target, nil)
		c.macro(st.macro)
	case *callBlockStmt:
		c.expr(st.call)
		c.macro(st.macro)
	}
}

func (c *collector) forLoop(st *forStmt) {
	path := c.source(st.target, st.iter)
	if path != nil {
		path = append(slices.Clip(path), anyItem)
	}
	c.scoped(func() {
		c.known.set("loop", nil)
		c.assign(st.target, path)
		c.expr(st.filter)
		c.body(st.body)
	})
	c.scoped(func() { c.body(st.otherwise) })
}

func (c *collector) macro(m *macroDef) {
	for _, d := range m.defaults {
		c.expr(d)
	}
	c.scoped(func() {
		for _, name := range []string{"caller", "kwargs", "varargs"} {
			c.known.set(name, nil)
		}
		for _, p := range m.params {
			c.known.set(p.name, nil)
		}
		c.body(m.body)
	})
}

// source is the path of what a target is set to, if the target is one name and
// only looking up leads there.
func (c *collector) source(target, x expr) []string {
	if _, single := target.(*nameExpr); single {
		if path, ok := c.path(x); ok && len(path) > 0 {
			c.note(x, path, nil)
			c.found[len(c.found)-1].Followed = true
			return path
		}
	}
	c.expr(x)
	return nil
}

// path follows lookups down to a variable. It is false where something else
// than a variable, or a computed key, is met; empty for a name of the
// template's own.
func (c *collector) path(x expr) ([]string, bool) {
	switch x := x.(type) {
	case *nameExpr:
		if path, own := c.known.find(x.name); own {
			return path, true
		}
		return []string{x.name}, true
	case *attrExpr:
		return c.deeper(x.base, x.name)
	case *itemExpr:
		key := x.key
		if u, ok := key.(*unaryExpr); ok {
			key = u.operand
		}
		if k, ok := key.(*constExpr); ok {
			switch k := k.value.(type) {
			case string:
				return c.deeper(x.base, k)
			case int64:
				return c.deeper(x.base, anyItem)
			}
		}
	}
	return nil, false
}

func (c *collector) deeper(base expr, name string) ([]string, bool) {
	path, ok := c.path(base)
	if !ok || len(path) == 0 {
		return nil, ok
	}
	if len(path) == maxReference {
		return path, true
	}
	return append(slices.Clip(path), name), true
}

func (c *collector) note(x expr, path, or []string) {
	if len(path) == 0 {
		return
	}
	c.found = append(c.found, Reference{Path: path, Or: or})
	c.at = append(c.at, c.start(x))
}

// start is where a path begins in the source.
func (c *collector) start(x expr) int {
	switch x := x.(type) {
	case *attrExpr:
		return c.start(x.base)
	case *itemExpr:
		return c.start(x.base)
	}
	return max(0, min(x.position(), len(c.prog.source)))
}

func (c *collector) exprs(xs []expr) {
	for _, x := range xs {
		c.expr(x)
	}
}

func (c *collector) args(a *callArgs) {
	c.exprs(a.pos)
	for _, k := range a.named {
		c.expr(k.value)
	}
	c.expr(a.star)
	c.expr(a.starstar)
}

func (c *collector) expr(x expr) {
	if x == nil {
		return
	}
	if path, ok := c.path(x); ok {
		c.note(x, path, nil)
		return
	}
	switch x := x.(type) {
	case *callExpr:
		c.call(x)
	case *choiceExpr:
		c.choice(x)
	case *attrExpr:
		c.expr(x.base)
	case *itemExpr:
		c.expr(x.base)
		c.expr(x.key)
	case *tupleExpr:
		c.exprs(x.items)
	case *listExpr:
		c.exprs(x.items)
	case *dictExpr:
		c.exprs(x.keys)
		c.exprs(x.values)
	case *sliceExpr:
		c.exprs(x.parts[:])
	case *filterExpr:
		c.expr(x.value)
		c.args(&x.args)
	case *testExpr:
		c.expr(x.value)
		c.args(&x.args)
	case *unaryExpr:
		c.expr(x.operand)
	case *notExpr:
		c.expr(x.operand)
	case *binaryExpr:
		c.expr(x.left)
		c.expr(x.right)
	case *logicExpr:
		c.expr(x.left)
		c.expr(x.right)
	case *concatExpr:
		c.exprs(x.parts)
	case *compareExpr:
		c.expr(x.first)
		for _, r := range x.rest {
			c.expr(r.right)
		}
	case *condExpr:
		c.expr(x.test)
		c.expr(x.then)
		c.expr(x.otherwise)
	}
}

// call notes what a method is called on, not the method; get with a constant
// key is a lookup.
func (c *collector) call(x *callExpr) {
	method, ok := x.fn.(*attrExpr)
	if !ok {
		c.expr(x.fn)
		c.args(&x.args)
		return
	}
	if method.name == "get" && len(x.args.pos) > 0 {
		if key, ok := x.args.pos[0].(*constExpr); ok {
			if name, ok := key.value.(string); ok {
				if path, ok := c.deeper(method.base, name); ok {
					c.note(method.base, path, nil)
					c.exprs(x.args.pos[1:])
					return
				}
			}
		}
	}
	c.expr(method.base)
	c.args(&x.args)
}

// choice notes a hyphenated name with its other readings, and what else stands
// in the expression.
func (c *collector) choice(x *choiceExpr) {
	names := make([]string, len(x.options))
	for i, o := range x.options {
		names[i] = o.key
	}
	path, ok := c.path(x.base)
	if !ok || len(path) == 0 {
		c.expr(x.base)
		return
	}
	c.note(x.base, append(slices.Clip(path), names[0]), names[1:])
	inner := &collector{prog: c.prog, known: c.known}
	inner.expr(x.options[0].expr) // the rest of the sum, with the longest name
	for i, r := range inner.found {
		if len(r.Path) <= len(path) || !slices.Equal(r.Path[:len(path)], path) || r.Path[len(path)] != names[0] {
			c.found, c.at = append(c.found, r), append(c.at, inner.at[i])
		}
	}
}
