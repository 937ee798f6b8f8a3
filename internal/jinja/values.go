package jinja

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Inside the evaluator a value is nil, bool, int64, *big.Int (only outside
// int64's range), float64, string, markup, multiline, or a pointer to one of
// the types below. Lists and dicts are shared by reference, as in Python.

type (
	list struct {
		items []any
	}
	// tuple may give its items names, as the groups of groupby have.
	tuple struct {
		items []any
		names []string
	}
	// markup is text that is safe in HTML; it escapes what is added to it.
	markup string
	// multiline is text whose later lines are indented to where it is written.
	multiline string
	// generator is an iterator that can be read once.
	generator struct {
		kind string // as Python names it
		next iterator
	}
	// dictView is what keys, values and items of a dict return.
	dictView struct {
		dict *dict
		kind string
	}
	// namespace is an object whose attributes can be set.
	namespace struct {
		attrs *dict
	}
	// undefined is the value of a name or lookup that does not exist. It stays
	// undefined through lookups and fails when it is used; a lenient one, from
	// an inline if without else, prints as nothing.
	undefined struct {
		node    expr
		hint    string
		lenient bool
		unsafe  bool
	}
	// missingValue marks slots and arguments that have no value.
	missingValue struct{ _ byte }
)

// iterator returns the next item, or false at the end.
type iterator func() (any, bool)

var missing = &missingValue{}

// run is the state of one rendering.
type run struct {
	ctx      context.Context
	prog     *program
	vars     *Map
	limits   Limits
	steps    int
	memory   int
	depth    int
	pos      int // where to blame a failure
	frame    *frame
	out      *output
	stack    []any       // arguments of the calls being made
	names    []dictEntry // variables looked up so far
	nested   []any       // containers being printed
	captured string      // the text a filter block works on
	opaque   bool        // an object was printed of which Python prints its address
	library  *library
}

// library is what builtins use of the evaluator that in turn uses the builtins.
type library struct {
	filters, tests map[string]*builtin
	attr           func(r *run, v any, name string, x expr) any
	item           func(r *run, v, key any, x expr) any
}

// frame holds the slots of one activation.
type frame struct {
	slots  []any
	parent *frame
}

func newRun(ctx context.Context, prog *program, vars *Map, l Limits) *run {
	l = l.orDefaults()
	r := &run{ctx: ctx, prog: prog, vars: vars, limits: l, steps: l.Steps, memory: l.Memory}
	r.out = &output{}
	r.library = &library{filters: filters, tests: tests, attr: (*run).attr, item: (*run).item}
	r.checkSteps()
	r.frame = r.newFrame(prog.slots, nil)
	r.load(prog.loads)
	return r
}

func (r *run) newFrame(size int, parent *frame) *frame {
	slots := make([]any, size)
	for i := range slots {
		slots[i] = missing
	}
	return &frame{slots, parent}
}

// failf gives up; the error blames the operation under way.
func (r *run) failf(format string, args ...any) {
	panic(r.prog.errorAt(r.pos, fmt.Sprintf(format, args...)))
}

// resolve looks up one of the template's variables or a global function.
func (r *run) resolve(name string) any {
	for i := range r.names {
		if r.names[i].key == name {
			return r.names[i].value
		}
	}
	var v any
	if given, ok := r.vars.Get(name); ok {
		v = r.wrap(given)
	} else if g, ok := globals[name]; ok {
		v = g
	} else {
		return missing
	}
	r.names = append(r.names, dictEntry{key: name, value: v})
	return v
}

// wrap turns a caller's value into ours. Maps are wrapped without copying
// until something has to be shared or changed.
func (r *run) wrap(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v
	case *Map:
		if v == nil {
			return nil
		}
		return &dict{src: v}
	case []any:
		l := &list{items: make([]any, len(v))}
		r.allocItems(len(v))
		for i, item := range v {
			l.items[i] = r.wrap(item)
		}
		return l
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case float32:
		return float64(v)
	case *big.Int:
		if v == nil {
			return nil
		}
		return r.normInt(new(big.Int).Set(v))
	case map[string]any:
		m := NewMap()
		for _, k := range sortedKeys(v) {
			m.Set(k, v[k])
		}
		return &dict{src: m}
	}
	r.failf("a variable holds a value of type %T, which templates cannot use", v)
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// export turns one of our values into a caller's.
func (r *run) export(v any, depth int) any {
	if depth > maxValueDepth {
		r.failf("the value is nested more than %d deep", maxValueDepth)
	}
	all := func(items []any) []any {
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = r.export(item, depth+1)
		}
		return out
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, string, *big.Int:
		return v
	case *list:
		r.allocItems(len(v.items))
		return all(v.items)
	case *tuple:
		r.allocItems(len(v.items))
		return all(v.items)
	case *dict:
		m := NewMap()
		r.allocItems(v.len())
		for _, e := range v.all(r) {
			m.Set(r.str(e.key), r.export(e.value, depth+1))
		}
		return m
	case *rangeValue, *generator, *dictView:
		return all(r.collect(v))
	}
	return r.str(v)
}

func (r *run) use(u *undefined) {
	if u.node != nil {
		r.pos = u.node.position()
	}
	r.failf("%s", u.message())
}

func (u *undefined) message() string {
	if u.hint != "" {
		return u.hint
	}
	return "'" + pathText(u.node) + "' is undefined"
}

// pathText writes a lookup the way the template does.
func pathText(x expr) string {
	switch x := x.(type) {
	case *nameExpr:
		return x.name
	case *attrExpr:
		return pathText(x.base) + "." + x.name
	case *itemExpr:
		return pathText(x.base) + "[" + pathText(x.key) + "]"
	case *constExpr:
		return constText(x.value)
	case *callExpr:
		return pathText(x.fn) + "(...)"
	case *filterExpr:
		return pathText(x.value) + " | " + x.name
	case *choiceExpr:
		return pathText(x.fallback())
	}
	return "..."
}

func constText(v any) string {
	switch v := v.(type) {
	case string:
		return reprString(v)
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		return reprFloat(v)
	}
	return fmt.Sprint(v)
}

// typeName is Python's name for the type of v.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string, multiline:
		return "str"
	case markup:
		return "Markup"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *dict:
		return "dict"
	case *rangeValue:
		return "range"
	case *generator:
		return strings.Fields(v.kind)[0]
	case *dictView:
		return "dict_" + v.kind
	case *namespace:
		return "Namespace"
	case *macro:
		return "Macro"
	case *loopContext:
		return "LoopContext"
	case *undefined:
		return "Undefined"
	}
	return "builtin_function_or_method"
}

// text returns the string in v, if v is a string of any kind.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	case multiline:
		return string(v), true
	}
	return "", false
}

// truth is Python's bool().
func (r *run) truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case multiline:
		return v != ""
	case *list:
		return len(v.items) > 0
	case *tuple:
		return len(v.items) > 0
	case *dict:
		return v.len() > 0
	case *rangeValue:
		return v.length > 0
	case *dictView:
		return v.dict.len() > 0
	case *loopContext:
		return v.length(r) > 0
	case *undefined:
		if !v.lenient {
			r.use(v)
		}
		return false
	}
	return true
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func runeLen(s string) int { return utf8.RuneCountInString(s) }

// length is Python's len(); ok is false for what has none.
func (r *run) length(v any) (n int, ok bool) {
	if s, is := text(v); is {
		return runeLen(s), true
	}
	switch v := v.(type) {
	case *list:
		return len(v.items), true
	case *tuple:
		return len(v.items), true
	case *dict:
		return v.len(), true
	case *rangeValue:
		return int(v.length), true
	case *dictView:
		return v.dict.len(), true
	case *loopContext:
		return v.length(r), true
	case *undefined:
		if !v.lenient {
			r.use(v)
		}
		return 0, true
	}
	return 0, false
}

func (r *run) mustLength(v any) int {
	n, ok := r.length(v)
	if !ok {
		r.failf("object of type '%s' has no len()", typeName(v))
	}
	return n
}

// iterate returns an iterator over v, or false if v cannot be iterated.
func (r *run) iterate(v any) (iterator, bool) {
	switch v := v.(type) {
	case *list:
		i := 0
		return func() (any, bool) {
			if i >= len(v.items) {
				return nil, false
			}
			i++
			return v.items[i-1], true
		}, true
	case *tuple:
		return sliceIterator(v.items), true
	case *dict:
		return v.iterate(r, "keys"), true
	case *dictView:
		return v.dict.iterate(r, v.kind), true
	case *rangeValue:
		return v.iterate(), true
	case *generator:
		return v.next, true
	case *loopContext:
		return v.pairs(r), true
	case *undefined:
		if !v.lenient {
			r.use(v)
		}
		return sliceIterator(nil), true
	case string:
		return stringIterator(v), true
	case multiline:
		return stringIterator(string(v)), true
	case markup:
		return stringIterator(string(v)), true
	}
	return nil, false
}

func sliceIterator(items []any) iterator {
	i := 0
	return func() (any, bool) {
		if i >= len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}
}

func stringIterator(s string) iterator {
	return func() (any, bool) {
		if s == "" {
			return nil, false
		}
		_, size := utf8.DecodeRuneInString(s)
		c := s[:size]
		s = s[size:]
		return c, true
	}
}

func (r *run) mustIterate(v any) iterator {
	it, ok := r.iterate(v)
	if !ok {
		r.failf("'%s' object is not iterable", typeName(v))
	}
	return it
}

// collect is Python's list(): a fresh slice of the items of v.
func (r *run) collect(v any) []any {
	switch v := v.(type) {
	case *list:
		r.allocItems(len(v.items))
		return slices.Clone(v.items)
	case *tuple:
		r.allocItems(len(v.items))
		return slices.Clone(v.items)
	}
	var items []any
	for next := r.mustIterate(v); ; {
		item, ok := next()
		if !ok {
			return items
		}
		r.allocItems(1)
		items = append(items, item)
	}
}

// items is collect without the copy where there is none to be had; the result
// must not be changed or kept.
func (r *run) items(v any) []any {
	switch v := v.(type) {
	case *list:
		return v.items
	case *tuple:
		return v.items
	}
	return r.collect(v)
}
