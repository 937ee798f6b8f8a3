package jinja

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generate makes random templates and variables. It leans to what means
// something, so that most templates render.
type generate struct {
	rnd   *rand.Rand
	depth int
	names []string // variables in scope
}

func (g *generate) n(n int) int { return g.rnd.IntN(n) }

func pickOf[T any](g *generate, of ...T) T { return of[g.n(len(of))] }

func (g *generate) vars() *Map {
	m := NewMap()
	m.Set("s", pickOf(g, "abc", "Hello World", "", "a-b_c d", "it's", `q"x"'`, "línea\n2", "<b>&x</b>", "  pad ", "a,b,,c", "12", "-3.7", "ÀÉß", "tab\tx", "one two  three", "x=1", "ﬁx ŉa-ß", "ΑΣ ΟΔΟΣ'Σ", "ǆx İı", "①²一½٣", "ǰ\u00a0ᾳ"))
	m.Set("t", pickOf(g, "xyz", "World", "a", ",", " ", "%s and %s", "{} {}", "ABC", "0x1F", "1e3"))
	m.Set("i", pickOf[any](g, int64(0), int64(1), int64(-7), int64(42), int64(1<<40)))
	m.Set("j", pickOf[any](g, int64(2), int64(-3), int64(10), true))
	m.Set("f", pickOf(g, 0.5, -2.25, 1e16, 1.0, 100.0, 3.14159, 2.675, 1e-7, -0.0))
	m.Set("big", plainBig("123456789012345678901234567890"))
	m.Set("b", g.n(2) == 0)
	m.Set("none", nil)
	l := []any{}
	for range g.n(5) {
		l = append(l, int64(g.n(12)-3))
	}
	m.Set("l", l)
	m.Set("ls", pickOf(g, []any{"b", "A", "c"}, []any{}, []any{"x"}, []any{"aa", "b", "a", "B"}))
	m.Set("mix", []any{int64(1), "a", nil, 2.5, true, []any{int64(1)}})
	d := NewMap()
	d.Set("b", int64(g.n(5)))
	d.Set("a", "v")
	d.Set("C", 1.5)
	d.Set("items", "shadow")
	m.Set("d", d)
	people := []any{}
	for i := range g.n(5) {
		p := NewMap()
		p.Set("name", pickOf(g, "ann", "Bob", "cy", "Ann"))
		p.Set("age", int64(20+g.n(4)))
		if i%2 == 0 {
			in := NewMap()
			in.Set("x", int64(g.n(3)))
			p.Set("in", in)
		}
		people = append(people, p)
	}
	m.Set("p", people)
	return m
}

func plainBig(text string) *big.Int {
	b, _ := new(big.Int).SetString(text, 10)
	return b
}

func (g *generate) template() string {
	g.names = []string{"s", "t", "i", "j", "f", "big", "b", "none", "l", "ls", "mix", "d", "p"}
	g.depth = 0
	var b strings.Builder
	if g.n(3) == 0 {
		return g.text() + g.print()
	}
	for range 1 + g.n(4) {
		b.WriteString(g.part())
	}
	return b.String()
}

func (g *generate) text() string {
	return pickOf(g, "", " ", "x", "\n", " y \n", "- a: ", "  \n\n", "{", "}", "\r\n")
}

func (g *generate) open(s string) string { return pickOf(g, "{%", "{%", "{%", "{%-", "{%+") + " " + s }
func (g *generate) shut() string         { return " " + pickOf(g, "%}", "%}", "%}", "-%}", "+%}") }

func (g *generate) tag(s string) string { return g.open(s) + g.shut() }

// part is some text and one tag.
func (g *generate) part() string {
	g.depth++
	defer func() { g.depth-- }()
	if g.depth > 3 {
		return g.text() + g.print()
	}
	switch g.n(20) {
	case 0, 1:
		return g.text() + g.ifTag()
	case 2, 3, 4:
		return g.text() + g.forTag()
	case 5:
		return g.text() + g.setTag()
	case 6:
		return g.withTag()
	case 7:
		return g.macroTag()
	case 8:
		return g.tag("filter "+pickOf(g, "upper", "trim", "replace('a', 'b')", "indent(2)", "title|lower", "length")) + g.body() + g.tag("endfilter")
	case 9:
		return g.text() + pickOf(g, "{# c #}", "{#- c -#}", "{% raw %} {{ x }} {% endraw %}", "{%- raw -%} {% x {%- endraw -%}", "{# {{ #}")
	case 10:
		return g.nsTag()
	default:
		return g.text() + g.print()
	}
}

func (g *generate) body() string {
	keep := len(g.names)
	var b strings.Builder
	for range 1 + g.n(2) {
		b.WriteString(g.part())
	}
	g.names = g.names[:keep]
	return b.String() + g.text()
}

func (g *generate) print() string {
	return pickOf(g, "{{", "{{", "{{-") + " " + g.expr(3) + " " + pickOf(g, "}}", "}}", "-}}")
}

func (g *generate) ifTag() string {
	s := g.tag("if "+g.expr(2)) + g.body()
	if g.n(3) == 0 {
		s += g.tag("elif "+g.expr(2)) + g.body()
	}
	if g.n(2) == 0 {
		s += g.tag("else") + g.body()
	}
	return s + g.tag("endif")
}

func (g *generate) forTag() string {
	keep := len(g.names)
	iter := pickOf(g, "l", "ls", "p", "range(3)", "d", "s", "[1, 2, 3]", g.expr(2))
	target := pickOf(g, "x", "y", "i", "s")
	if g.n(4) == 0 {
		target, iter = "k, v", pickOf(g, "d.items()", "d|dictsort", "[(1, 2), (3, 4)]", "['ab', 'cd']", g.expr(1))
		g.names = append(g.names, "k", "v")
	} else {
		g.names = append(g.names, target)
	}
	cond := ""
	if g.n(4) == 0 {
		cond = " if " + g.expr(1)
	}
	if g.n(2) == 0 {
		g.names = append(g.names, "loop.index", "loop.first", "loop.last", "loop.length", "loop.revindex0", "loop.previtem", "loop.nextitem", "loop.cycle('o', 'e')", "loop.changed(x)", "loop.depth")
	}
	body := g.body()
	rec := ""
	if g.n(8) == 0 {
		rec, body = " recursive", body+"{% if loop.depth < 3 %}{{ loop([1, 2]) }}{% endif %}"
	}
	s := g.tag("for "+target+" in "+iter+cond+rec) + body
	g.names = g.names[:keep]
	if g.n(4) == 0 {
		s += g.tag("else") + g.body()
	}
	return s + g.tag("endfor")
}

func (g *generate) setTag() string {
	name := pickOf(g, "x", "y", "z", "s", "l")
	var s string
	switch g.n(5) {
	case 0:
		s = g.tag("set "+name) + g.body() + g.tag("endset")
	case 1:
		s = g.tag("set "+name+" | "+pickOf(g, "upper", "trim", "length", "replace('x', 'yy')")) + g.body() + g.tag("endset")
	case 2:
		s = g.tag("set x, y = " + g.expr(1) + ", " + g.expr(1))
	default:
		s = g.tag("set " + name + " = " + g.expr(3))
	}
	g.names = append(g.names, name)
	return s
}

func (g *generate) withTag() string {
	value := g.expr(2)
	g.names = append(g.names, "w")
	s := g.tag("with w = "+value+pickOf(g, "", ", i = "+g.expr(1))) + g.body() + g.tag("endwith")
	g.names = g.names[:len(g.names)-1]
	return s
}

func (g *generate) macroTag() string {
	keep := len(g.names)
	g.names = append(g.names, "q", "r", "varargs", "kwargs")
	params := pickOf(g, "q", "q, r=1", "q=s, r=2", "q, r=q", "")
	body := g.body()
	g.names = g.names[:keep]
	s := g.tag("macro m("+params+")") + body
	if g.n(3) == 0 {
		s += pickOf(g, "{{ caller() }}", "{{ caller(1) }}", "{% if caller %}{{ caller(q) }}{% endif %}")
	}
	s += g.tag("endmacro")
	call := "m(" + g.args(2) + ")"
	if g.n(3) == 0 {
		return s + g.tag("call"+pickOf(g, "", "(a)", "(a, b=2)")+" "+call) + g.body() + g.tag("endcall")
	}
	return s + "{{ " + call + " }}" + pickOf(g, "", "{{ m }}", "{{ m.name }}", "{{ m.arguments }}")
}

func (g *generate) nsTag() string {
	return "{% set ns = namespace(a=" + g.expr(1) + ") %}" +
		"{% for x in " + pickOf(g, "l", "ls", "range(2)") + " %}{% set ns.a = " + pickOf(g, "ns.a ~ x", "x", "[ns.a, x]", g.expr(2)) + " %}{% endfor %}{{ ns.a }}" +
		pickOf(g, "", "{{ ns }}", "{{ ns.b }}", "{{ ns['a'] }}")
}

func (g *generate) args(n int) string {
	var a []string
	for range g.n(n + 1) {
		a = append(a, g.expr(1))
	}
	switch g.n(8) {
	case 0:
		a = append(a, pickOf(g, "q=", "r=", "z=")+g.expr(1))
	case 1:
		a = append(a, "*"+pickOf(g, "l", "ls", "(1, 2)"))
	case 2:
		a = append(a, "**"+pickOf(g, "d", "{'r': 3}", "dict(q=1)"))
	}
	return strings.Join(a, ", ")
}

func (g *generate) literal() string {
	switch g.n(12) {
	case 0:
		return pickOf(g, "true", "false", "none", "True", "None")
	case 1, 2:
		return strconv.Itoa(g.n(20))
	case 3:
		return pickOf(g, "1.5", "0.1", "2.0", "1e3", "1e20", "1_000", "0x1f", "3.5e-5", "12345678901234567890")
	case 4:
		return pickOf(g, "[]", "{}", "()", "[1, 2]", "(1,)", "{'k': 1, 2: 'z'}", "[[1, 2], [3]]", "('a', 'b')")
	case 5:
		return pickOf(g, `"d'q"`, `'\n'`, `'\x41\u00e9\t'`, `'a' "b"`, `'é'`, `'\q'`, `'%d%%'`, `''`)
	default:
		return "'" + pickOf(g, "a", "b", "abc", "A b", "x y z", "1", " ", ",", "<i>", "a-b", "aXbX", "%s", "{}", "{0:>5}", "é") + "'"
	}
}

func (g *generate) name() string {
	if g.n(25) == 0 {
		return pickOf(g, "missing", "d.missing", "missing.a.b", "d['zz']", "l[99]")
	}
	return pickOf(g, g.names...)
}

func (g *generate) expr(depth int) string {
	if depth <= 0 {
		if g.n(2) == 0 {
			return g.literal()
		}
		return g.name()
	}
	e := func() string { return g.expr(depth - 1) }
	if g.n(10) < 7 {
		return pickOf(g, g.str, g.num, g.list, g.flag)(depth)
	}
	switch g.n(26) {
	case 0, 1:
		return e() + " " + pickOf(g, "+", "-", "*", "/", "//", "%", "~", "~", "+") + " " + e()
	case 2:
		return g.name() + " ** " + pickOf(g, "2", "0", "-1", "0.5", "3")
	case 3:
		return e() + " " + pickOf(g, "==", "!=", "<", "<=", ">", ">=", "in", "not in") + " " + e()
	case 4:
		return e() + " " + pickOf(g, "and", "or") + " " + e()
	case 5:
		return pickOf(g, "not ", "-", "+", "not ") + e()
	case 6:
		return "(" + e() + ")"
	case 7:
		return e() + " if " + e() + pickOf(g, "", " else "+e())
	case 8:
		return "[" + e() + ", " + e() + "]"
	case 9:
		return "{" + pickOf(g, "'a'", "1", e()) + ": " + e() + ", 'z': " + e() + "}"
	case 10:
		return pickOf(g, "l", "ls", "s", "mix", "p", "d", "(1, 2, 3)", "range(5)", e()) + "[" + g.subscript(depth) + "]"
	case 11:
		return pickOf(g, "d.a", "d.b", "d['C']", "p[0].name", "p[-1].in.x", "d.get('b')", "d.get('x', 3)", "d.keys()", "d.items()|list", "d.values()|list", "mix[5][0]", "l.0")
	case 12, 13:
		return g.method()
	case 14, 15, 16, 17, 18, 19, 20, 21:
		return pickOf(g, e(), g.name(), g.name()) + g.filter(depth)
	case 22:
		return e() + pickOf(g, " is ", " is not ") + g.test(depth)
	case 23:
		return pickOf(g, "range("+e()+")", "range(1, 9, 3)", "dict(a="+e()+")", "dict([('a', 1)])", "range(3)|list")
	case 24:
		return fmt.Sprintf("(%s, %s)", e(), e())
	default:
		return g.literal()
	}
}

// str is an expression that most likely is a string.
func (g *generate) str(depth int) string {
	if depth <= 0 {
		return pickOf(g, "s", "t", "s", "'a b-c'", "'Abc'", "'x,y'", "'%s'", "d.a", "'1.50'", "' é '", "'line\\nb'")
	}
	e := func() string { return g.str(depth - 1) }
	n := func() string { return pickOf(g, "0", "1", "2", "-1", "5", "10", "l|length") }
	switch g.n(14) {
	case 0:
		return e() + pickOf(g, " + ", " ~ ", " ~ ") + e()
	case 1:
		return e() + " ~ " + g.expr(depth-1)
	case 2:
		return "(" + e() + ")[" + pickOf(g, "0", "-1", "1:", ":-1", "::-1", "1:3", ":5:2", "-3:", "9:1:-2") + "]"
	case 3:
		return e() + " * 2"
	case 4:
		return g.list(depth-1) + "|join(" + e() + ")"
	case 5:
		return g.expr(depth-1) + pickOf(g, "|string", "|tojson", "|tojson(2)", "|urlencode", "|e", "|pprint")
	case 6, 7, 8:
		return "(" + e() + ")." + pickOf(g, "upper()", "lower()", "title()", "strip()", "replace("+e()+", "+e()+")", "center("+n()+")", "ljust("+n()+", '.')", "zfill("+n()+")", "capitalize()", "swapcase()", "expandtabs(3)", "rstrip("+e()+")", "removeprefix("+e()+")", "join(ls)", "casefold()")
	case 9:
		return g.method()
	default:
		return "((" + e() + ")|" + pickOf(g, "upper", "lower", "title", "capitalize", "trim", "trim("+e()+")", "replace("+e()+", "+e()+")", "truncate("+n()+", true)", "truncate(6, false, '..', 0)", "truncate(8)", "indent("+n()+", true)", "indent(2)", "wordwrap("+n()+")", "wordwrap(4, false)", "center("+n()+")", "e", "safe", "striptags", "urlencode", "reverse", "string", "default('x')", "first", "last", "forceescape") + ")"
	}
}

// num is an expression that most likely is a number.
func (g *generate) num(depth int) string {
	if depth <= 0 {
		return pickOf(g, "i", "j", "f", "big", "0", "1", "2", "7", "-3", "2.5", "0.1", "1e16", "100", "l|length", "b", "1e-5", "12345678901")
	}
	e := func() string { return g.num(depth - 1) }
	switch g.n(12) {
	case 0, 1, 2, 3:
		return "(" + e() + pickOf(g, " + ", " - ", " * ", " / ", " // ", " % ") + e() + pickOf(g, "", "", " ** 2", " ** -1", " ** 3", " ** 0.5") + ")"
	case 4:
		return pickOf(g, "-", "+") + e()
	case 5:
		// In parentheses, because a filter's name may have dots: x|list.index is a filter.
		return "(" + g.list(depth-1) + ")" + pickOf(g, "|length", "|sum", "|min", "|max", "|first", "|last", "|count", ".count(1)", ".index(1)")
	case 6:
		return g.str(depth-1) + pickOf(g, "|length", "|int", "|float", "|wordcount", ".count('a')", ".find('b')", "|int(9)", "|int(base=16)", ".rfind('a', 1)", "|int(default=none, base=8)")
	default:
		return "(" + e() + ")|" + pickOf(g, "abs", "int", "float", "round", "round(1)", "round(2)", "round(-1)", "round(1, 'ceil')", "round(2, 'floor')", "round(0, 'ceil')", "default(3)", "round(3)")
	}
}

// list is an expression that most likely is a list.
func (g *generate) list(depth int) string {
	if depth <= 0 {
		return pickOf(g, "l", "ls", "mix", "p", "[1, 2, 3]", "['b', 'a', 'C', 'a']", "range(5)", "(3, 1, 2)", "d", "[]", "[[2, 'x'], [1, 'y']]", "[0.5, 1, true]")
	}
	e := func() string { return g.list(depth - 1) }
	switch g.n(10) {
	case 0:
		return "[" + g.expr(depth-1) + ", " + g.expr(depth-1) + "]"
	case 1:
		return "(" + e() + ")[" + pickOf(g, "1:", ":-1", "::-1", "1:3", "::2", "-2:", ":0", "5:") + "]"
	case 2:
		return "(" + e() + " + " + e() + ")"
	case 3:
		return g.str(depth-1) + pickOf(g, ".split()", ".split(',')", ".split(' ', 1)", ".rsplit('a', 1)", ".splitlines()", "|list", ".partition('-')", ".rpartition(' ')", ".splitlines(true)")
	case 4:
		return pickOf(g, "p|map(attribute='name')", "p|selectattr('in', 'defined')", "p|groupby('name')", "p|sort(attribute='age,name')", "p|sort(attribute='name', reverse=true)", "p|unique(attribute='name')", "p|rejectattr('age', 'gt', 21)", "p|map(attribute='in.x', default=0)", "d|dictsort", "d.items()", "d|dictsort(by='value')", "p|groupby('age')", "p|groupby('in.x', default=5)") + "|list"
	default:
		return e() + "|" + pickOf(g, "list", "sort", "unique|list", "reverse|list", "sort(reverse=true)", "sort(case_sensitive=true)", "batch(2)|list", "batch(3, 0)|list", "slice(2)|list", "slice(3, 'f')|list", "map('string')|list", "map('upper')|list", "select|list", "reject('none')|list", "select('odd')|list", "select('gt', 1)|list", "map('int')|list", "map('default', 2)|list", "select('string')|list", "map('length')|list", "reject('in', [1, 'a'])|list", "map('round', 1)|list", "map('replace', 'a', 'b')|list", "select('number')|sort")
	}
}

// flag is an expression that is a condition.
func (g *generate) flag(depth int) string {
	e := func() string { return g.expr(depth - 1) }
	switch g.n(6) {
	case 0:
		return g.num(depth-1) + pickOf(g, " < ", " <= ", " > ", " >= ", " == ", " != ") + g.num(depth-1)
	case 1:
		return g.str(depth-1) + pickOf(g, " < ", " in ", " not in ", " == ", " >= ") + g.str(depth-1)
	case 2:
		return e() + pickOf(g, " in ", " not in ") + g.list(depth-1)
	case 3:
		return e() + pickOf(g, " is ", " is not ") + g.test(depth)
	case 4:
		return g.num(depth-1) + " < " + g.num(depth-1) + " <= " + g.num(depth-1)
	}
	return g.flag1(depth) + pickOf(g, " and ", " or ") + g.flag1(depth)
}

func (g *generate) flag1(depth int) string {
	return pickOf(g, "b", "not b", "s", "l", "i", "("+g.num(depth-1)+")", "("+g.str(depth-1)+")", "("+g.list(depth-1)+")")
}

func (g *generate) subscript(depth int) string {
	part := func() string { return pickOf(g, "", "", "1", "-1", "2", "-3", "0", "10") }
	switch g.n(4) {
	case 0:
		return part() + ":" + part()
	case 1:
		return part() + ":" + part() + ":" + pickOf(g, "", "2", "-1", "-2")
	case 2:
		return g.expr(depth - 1)
	}
	return pickOf(g, "0", "1", "-1", "'a'", "'x'")
}

func (g *generate) method() string {
	str := pickOf(g, "s", "t", "'a-b c'", "('%s'|e)", "s", "ls[0]")
	lit := func() string {
		return pickOf(g, "'a'", "' '", "','", "'-'", "'b'", "'xy'", "''", "t", "'A'", "1", "none")
	}
	num := func() string { return pickOf(g, "0", "1", "2", "-1", "5", "10") }
	switch g.n(4) {
	case 0:
		return str + "." + pickOf(g, "upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "split", "isdigit", "isalpha", "isupper", "islower", "splitlines", "swapcase", "isspace", "istitle", "isalnum", "isidentifier", "casefold", "expandtabs", "rsplit", "isnumeric", "isdecimal", "isascii", "isprintable") + "()"
	case 1:
		return str + "." + pickOf(g,
			"split("+lit()+")", "rsplit("+lit()+", "+num()+")", "split(none, "+num()+")", "rsplit(none, "+num()+")", "split("+lit()+", "+num()+")",
			"strip("+lit()+")", "lstrip("+lit()+")", "replace("+lit()+", "+lit()+")", "replace("+lit()+", 'Q', "+num()+")",
			"startswith("+lit()+")", "endswith("+lit()+")", "startswith("+lit()+", "+num()+")", "find("+lit()+")", "find("+lit()+", "+num()+", "+num()+")",
			"rfind("+lit()+")", "index("+lit()+")", "count("+lit()+")", "count("+lit()+", "+num()+")", "center("+num()+")", "center(11, '*')", "ljust(9)", "rjust(9, '.')", "zfill("+num()+")",
			"partition("+lit()+")", "rpartition("+lit()+")", "join(ls)", "join(l)", "removeprefix('a')", "removesuffix('c')", "splitlines(true)", "split(sep=',', maxsplit=1)",
			"startswith(('a', 'H'))")
	case 2:
		return pickOf(g, "'{}-{}'", "'{0}{0}'", "'{a}'", "'{:>6}|'", "'{:06.2f}'", "'{:,}'", "'{!r:>8}'", "'{:x}'", "'{:^9}'", "'{:+d}'", "'{:e}'", "'{:.3}'", "'{:<5}|'", "'{0[0]}'", "'{:*^{}}'", "'{:5}|'", "'{:%}'", "'{:#b}'", "'{:_}'", "'{:g}'", "'{{}}'", "'{:08,}'", "'{:=+9}'", "'{a.b}'", "'{:s}'", "'{:010}'", "'{:.0f}'", "'{:n}'", "'{:.2}'", "'{:.4g}'", "t") +
			".format(" + pickOf(g, "i, j", "f", "s, 3", "a=d", "1234567.891", "i", "l", "s", "none", "3, 4, 5", "b", "big", "f, 9", "12.0", g.args(2)) + ")"
	default:
		return "(" + pickOf(g, "'%s %s'", "'%d'", "'%5.1f|'", "'%-6s|'", "'%x'", "'%r'", "'%05d'", "'%+d'", "'%%'", "'%(a)s'", "'%e'", "'%g'", "'%s'", "'%c'", "'%.2s'", "'%#x'", "'%o'", "'%i'", "'%5s'", "'%*d'", "'%-05d|'", "'% d'", "'%.3d'", "'%G'", "'%.0f'", "'%10.3e'", "'abc'", "t") +
			pickOf(g, " % ", "|format(") + pickOf(g, "i", "f", "s", "(i, s)", "d", "l", "(3, 4)", "65", "big", "none", "b", "1e10", "-3", "()", "(7,)") + ")" + "|string"
	}
}

func (g *generate) filter(depth int) string {
	arg := func() string { return g.expr(depth - 2) }
	attr := pickOf(g, "'name'", "'age'", "'in.x'", "'age,name'", "0", "'0'")
	f := pickOf(g,
		"upper", "lower", "title", "capitalize", "trim", "length", "count", "first", "last", "list", "string", "tojson", "sort", "unique|list", "reverse|list", "sum", "min", "max", "abs", "int", "float", "round",
		"join", "join("+arg()+")", "join(', ')", "default("+arg()+")", "d('x', true)", "default", "replace('a', 'bb')", "replace("+arg()+", 'q', 1)", "truncate(5)", "truncate(7, true)", "truncate(6, false, '..', 0)", "truncate(4, true, '', 1)",
		"batch(2)|list", "batch(3, 'f')|list", "slice(2)|list", "slice(3, 'f')|list", "indent", "indent(2, true)", "indent(1, blank=true)", "indent('> ')", "wordcount", "wordwrap(5)", "wordwrap(4, false)", "wordwrap(6, wrapstring='|')", "wordwrap(3, true, none, false)",
		"center(12)", "escape", "e", "safe", "forceescape", "urlencode", "striptags", "dictsort", "dictsort(true)", "dictsort(by='value')", "dictsort(false, 'key', true)", "items|list", "xmlattr", "xmlattr(false)",
		"map('upper')|list", "map('string')|join('-')", "map(attribute="+attr+")|list", "map(attribute='zz', default=0)|list", "map('default', 1)|list", "map('int')|sum",
		"select|list", "reject|list", "select('odd')|list", "reject('none')|list", "select('gt', 1)|list", "select('string')|list", "selectattr("+attr+")|list", "selectattr('age', 'gt', 21)|list", "rejectattr('in')|list", "selectattr('in', 'defined')|map(attribute='name')|list",
		"sort(true)", "sort(attribute="+attr+")", "sort(case_sensitive=true)", "groupby("+attr+")", "groupby('name', case_sensitive=true)", "groupby('in.x', default=9)", "sum(attribute='age')", "sum(start=5)", "min(attribute='age')", "max(case_sensitive=true)", "unique(attribute="+attr+")|list",
		"int(7)", "int(base=16)", "int(default=none)", "float(1)", "round(1)", "round(2)", "round(1, 'ceil')", "round(0, 'floor')", "round(-1)", "round(method='ceil')", "tojson(2)", "tojson(indent=1)", "format(1)", "filesizeformat", "filesizeformat(true)", "pprint", "attr('upper')", "reverse", "map('abs')|list", "first|upper", "list|length", "string|length", "trim('a')", "title|e", "string|list")
	return pickOf(g, "|", " | ") + f
}

func (g *generate) test(depth int) string {
	return pickOf(g, "defined", "undefined", "none", "string", "number", "mapping", "sequence", "iterable", "odd", "even", "boolean", "true", "false", "integer", "float", "lower", "upper", "callable", "escaped",
		"divisibleby 3", "divisibleby(2)", "eq 1", "ne 'a'", "lt 3", "ge 2", "in l", "in [1, 'a']", "sameas none", "sameas true", "eq("+g.expr(depth-2)+")", "filter", "test", "gt(1)", "equalto 'a'")
}
