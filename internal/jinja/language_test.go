package jinja

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testVars() *Map {
	d := NewMap()
	d.Set("k", "v")
	d.Set("n", int64(1))
	m := NewMap()
	m.Set("a", d)
	m.Set("lst", []any{int64(1), int64(2), int64(3)})
	m.Set("s", "x")
	return m
}

// Other powers than these are compared with Python's, with enough digits, by TestSameAsPython.
func TestPowersAreCorrectlyRounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ x, y, want float64 }{
		{0.1, 3, 0.0010000000000000002}, {0.9999999999999999, 0.5, 0.9999999999999999}, {5e-324, 0.5, 2.2227587494850775e-162},
		{math.MaxFloat64, 0.99, 1.4865119482528833e+305}, {36, 1.5, 216}, {0.3, -7.3, 6561.676882334008}, {-2.5, -3, -0.064},
		{1e-300, 1.02, 9.999999999999877e-307}, {68719738881, 1.5, 1.801450158918861e+16}, {1.1, 123.456, 128876.97651992989},
		{0, 0, 1}, {-1, math.Inf(1), 1}, {2, -1074, 5e-324}, {2, 1024, math.Inf(1)}, {math.Inf(-1), 3, math.Inf(-1)},
	} {
		if got := pow(c.x, c.y); got != c.want {
			t.Errorf("%v ** %v: got %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

// The wanted outputs are what Python's Jinja2 3.1 gives.
func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, want string }{
		// whitespace
		{"a\n", "a"},
		{"a\n\n", "a\n"},
		{"a\r\nb\rc\n", "a\nb\nc"},
		{"a {{- 1 -}} b", "a1b"},
		{"a\n{% if 1 %}\nb\n{% endif %}\n", "a\n\nb\n"},
		{"a {%- if 1 -%} b {%- endif %} c", "ab c"},
		{"a {#- c -#} b", "ab"},
		{"{% raw %}{{ x }}{% endraw %}", "{{ x }}"},
		{"a {%- raw -%} {{ x }} {%- endraw -%} b", "a{{ x }}b"},
		{"{{ '{{resolve:secretsmanager:x}}' }}", "{{resolve:secretsmanager:x}}"},
		{"{{ {'a': {'b': 1}}}}", "{'a': {'b': 1}}"},
		// scopes
		{"{% set x = 1 %}{% for i in lst %}{% set x = i %}{% endfor %}{{ x }}", "1"},
		{"{% set x = 1 %}{% for i in lst %}{{ x }}{% set x = i %}{% endfor %}", "111"},
		{"{% if true %}{% set y = 2 %}{% endif %}{{ y }}", "2"},
		{"{% if false %}{% set s = 2 %}{% endif %}{{ s }}", "x"},
		{"{% with s = 2 %}{{ s }}{% endwith %}{{ s }}", "2x"},
		{"{% with p = 1, q = s %}{{ p }}{{ q }}{% endwith %}", "1x"},
		{"{% macro m() %}{{ x }}{% endmacro %}{% set x = 7 %}{{ m() }}", "7"},
		{"{% set ns = namespace(n=0) %}{% for i in lst %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}", "6"},
		{"{% for x in lst %}{% for y in lst %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}", "123112321233"},
		{"{% set a, b = 'k=v'.split('=') %}{{ a }}{{ b }}", "kv"},
		{"{% set x | upper %}a{{ s }}{% endset %}{{ x }}", "AX"},
		{"{% filter upper | replace('A', 'z') %}abc{% endfilter %}", "zBC"},
		// loops
		{"{% for i in lst if i > 1 %}{{ loop.index }}{{ i }}{{ loop.length }}{% endfor %}", "122232"},
		{"{% for i in [] %}a{% else %}b{% endfor %}", "b"},
		{"{% for i in lst %}{{ loop.cycle('o', 'e') }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{% endfor %}", "o32TrueFalsee21FalseFalseo10FalseTrue"},
		{"{% for i in [1, [2, [3]]] recursive %}{{ loop(i) if i is sequence else i }}@{{ loop.depth }} {% endfor %}", "1@1 2@2 3@3 @2 @1 "},
		{"{% for k, v in a.items() %}{{ k }}{{ v }}{% endfor %}", "kvn1"},
		{"{% for c in 'añb' %}{{ c }}.{% endfor %}", "a.ñ.b."},
		{"{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %}", "TrueFalseTrue"},
		// macros
		{"{% macro m(x, y=x) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(y=3, x=4) }}", "111243"},
		{"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, z=3) }}", "(1, 2){'z': 3}"},
		{"{% macro m() %}<{{ caller(5) }}>{% endmacro %}{% call(n) m() %}{{ n }}{% endcall %}", "<5>"},
		{"{% macro m(x) %}{{ x is defined }}{% endmacro %}{{ m() }}", "False"},
		// undefined
		{"{{ a.b.c.d | default('x') }}", "x"},
		{"{{ missing is defined }}{{ missing.x is undefined }}", "FalseTrue"},
		{"{{ missing | default }}|", "|"},
		{"{{ 'x' if false }}|", "|"},
		{"{{ none | default('x') }}{{ none | default('x', true) }}", "Nonex"},
		{"{% if false %}{{ missing | nofilter }}{% endif %}ok", "ok"},
		// numbers
		{"{{ 2 ** 100 }} {{ 9223372036854775807 + 1 }} {{ -9223372036854775807 - 2 }}", "1267650600228229401496703205376 9223372036854775808 -9223372036854775809"},
		{"{{ 3037000500 * 3037000500 }} {{ (2 ** 70) // (2 ** 68) }} {{ -(2 ** 63) // -1 }}", "9223372037000250000 4 9223372036854775808"},
		{"{{ 7 // -2 }} {{ -7 % 3 }} {{ 7.5 // -2 }} {{ -7.5 % 2 }} {{ 1 / 3 }}", "-4 2 -4.0 0.5 0.3333333333333333"},
		{"{{ 1e15 }} {{ 1e16 }} {{ 1e-4 }} {{ 1e-5 }} {{ 1.10 }} {{ -0.0 }}", "1000000000000000.0 1e+16 0.0001 1e-05 1.1 -0.0"},
		{"{{ true + 1 }} {{ 1 == true }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }}", "2 True 2.0 4.0 2.67"},
		{"{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 10 ** -2 }}", "64 4 0.01"},
		// strings
		{"{{ 'a' 'b' \"c\" }}", "abc"},
		{`{{ "it's" }} {{ ["it's"] }} {{ ['"'] }} {{ ['\'"'] }} {{ ['\n\t\x00é\\'] }}`, `it's ["it's"] ['"'] ['\'"'] ['\n\t\x00é\\']`},
		{`{{ '\x41\u00e9\101\q' }}`, `AéA\q`},
		{"{{ 'x' * 3 }}{{ 2 * 'ab' }}", "xxxabab"},
		{"{{ 'héllo'[1] }}{{ 'héllo'[::-1] }}{{ 'héllo'[-3:] }}", "éolléhllo"},
		{"{{ '%05.1f|%-4s|%+d|%x|%r' % (3.14159, 'ab', 5, 255, 'q') }}", "003.1|ab  |+5|ff|'q'"},
		{"{{ '%(x)s' % {'x': 1} }} {{ '{a:>4}{0!r}'.format('z', a=1) }}", "1    1'z'"},
		{"{{ 'abc def ghi' | truncate(5) }} {{ 'abcdefghijkl' | truncate(9, true, 'zzz') }} {{ 'abcdefghijkl' | truncate(9, true, 'zzz', 0) }}", "ab... abcdefghijkl abcdefzzz"},
		{"{{ 'a b' | urlencode }} {{ {'a': 'x y', 'b': '&'} | urlencode }}", "a%20b a=x+y&b=%26"},
		{"{{ {'class': 'a b', 'x': none, 'y': '<'} | xmlattr }}", ` class="a b" y="&lt;"`},
		{"{{ 'one two three' | wordwrap(7) }}", "one two\nthree"},
		{"{{ 'x -p-a-d- p-a-de' | wordwrap(4, false) }}", "x\n-p-a-d-\np-a-\nde"},
		{"{{ 'ΑΣ ΟΔΟΣ ﬁ ŉ' | lower }} {{ 'ﬁ ŉ ß' | upper }} {{ 'ﬁ-x' | title }} {{ 'ﬁx ß'.title() }} {{ 'ǆA' | capitalize }} {{ 'ᾳß'.swapcase() }} {{ 'ẞς'.casefold() }}", "ας οδος ﬁ ŉ FI ʼN SS FI-X Fix Ss ǅa ΑΙSS ssσ"},
		{"{{ '٣' | int }} {{ '١.٥' | float }} {{ '²'.isdigit() }}{{ '一'.isnumeric() }}{{ 'x·'.isidentifier() }} {{ 'a①' | wordcount }}", "3 1.5 TrueTrueTrue 1"},
		{"{{ 'abc' % missing }}", "abc"},
		{"{{ 'hello wORLD-foo' | title }} {{ \"it's ok\".title() }}", "Hello World-Foo It'S Ok"},
		// containers
		{"{{ (1,) }} {{ () }} {{ (1, 2) }} {{ [none, true] }} {{ {1: 'a', 'b': 2.0, none: ()} }}", "(1,) () (1, 2) [None, True] {1: 'a', 'b': 2.0, None: ()}"},
		{"{{ lst[::-1] }} {{ lst[5:] }} {{ lst[-2:] }} {{ (1, 2, 3)[:2] }}", "[3, 2, 1] [] [2, 3] (1, 2)"},
		{"{{ {1: 'a'}[true] }} {{ {1.0: 'b'}[1] }} {{ {'a': 1} == {'a': 1.0} }}", "a b True"},
		{"{{ range(-12345678901) }} {{ range(2 ** 40, 2 ** 40 + 5, 2) | list }} {{ range(10 ** 30, 10 ** 30 - 2, -1)[1:] | list }} {{ 10 ** 30 in range(10 ** 30, 10 ** 30 + 1) }}", "range(0, -12345678901) [1099511627776, 1099511627778, 1099511627780] [999999999999999999999999999999] True"},
		{"{{ range(9)[1::3] }} {{ range(9)[::-1][2] }} {{ range(0, 3, 2) == range(0, 4, 2) }} {{ 4.0 in range(0, 9, 2) }} {{ 5 in range(9, 0, -2) }}", "range(1, 9, 3) 6 True True True"},
		{"{{ {range(0, 3, 2): 1}[range(0, 4, 2)] }}{{ {(range(2), 1): 2}[(range(2), true)] }}", "12"},
		{"{{ a.keys() < a.keys() }} {{ a.keys() <= a.keys() }} {{ {'k': 1}.keys() < a.keys() }} {{ a.items() > {'n': 1}.items() }} {{ missing in a.items() }}", "False True True True False"},
		{"{% set u = 1 if false %}{{ u | reverse | list }}{{ u | urlencode }}{{ '%s%r' % (u, u) }}{{ u is sequence }}", "[]UndefinedTrue"},
		{"{{ lst.append(4) }}{{ lst }}", "None[1, 2, 3, 4]"},
		{"{{ [[2, 'b'], [1, 'a']] | sort }} {{ ['b', 'A'] | sort }} {{ ['b', 'A'] | sort(case_sensitive=true) }}", "[[1, 'a'], [2, 'b']] ['A', 'b'] ['A', 'b']"},
		{"{{ [{'n': 'x', 'v': 1}, {'n': 'X', 'v': 2}] | groupby('n') }}", "[('x', [{'n': 'x', 'v': 1}, {'n': 'X', 'v': 2}])]"},
		{"{% for g in [{'n': 1}] | groupby('n') %}{{ g.grouper }}{{ g.list }}{% endfor %}", "1[{'n': 1}]"},
		{"{{ a.keys() }} {{ a.values() | list }} {{ a.items() }}", "dict_keys(['k', 'n']) ['v', 1] dict_items([('k', 'v'), ('n', 1)])"},
		{"{{ a | tojson }} {{ [1.0, none, true, 'é<'] | tojson }}", `{"k": "v", "n": 1} [1.0, null, true, "\u00e9\u003c"]`},
		{"{{ {'b': 1, 'a': [1]} | tojson(2) }}", "{\n  \"a\": [\n    1\n  ],\n  \"b\": 1\n}"},
		{"{{ 1 in lst }} {{ 4 not in lst }} {{ 'b' in 'abc' }} {{ 'k' in a }} {{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }}", "True True True True True False"},
		{"{{ ('<' | e) + '<' }} {{ ('<' | e) ~ '<' }}", "&lt;&lt; &lt;<"},
	} {
		got, err := renderText(c.source, testVars())
		if err != nil {
			t.Errorf("%s\n  %v", c.source, err)
		} else if got != c.want {
			t.Errorf("%s\n  got  %q\n  want %q", c.source, got, c.want)
		}
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, want string }{
		{"a\nb {{ service_instance.inputs.cpu }}", "t:2:6: 'service_instance' is undefined"},
		{"{{ a.missing }}", "t:1:4: 'a.missing' is undefined"},
		{"{{ a['zz'].more }}", "t:1:4: 'a['zz']' is undefined"},
		{"{{ lst[7] }}", "t:1:4: 'lst[7]' is undefined"},
		{"x\n\n{{ 1 +\n 'a' }}", "t:3:6: unsupported operand type(s) for +: 'int' and 'str'"},
		{"{{ s | nofilter }}", "t:1:8: No filter named 'nofilter'."},
		{"{{ s is notest }}", "t:1:9: No test named 'notest'."},
		{"é {% for x in %}", "t:1:15: Expected an expression, got 'end of statement block'"},
		{"{{ 1 / 0 }}", "t:1:6: division by zero"},
		{"{{ lst() }}", "t:1:4: 'list' object is not callable"},
		{"{% nope %}", "t:1:4: Encountered unknown tag 'nope'."},
		{"{% for x in lst %}\n", "t:1:19: Unexpected end of template. Jinja was looking for the following tags: 'endfor' or 'else'. The innermost block that needs to be closed is 'for', opened in line 1."},
		{"{% include 'x' %}", "t:1:4: the tag 'include' is not supported: a template is one file and cannot refer to others"},
		{"{% macro m(x) %}{{ x }}{% endmacro %}\n{{ m() }}", "t:1:12: parameter 'x' was not provided"},
		{"{{ s.__class__ }}", "t:1:4: access to attribute '__class__' of 'str' object is unsafe."},
		{"{{ {a.keys(): 1} }}", "t:1:5: unhashable type: 'dict_keys'"},
		{"{{ a.keys() is test }}", "t:1:16: unhashable type: 'dict_keys'"},
		{"{{ 'abc }}", "t:1:4: unexpected char \"'\": the string is not closed"},
		{"{{ (1] }}", "t:1:6: unexpected ']', expected ')'"},
	} {
		_, err := renderText(c.source, testVars())
		if err == nil || err.Error() != c.want {
			t.Errorf("%q\n  got  %v\n  want %s", c.source, err, c.want)
		}
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%q: %T is not an *Error", c.source, err)
		}
	}
}

func TestHyphenatedNames(t *testing.T) {
	t.Parallel()
	in := NewMap()
	in.Set("my-output", "found")
	in.Set("my-output-2", "longer")
	in.Set("count", int64(5))
	in.Set("subnet-1a", "s")
	sub := NewMap()
	sub.Set("id", "deep")
	in.Set("my-map", sub)
	env := NewMap()
	env.Set("outputs", in)
	env.Set("inputs", in)
	vars := NewMap()
	vars.Set("environment", env)
	vars.Set("output", int64(1))
	for _, c := range []struct{ source, want string }{
		{"{{ environment.outputs.my-output }}", "found"},
		{"{{ environment.outputs['my-output'] }}", "found"},
		{"{{ environment.outputs.my-output-2 }}", "longer"},
		{"{{ environment.outputs.my-output | upper }}", "FOUND"},
		{"{{ environment.outputs.my-map.id }}", "deep"},
		{"{{ environment.outputs.subnet-1a ~ '!' }}", "s!"},
		{"{{ environment.inputs.count-1 }}", "4"},
		{"{{ environment.inputs.count-1*2 }}", "3"},
		{"{{ 10 - environment.inputs.count-output }}", "4"},
		{"{{ environment.inputs.count - 1 }}", "4"},
		{"{{ environment.inputs.count-environment.inputs.count }}", "0"},
		{"{{ [environment.outputs.my-output, environment.outputs.my-output-2] | join('+') }}", "found+longer"},
		{"{{ environment.outputs.not-there | default('none') }}", "none"},
		{"{{ environment.outputs.not-there is defined }}", "False"},
		{"{% if environment.outputs.my-output == 'found' %}y{% endif %}", "y"},
	} {
		got, err := renderText(c.source, vars)
		if err != nil || got != c.want {
			t.Errorf("%s\n  got  %q, %v\n  want %q", c.source, got, err, c.want)
		}
	}
	_, err := renderText("{{ environment.outputs.not-there }}", vars)
	if err == nil || !strings.Contains(err.Error(), "'environment.outputs.not-there' is undefined") {
		t.Errorf("got %v, want the whole name in the message", err)
	}
}

func TestProtonFilters(t *testing.T) {
	t.Parallel()
	outputs := NewMap()
	outputs.Set("Url", "q1")
	outputs.Set("Pol", "arn:aws:iam::111122223333:policy/p")
	odd := NewMap()
	odd.Set("A", "two words")
	odd.Set("B", "true")
	odd.Set("C", "8080")
	odd.Set("D", "say \"hi\"\n")
	vars := NewMap()
	vars.Set("o", outputs)
	vars.Set("odd", odd)
	vars.Set("empty", NewMap())
	const env, lambda, arns = "proton_cfn_ecs_task_definition_formatted_env_vars", "proton_cfn_lambda_function_formatted_env_vars", "proton_cfn_iam_policy_arns"
	for _, c := range []struct{ name, source, want string }{
		{"environment variables start in the column of the braces", "Env:\n  - Name: LEVEL\n    Value: debug\n  {{ o | " + env + " }}\n",
			"Env:\n  - Name: LEVEL\n    Value: debug\n  - Name: Url\n    Value: q1\n  - Name: Pol\n    Value: arn:aws:iam::111122223333:policy/p"},
		{"behind text on the line too", "k: {{ o | " + lambda + " }}", "k: Url: q1\n   Pol: arn:aws:iam::111122223333:policy/p"},
		{"only policies", "Arns:\n    {{ o | " + arns + " }}", "Arns:\n    - arn:aws:iam::111122223333:policy/p"},
		{"the filter on its own line", "  {{ o\n | " + arns + "\n}}", "  - arn:aws:iam::111122223333:policy/p"},
		{"an empty map is an empty string", "[{{ empty | " + env + " }}]", "[]"},
		{"values that are not plain are quoted", "{{ odd | " + lambda + " }}", "A: \"two words\"\nB: \"true\"\nC: \"8080\"\nD: \"say \\\"hi\\\"\\n\""},
		{"a word is sane", "{{ 'a-b_1' | proton_cfn_sanitize }}", "a-b_1"},
		{"an ARN is sane", "{{ o.Pol | proton_cfn_sanitize }}", "arn:aws:iam::111122223333:policy/p"},
		{"checked values", "{{ {'A': 'x-1'} | " + env + "(raw=False) }}", "- Name: A\n  Value: x-1"},
	} {
		got, err := renderText(c.source, vars)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for source, want := range map[string]string{
		"{{ 'a b' | proton_cfn_sanitize }}":              `Illegal character(s) detected in "a b". Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN`,
		"{{ 'arn:aws:s3:::a b' | proton_cfn_sanitize }}": `Illegal character(s) detected`,
		"{{ 'x\n' | proton_cfn_sanitize }}":              `Illegal character(s) detected`,
		"{{ odd | " + env + "(raw=False) }}":             `Illegal character(s) detected in "two words"`,
		"{{ 'text' | " + arns + " }}":                    `expected a map`,
		"{{ missing | " + arns + " }}":                   `'missing' is undefined`,
	} {
		if got, err := renderText(source, vars); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n  got  %q, %v\n  want error %s", source, got, err, want)
		}
	}
}

func TestExpressionsGiveValues(t *testing.T) {
	t.Parallel()
	b, _ := new(big.Int).SetString("1267650600228229401496703205376", 10)
	inner := NewMap()
	inner.Set("a", int64(1))
	inner.Set("2", []any{"x"})
	for _, c := range []struct {
		source string
		want   any
	}{
		{"1 + 1", int64(2)},
		{"2 ** 100", b},
		{"lst", []any{int64(1), int64(2), int64(3)}},
		{"(1, 'a')", []any{int64(1), "a"}},
		{"{'a': 1, 2: ['x']}", inner},
		{"none", nil},
		{"a.k == 'v'", true},
		{"1.5 | safe", "1.5"},
	} {
		e, err := ParseExpression("e", c.source)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		got, err := e.Eval(context.Background(), testVars(), Limits{})
		gotJSON, _ := json.Marshal(got)
		wantJSON, _ := json.Marshal(c.want)
		if err != nil || string(gotJSON) != string(wantJSON) {
			t.Errorf("%s = %s, %v; want %s", c.source, gotJSON, err, wantJSON)
		}
	}
	for _, source := range []string{"missing", "1 +", "1 }}", "a.b.c", ""} {
		e, err := ParseExpression("e", source)
		if err == nil {
			_, err = e.Eval(context.Background(), testVars(), Limits{})
		}
		if err == nil {
			t.Errorf("%q: want an error", source)
		}
	}
}

func TestRenderingNeverChangesItsVariables(t *testing.T) {
	t.Parallel()
	vars := testVars()
	before, _ := json.Marshal(vars)
	tmpl, err := Parse("t", "{{ lst.append(1) }}{{ a.update({'z': 1}) }}{{ a.pop('k') }}{{ lst | length }}{{ a | length }}")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := tmpl.Render(context.Background(), vars, Limits{})
				if err != nil || got != "NoneNonev42" {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if after, _ := json.Marshal(vars); string(before) != string(after) {
		t.Errorf("the variables were %s and are %s", before, after)
	}
}

func TestMapKeepsItsOrder(t *testing.T) {
	t.Parallel()
	m := NewMap()
	var want []string
	for i := range 20 {
		key := string(rune('z' - i))
		m.Set(key, i)
		want = append(want, key)
	}
	m.Set("z", "again")
	m.Delete("y")
	m.Delete("not there")
	want = append(want[:1], want[2:]...)
	if diff := cmp.Diff(want, m.Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if v, ok := m.Get("z"); !ok || v != "again" || m.Len() != 19 {
		t.Errorf("z = %v, %v; %d keys", v, ok, m.Len())
	}
	if v, ok := m.Get("g"); !ok || v != 19 {
		t.Errorf("g = %v, %v", v, ok)
	}
	if _, ok := m.Get("y"); ok {
		t.Error("y is still there")
	}
	small := NewMap()
	small.Set("b", []any{nil, true})
	small.Set("a", NewMap())
	got, err := json.Marshal(small)
	if err != nil || string(got) != `{"b":[null,true],"a":{}}` {
		t.Errorf("JSON %s, %v", got, err)
	}
}
