package jinja

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
)

// dictMethods are those of Python's dict.
var dictMethods = table(
	define("keys", "self /", func(r *run, a []any) any { return &dictView{a[0].(*dict), "keys"} }),
	define("values", "self /", func(r *run, a []any) any { return &dictView{a[0].(*dict), "values"} }),
	define("items", "self /", func(r *run, a []any) any { return &dictView{a[0].(*dict), "items"} }),
	define("get", "self key default? /", func(r *run, a []any) any {
		if v, ok := a[0].(*dict).get(r, a[1]); ok {
			return v
		}
		return given(a[2])
	}),
	define("copy", "self /", func(r *run, a []any) any { return a[0].(*dict).clone(r) }),
	define("clear", "self /", func(r *run, a []any) any {
		d := a[0].(*dict)
		d.src, d.entries, d.index = nil, nil, nil
		return nil
	}),
	define("pop", "self key default? /", func(r *run, a []any) any {
		if v, ok := a[0].(*dict).delete(r, a[1]); ok {
			return v
		}
		if a[2] == missing {
			r.failf("KeyError: %s", r.repr(a[1]))
		}
		return a[2]
	}),
	define("popitem", "self /", func(r *run, a []any) any {
		d := a[0].(*dict)
		all := d.all(r)
		if len(all) == 0 {
			r.failf("popitem(): dictionary is empty")
		}
		e := all[len(all)-1]
		d.delete(r, e.key)
		return &tuple{items: []any{e.key, e.value}}
	}),
	define("setdefault", "self key default? /", func(r *run, a []any) any {
		d := a[0].(*dict)
		if v, ok := d.get(r, a[1]); ok {
			return v
		}
		d.set(r, a[1], given(a[2]))
		return given(a[2])
	}),
	defineRaw("update", func(r *run, args []any, kw []kwarg) any {
		r.fillDict(args[0].(*dict), "update", args[1:], kw)
		return nil
	}),
)

// fillDict sets what dict(...) and update(...) are given.
func (r *run) fillDict(d *dict, name string, args []any, kw []kwarg) {
	if len(args) > 1 {
		r.failf("%s expected at most 1 argument, got %d", name, len(args))
	}
	if len(args) == 1 {
		r.refuse(args[0])
		if src, ok := args[0].(*dict); ok {
			for _, e := range slices.Clone(src.all(r)) {
				d.set(r, e.key, e.value)
			}
		} else {
			r.fillPairs(d, args[0])
		}
	}
	for _, k := range kw {
		d.set(r, k.name, k.value)
	}
}

func (r *run) fillPairs(d *dict, pairs any) {
	next := r.mustIterate(pairs)
	for i := 0; ; i++ {
		v, ok := next()
		if !ok {
			return
		}
		if _, ok := r.iterate(v); !ok {
			r.failf("cannot convert dictionary update sequence element #%d to a sequence", i)
		}
		pair := r.collect(v)
		if len(pair) != 2 {
			r.failf("dictionary update sequence element #%d has length %d; 2 is required", i, len(pair))
		}
		d.set(r, pair[0], pair[1])
	}
}

// listMethods are those of Python's list.
var listMethods = table(
	define("append", "self item /", func(r *run, a []any) any {
		l := a[0].(*list)
		r.allocItems(1)
		l.items = append(l.items, a[1])
		return nil
	}),
	define("extend", "self items /", func(r *run, a []any) any {
		l := a[0].(*list)
		l.items = append(l.items, r.collect(a[1])...)
		return nil
	}),
	define("insert", "self index item /", func(r *run, a []any) any {
		l := a[0].(*list)
		i := r.smallInt(a[1], math.MinInt32)
		if i < 0 {
			i = max(0, i+len(l.items))
		}
		r.allocItems(1)
		r.work(len(l.items) / 64)
		l.items = slices.Insert(l.items, min(i, len(l.items)), a[2])
		return nil
	}),
	define("pop", "self index? /", func(r *run, a []any) any {
		l := a[0].(*list)
		if len(l.items) == 0 {
			r.failf("pop from empty list")
		}
		i := r.optInt(a[1], -1)
		if i < 0 {
			i += len(l.items)
		}
		if i < 0 || i >= len(l.items) {
			r.failf("pop index out of range")
		}
		v := l.items[i]
		r.work(len(l.items) / 64)
		l.items = slices.Delete(l.items, i, i+1)
		return v
	}),
	define("remove", "self item /", func(r *run, a []any) any {
		l := a[0].(*list)
		i := r.indexOf(l.items, a[1])
		if i < 0 {
			r.failf("list.remove(x): x not in list")
		}
		l.items = slices.Delete(l.items, i, i+1)
		return nil
	}),
	define("clear", "self /", func(r *run, a []any) any {
		a[0].(*list).items = nil
		return nil
	}),
	define("copy", "self /", func(r *run, a []any) any { return &list{items: r.collect(a[0])} }),
	define("reverse", "self /", func(r *run, a []any) any {
		l := a[0].(*list)
		r.work(len(l.items))
		slices.Reverse(l.items)
		return nil
	}),
	defineRaw("sort", func(r *run, args []any, kw []kwarg) any {
		if len(args) > 1 {
			r.failf("sort() takes no positional arguments")
		}
		a := r.bind(sortKeywords, nil, kw)
		key, reverse := given(a[0]), r.optBool(a[1], false)
		r.release(a)
		l := args[0].(*list)
		items := r.collect(l)
		r.sortBy(len(items), reverse, func(i int) any {
			if key == nil {
				return items[i]
			}
			c, ok := key.(callable)
			if !ok {
				r.failf("'%s' object is not callable", typeName(key))
			}
			return c.call(r, items[i:i+1:i+1], nil)
		}, func(order []int) { l.items = reorder(items, order) })
		return nil
	}),
	define("index", "self item start? end? /", sequenceIndex),
	define("count", "self item /", sequenceCount),
)

var sortKeywords = define("sort", "key? reverse?", nil)

func reorder(items []any, order []int) []any {
	out := make([]any, len(items))
	for to, from := range order {
		out[to] = items[from]
	}
	return out
}

var tupleMethods = table(
	define("index", "self item start? end? /", sequenceIndex),
	define("count", "self item /", sequenceCount),
)

func (r *run) indexOf(items []any, v any) int {
	return slices.IndexFunc(items, func(item any) bool {
		r.work(1)
		return r.same(item, v, 0)
	})
}

func sequenceIndex(r *run, a []any) any {
	items := r.items(a[0])
	clip := func(v any, def int) int {
		i := r.optInt(v, def)
		if i < 0 {
			i = max(0, i+len(items))
		}
		return min(i, len(items))
	}
	from, to := clip(a[2], 0), clip(a[3], len(items))
	i := -1
	if from < to {
		i = r.indexOf(items[from:to], a[1])
	}
	if i < 0 {
		r.failf("%s is not in %s", r.repr(a[1]), typeName(a[0]))
	}
	return int64(from + i)
}

func sequenceCount(r *run, a []any) any {
	n := int64(0)
	for _, item := range r.items(a[0]) {
		r.work(1)
		if r.same(item, a[1], 0) {
			n++
		}
	}
	return n
}

// numberMethods are the few of Python's int and float that make sense here.
var numberMethods = table(
	define("is_integer", "self /", func(r *run, a []any) any {
		f, ok := a[0].(float64)
		return !ok || f == math.Trunc(f) && !math.IsInf(f, 0)
	}),
	define("bit_length", "self /", func(r *run, a []any) any {
		n, _ := number(a[0])
		switch n := n.(type) {
		case int64:
			return int64(bits.Len64(uint64(max(n, -n))))
		case *big.Int:
			return int64(n.BitLen())
		}
		r.failf("'float' object has no attribute 'bit_length'")
		return nil
	}),
)
