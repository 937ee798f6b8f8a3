package jinja

import (
	"slices"
	"strings"
)

// callable is a value that can be called.
type callable interface {
	call(r *run, args []any, kw []kwarg) any
	title() string
}

type kwarg struct {
	name  string
	value any
}

// builtin is a filter, a test, a method or a global function. A filter's or
// test's value, and a method's object, is its first argument.
type builtin struct {
	name     string
	params   []param
	required int
	variadic bool // further positional arguments follow the parameters
	fn       func(r *run, args []any) any
	// raw takes the arguments as they come, instead of fn.
	raw func(r *run, args []any, kw []kwarg) any
}

// param is a parameter; without a name it is positional only.
type param struct {
	name string
}

// define describes a builtin: its parameters are words, "?" after one that may
// be left out (it is missing then), "/" after those that are positional only,
// "*" for any number more.
func define(name, params string, fn func(r *run, args []any) any) *builtin {
	b := &builtin{name: name, fn: fn}
	for _, w := range strings.Fields(params) {
		switch w {
		case "/":
			for i := range b.params {
				b.params[i].name = ""
			}
		case "*":
			b.variadic = true
		default:
			base := strings.TrimSuffix(w, "?")
			if base == w {
				b.required = len(b.params) + 1
			}
			b.params = append(b.params, param{base})
		}
	}
	return b
}

func defineRaw(name string, raw func(r *run, args []any, kw []kwarg) any) *builtin {
	return &builtin{name: name, raw: raw}
}

func table(bs ...*builtin) map[string]*builtin {
	t := make(map[string]*builtin, len(bs))
	for _, b := range bs {
		t[b.name] = b
	}
	return t
}

func (b *builtin) title() string { return b.name }

func (b *builtin) call(r *run, args []any, kw []kwarg) any {
	r.step()
	for _, a := range args {
		if s, ok := text(a); ok {
			r.scan(len(s))
		}
	}
	if b.raw != nil {
		return b.raw(r, args, kw)
	}
	args = r.bind(b, args, kw)
	v := b.fn(r, args)
	r.release(args)
	return v
}

// bind lays arguments out as b's parameters, on the argument stack.
func (r *run) bind(b *builtin, args []any, kw []kwarg) []any {
	base := len(r.stack)
	n := len(b.params)
	if len(args) > n && !b.variadic {
		r.failf("%s() takes at most %d arguments (%d given)", b.name, n, len(args))
	}
	r.stack = append(r.stack, args...)
	for i := len(args); i < n; i++ {
		r.stack = append(r.stack, missing)
	}
	out := r.stack[base:]
	for _, k := range kw {
		i := slices.IndexFunc(b.params, func(p param) bool { return p.name == k.name })
		if i < 0 {
			r.failf("%s() got an unexpected keyword argument '%s'", b.name, k.name)
		}
		if out[i] != missing {
			r.failf("%s() got multiple values for argument '%s'", b.name, k.name)
		}
		out[i] = k.value
	}
	for i := range b.required {
		if out[i] == missing {
			r.failf("%s() missing a required argument: '%s'", b.name, b.params[i].name)
		}
	}
	return out
}

// release drops what bind laid out.
func (r *run) release(args []any) {
	r.stack = r.stack[:len(r.stack)-len(args)]
}

// arguments evaluates a call's arguments onto the stack, behind first if there
// is one.
func (r *run) arguments(a *callArgs, first any, hasFirst bool) (args []any, kw []kwarg) {
	base := len(r.stack)
	if hasFirst {
		r.stack = append(r.stack, first)
	}
	for _, x := range a.pos {
		v := x.eval(r)
		r.stack = append(r.stack, v)
	}
	if a.star != nil {
		v := a.star.eval(r)
		r.pos = a.star.position()
		r.stack = append(r.stack, r.items(v)...)
		r.work(len(r.stack) - base)
	}
	for _, k := range a.named {
		kw = append(kw, kwarg{k.name, k.value.eval(r)})
	}
	if a.starstar != nil {
		kw = r.spread(kw, a.starstar)
	}
	return r.stack[base:len(r.stack):len(r.stack)], kw
}

func (r *run) spread(kw []kwarg, x expr) []kwarg {
	v := x.eval(r)
	r.pos = x.position()
	r.refuse(v)
	d, ok := v.(*dict)
	if !ok {
		r.failf("argument after ** must be a mapping, not %s", typeName(v))
	}
	for _, e := range d.all(r) {
		r.work(1)
		name, ok := text(e.key)
		if !ok {
			r.failf("keywords must be strings")
		}
		if slices.ContainsFunc(kw, func(k kwarg) bool { return k.name == name }) {
			r.failf("got multiple values for keyword argument '%s'", name)
		}
		kw = append(kw, kwarg{name, e.value})
	}
	return kw
}

// apply calls a filter or a test on v.
func (r *run) apply(b *builtin, v any, a *callArgs, pos int) any {
	base := len(r.stack)
	args, kw := r.arguments(a, v, true)
	r.pos = pos
	out := b.call(r, args, kw)
	r.stack = r.stack[:base]
	return out
}

func (x *callExpr) eval(r *run) any { return x.evalWith(r, nil) }

// evalWith makes the call, handing on the caller of a call block if any.
func (x *callExpr) evalWith(r *run, caller *macro) any {
	base := len(r.stack)
	var fn any
	if a, ok := x.fn.(*attrExpr); ok {
		// A method is called without making an object of it.
		v := a.base.eval(r)
		r.pos = int(a.at)
		if m := methodOf(v, a.name); m != nil && caller == nil {
			args, kw := r.arguments(&x.args, v, true)
			r.pos = int(x.at)
			out := m.call(r, args, kw)
			r.stack = r.stack[:base]
			return out
		}
		fn = r.attr(v, a.name, a)
	} else {
		fn = x.fn.eval(r)
	}
	args, kw := r.arguments(&x.args, nil, false)
	if caller != nil {
		kw = append(kw, kwarg{"caller", caller})
	}
	r.pos = int(x.at)
	r.refuse(fn)
	c, ok := fn.(callable)
	if !ok {
		r.failf("'%s' object is not callable", typeName(fn))
	}
	out := c.call(r, args, kw)
	r.stack = r.stack[:base]
	return out
}

// methodOf is the method of a dict, list or string by that name, or nil.
func methodOf(v any, name string) *builtin {
	switch v.(type) {
	case *dict:
		return dictMethods[name]
	case string, multiline, markup:
		return stringMethods[name]
	case *list:
		return listMethods[name]
	}
	return nil
}

// boundMethod is a method taken off its object.
type boundMethod struct {
	self any
	fn   *builtin
}

func (m *boundMethod) title() string { return m.fn.name }

func (m *boundMethod) call(r *run, args []any, kw []kwarg) any {
	base := len(r.stack)
	r.stack = append(r.stack, m.self)
	r.stack = append(r.stack, args...)
	out := m.fn.call(r, r.stack[base:len(r.stack):len(r.stack)], kw)
	r.stack = r.stack[:base]
	return out
}

// macro is a macro, or the caller of a call block, with the frame it was
// defined in.
type macro struct {
	def   *macroDef
	frame *frame
}

func (m *macro) title() string { return m.def.name }

func (m *macro) attr(name string) (any, bool) {
	switch name {
	case "name":
		if m.def.name == "" {
			return nil, true
		}
		return m.def.name, true
	case "arguments":
		names := &tuple{}
		for _, p := range m.def.params {
			names.items = append(names.items, p.name)
		}
		return names, true
	case "catch_kwargs":
		return m.def.usesKwargs, true
	case "catch_varargs":
		return m.def.usesVarargs, true
	case "caller":
		return m.def.usesCaller, true
	}
	return nil, false
}

func (m *macro) call(r *run, args []any, kw []kwarg) any {
	r.step()
	r.enter()
	def := m.def
	f := r.newFrame(def.frameSize, m.frame)
	m.place(r, f, args, kw)
	outer := r.frame
	r.frame = f
	text := r.capture(func() {
		r.load(def.loads)
		for i, p := range def.params {
			if f.slots[p.slot] != missing {
				continue
			}
			if d := i - len(def.params) + len(def.defaults); d >= 0 {
				f.slots[p.slot] = def.defaults[d].eval(r)
			} else {
				f.slots[p.slot] = &undefined{node: p, hint: "parameter '" + p.name + "' was not provided"}
			}
		}
		r.execAll(def.body)
	})
	r.frame = outer
	r.depth--
	return text
}

// place puts the arguments into the macro's frame.
func (m *macro) place(r *run, f *frame, args []any, kw []kwarg) {
	def := m.def
	n := len(def.params)
	kw = slices.Clone(kw)
	take := func(name string) any {
		for i, k := range kw {
			if k.name == name {
				kw = slices.Delete(kw, i, i+1)
				return k.value
			}
		}
		return missing
	}
	foundCaller := len(args) >= n && def.explicitCaller
	for i, p := range def.params {
		if i < len(args) {
			f.slots[p.slot] = args[i]
			continue
		}
		foundCaller = foundCaller || p.name == "caller"
		f.slots[p.slot] = take(p.name)
	}
	if def.usesCaller && !foundCaller {
		caller := take("caller")
		if caller == missing || caller == nil {
			caller = &undefined{node: &nameExpr{at: at(r.pos), name: "caller"}, hint: "No caller defined"}
		}
		if !def.explicitCaller {
			f.slots[def.callerSlot] = caller
		}
	}
	if def.usesKwargs {
		d := newDict(len(kw))
		for _, k := range kw {
			d.set(r, k.name, k.value)
		}
		f.slots[def.kwargsSlot] = d
	} else if len(kw) > 0 {
		if kw[0].name == "caller" {
			r.failf("macro '%s' was invoked with two values for the special caller argument. This is most likely a bug.", def.name)
		}
		r.failf("macro '%s' takes no keyword argument '%s'", def.name, kw[0].name)
	}
	if def.usesVarargs {
		extra := &tuple{}
		if len(args) > n {
			extra.items = slices.Clone(args[n:])
		}
		f.slots[def.varargsSlot] = extra
	} else if len(args) > n {
		r.failf("macro '%s' takes not more than %d argument(s)", def.name, n)
	}
}
