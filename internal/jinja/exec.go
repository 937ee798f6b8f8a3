package jinja

func (r *run) execAll(body []stmt) {
	for _, st := range body {
		st.exec(r)
	}
}

// load fills the slots of a scope that is being entered.
func (r *run) load(loads []load) {
	for i := range loads {
		l := &loads[i]
		switch l.kind {
		case loadResolve:
			r.frame.slots[l.slot] = r.resolve(l.name)
		case loadAlias:
			f := r.frame
			for range l.hops {
				f = f.parent
			}
			r.frame.slots[l.slot] = f.slots[l.from]
		case loadUndefined:
			r.frame.slots[l.slot] = missing
		}
	}
}

func (s *textStmt) exec(r *run) { r.write(s.text) }

func (s *outputStmt) exec(r *run) {
	r.step()
	v := s.expr.eval(r)
	r.pos = int(s.at)
	r.print(v)
}

func (s *ifStmt) exec(r *run) {
	r.step()
	for i := range s.branches {
		b := &s.branches[i]
		v := b.test.eval(r)
		r.pos = b.test.position()
		if r.truth(v) {
			r.execAll(b.body)
			return
		}
	}
	r.execAll(s.otherwise)
}

func (s *setStmt) exec(r *run) {
	r.step()
	v := s.value.eval(r)
	r.pos = int(s.at)
	r.assign(s.target, v)
}

// assign puts a value into a target: a name, ns.attr, or a tuple of targets.
func (r *run) assign(target expr, v any) {
	switch t := target.(type) {
	case *nameExpr:
		r.frame.slots[t.slot] = v
	case *nsExpr:
		ns, ok := t.ns.eval(r).(*namespace)
		r.pos = int(t.at)
		if !ok {
			r.failf("cannot assign attribute on non-namespace object")
		}
		ns.attrs.set(r, t.attr, v)
	case *tupleExpr:
		r.unpack(t, v)
	}
}

func (r *run) unpack(t *tupleExpr, v any) {
	r.pos = int(t.at)
	next, ok := r.iterate(v)
	if !ok {
		r.failf("cannot unpack non-iterable %s object", typeName(v))
	}
	items := make([]any, 0, len(t.items))
	for {
		item, ok := next()
		if !ok {
			break
		}
		if len(items) == len(t.items) {
			r.failf("too many values to unpack (expected %d)", len(t.items))
		}
		items = append(items, item)
	}
	if len(items) < len(t.items) {
		r.failf("not enough values to unpack (expected %d, got %d)", len(t.items), len(items))
	}
	for i, item := range items {
		r.assign(t.items[i], item)
	}
}

func (s *setBlockStmt) exec(r *run) {
	r.step()
	r.load(s.loads)
	text := r.capture(func() { r.execAll(s.body) })
	v := any(text)
	if s.filter != nil {
		v = r.applyCaptured(s.filter, text)
	}
	r.pos = int(s.at)
	r.assign(s.target, v)
}

// applyCaptured runs a filter chain whose foot is the text of a block.
func (r *run) applyCaptured(f *filterExpr, text string) any {
	outer := r.captured
	r.captured = text
	v := f.eval(r)
	r.captured = outer
	return v
}

func (x *capturedExpr) eval(r *run) any { return r.captured }

func (s *filterBlockStmt) exec(r *run) {
	r.step()
	r.load(s.loads)
	text := r.capture(func() { r.execAll(s.body) })
	v := r.applyCaptured(s.filter, text)
	r.pos = int(s.at)
	r.printText(v)
}

func (s *withStmt) exec(r *run) {
	r.step()
	r.load(s.loads)
	for i := range s.targets {
		v := s.values[i].eval(r)
		r.pos = s.targets[i].position()
		r.assign(s.targets[i], v)
	}
	r.execAll(s.body)
}

func (s *macroStmt) exec(r *run) {
	r.step()
	r.assign(s.target, &macro{def: s.macro, frame: r.frame})
}

func (s *callBlockStmt) exec(r *run) {
	r.step()
	caller := &macro{def: s.macro, frame: r.frame}
	v := s.call.evalWith(r, caller)
	r.pos = int(s.at)
	r.printText(v)
}

// printText prints what a block has made, which must be text.
func (r *run) printText(v any) {
	if _, ok := text(v); !ok {
		r.refuse(v)
		r.failf("expected the block to give a string, not '%s'", typeName(v))
	}
	r.print(v)
}

func (s *forStmt) exec(r *run) {
	r.step()
	v := s.iter.eval(r)
	r.pos = s.iter.position()
	if s.recursive {
		r.write(s.recurse(r, r.frame, v, 0))
		return
	}
	s.loop(r, v, nil)
}

// recurse runs a recursive loop over v in a frame of its own.
func (s *forStmt) recurse(r *run, parent *frame, v any, depth int) string {
	r.enter()
	outer := r.frame
	r.frame = r.newFrame(s.frameSize, parent)
	text := r.capture(func() {
		s.loop(r, v, &loopContext{recurse: s, parent: parent, depth0: depth})
	})
	r.frame = outer
	r.depth--
	return text
}

func (s *forStmt) loop(r *run, v any, ctx *loopContext) {
	next := r.mustIterate(v)
	if s.filter != nil {
		next = s.filtered(r, next)
		v = nil // what is left has no length of its own
	}
	if s.useLoop {
		if ctx == nil {
			ctx = &loopContext{}
		}
		ctx.start(v, next)
		next = ctx.advance
		r.frame.slots[s.loopSlot] = ctx
	}
	name, single := s.target.(*nameExpr)
	slots := r.frame.slots
	turned := false
	for {
		item, ok := next()
		if !ok {
			break
		}
		r.step()
		turned = true
		if single {
			slots[name.slot] = item
		} else {
			r.assign(s.target, item)
		}
		if s.loads != nil {
			r.load(s.loads)
		}
		r.execAll(s.body)
	}
	if !turned && s.otherwise != nil {
		r.load(s.elseLoads)
		r.execAll(s.otherwise)
	}
}

// filtered drops the items for which the loop's own condition is false.
func (s *forStmt) filtered(r *run, next iterator) iterator {
	frame := r.frame
	return func() (any, bool) {
		outer := r.frame
		r.frame = frame
		defer func() { r.frame = outer }()
		for {
			item, ok := next()
			if !ok {
				return nil, false
			}
			r.step()
			r.load(s.test.loads)
			r.assign(s.test.target, item)
			if r.truth(s.filter.eval(r)) {
				return item, true
			}
		}
	}
}

// loopContext is the variable loop.
type loopContext struct {
	recurse *forStmt // only where the loop is recursive
	parent  *frame
	depth0  int

	source  any // what is iterated, for its length; nil if it has none
	next    iterator
	index0  int
	size    int // -1 until known
	after   any // the item peeked at, or missing
	before  any
	current any
	changed []any
	tested  bool
}

func (c *loopContext) start(source any, next iterator) {
	c.source, c.next = source, next
	c.index0, c.size = -1, -1
	c.after, c.before, c.current = missing, missing, missing
}

func (c *loopContext) advance() (any, bool) {
	item := c.after
	if item == missing {
		var ok bool
		if item, ok = c.next(); !ok {
			return nil, false
		}
	}
	c.after = missing
	c.index0++
	c.before, c.current = c.current, item
	return item, true
}

func (c *loopContext) peek() any {
	if c.after == missing {
		if item, ok := c.next(); ok {
			c.after = item
		}
	}
	return c.after
}

func (c *loopContext) length(r *run) int {
	if c.size >= 0 {
		return c.size
	}
	switch c.source.(type) {
	case nil, *generator:
	default:
		if n, ok := r.length(c.source); ok {
			c.size = n
			return n
		}
	}
	rest := r.collect(&generator{next: c.next})
	c.next = sliceIterator(rest)
	c.size = len(rest) + c.index0 + 1
	if c.after != missing {
		c.size++
	}
	return c.size
}

// pairs iterates the loop itself, as Python's object can be.
func (c *loopContext) pairs(*run) iterator {
	return func() (any, bool) {
		item, ok := c.advance()
		if !ok {
			return nil, false
		}
		return &tuple{items: []any{item, c}}, true
	}
}

// attr is loop.name.
func (c *loopContext) attr(r *run, x expr, name string) (any, bool) {
	switch name {
	case "index":
		return int64(c.index0 + 1), true
	case "index0":
		return int64(c.index0), true
	case "revindex":
		return int64(c.length(r) - c.index0), true
	case "revindex0":
		return int64(c.length(r) - c.index0 - 1), true
	case "first":
		return c.index0 == 0, true
	case "last":
		return c.peek() == missing, true
	case "length":
		return int64(c.length(r)), true
	case "depth":
		return int64(c.depth0 + 1), true
	case "depth0":
		return int64(c.depth0), true
	case "previtem":
		if c.index0 == 0 {
			return &undefined{node: x, hint: "there is no previous item"}, true
		}
		return c.before, true
	case "nextitem":
		if c.peek() == missing {
			return &undefined{node: x, hint: "there is no next item"}, true
		}
		return c.after, true
	}
	if m := loopMethods[name]; m != nil {
		return &boundMethod{c, m}, true
	}
	return nil, false
}

func (c *loopContext) title() string { return "LoopContext" }

// call is loop(items) in a recursive loop.
func (c *loopContext) call(r *run, args []any, kw []kwarg) any {
	if c.recurse == nil {
		r.failf("The loop must have the 'recursive' marker to be called recursively.")
	}
	args = r.bind(loopCall, args, kw)
	items := args[0]
	r.release(args)
	return c.recurse.recurse(r, c.parent, items, c.depth0+1)
}
