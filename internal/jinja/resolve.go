package jinja

// resolver walks the tree once the parser is done: it gives each name its slot,
// each filter and test its function, and bounds the height of the tree.
type resolver struct {
	prog  *program
	depth int
}

// scope is where the resolver stands: soft inside a branch that may never run,
// where an unknown filter is no error yet.
type scope struct {
	*symbols
	soft bool
}

func resolveTemplate(prog *program, body []stmt) {
	frame := &frameScope{}
	syms := newSymbols(nil, frame)
	syms.visitBody(body)
	c := &resolver{prog: prog}
	c.body(body, scope{symbols: syms})
	prog.slots, prog.loads = frame.size, syms.entry()
}

func resolveExpression(prog *program, x expr) {
	frame := &frameScope{}
	syms := newSymbols(nil, frame)
	syms.visitExpr(x)
	c := &resolver{prog: prog}
	c.expr(x, scope{symbols: syms})
	prog.slots, prog.loads = frame.size, syms.entry()
}

func (c *resolver) fail(pos int, message string) { panic(c.prog.errorAt(pos, message)) }

func (c *resolver) body(body []stmt, s scope) {
	for _, st := range body {
		c.stmt(st, s)
	}
}

func (c *resolver) stmt(st stmt, s scope) {
	switch st := st.(type) {
	case *outputStmt:
		c.expr(st.expr, s)
	case *ifStmt:
		s.soft = true
		for _, b := range st.branches {
			c.expr(b.test, s)
			c.body(b.body, s)
		}
		c.body(st.otherwise, s)
	case *forStmt:
		c.forLoop(st, s)
	case *setStmt:
		c.expr(st.value, s)
		c.expr(st.target, s)
	case *setBlockStmt:
		inner := scope{symbols: newSymbols(s.symbols, s.frame)}
		inner.visitBody(st.body)
		if st.filter != nil {
			inner.visitExpr(st.filter)
		}
		st.loads = inner.entry()
		c.body(st.body, inner)
		if st.filter != nil {
			c.expr(st.filter, inner)
		}
		c.expr(st.target, s)
	case *withStmt:
		inner := scope{symbols: newSymbols(s.symbols, s.frame)}
		for _, t := range st.targets {
			inner.visitExpr(t)
		}
		inner.visitBody(st.body)
		st.loads = inner.entry()
		for i := range st.targets {
			c.expr(st.targets[i], inner)
			c.expr(st.values[i], s)
		}
		c.body(st.body, inner)
	case *filterBlockStmt:
		inner := scope{symbols: newSymbols(s.symbols, s.frame)}
		inner.visitBody(st.body)
		inner.visitExpr(st.filter)
		st.loads = inner.entry()
		c.body(st.body, inner)
		c.expr(st.filter, inner)
	case *macroStmt:
		c.macro(st.macro, s)
		c.expr(st.target, s)
	case *callBlockStmt:
		c.macro(st.macro, s)
		c.expr(st.call, s)
	}
}

func (c *resolver) forLoop(st *forStmt, s scope) {
	walkBody([]stmt{st}, func(n *nameExpr) {
		if n.store != useLoad && n.name == "loop" {
			c.fail(n.position(), "Can't assign to special loop variable in for-loop target")
		}
	})
	frame := s.frame
	if st.recursive {
		frame = &frameScope{depth: s.frame.depth + 1}
	}
	inner := scope{symbols: newSymbols(s.symbols, frame)}
	st.useLoop = st.recursive || undeclared(st.body, "loop")["loop"]
	if st.useLoop {
		st.loopSlot = inner.param("loop")
	}
	inner.visitParams(st.target)
	inner.visitBody(st.body)
	other := scope{symbols: newSymbols(s.symbols, frame)}
	other.visitBody(st.otherwise)
	if st.test != nil {
		test := scope{symbols: newSymbols(s.symbols, frame)}
		test.visitParams(st.test.target)
		test.visitExpr(st.filter)
		st.test.loads = test.entry()
		c.expr(st.test.target, test)
		c.expr(st.filter, test)
	}
	st.loads, st.elseLoads = inner.entry(), other.entry()
	c.expr(st.iter, s)
	c.expr(st.target, inner)
	c.body(st.body, inner)
	c.body(st.otherwise, other)
	st.frameSize = frame.size
}

func (c *resolver) macro(m *macroDef, s scope) {
	frame := &frameScope{depth: s.frame.depth + 1}
	inner := scope{symbols: newSymbols(s.symbols, frame)}
	analyse := func() {
		for _, p := range m.params {
			inner.visitExpr(p)
		}
		for _, d := range m.defaults {
			inner.visitExpr(d)
		}
		inner.visitBody(m.body)
	}
	analyse()
	own := map[string]int{}
	for i, p := range m.params {
		own[p.name] = i
	}
	used := undeclared(m.body, "caller", "kwargs", "varargs")
	if i, ok := own["caller"]; ok {
		m.explicitCaller = true
		if used["caller"] && i < len(m.params)-len(m.defaults) {
			c.fail(m.position(), `When defining macros or call blocks the special "caller" argument must be omitted or be given a default.`)
		}
	}
	if m.usesCaller = used["caller"]; m.usesCaller && !m.explicitCaller {
		m.callerSlot = inner.param("caller")
	}
	if _, ok := own["kwargs"]; used["kwargs"] && !ok {
		m.usesKwargs = true
		m.kwargsSlot = inner.param("kwargs")
	}
	if _, ok := own["varargs"]; used["varargs"] && !ok {
		m.usesVarargs = true
		m.varargsSlot = inner.param("varargs")
	}
	analyse()
	m.loads = inner.entry()
	for _, p := range m.params {
		c.expr(p, inner)
	}
	for _, d := range m.defaults {
		c.expr(d, inner)
	}
	c.body(m.body, inner)
	m.frameSize = frame.size
}

func (c *resolver) exprs(xs []expr, s scope) {
	for _, x := range xs {
		c.expr(x, s)
	}
}

func (c *resolver) args(a *callArgs, s scope) {
	c.exprs(a.pos, s)
	for _, k := range a.named {
		c.expr(k.value, s)
	}
	c.expr(a.star, s)
	c.expr(a.starstar, s)
}

func (c *resolver) expr(x expr, s scope) {
	if x == nil {
		return
	}
	if c.depth++; c.depth > maxTreeDepth {
		c.fail(x.position(), "the expression is too long or nested too deeply; use set to name parts of it")
	}
	defer func() { c.depth-- }()
	switch x := x.(type) {
	case *nameExpr:
		in, slot := s.find(x.name)
		x.slot, x.hops = slot, s.frame.depth-in.frame.depth
	case *nsExpr:
		c.expr(x.ns, s)
	case *tupleExpr:
		c.exprs(x.items, s)
	case *listExpr:
		c.exprs(x.items, s)
	case *dictExpr:
		c.exprs(x.keys, s)
		c.exprs(x.values, s)
	case *attrExpr:
		c.expr(x.base, s)
	case *itemExpr:
		c.expr(x.base, s)
		c.expr(x.key, s)
	case *sliceExpr:
		c.exprs(x.parts[:], s)
	case *callExpr:
		c.expr(x.fn, s)
		c.args(&x.args, s)
	case *filterExpr:
		if x.fn = filters[x.name]; x.fn == nil && !s.soft {
			c.fail(x.position(), "No filter named '"+x.name+"'.")
		}
		c.expr(x.value, s)
		c.args(&x.args, s)
	case *testExpr:
		if x.fn = tests[x.name]; x.fn == nil && !s.soft {
			c.fail(x.position(), "No test named '"+x.name+"'.")
		}
		c.expr(x.value, s)
		c.args(&x.args, s)
	case *unaryExpr:
		c.expr(x.operand, s)
	case *notExpr:
		c.expr(x.operand, s)
	case *binaryExpr:
		c.expr(x.left, s)
		c.expr(x.right, s)
	case *logicExpr:
		c.expr(x.left, s)
		c.expr(x.right, s)
	case *concatExpr:
		c.exprs(x.parts, s)
	case *compareExpr:
		c.expr(x.first, s)
		for _, r := range x.rest {
			c.expr(r.right, s)
		}
	case *condExpr:
		s.soft = true
		c.expr(x.test, s)
		c.expr(x.then, s)
		c.expr(x.otherwise, s)
	case *choiceExpr:
		c.expr(x.base, s)
		for _, o := range x.options {
			c.expr(o.expr, s)
		}
	}
}
