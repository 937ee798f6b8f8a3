package jinja

import (
	"slices"
	"strconv"
	"strings"
)

var sequenceFilters = table(
	define("length", "value", func(r *run, a []any) any { return int64(r.mustLength(a[0])) }),
	define("count", "value", func(r *run, a []any) any { return int64(r.mustLength(a[0])) }),
	define("list", "value", func(r *run, a []any) any { return &list{items: r.collect(a[0])} }),
	define("items", "value", func(r *run, a []any) any {
		switch v := a[0].(type) {
		case *undefined:
			return lazy("do_items", func() iterator { return sliceIterator(nil) })
		case *dict:
			return lazy("do_items", func() iterator { return v.iterate(r, "items") })
		}
		return lazy("do_items", func() iterator {
			r.failf("Can only get item pairs from a mapping.")
			return nil
		})
	}),
	define("first", "seq", func(r *run, a []any) any {
		if v, ok := r.mustIterate(a[0])(); ok {
			return v
		}
		return &undefined{hint: "No first item, sequence was empty."}
	}),
	define("last", "seq", func(r *run, a []any) any {
		items, _ := r.reversed(a[0])
		if v, ok := items(); ok {
			return v
		}
		return &undefined{hint: "No last item, sequence was empty."}
	}),
	define("reverse", "value", filterReverse),
	define("join", "value d? attribute?", filterJoin),
	define("batch", "value linecount fill_with?", filterBatch),
	define("slice", "value slices fill_with?", filterSlice),
	define("unique", "value case_sensitive? attribute?", filterUnique),
	define("sum", "value attribute? start?", filterSum),
	define("min", "value case_sensitive? attribute?", func(r *run, a []any) any { return extreme(r, a, opLt) }),
	define("max", "value case_sensitive? attribute?", func(r *run, a []any) any { return extreme(r, a, opGt) }),
	define("sort", "value reverse? case_sensitive? attribute?", filterSort),
	define("dictsort", "value case_sensitive? by? reverse?", filterDictsort),
	define("groupby", "value attribute default? case_sensitive?", filterGroupby),
	defineRaw("map", filterMap),
	defineRaw("select", func(r *run, args []any, kw []kwarg) any { return pick(r, "select", args, kw, true, false) }),
	defineRaw("reject", func(r *run, args []any, kw []kwarg) any { return pick(r, "reject", args, kw, false, false) }),
	defineRaw("selectattr", func(r *run, args []any, kw []kwarg) any { return pick(r, "selectattr", args, kw, true, true) }),
	defineRaw("rejectattr", func(r *run, args []any, kw []kwarg) any { return pick(r, "rejectattr", args, kw, false, true) }),
)

// lazy is a generator that starts when it is first read.
func lazy(name string, start func() iterator) *generator {
	var next iterator
	return &generator{kind: "generator object " + name, next: func() (any, bool) {
		if next == nil {
			next = start()
		}
		return next()
	}}
}

// pathGetter returns the function that follows a path such as "a.b.0".
func (r *run) pathGetter(path any, post func(any) any, def any) func(any) any {
	parts := attributeParts(path)
	return func(v any) any {
		for _, p := range parts {
			v = r.part(v, p)
			if _, undef := v.(*undefined); undef && def != nil {
				v = def
			}
		}
		if post != nil {
			v = post(v)
		}
		return v
	}
}

func (r *run) part(v, p any) any {
	found := r.item(v, p, nil)
	if u, ok := found.(*undefined); ok && u.node == nil && u.hint == "" {
		r.named(u, v, p)
	}
	return found
}

func attributeParts(path any) []any {
	if path == nil || path == missing {
		return nil
	}
	s, ok := text(path)
	if !ok {
		return []any{path}
	}
	var parts []any
	for _, p := range strings.Split(s, ".") {
		if allRunes(p, func(c rune) bool { return c >= '0' && c <= '9' }) {
			if n, err := strconv.ParseInt(p, 10, 64); err == nil {
				parts = append(parts, n)
				continue
			}
		}
		parts = append(parts, p)
	}
	return parts
}

// caseless makes strings compare without case, unless asked not to.
func (r *run) caseless(sensitive any) func(any) any {
	if r.optBool(sensitive, false) {
		return nil
	}
	return func(v any) any {
		if s, ok := text(v); ok {
			return lower(s)
		}
		return v
	}
}

func (r *run) reversed(v any) (iterator, string) {
	var items []any
	kind := ""
	switch v := v.(type) {
	case *undefined:
		r.refuse(r.strict(v))
		kind = "reversed object"
	case *list:
		items, kind = v.items, "list_reverseiterator object"
	case *tuple:
		items, kind = v.items, "reversed object"
	case markup:
		items, kind = r.collect(v), "reversed object"
		for i, c := range items {
			items[i] = sameKind(v, c.(string))
		}
	case *rangeValue, string, multiline:
		items, kind = r.collect(v), "range_iterator object"
	case *dict, *dictView:
		items, kind = r.collect(v), "dict_reversekeyiterator object"
	default:
		r.failf("'%s' object is not reversible", typeName(v))
	}
	i := len(items)
	return func() (any, bool) {
		if i == 0 {
			return nil, false
		}
		i--
		return items[i], true
	}, kind
}

func filterReverse(r *run, a []any) any {
	if s, ok := text(a[0]); ok {
		r.alloc(len(s))
		cs := []rune(s)
		slices.Reverse(cs)
		return sameKind(a[0], string(cs))
	}
	switch a[0].(type) {
	case *generator, *loopContext:
		items := r.collect(a[0])
		slices.Reverse(items)
		return &list{items: items}
	}
	next, kind := r.reversed(a[0])
	return &generator{kind: kind, next: next}
}

func filterJoin(r *run, a []any) any {
	sep := ""
	if a[1] != missing {
		sep = r.str(a[1])
	}
	get := r.pathGetter(given(a[2]), nil, nil)
	var b strings.Builder
	next := r.mustIterate(a[0])
	for i := 0; ; i++ {
		v, ok := next()
		if !ok {
			return b.String()
		}
		r.step()
		if i > 0 {
			b.WriteString(sep)
		}
		s := r.str(get(v))
		r.alloc(len(s) + len(sep))
		b.WriteString(s)
	}
}

func filterBatch(r *run, a []any) any {
	value, fill := a[0], given(a[2])
	size := r.smallInt(a[1], -1)
	return lazy("do_batch", func() iterator {
		next := r.mustIterate(value)
		var held any = missing
		return func() (any, bool) {
			var row []any
			if held != missing {
				row = append(row, held)
				held = missing
			}
			for {
				v, ok := next()
				if !ok {
					break
				}
				r.allocItems(1)
				if len(row) == size {
					held = v
					return &list{items: row}, true
				}
				row = append(row, v)
			}
			if len(row) == 0 {
				return nil, false
			}
			if fill != nil && len(row) < size {
				r.allocItems(size - len(row))
				for len(row) < size {
					row = append(row, fill)
				}
			}
			return &list{items: row}, true
		}
	})
}

func filterSlice(r *run, a []any) any {
	value, fill := a[0], given(a[2])
	n := r.smallInt(a[1], -1<<31)
	return lazy("sync_do_slice", func() iterator {
		items := r.collect(value)
		if n == 0 {
			r.failf("integer division or modulo by zero")
		}
		i, start := 0, 0
		return func() (any, bool) {
			if i >= n {
				return nil, false
			}
			r.step()
			end := start + len(items)/n
			short := i >= len(items)%n
			if !short {
				end++
			}
			r.allocItems(end - start + 1)
			row := slices.Clone(items[start:end])
			if short && fill != nil {
				row = append(row, fill)
			}
			i, start = i+1, end
			return &list{items: row}, true
		}
	})
}

func filterUnique(r *run, a []any) any {
	value := a[0]
	get := r.pathGetter(given(a[2]), r.caseless(a[1]), nil)
	return lazy("sync_do_unique", func() iterator {
		seen := map[any]bool{}
		next := r.mustIterate(value)
		return func() (any, bool) {
			for {
				v, ok := next()
				if !ok {
					return nil, false
				}
				r.allocItems(1)
				if key := r.hashKey(get(v)); !seen[key] {
					seen[key] = true
					return v, true
				}
			}
		}
	})
}

func filterSum(r *run, a []any) any {
	total := any(int64(0))
	if a[2] != missing {
		total = a[2]
	}
	if _, ok := text(total); ok {
		r.failf("sum() can't sum strings [use ''.join(seq) instead]")
	}
	get := r.pathGetter(given(a[1]), nil, nil)
	next := r.mustIterate(a[0])
	for {
		v, ok := next()
		if !ok {
			return total
		}
		r.step()
		total = r.binary(opAdd, total, get(v))
	}
}

func extreme(r *run, a []any, op compareOp) any {
	next := r.mustIterate(a[0])
	best, ok := next()
	if !ok {
		return &undefined{hint: "No aggregated item, sequence was empty."}
	}
	get := r.pathGetter(given(a[2]), r.caseless(a[1]), nil)
	bestKey := get(best)
	for {
		v, ok := next()
		if !ok {
			return best
		}
		r.step()
		if key := get(v); r.ordered(op, key, bestKey, 0) {
			best, bestKey = v, key
		}
	}
}

// attributes returns the key function of sort: a list, one item for each of
// the paths separated by commas.
func (r *run) attributes(paths any, post func(any) any) func(any) any {
	split := []any{paths}
	if s, ok := text(paths); ok {
		split = nil
		for _, p := range strings.Split(s, ",") {
			split = append(split, p)
		}
	}
	gets := make([]func(any) any, len(split))
	for i, p := range split {
		gets[i] = r.pathGetter(p, post, nil)
	}
	if len(gets) == 1 {
		return gets[0]
	}
	return func(v any) any {
		r.allocItems(len(gets))
		key := &list{items: make([]any, len(gets))}
		for i, get := range gets {
			key.items[i] = get(v)
		}
		return key
	}
}

func filterSort(r *run, a []any) any {
	items := r.collect(a[0])
	get := r.attributes(given(a[3]), r.caseless(a[2]))
	var out *list
	r.sortBy(len(items), r.optBool(a[1], false), func(i int) any { return &list{items: []any{get(items[i])}} },
		func(order []int) { out = &list{items: reorder(items, order)} })
	return out
}

func filterDictsort(r *run, a []any) any {
	by, _ := text(a[2])
	if a[2] == missing {
		by = "key"
	}
	if by != "key" && by != "value" {
		r.failf(`You can only sort by either "key" or "value"`)
	}
	r.refuse(a[0])
	d, ok := a[0].(*dict)
	if !ok {
		r.failf("'%s' object has no attribute 'items'", typeName(a[0]))
	}
	post := r.caseless(a[1])
	items := r.collect(&dictView{d, "items"})
	var out *list
	r.sortBy(len(items), r.optBool(a[3], false), func(i int) any {
		pair := items[i].(*tuple).items
		v := pair[0]
		if by == "value" {
			v = pair[1]
		}
		if post != nil {
			v = post(v)
		}
		return v
	}, func(order []int) { out = &list{items: reorder(items, order)} })
	return out
}

func filterGroupby(r *run, a []any) any {
	def := given(a[2])
	post := r.caseless(a[3])
	get := r.pathGetter(a[1], post, def)
	items := r.collect(a[0])
	keys := make([]any, len(items))
	for i, v := range items {
		keys[i] = get(v)
	}
	out := &list{}
	r.sortBy(len(items), false, func(i int) any { return keys[i] }, func(order []int) {
		var group *list
		var key any
		for _, i := range order {
			r.allocItems(2)
			if group == nil || !r.equal(key, keys[i]) {
				group = &list{}
				key = keys[i]
				out.items = append(out.items, &tuple{items: []any{key, group}, names: []string{"grouper", "list"}})
			}
			group.items = append(group.items, items[i])
		}
	})
	if post != nil {
		original := r.pathGetter(a[1], nil, def)
		for _, g := range out.items {
			t := g.(*tuple)
			t.items[0] = original(t.items[1].(*list).items[0])
		}
	}
	return out
}

// each is a lazy filter over the items of value; an empty value gives nothing.
func (r *run) each(name string, value any, prepare func() func(any) (any, bool)) any {
	return lazy(name, func() iterator {
		if !r.truth(value) {
			return sliceIterator(nil)
		}
		f := prepare()
		next := r.mustIterate(value)
		return func() (any, bool) {
			for {
				v, ok := next()
				if !ok {
					return nil, false
				}
				r.step()
				if v, ok = f(v); ok {
					return v, true
				}
			}
		}
	})
}

func filterMap(r *run, args []any, kw []kwarg) any {
	if len(args) == 0 {
		r.failf("map requires a value")
	}
	value, rest := args[0], slices.Clone(args[1:])
	kw = slices.Clone(kw)
	return r.each("sync_do_map", value, func() func(any) (any, bool) {
		if i := slices.IndexFunc(kw, func(k kwarg) bool { return k.name == "attribute" }); len(rest) == 0 && i >= 0 {
			var def any
			for _, k := range kw {
				switch k.name {
				case "attribute":
				case "default":
					def = k.value
				default:
					r.failf("Unexpected keyword argument '%s'", k.name)
				}
			}
			get := r.pathGetter(kw[i].value, nil, def)
			return func(v any) (any, bool) { return get(v), true }
		}
		if len(rest) == 0 {
			r.failf("map requires a filter argument")
		}
		call := r.lookup(r.library.filters, "filter", rest, kw)
		return func(v any) (any, bool) { return call(v), true }
	})
}

// lookup returns the filter or test named by rest[0], with the other arguments
// bound behind its value.
func (r *run) lookup(table map[string]*builtin, what string, rest []any, kw []kwarg) func(any) any {
	name, _ := text(rest[0])
	fn := table[name]
	if fn == nil {
		r.refuse(rest[0])
		r.failf("No %s named %s.", what, r.repr(rest[0]))
	}
	args := append([]any{nil}, rest[1:]...)
	return func(v any) any {
		args[0] = v
		return fn.call(r, slices.Clone(args), kw)
	}
}

// pick is select and reject, on the items or on an attribute of each.
func pick(r *run, name string, args []any, kw []kwarg, keep, byAttribute bool) any {
	if len(args) == 0 {
		r.failf("%s requires a value", name)
	}
	value, rest := args[0], slices.Clone(args[1:])
	kw = slices.Clone(kw)
	return r.each("select_or_reject", value, func() func(any) (any, bool) {
		get := func(v any) any { return v }
		if byAttribute {
			if len(rest) == 0 {
				r.failf("Missing parameter for attribute name")
			}
			get = r.pathGetter(rest[0], nil, nil)
			rest = rest[1:]
		}
		test := func(v any) any { return v }
		if len(rest) > 0 {
			test = r.lookup(r.library.tests, "test", rest, kw)
		}
		return func(v any) (any, bool) { return v, r.truth(test(get(v))) == keep }
	})
}
