package jinja

import (
	"maps"
	"slices"
)

// Names are bound to slots before rendering, by the rules of Jinja's own
// compiler: a frame is analysed as a whole, then the frames inside it. What a
// name means where several scopes set it depends on these rules exactly.

// load says how a slot is filled when its frame is entered.
type load struct {
	slot int
	kind loadKind
	name string // loadResolve
	from int    // loadAlias: slot, hops frames out
	hops int
}

type loadKind uint8

const (
	loadParam     loadKind = iota // filled by whoever enters
	loadResolve                   // looked up among the template's variables
	loadAlias                     // copied from an outer scope
	loadUndefined                 // undefined until assigned
)

// frameScope is one activation record: the template, a macro, or a recursive loop.
type frameScope struct {
	depth int
	size  int
}

// symbols are the names one scope knows.
type symbols struct {
	parent *symbols
	frame  *frameScope
	slots  map[string]int // every slot ever given out by this scope
	refs   map[string]int
	loads  map[int]load
	stores map[string]bool
	base   *symbols // what a branch of an if adds to
}

func newSymbols(parent *symbols, frame *frameScope) *symbols {
	return &symbols{
		parent: parent, frame: frame,
		slots: map[string]int{}, refs: map[string]int{}, loads: map[int]load{}, stores: map[string]bool{},
	}
}

func (s *symbols) define(name string, l load) int {
	slot, ok := s.slots[name]
	if !ok {
		slot = s.frame.size
		s.frame.size++
		s.slots[name] = slot
	}
	l.slot = slot
	s.refs[name] = slot
	s.loads[slot] = l
	return slot
}

// find returns the scope that knows the name, and its slot there.
func (s *symbols) find(name string) (*symbols, int) {
	for ; s != nil; s = s.parent {
		if slot, ok := s.ref(name); ok {
			return s, slot
		}
	}
	return nil, 0
}

// ref is the slot this scope itself has for the name.
func (s *symbols) ref(name string) (int, bool) {
	for ; s != nil; s = s.base {
		if slot, ok := s.refs[name]; ok {
			return slot, true
		}
	}
	return 0, false
}

func (s *symbols) stored(name string) bool {
	for ; s != nil; s = s.base {
		if s.stores[name] {
			return true
		}
	}
	return false
}

func (s *symbols) alias(name string) (load, bool) {
	if s.parent == nil {
		return load{}, false
	}
	outer, slot := s.parent.find(name)
	if outer == nil {
		return load{}, false
	}
	return load{kind: loadAlias, from: slot, hops: s.frame.depth - outer.frame.depth}, true
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if _, ok := s.ref(name); ok {
		return
	}
	l, ok := s.alias(name)
	if !ok {
		l = load{kind: loadUndefined}
	}
	s.define(name, l)
}

func (s *symbols) param(name string) int {
	s.stores[name] = true
	return s.define(name, load{kind: loadParam})
}

func (s *symbols) load(name string) {
	if in, _ := s.find(name); in == nil {
		s.define(name, load{kind: loadResolve, name: name})
	}
}

func (s *symbols) branch() *symbols {
	return &symbols{
		parent: s.parent, frame: s.frame, slots: s.slots, base: s,
		refs: map[string]int{}, loads: map[int]load{}, stores: map[string]bool{},
	}
}

// merge takes over what the branches of an if have stored: a name that only
// some of them set keeps the value it had outside.
func (s *symbols) merge(branches []*symbols) {
	stored := map[string]bool{}
	for _, b := range branches {
		for name := range b.stores {
			if !s.stored(name) {
				stored[name] = true
			}
		}
	}
	for _, b := range branches {
		maps.Copy(s.refs, b.refs)
		maps.Copy(s.loads, b.loads)
		maps.Copy(s.stores, b.stores)
	}
	for name := range stored {
		l, ok := s.alias(name)
		if !ok {
			l = load{kind: loadResolve, name: name}
		}
		s.define(name, l)
	}
}

// entry lists the loads in the order of their slots.
func (s *symbols) entry() []load {
	var out []load
	for _, l := range s.loads {
		if l.kind != loadParam {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b load) int { return a.slot - b.slot })
	return out
}

func (s *symbols) visitExpr(x expr) {
	walkExpr(x, func(n *nameExpr) {
		switch n.store {
		case useParam:
			s.param(n.name)
		case useStore:
			s.store(n.name)
		default:
			s.load(n.name)
		}
	})
}

func (s *symbols) visitParams(x expr) {
	walkExpr(x, func(n *nameExpr) { s.param(n.name) })
}

func (s *symbols) visitBody(body []stmt) {
	for _, st := range body {
		s.visit(st)
	}
}

// visit notes the names a statement uses in the scope it stands in; what it
// does in scopes of its own comes later.
func (s *symbols) visit(st stmt) {
	switch st := st.(type) {
	case *outputStmt:
		s.visitExpr(st.expr)
	case *ifStmt:
		s.visitIf(st.branches, st.otherwise)
	case *forStmt:
		s.visitExpr(st.iter)
	case *setStmt:
		s.visitExpr(st.value)
		s.visitExpr(st.target)
	case *setBlockStmt:
		s.visitExpr(st.target)
	case *withStmt:
		for _, v := range st.values {
			s.visitExpr(v)
		}
	case *filterBlockStmt:
		s.visitExpr(st.filter)
	case *macroStmt:
		s.store(st.target.name)
	case *callBlockStmt:
		s.visitExpr(st.call)
	}
}

func (s *symbols) visitIf(branches []ifBranch, otherwise []stmt) {
	s.visitExpr(branches[0].test)
	body, elifs, last := s.branch(), s.branch(), s.branch()
	body.visitBody(branches[0].body)
	for i := range branches[1:] {
		// Each elif is an if of its own inside one common branch.
		elifs.visitIf(branches[1+i:2+i], nil)
	}
	last.visitBody(otherwise)
	s.merge([]*symbols{body, elifs, last})
}

// walkExpr calls visit for each name in an expression.
func walkExpr(x expr, visit func(*nameExpr)) {
	each := func(xs []expr) {
		for _, x := range xs {
			walkExpr(x, visit)
		}
	}
	args := func(a *callArgs) {
		each(a.pos)
		for _, k := range a.named {
			walkExpr(k.value, visit)
		}
		walkExpr(a.star, visit)
		walkExpr(a.starstar, visit)
	}
	switch x := x.(type) {
	case nil:
	case *nameExpr:
		visit(x)
	case *nsExpr:
		visit(x.ns)
	case *tupleExpr:
		each(x.items)
	case *listExpr:
		each(x.items)
	case *dictExpr:
		for i := range x.keys {
			walkExpr(x.keys[i], visit)
			walkExpr(x.values[i], visit)
		}
	case *attrExpr:
		walkExpr(x.base, visit)
	case *itemExpr:
		walkExpr(x.base, visit)
		walkExpr(x.key, visit)
	case *sliceExpr:
		each(x.parts[:])
	case *callExpr:
		walkExpr(x.fn, visit)
		args(&x.args)
	case *filterExpr:
		walkExpr(x.value, visit)
		args(&x.args)
	case *testExpr:
		walkExpr(x.value, visit)
		args(&x.args)
	case *unaryExpr:
		walkExpr(x.operand, visit)
	case *notExpr:
		walkExpr(x.operand, visit)
	case *binaryExpr:
		walkExpr(x.left, visit)
		walkExpr(x.right, visit)
	case *logicExpr:
		walkExpr(x.left, visit)
		walkExpr(x.right, visit)
	case *concatExpr:
		each(x.parts)
	case *compareExpr:
		walkExpr(x.first, visit)
		for _, c := range x.rest {
			walkExpr(c.right, visit)
		}
	case *condExpr:
		walkExpr(x.test, visit)
		walkExpr(x.then, visit)
		walkExpr(x.otherwise, visit)
	case *choiceExpr:
		for _, o := range x.options {
			walkExpr(o.expr, visit)
		}
	}
}

// walkBody calls visit for each name in statements, scopes inside included.
func walkBody(body []stmt, visit func(*nameExpr)) {
	for _, st := range body {
		switch st := st.(type) {
		case *outputStmt:
			walkExpr(st.expr, visit)
		case *ifStmt:
			for _, b := range st.branches {
				walkExpr(b.test, visit)
				walkBody(b.body, visit)
			}
			walkBody(st.otherwise, visit)
		case *forStmt:
			walkExpr(st.target, visit)
			walkExpr(st.iter, visit)
			walkBody(st.body, visit)
			walkBody(st.otherwise, visit)
			walkExpr(st.filter, visit)
		case *setStmt:
			walkExpr(st.target, visit)
			walkExpr(st.value, visit)
		case *setBlockStmt:
			walkExpr(st.target, visit)
			if st.filter != nil {
				walkExpr(st.filter, visit)
			}
			walkBody(st.body, visit)
		case *withStmt:
			for i := range st.targets {
				walkExpr(st.targets[i], visit)
			}
			for i := range st.values {
				walkExpr(st.values[i], visit)
			}
			walkBody(st.body, visit)
		case *filterBlockStmt:
			walkBody(st.body, visit)
			walkExpr(st.filter, visit)
		case *macroStmt:
			walkMacro(st.macro, visit)
		case *callBlockStmt:
			walkExpr(st.call, visit)
			walkMacro(st.macro, visit)
		}
	}
}

func walkMacro(m *macroDef, visit func(*nameExpr)) {
	for _, p := range m.params {
		visit(p)
	}
	for _, d := range m.defaults {
		walkExpr(d, visit)
	}
	walkBody(m.body, visit)
}

// undeclared reports which of the names the body reads before it sets them.
func undeclared(body []stmt, names ...string) map[string]bool {
	open := map[string]bool{}
	for _, n := range names {
		open[n] = true
	}
	used := map[string]bool{}
	walkBody(body, func(n *nameExpr) {
		if n.store == useLoad && open[n.name] {
			used[n.name] = true
		} else {
			delete(open, n.name)
		}
	})
	return used
}
