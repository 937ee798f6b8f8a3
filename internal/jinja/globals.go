package jinja

import "slices"

// globals are the functions every template has.
var globals = map[string]any{
	"range": defineRaw("range", globalRange),
	"dict": defineRaw("dict", func(r *run, args []any, kw []kwarg) any {
		d := newDict(len(kw))
		r.fillDict(d, "dict", args, kw)
		return d
	}),
	"namespace": defineRaw("namespace", func(r *run, args []any, kw []kwarg) any {
		ns := &namespace{attrs: newDict(len(kw))}
		r.fillDict(ns.attrs, "dict", args, kw)
		return ns
	}),
	"cycler": defineRaw("cycler", func(r *run, args []any, kw []kwarg) any {
		if len(kw) > 0 {
			r.failf("cycler() got an unexpected keyword argument '%s'", kw[0].name)
		}
		if len(args) == 0 {
			r.failf("at least one item has to be provided")
		}
		return &cycler{items: slices.Clone(args)}
	}),
	"joiner": define("joiner", "sep?", func(r *run, a []any) any {
		sep := a[0]
		if sep == missing {
			sep = ", "
		}
		return &joiner{sep: sep}
	}),
}

// cycler returns its items in turn.
type cycler struct {
	items []any
	pos   int
}

func (c *cycler) attr(name string) (any, bool) {
	switch name {
	case "current":
		return c.items[c.pos], true
	case "pos":
		return int64(c.pos), true
	case "items":
		return &tuple{items: c.items}, true
	}
	if m := cyclerMethods[name]; m != nil {
		return &boundMethod{c, m}, true
	}
	return nil, false
}

var cyclerMethods = table(
	define("next", "self /", func(r *run, a []any) any {
		c := a[0].(*cycler)
		v := c.items[c.pos]
		c.pos = (c.pos + 1) % len(c.items)
		return v
	}),
	define("reset", "self /", func(r *run, a []any) any {
		a[0].(*cycler).pos = 0
		return nil
	}),
)

// joiner returns nothing the first time it is called, then its separator.
type joiner struct {
	sep  any
	used bool
}

func (j *joiner) title() string { return "Joiner" }

func (j *joiner) call(r *run, args []any, kw []kwarg) any {
	if len(args)+len(kw) > 0 {
		r.failf("a joiner takes no arguments")
	}
	if !j.used {
		j.used = true
		return ""
	}
	return j.sep
}

var loopCall = define("loop", "iterable", nil)

var loopMethods = table(
	defineRaw("cycle", func(r *run, args []any, kw []kwarg) any {
		c := args[0].(*loopContext)
		if len(args) == 1 || len(kw) > 0 {
			r.failf("no items for cycling given")
		}
		return args[1+max(0, c.index0)%(len(args)-1)]
	}),
	defineRaw("changed", func(r *run, args []any, kw []kwarg) any {
		c := args[0].(*loopContext)
		if len(kw) > 0 {
			r.failf("changed() got an unexpected keyword argument '%s'", kw[0].name)
		}
		values := slices.Clone(args[1:])
		if c.tested && r.equalItems(c.changed, values, 0) {
			return false
		}
		c.tested, c.changed = true, values
		return true
	}),
)
