package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

func (x *constExpr) eval(*run) any { return x.value }

func (x *nameExpr) eval(r *run) any {
	f := r.frame
	for range x.hops {
		f = f.parent
	}
	if v := f.slots[x.slot]; v != missing {
		return v
	}
	return &undefined{node: x}
}

func (x *nsExpr) eval(r *run) any { return r.attr(x.ns.eval(r), x.attr, x) }

func (x *tupleExpr) eval(r *run) any { return &tuple{items: r.evalAll(x.items)} }

func (x *listExpr) eval(r *run) any { return &list{items: r.evalAll(x.items)} }

func (r *run) evalAll(xs []expr) []any {
	r.allocItems(len(xs))
	items := make([]any, len(xs))
	for i, x := range xs {
		items[i] = x.eval(r)
	}
	return items
}

func (x *dictExpr) eval(r *run) any {
	d := newDict(len(x.keys))
	for i := range x.keys {
		k := x.keys[i].eval(r)
		v := x.values[i].eval(r)
		r.pos = x.keys[i].position()
		d.set(r, k, v)
	}
	return d
}

func (x *attrExpr) eval(r *run) any {
	v := x.base.eval(r)
	r.pos = int(x.at)
	return r.attr(v, x.name, x)
}

func (x *itemExpr) eval(r *run) any {
	v := x.base.eval(r)
	if s, ok := x.key.(*sliceExpr); ok {
		return r.slice(v, s, x)
	}
	k := x.key.eval(r)
	r.pos = int(x.at)
	return r.item(v, k, x)
}

// attr is v.name: an attribute first, then an item.
func (r *run) attr(v any, name string, x expr) any {
	switch v := v.(type) {
	case *dict:
		if m := dictMethods[name]; m != nil {
			return &boundMethod{v, m}
		}
		if found, ok := v.lookup(r, name); ok {
			return found
		}
	case *undefined:
		return r.attrOfUndefined(v)
	default:
		if found, ok := r.attribute(v, name, x); ok {
			return found
		}
	}
	return r.noAttr(v, name, x)
}

func (r *run) attrOfUndefined(u *undefined) any {
	if u.lenient {
		r.use(u)
	}
	return u
}

func (r *run) noAttr(v any, name string, x expr) any {
	if strings.HasPrefix(name, "__") {
		return &undefined{node: x, unsafe: true, hint: "access to attribute " + reprString(name) + " of '" + typeName(v) + "' object is unsafe."}
	}
	return &undefined{node: x}
}

// attribute is Python's getattr for what is not a dict.
func (r *run) attribute(v any, name string, x expr) (any, bool) {
	switch v := v.(type) {
	case string, multiline, markup:
		if m := stringMethods[name]; m != nil {
			return &boundMethod{v, m}, true
		}
	case *list:
		if m := listMethods[name]; m != nil {
			return &boundMethod{v, m}, true
		}
	case *tuple:
		if i := slices.Index(v.names, name); i >= 0 {
			return v.items[i], true
		}
		if m := tupleMethods[name]; m != nil {
			return &boundMethod{v, m}, true
		}
	case *loopContext:
		return v.attr(r, x, name)
	case *namespace:
		return v.attrs.getString(r, name)
	case *cycler:
		return v.attr(name)
	case *macro:
		return v.attr(name)
	case *rangeValue:
		switch name {
		case "start":
			return v.start, true
		case "stop":
			return v.stop, true
		case "step":
			return v.step, true
		}
		if m := tupleMethods[name]; m != nil {
			return &boundMethod{v, m}, true
		}
	case bool, int64, float64, *big.Int:
		if m := numberMethods[name]; m != nil {
			return &boundMethod{v, m}, true
		}
	}
	return nil, false
}

// item is v[key]: an item first, then an attribute.
func (r *run) item(v, key any, x expr) any {
	switch v := v.(type) {
	case *dict:
		if s, ok := key.(string); ok {
			if found, ok := v.lookup(r, s); ok {
				return found
			}
			if m := dictMethods[s]; m != nil {
				return &boundMethod{v, m}
			}
			return r.noAttr(v, s, x)
		}
		if r.hashable(key) {
			if found, ok := v.get(r, key); ok {
				return found
			}
		}
		return &undefined{node: x}
	case *undefined:
		return r.attrOfUndefined(v)
	}
	if i, ok := index(key); ok {
		if found, ok := r.at(v, i); ok {
			return found
		}
		return &undefined{node: x}
	}
	if s, ok := text(key); ok {
		if found, ok := r.attribute(v, s, x); ok {
			return found
		}
		return r.noAttr(v, s, x)
	}
	return &undefined{node: x}
}

// hashable reports whether key can be one of a dict.
func (r *run) hashable(key any) bool {
	r.step()
	switch k := key.(type) {
	case *list, *dict:
		return false
	case *dictView:
		return k.kind == "values"
	case *tuple:
		return !slices.ContainsFunc(k.items, func(v any) bool { return !r.hashable(v) })
	}
	return true
}

// index reads an integer that may index a sequence.
func index(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		return int(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// at is the i-th item of a sequence, counted from the end if negative.
func (r *run) at(v any, i int) (any, bool) {
	if s, ok := text(v); ok {
		r.scan(len(s))
		n := runeLen(s)
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			return nil, false
		}
		if n == len(s) {
			s = s[i : i+1]
		} else {
			for range i {
				_, size := utf8.DecodeRuneInString(s)
				s = s[size:]
			}
			_, size := utf8.DecodeRuneInString(s)
			s = s[:size]
		}
		return sameKind(v, s), true
	}
	var items []any
	switch v := v.(type) {
	case *list:
		items = v.items
	case *tuple:
		items = v.items
	case *rangeValue:
		if i < 0 {
			i += int(v.length)
		}
		if i < 0 || int64(i) >= v.length {
			return nil, false
		}
		return v.at(int64(i)), true
	default:
		return nil, false
	}
	if i < 0 {
		i += len(items)
	}
	if i < 0 || i >= len(items) {
		return nil, false
	}
	return items[i], true
}

// sameKind makes s markup if v is.
func sameKind(v any, s string) any {
	if _, ok := v.(markup); ok {
		return markup(s)
	}
	return s
}

func (x *sliceExpr) eval(r *run) any {
	r.pos = int(x.at)
	r.failf("a slice can only stand alone between [ and ]")
	return nil
}

// slice is v[start:stop:step].
func (r *run) slice(v any, s *sliceExpr, x expr) any {
	var parts [3]any
	for i, p := range s.parts {
		if p != nil {
			parts[i] = p.eval(r)
		}
	}
	r.pos = x.position()
	if u, ok := v.(*undefined); ok {
		return r.attrOfUndefined(u)
	}
	switch v.(type) {
	case *list, *tuple, *rangeValue, string, markup, multiline:
	default:
		r.failf("'%s' object cannot be sliced", typeName(v))
	}
	for _, p := range parts {
		if _, ok := bound(p, 0); !ok {
			r.refuse(p)
			r.failf("slice indices must be integers or None")
		}
	}
	step, _ := bound(parts[2], 1)
	if step == 0 {
		r.failf("slice step cannot be zero")
	}
	n := r.mustLength(v)
	start, stop, count := sliceBounds(parts, step, n)
	return r.cut(v, start, stop, step, count)
}

// bound reads one end of a slice, which may be left out.
func bound(v any, missingIs int) (int, bool) {
	if v == nil {
		return missingIs, true
	}
	if b, ok := v.(*big.Int); ok {
		return b.Sign() * math.MaxInt32, true
	}
	i, ok := index(v)
	return max(-math.MaxInt32, min(i, math.MaxInt32)), ok
}

func sliceBounds(parts [3]any, step, n int) (start, stop, count int) {
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	clip := func(v any, missingIs int) int {
		i, _ := bound(v, missingIs)
		if v == nil {
			return i
		}
		if i < 0 {
			i += n
		}
		return max(low, min(i, high))
	}
	if step > 0 {
		start, stop = clip(parts[0], low), clip(parts[1], high)
		if stop > start {
			count = (stop - start + step - 1) / step
		}
	} else {
		start, stop = clip(parts[0], high), clip(parts[1], low)
		if stop < start {
			count = (start - stop - step - 1) / -step
		}
	}
	return start, stop, count
}

func (r *run) cut(v any, start, stop, step, count int) any {
	if s, ok := text(v); ok {
		r.alloc(len(s))
		r.scan(len(s))
		if isASCII(s) {
			if step == 1 {
				return sameKind(v, s[start:max(start, stop)])
			}
			b := make([]byte, 0, count)
			for i := range count {
				b = append(b, s[start+i*step])
			}
			return sameKind(v, string(b))
		}
		all := []rune(s)
		out := make([]rune, 0, count)
		for i := range count {
			out = append(out, all[start+i*step])
		}
		return sameKind(v, string(out))
	}
	if rng, ok := v.(*rangeValue); ok {
		return rng.cut(start, stop, step)
	}
	items := r.items(v)
	r.allocItems(count)
	out := make([]any, count)
	for i := range out {
		out[i] = items[start+i*step]
	}
	if _, ok := v.(*tuple); ok {
		return &tuple{items: out}
	}
	return &list{items: out}
}

func (x *notExpr) eval(r *run) any {
	v := x.operand.eval(r)
	r.pos = int(x.at)
	return !r.truth(v)
}

func (x *logicExpr) eval(r *run) any {
	left := x.left.eval(r)
	r.pos = int(x.at)
	if r.truth(left) == x.or {
		return left
	}
	return x.right.eval(r)
}

func (x *condExpr) eval(r *run) any {
	test := x.test.eval(r)
	r.pos = x.test.position()
	if r.truth(test) {
		return x.then.eval(r)
	}
	if x.otherwise == nil {
		return &undefined{node: x, lenient: true, hint: "the inline if-expression evaluated to false and no else section was defined."}
	}
	return x.otherwise.eval(r)
}

func (x *concatExpr) eval(r *run) any {
	var b strings.Builder
	for _, p := range x.parts {
		v := p.eval(r)
		r.pos = int(x.at)
		s := r.str(v)
		r.alloc(len(s))
		b.WriteString(s)
	}
	return b.String()
}

func (x *filterExpr) eval(r *run) any {
	v := x.value.eval(r)
	if x.fn == nil {
		r.pos = int(x.at)
		r.failf("No filter named '%s' found.", x.name)
	}
	return r.apply(x.fn, v, &x.args, int(x.at))
}

func (x *testExpr) eval(r *run) any {
	v := x.value.eval(r)
	if x.fn == nil {
		r.pos = int(x.at)
		r.failf("No test named '%s' found.", x.name)
	}
	result := r.apply(x.fn, v, &x.args, int(x.at))
	if x.negated {
		return !r.truth(result)
	}
	return result
}
