package jinja

import "math/big"

// tests are Jinja's, by name. Each takes the value first and returns a bool.
var tests = mergeTables(
	compares(opEq, "eq", "==", "equalto"),
	compares(opNe, "ne", "!="),
	compares(opLt, "lt", "<", "lessthan"),
	compares(opLe, "le", "<="),
	compares(opGt, "gt", ">", "greaterthan"),
	compares(opGe, "ge", ">="),
	table(
		is("defined", func(_ *run, v any) bool { return !isUndefined(v) }),
		is("undefined", func(_ *run, v any) bool { return isUndefined(v) }),
		is("none", func(_ *run, v any) bool { return v == nil }),
		is("boolean", func(_ *run, v any) bool { return isBool(v) }),
		is("true", func(_ *run, v any) bool { return v == true }),
		is("false", func(_ *run, v any) bool { return v == false }),
		is("integer", func(_ *run, v any) bool { return isInt(v) }),
		is("float", func(_ *run, v any) bool { return isFloat(v) }),
		is("number", func(_ *run, v any) bool { return isInt(v) || isFloat(v) || isBool(v) }),
		is("string", func(_ *run, v any) bool { return isText(v) }),
		is("mapping", func(_ *run, v any) bool { _, ok := v.(*dict); return ok }),
		is("sequence", isSequence),
		is("iterable", func(r *run, v any) bool { _, ok := r.iterate(v); return ok }),
		is("callable", func(_ *run, v any) bool { _, ok := v.(callable); return ok || isUndefined(v) }),
		is("escaped", func(_ *run, v any) bool { _, ok := v.(markup); return ok }),
		is("lower", func(r *run, v any) bool { return stringMethods["islower"].call(r, []any{r.str(v)}, nil) == true }),
		is("upper", func(r *run, v any) bool { return stringMethods["isupper"].call(r, []any{r.str(v)}, nil) == true }),
		is("odd", func(r *run, v any) bool { return r.equal(r.binary(opMod, v, int64(2)), int64(1)) }),
		is("even", func(r *run, v any) bool { return r.equal(r.binary(opMod, v, int64(2)), int64(0)) }),
		is("filter", func(r *run, v any) bool { return knows(r, r.library.filters, v) }),
		is("test", func(r *run, v any) bool { return knows(r, r.library.tests, v) }),
		define("divisibleby", "value num", func(r *run, a []any) any {
			return r.equal(r.binary(opMod, a[0], a[1]), int64(0))
		}),
		define("in", "value seq", func(r *run, a []any) any { return r.contains(a[1], a[0]) }),
		define("sameas", "value other", func(r *run, a []any) any { return identical(a[0], a[1]) }),
	),
)

func is(name string, f func(r *run, v any) bool) *builtin {
	return define(name, "value", func(r *run, a []any) any { return f(r, a[0]) })
}

func compares(op compareOp, names ...string) map[string]*builtin {
	t := map[string]*builtin{}
	for _, name := range names {
		t[name] = define(name, "a b /", func(r *run, a []any) any { return r.compare(op, a[0], a[1]) })
	}
	return t
}

func isUndefined(v any) bool { _, ok := v.(*undefined); return ok }

func isBool(v any) bool { _, ok := v.(bool); return ok }

func isFloat(v any) bool { _, ok := v.(float64); return ok }

func isText(v any) bool { _, ok := text(v); return ok }

func isInt(v any) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

// isSequence is what has a length and can be indexed.
func isSequence(_ *run, v any) bool {
	switch v := v.(type) {
	case *list, *tuple, *dict, *rangeValue, string, markup, multiline:
		return true
	case *undefined:
		return v.lenient
	}
	return false
}

// identical is Python's "is": the same object, or equal values of the kinds of
// which Python keeps one object.
func identical(a, b any) bool {
	if x, ok := a.(*big.Int); ok {
		y, ok := b.(*big.Int)
		return ok && x.Cmp(y) == 0
	}
	return a == b
}

func knows(r *run, names map[string]*builtin, v any) bool {
	s, ok := text(v)
	if !ok {
		r.hashKey(v)
	}
	return ok && names[s] != nil
}
