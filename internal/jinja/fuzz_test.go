package jinja

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// fuzzSeeds are templates that together use all of the language.
func fuzzSeeds() []string {
	return []string{
		"{{ a.k }} {{ lst[0] }} {{ 'x' * 3 }}",
		"{% for x in lst if x > 1 recursive %}{{ loop.index }}{% else %}-{% endfor %}",
		"{% if a is defined and not s %}{% elif lst %}{% else %}{% endif %}",
		"{% set x, y = 1, 2 %}{% set z | upper %}q{% endset %}{% set n = namespace(a=1) %}{% set n.a = 2 %}",
		"{% macro m(x, y=2) %}{{ caller(x) }}{{ varargs }}{{ kwargs }}{% endmacro %}{% call(q) m(1) %}{{ q }}{% endcall %}",
		"{% filter upper %}x{% endfilter %}{% with a = 1 %}{{ a }}{% endwith %}{% print 1, 2 %}",
		"{%- raw -%}{{{%+ endraw %}{#- c -#}{{- 1 -}}",
		"{{ {'a': 1, 'b': [1, (2,)]}|tojson(2) }}{{ '%s %05.2f' % ('a', 1.5) }}{{ '{:>5}{a!r}'.format(1, a=2) }}",
		"{{ lst|map('string')|join(',') }}{{ lst|select('odd')|list }}{{ lst|batch(2)|list }}{{ lst|sort(reverse=true) }}",
		"{{ inputs.a-b-1 }}{{ 1_000.5e-3 }}{{ 0x1f ** -2 // 3 % 4 }}{{ 'a' ~ 'b' 'c' }}{{ lst[::-1] }}",
		"{{ a | proton_cfn_ecs_task_definition_formatted_env_vars(raw=False) }}{{ s | wordwrap(3) | indent(2) | truncate(5) }}",
		`{{ '\x41\u00e9\101\q\
' }}`,
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := Parse("t", source)
		checkFuzzError(t, source, err)
		if err == nil && tmpl == nil {
			t.Fatal("neither a template nor an error")
		}
		_, err = ParseExpression("e", source)
		checkFuzzError(t, source, err)
	})
}

func FuzzRender(f *testing.F) {
	for _, s := range fuzzSeeds() {
		f.Add(s, "text")
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		tmpl, err := Parse("t", source)
		if err != nil {
			return
		}
		vars := testVars()
		vars.Set("s", text)
		limits := Limits{Steps: 20_000, Output: 1 << 16, Memory: 1 << 22}
		start := time.Now()
		out, err := tmpl.Render(context.Background(), vars, limits)
		checkFuzzError(t, source, err)
		if len(out) > limits.Output {
			t.Errorf("%q wrote %d bytes", source, len(out))
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%q took %v", source, took)
		}
		again, errAgain := tmpl.Render(context.Background(), vars, limits)
		if out != again || (err == nil) != (errAgain == nil) {
			t.Errorf("%q gave %q, then %q", source, out, again)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("text without tags\n")
	f.Fuzz(func(t *testing.T, source string) {
		if strings.ContainsAny(source, "{}\r") {
			t.Skip()
		}
		out, err := renderText(source, nil)
		if want := strings.TrimSuffix(source, "\n"); err != nil || out != want {
			t.Errorf("got %q, %v; want %q", out, err, want)
		}
	})
}

func checkFuzzError(t *testing.T, source string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%q: %T", source, err)
	}
	if strings.HasPrefix(e.Message, internalError) {
		t.Fatalf("%q: %v", source, err)
	}
	if e.Line < 1 || e.Column < 1 || e.Message == "" {
		t.Fatalf("%q: %#v", source, e)
	}
}
