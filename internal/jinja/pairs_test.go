package jinja

import (
	"os"
	"strings"
	"testing"
	"time"
)

// oddValues are expressions for one value of each kind, and some more.
var oddValues = []string{
	"none", "true", "false", "0", "1", "-2", "2.5", "-0.0", "big", "''", "'a b'", "'12'", "s", "('<'|e)", "[]", "[1, 'a']", "ls", "()", "(2, 1)", "{}", "d", "{1: 2}", "range(3)",
	"d.keys()", "d.values()", "d.items()", "(l|map('string'))", "(p|groupby('name'))", "(1 if false)", "missing", "namespace(a=1)", "m", "joiner()", "s.upper", "range",
}

// TestPairsSameAsPython renders each operator with two values of all
// kinds, and each filter and test with one. It takes
// each eleventh, or all if HADRON_JINJA_DIFF is ten minutes or more.
func TestPairsSameAsPython(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	python := startReference(t)
	vars := NewMap()
	vars.Set("s", "x,y")
	vars.Set("big", plainBig("123456789012345678901234567890"))
	vars.Set("l", []any{int64(1), int64(2)})
	vars.Set("ls", []any{"b", "A"})
	d := NewMap()
	d.Set("a", int64(1))
	d.Set("b", "v")
	vars.Set("d", d)
	person := NewMap()
	person.Set("name", "ann")
	vars.Set("p", []any{person})
	step := 11
	if d, _ := time.ParseDuration(os.Getenv("HADRON_JINJA_DIFF")); d >= 10*time.Minute {
		step = 1
	}
	found := 0
	for n, expr := range oddExpressions() {
		if n%step != 0 || found > 60 {
			continue
		}
		template := "{% macro m(x) %}{{ x }}{% endmacro %}{{ " + expr + " }}"
		want := python.render(t, template, vars)
		if problem := disagreement(template, vars, want); problem != "" && !want.Slow && !python.folds(t, template, vars, want) {
			found++
			t.Errorf("%s\n%s", expr, problem)
		}
	}
}

func oddExpressions() (list []string) {
	for _, a := range oddValues {
		list = append(list, a, "-"+a, "+"+a, "not "+a, "["+a+"]", "("+a+",)", "{1: "+a+"}", a+"[0]", a+"[:1]", a+".a", a+"()", a+" is defined")
		for _, test := range []string{"none", "string", "number", "mapping", "sequence", "iterable", "odd", "even", "boolean", "integer", "float", "lower", "upper", "callable", "escaped", "filter", "test", "undefined", "true"} {
			list = append(list, a+" is "+test)
		}
		for _, b := range oddValues {
			for _, op := range []string{"+", "-", "*", "/", "//", "%", "**", "~", "==", "<", ">=", "in", "and", "or"} {
				list = append(list, a+" "+op+" "+b)
			}
			list = append(list, a+"["+b+"]", "{"+a+": 1}["+b+"]", a+" is divisibleby "+b, "["+a+", "+b+"]|sort", "["+a+", "+b+"]|join", "["+a+", "+b+"]|unique|list", "["+a+", "+b+"]|min", "["+a+", "+b+"]|sum")
			list = append(list, a+"|join("+b+")", a+"|default("+b+", true)", a+"|int("+b+")", a+"|float("+b+")", "'aXa'|replace('X', "+b+")", a+"|attr("+b+")", "["+a+"]|map('default', "+b+")|list")
		}
		for _, filter := range strings.Fields("upper lower title capitalize trim length first last list string tojson sort unique|list reverse reverse|list sum min max abs int float round join escape safe forceescape urlencode striptags dictsort items|list xmlattr filesizeformat pprint select|list reject|list map('string')|list map(attribute='a')|list batch(2)|list slice(2)|list indent format(1) truncate(3,true,'') wordwrap(2) center(9)") {
			list = append(list, a+"|"+filter, "["+a+"]|"+filter)
		}
	}
	return list
}
