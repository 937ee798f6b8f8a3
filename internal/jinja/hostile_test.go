package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each of these would take a process down, or never end, without limits.
func TestHostileTemplatesFail(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"self-recursive macro":                   "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"mutually recursive macros":              "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
		"recursion through call":                 "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
		"recursive loop without end":             "{% set l = [1] %}{% for x in l recursive %}{{ loop(l) }}{% endfor %}",
		"recursion with deep operands":           "{% macro m(x) %}{{ " + strings.Repeat("(1 + ", 100) + "m(x)" + strings.Repeat(")", 100) + " }}{% endmacro %}{{ m(1) }}",
		"long string":                            "{{ 'x' * 10 ** 9 }}",
		"long list":                              "{{ [0] * 10 ** 9 }}",
		"huge power":                             "{{ 2 ** (10 ** 9) }}",
		"huge power of a power":                  "{{ 10 ** 4000 * 10 ** 4000 }}",
		"growing integer":                        "{% set ns = namespace(n=3) %}{% for i in range(100) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
		"a tuple of tuples as a key":             "{% set ns = namespace(t=()) %}{% for i in range(60) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {}[ns.t] is defined }}",
		"many powers":                            "{% for i in range(100000) %}{% set x = 1.1 ** 2.5 %}{% endfor %}",
		"huge range":                             "{{ range(10 ** 9) | list }}",
		"range with a huge step":                 "{{ range(10 ** 30) | list }}",
		"nested loops":                           strings.Repeat("{% for a in range(1000) %}", 4) + strings.Repeat("{% endfor %}", 4),
		"doubling string":                        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
		"doubling by replace":                    "{% set ns = namespace(s='xx') %}{% for i in range(60) %}{% set ns.s = ns.s | replace('x', 'xx') %}{% endfor %}",
		"doubling by join":                       "{% set ns = namespace(s='xx') %}{% for i in range(60) %}{% set ns.s = ns.s | join(ns.s) %}{% endfor %}",
		"doubling list":                          "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"wide format":                            "{{ '%1000000000d' % 1 }}",
		"wide star format":                       "{{ '%*d' % (1000000000, 1) }}",
		"wide str.format":                        "{{ '{:>1000000000}'.format(1) }}",
		"deep format precision":                  "{{ '%.1000000000f' % 1.5 }}",
		"wide center":                            "{{ 'x' | center(10 ** 9) }}",
		"wide zfill":                             "{{ 'x'.zfill(2 ** 40) }}",
		"wide indent":                            "{{ 'a\nb' | indent(10 ** 9) }}",
		"wide json":                              "{{ [1] | tojson(10 ** 9) }}",
		"wide tabs":                              "{{ '\\t'.expandtabs(10 ** 9) }}",
		"large batch fill":                       "{{ [1] | batch(10 ** 9, 0) | list }}",
		"many slices":                            "{{ [1] | slice(10 ** 9) | list }}",
		"list that grows in its loop":            "{% set l = [1] %}{% for x in l %}{% set _ = l.append(x) %}{% endfor %}",
		"dict that grows in its loop":            "{% set d = {1: 1} %}{% for x in d %}{% set _ = d.update({x + 1: 1}) %}{% endfor %}",
		"deep value":                             "{% set ns = namespace(l=[]) %}{% for i in range(10000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
		"deep comparison":                        "{% set ns = namespace(a=[], b=[]) %}{% for i in range(10000) %}{% set ns.a = [ns.a] %}{% set ns.b = [ns.b] %}{% endfor %}{{ ns.a == ns.b }}",
		"cyclic json":                            "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
		"cyclic pprint":                          "{% set l = [] %}{% set _ = l.append(l) %}{{ l | pprint }}",
		"cyclic comparison":                      "{% set a = [] %}{% set _ = a.append(a) %}{% set b = [] %}{% set _ = b.append(b) %}{{ a == b }}",
		"deep parentheses":                       "{{ " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000) + " }}",
		"deep lists":                             "{{ " + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + " }}",
		"deep unary minus":                       "{{ " + strings.Repeat("- ", 100000) + "1 }}",
		"deep not":                               "{{ " + strings.Repeat("not ", 100000) + "1 }}",
		"deep blocks":                            strings.Repeat("{% if 1 %}", 100000) + strings.Repeat("{% endif %}", 100000),
		"long sum":                               "{{ 1" + strings.Repeat(" + 1", 100000) + " }}",
		"long path":                              "{{ a" + strings.Repeat(".a", 100000) + " }}",
		"long filter chain":                      "{{ a" + strings.Repeat("|trim", 100000) + " }}",
		"long conditional":                       "{{ 1" + strings.Repeat(" if 1 else 1", 100000) + " }}",
		"many hyphenated names":                  "{{ " + strings.Repeat("inputs.a-b-c-d-e-f + ", 20) + "1 }}",
		"class of a value":                       "{{ ''.__class__ }}",
		"class by item":                          "{{ ''['__class__'] }}",
		"class by filter":                        "{{ '' | attr('__class__') | list }}",
		"class by format":                        "{{ '{0.__class__}'.format('') }}",
		"class by map":                           "{{ [''] | map(attribute='__class__') | join }}",
		"globals of a macro":                     "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
		"include":                                "{% include '/etc/hostname' %}",
		"import":                                 "{% import '/etc/hostname' as x %}",
		"from import":                            "{% from '/etc/hostname' import x %}",
		"extends":                                "{% extends '/etc/hostname' %}",
		"large output":                           "{% for i in range(100000) %}" + strings.Repeat("x", 100) + "{% endfor %}",
		"scanning a long string again and again": "{% set s = 'x' * 10 ** 7 %}{% for i in range(100000) %}{% set t = s is upper %}{% endfor %}",
		"comparing long strings":                 "{% set s = 'x' * 10 ** 7 %}{% set t = 'x' * 10 ** 7 %}{% for i in range(100000) %}{% set b = s == t %}{% endfor %}",
		"indexing a long string":                 "{% set s = 'x' * 10 ** 7 %}{% for i in range(100000) %}{% set b = s[-1] %}{% endfor %}",
		"wrapping many words":                    "{{ ('xx ' * 10 ** 6) | wordwrap(1) }}",
		"splitting from the right":               "{% for i in range(1000) %}{% set x = ('x ' * 10 ** 5).rsplit(none, 90000) %}{% endfor %}",
		"many branches and names":                manyNames(4000) + "{{ missing }}",
		"generator of itself":                    "{% set l = [1] %}{% set _ = l.extend(l | map('list')) %}{{ l }}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			got, err := renderText(source, nil)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("rendered %.60q, want an error", got)
			}
			if strings.HasPrefix(e.Message, internalError) {
				t.Errorf("unexpected fault: %v", err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// manyNames is a template that would be slow to analyse if each if cost as much
// as there are names.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{%% set a%d = 1 %%}{%% if 1 %%}{%% set b = 1 %%}{%% endif %%}", i)
	}
	return b.String()
}

func TestLimitsAreTheCallersToSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, source string
		limits       Limits
		ok           bool
	}{
		{"steps enough", "{% for i in range(10) %}{{ i }}{% endfor %}", Limits{Steps: 100}, true},
		{"steps too few", "{% for i in range(100) %}{{ i }}{% endfor %}", Limits{Steps: 100}, false},
		{"output at the limit", "{{ 'x' * 10 }}", Limits{Output: 10}, true},
		{"output over the limit", "{{ 'x' * 11 }}", Limits{Output: 10}, false},
		{"memory over the limit", "{{ 'x' * 1001 }}", Limits{Memory: 1000}, false},
		{"depth at the limit", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(4) }}", Limits{Depth: 5}, true},
		{"depth over the limit", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}", Limits{Depth: 5}, false},
	} {
		tmpl, err := Parse("t", c.source)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tmpl.Render(context.Background(), nil, c.limits); (err == nil) != c.ok {
			t.Errorf("%s: error %v, want success %v", c.name, err, c.ok)
		}
	}
}

func TestCancellationStopsRendering(t *testing.T) {
	t.Parallel()
	tmpl, err := Parse("t", "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = tmpl.Render(ctx, nil, Limits{Steps: 1 << 60})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want one that wraps the context's error", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v to stop", took)
	}
}
