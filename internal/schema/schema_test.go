package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t testing.TB, text string) *Node {
	t.Helper()
	n, err := ParseYAML([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return n
}

// compile compiles types, of which the one under test is called In.
func compile(t testing.TB, types string) *Type {
	t.Helper()
	c, _, problems := Compile(parse(t, types))
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return c.Lookup("In")
}

func lines(issues []Issue) []string {
	var out []string
	for _, i := range issues {
		out = append(out, i.String())
	}
	return out
}

func TestApply(t *testing.T) {
	t.Parallel()
	in := func(properties string, more ...string) string {
		return "In: {type: object, properties: {" + properties + "}" + strings.Join(more, "") + "}"
	}
	cases := []struct {
		name, types, values, want string
		warnings, problems        []string
	}{
		{name: "order of the schema, defaults filled", types: in("b: {type: number, default: 2}, a: {type: string, default: x}, c: {type: boolean}"),
			values: "c: true\na: given", want: `{"b":2,"a":"given","c":true}`},
		{name: "nothing given", types: in("a: {type: string, default: x}, b: {type: string}"), values: "", want: `{"a":"x"}`},
		{name: "null is not given", types: in("a: {type: string, default: x}, b: {type: string}"), values: "{a: null, b: ~}", want: `{"a":"x"}`},
		{name: "a default satisfies required", types: in("a: {type: string, default: x}", ", required: [a]"), want: `{"a":"x"}`},
		{name: "required and missing", types: in("a: {type: string}", ", required: [a, b]"), problems: []string{
			"a: is required but not given", "b: is required but not given"}},
		{name: "numbers keep their kind", types: in("a: {type: number}, b: {type: number}, c: {type: number}"),
			values: "{a: 80, b: 80.0, c: 123456789012345678901234567890}", want: `{"a":80,"b":80.0,"c":123456789012345678901234567890}`},
		{name: "numbers become text by their source", types: in("a: {type: string}, b: {type: string}, c: {type: string}"),
			values: "{a: 1.10, b: 0123, c: 1e3}", want: `{"a":"1.10","b":"0123","c":"1e3"}`},
		{name: "text that is a number or boolean", types: in("a: {type: number}, b: {type: boolean}, c: {type: integer}"),
			values: `{a: "12.5", b: "true", c: "7"}`, want: `{"a":12.5,"b":true,"c":7}`},
		{name: "other types are not converted", types: in("a: {type: number}, b: {type: boolean}, c: {type: string}, d: {type: array, items: {type: string}}, e: {type: integer}"),
			values: `{a: abc, b: "yes", c: true, d: one, e: 1.5}`, problems: []string{
				`a: "abc" is not a number`, `b: "yes" is not a boolean`, `c: true is not a string`, `d: "one" is not a list`, `e: 1.5 is not a whole number`}},
		{name: "yes and on stay text, dates too", types: in("a: {type: string}, b: {type: string}, c: {type: string}"),
			values: "{a: yes, b: on, c: 2010-09-09}", want: `{"a":"yes","b":"on","c":"2010-09-09"}`},
		{name: "every bound in its own words", values: `{min: -1, max: 70000, over: 0, under: 9, of: 7, short: a, long: abc, en: z, pat: nope, items: [], uniq: [1, 1]}`,
			types: in(`min: {type: number, minimum: 0}, max: {type: number, maximum: 65535}, over: {type: number, minimum: 0, exclusiveMinimum: true},
				under: {type: number, maximum: 9, exclusiveMaximum: true}, of: {type: integer, multipleOf: 2}, short: {type: string, minLength: 2},
				long: {type: string, maxLength: 2}, en: {type: string, enum: [s, m]}, pat: {type: string, pattern: '\d+'},
				items: {type: array, minItems: 1, items: {type: string}}, uniq: {type: array, uniqueItems: true, items: {type: number}}`),
			problems: []string{`en: "z" is not one of "s", "m"`, `items: has 0 items, fewer than minimum 1`, `long: "abc" is longer than maximum length 2`,
				`max: 70000 is greater than maximum 65535`, `min: -1 is less than minimum 0`, `of: 7 is not a multiple of 2`,
				`over: 0 is not greater than 0`, `pat: "nope" does not match pattern \d+`, `short: "a" is shorter than minimum length 2`,
				`under: 9 is not less than 9`, `uniq: has the same item twice`}},
		{name: "patterns search, they are not anchored", types: in(`a: {type: string, pattern: '([0-9]{1,3}\.){3}[0-9]{1,3}($|/(16|18|24))'}`),
			values: "a: 10.0.0.0/16", want: `{"a":"10.0.0.0/16"}`},
		{name: "unknown keys are left out", types: in("a: {type: string}"), values: "{a: x, A: y}", want: `{"a":"x"}`,
			warnings: []string{"A: is not an input of the template and is ignored"}},
		{name: "an enum of a string compares text", types: in("a: {type: string, enum: [1.10, 2]}"), values: "a: 1.10", want: `{"a":"1.10"}`},
		{name: "defaults in a nested object only if it is there", types: in("o: {type: object, properties: {p: {type: number, default: 1}, q: {type: string}}}, n: {type: object, properties: {p: {type: number, default: 1}}}"),
			values: "o: {q: x}", want: `{"o":{"p":1,"q":"x"}}`},
		{name: "a nested object's required", types: in("o: {type: object, properties: {p: {type: string}}, required: [p]}"), values: "o: {}",
			problems: []string{"o.p: is required but not given"}},
		{name: "items of a list", types: in("l: {type: array, items: {type: object, properties: {p: {type: number, maximum: 3}}}}"),
			values: "l: [{p: 1}, {p: 4}]", problems: []string{"l[1].p: 4 is greater than maximum 3"}},
		{name: "references in all three forms", types: "In: {type: object, properties: {a: {$ref: '#/T'}, b: {$ref: '#/types/T'}, c: {$ref: '#/components/schemas/T'}}}\nT: {type: string, maxLength: 1, default: d}",
			values: "{a: 5, b: xx}", problems: []string{`b: "xx" is longer than maximum length 1`}},
		{name: "references carry defaults", types: "In: {$ref: '#/Real'}\nReal: {type: object, properties: {a: {$ref: '#/T'}}}\nT: {type: string, default: d}", want: `{"a":"d"}`},
		{name: "a recursive type", types: "In: {type: object, properties: {n: {$ref: '#/In'}, v: {type: number, default: 1}}}", values: "n: {n: {v: 3}}", want: `{"n":{"n":{"v":3},"v":1},"v":1}`},
		{name: "allOf joins properties", types: "In: {allOf: [{$ref: '#/A'}, {type: object, properties: {b: {type: number, maximum: 1}}}]}\nA: {type: object, properties: {a: {type: string, default: x}}}",
			values: "b: 2", problems: []string{"b: 2 is greater than maximum 1"}},
		{name: "oneOf", types: in("a: {oneOf: [{type: string}, {type: number}]}"), values: "a: true", problems: []string{"a: true must match exactly one of the alternatives in oneOf"}},
		{name: "nullable accepts null and means not given", types: in("a: {type: string, nullable: true}"), values: "a: null", want: `{}`},
		{name: "a null item", types: in("a: {type: array, items: {type: string}}"), values: "a: [null]", problems: []string{"a[0]: must not be null"}},
		{name: "a bad default is passed on", types: in("a: {type: boolean, default: public}"), want: `{"a":"public"}`, warnings: []string{`a: the default "public" is not a boolean`}},
		{name: "a bad value is refused beside a bad default", types: in("a: {type: boolean, default: public}"), values: "a: private", problems: []string{`a: "private" is not a boolean`}},
		{name: "bounds on the wrong type are ignored", types: in("a: {type: number, minLength: 1, maxLength: 2, default: 1000}"), want: `{"a":1000}`},
		{name: "additional properties that are declared", types: in("m: {type: object, additionalProperties: {type: number}}"), values: "m: {x: '1', y: z}", problems: []string{`m.y: "z" is not a number`}},
		{name: "additional properties that are forbidden", types: in("m: {type: object, properties: {a: {type: string}}, additionalProperties: false}"), values: "m: {x: 1}", problems: []string{`m: property "x" is unsupported`}},
		{name: "a free-form object keeps everything", types: in("m: {type: object}"), values: "m: {b: 1, a: [x, 2.50]}", want: `{"m":{"b":1,"a":["x",2.5]}}`},
		{name: "format is a hint", types: in("a: {type: string, format: date}"), values: "a: tomorrow", want: `{"a":"tomorrow"}`},
		{name: "not a mapping", types: in("a: {type: string}"), values: "[a]", problems: []string{"must be a mapping from input names to values, not a list"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, warnings, problems := compile(t, c.types).Apply(parse(t, c.values))
			if diff := cmp.Diff(c.problems, lines(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.warnings, lines(warnings)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if c.want == "" {
				return
			}
			got, err := json.Marshal(o)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s (%v)\nwant %s", got, err, c.want)
			}
			var again Object
			if err := json.Unmarshal(got, &again); err != nil {
				t.Fatal(err)
			}
			if back, err := json.Marshal(&again); err != nil || string(back) != c.want {
				t.Errorf("read back %s (%v)\nwant %s", back, err, c.want)
			}
		})
	}
}

func TestProblemsOfValuesHaveTheirPlace(t *testing.T) {
	t.Parallel()
	in := compile(t, "In: {type: object, properties: {l: {type: array, items: {type: object, properties: {p: {type: number}}}}}}")
	_, _, problems := in.Apply(parse(t, "l:\n  - p: 1\n  - p: x\n"))
	if len(problems) != 1 || problems[0].Line != 3 || problems[0].Column != 8 {
		t.Errorf("got %+v, want one at 3:8", problems)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("{allOf: [", 30) + "{type: string}" + strings.Repeat("]}", 30)
	var wide strings.Builder
	for i := range 40 {
		fmt.Fprintf(&wide, "T%d: {allOf: [{$ref: '#/T%d'}, {$ref: '#/T%d'}]}\n", i, i+1, i+1)
	}
	wide.WriteString("T40: {type: string}\n")
	cases := []struct{ name, types, want string }{
		{"not a mapping", "[a]", "must be a mapping from type names to types"},
		{"type of nothing", "In: string", "In: must be a mapping that describes a value, such as {type: string}"},
		{"unknown type", "In: {type: text}", `In.type: "text" is not a type; use string, number, integer, boolean, array or object`},
		{"list as type", "In: {type: [string]}", `In.type: a list is not a type; use string, number, integer, boolean, array or object`},
		{"array without items", "In: {type: array}", "In: an array needs items, such as items: {type: string}"},
		{"dangling reference", "In: {$ref: '#/Nope'}", `In.$ref: "#/Nope" does not name a type of this schema; write "#/TypeName"`},
		{"reference elsewhere", "In: {$ref: 'file:///etc/passwd#/X'}", `In.$ref: "file:///etc/passwd#/X" does not name a type of this schema; write "#/TypeName"`},
		{"reference to itself", "In: {$ref: '#/B'}\nB: {$ref: '#/In'}", "In.$ref: the reference leads back to itself"},
		{"look-around", "In: {type: string, pattern: '(?=a)b'}", "In.pattern: pattern (?=a)b uses look-around (?=...), which is not supported; rewrite it without"},
		{"back-reference", `In: {type: string, pattern: '(a)\1'}`, `In.pattern: pattern (a)\1 uses a back-reference, which is not supported; rewrite it without`},
		{"broken pattern", "In: {type: string, pattern: '('}", "In.pattern: pattern ( is not a valid regular expression: error parsing regexp: missing closing ): `(`"},
		{"bound that is no number", "In: {type: number, minimum: low}", `In.minimum: must be a number, not "low"`},
		{"negative length", "In: {type: string, minLength: -1}", `In.minLength: must be a whole number, 0 or more, not "-1"`},
		{"enum that is no list", "In: {type: string, enum: a}", "In.enum: must be a list of the allowed values"},
		{"required that is no list", "In: {type: object, required: a}", "In.required: must be a list of property names"},
		{"properties that are a list", "In: {type: object, properties: [a]}", "In.properties: must be a mapping from property names to schemas"},
		{"long property name", "In: {type: object, properties: {" + strings.Repeat("n", 101) + ": {type: string}}}",
			"In.properties." + strings.Repeat("n", 101) + ": a property name may have at most 100 characters, this one has 101"},
		{"doubling compositions", wide.String() + "In: {$ref: '#/T0'}", "T0: allOf, anyOf, oneOf and not are nested too much: one value would be checked more than 1000 times"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			types, _, problems := Compile(parse(t, c.types))
			if types != nil || len(problems) == 0 || problems[0].String() != c.want || problems[0].Line == 0 {
				t.Errorf("got %v\nwant %s", problems, c.want)
			}
		})
	}
	if _, _, problems := Compile(parse(t, "In: "+deep)); len(problems) > 0 {
		t.Errorf("a deep but narrow composition: %v", problems)
	}
}

func TestCompileWarns(t *testing.T) {
	t.Parallel()
	_, warnings, problems := Compile(parse(t, `
In:
  type: object
  properties:
    load_balanced_public: {type: boolean, default: "public"}
    totalwaves: {type: number, minLength: 1, maxLength: 2}
    odd: {type: string, widget: slider, x-ui: 1, required: true}
    open: {type: object, additionalProperties: {type: string}, required: [anything]}
  required: [odd, od]
`))
	want := []string{
		"In.properties.totalwaves.minLength: has no effect on a number and is ignored",
		"In.properties.totalwaves.maxLength: has no effect on a number and is ignored",
		"In.properties.odd.widget: unknown keyword is ignored",
		"In.properties.odd.required: must be a list of property names beside properties; true is ignored",
		`In.required: "od" is not among the properties: no spec can give it, so none is valid`,
		`In.properties.load_balanced_public.default: "public" is not a boolean`,
	}
	if diff := cmp.Diff(want, lines(warnings)); diff != "" || len(problems) > 0 {
		t.Errorf("problems %v, warnings (-want +got):\n%s", problems, diff)
	}
}

func TestDefaultsThatGrowForeverAreStopped(t *testing.T) {
	t.Parallel()
	c, _, problems := Compile(parse(t, "In: {type: object, properties: {a: {$ref: '#/N'}, b: {$ref: '#/N'}}}\nN: {type: object, default: {}, properties: {a: {$ref: '#/N'}, b: {$ref: '#/N'}}}"))
	if c != nil || len(problems) != 1 || !strings.Contains(problems[0].Message, "too many values") {
		t.Errorf("got %v", problems)
	}
}

func TestIncompatible(t *testing.T) {
	t.Parallel()
	old := "In: {type: object, required: [r, d], properties: {r: {type: string}, d: {type: string, default: x}, o: {type: string}, n: {type: number, minimum: 1, maximum: 9}, s: {type: string, enum: [a, b], minLength: 1, maxLength: 9, pattern: a}, nested: {type: object, properties: {x: {type: string}}}}}"
	cases := []struct{ name, from, to, want string }{
		{"unchanged", "", "", ""},
		{"new optional", "r: {type: string}", "r: {type: string}, new: {type: string}", ""},
		{"new required", "required: [r, d]", "required: [r, d, new]", ""}, // names no property
		{"optional became required", "required: [r, d]", "required: [r, d, o]", "o: was optional and is now required without default"},
		{"lost its default", "d: {type: string, default: x}", "d: {type: string}", "d: was optional and is now required without default"},
		{"type changed", "o: {type: string}", "o: {type: number}", "o: type changed from string to number"},
		{"enum value removed", "enum: [a, b]", "enum: [a]", `s: enum value "b" removed`},
		{"enum value added", "enum: [a, b]", "enum: [a, b, c]", ""},
		{"enum added", "o: {type: string}", "o: {type: string, enum: [q]}", "o: enum added"},
		{"pattern changed", "pattern: a", "pattern: b", "s: pattern changed from a to b"},
		{"pattern removed", ", pattern: a", "", ""},
		{"minLength raised", "minLength: 1", "minLength: 2", "s: minLength raised to 2"},
		{"maxLength lowered", "maxLength: 9", "maxLength: 8", "s: maxLength lowered to 8"},
		{"minimum raised", "minimum: 1", "minimum: 2", "n: minimum raised to 2"},
		{"maximum lowered", "maximum: 9", "maximum: 8", "n: maximum lowered to 8"},
		{"bounds relaxed", "minimum: 1, maximum: 9", "maximum: 10", ""},
		{"property removed", "o: {type: string}, ", "", ""},
		{"nested", "x: {type: string}", "x: {type: boolean}", "nested.x: type changed from string to boolean"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			next := strings.Replace(old, c.from, c.to, 1)
			_, problems := Incompatible(compile(t, old), compile(t, next))
			if got := strings.Join(lines(problems), "\n"); got != c.want {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
	_, problems := Incompatible(compile(t, "In: {type: object}"), compile(t, "In: {type: object, required: [a], properties: {a: {type: string}}}"))
	if diff := cmp.Diff([]string{"a: new required property without default"}, lines(problems)); diff != "" {
		t.Error(diff)
	}
	warnings, _ := Incompatible(compile(t, "In: {type: object, properties: {a: {type: string}}}"), compile(t, "In: {type: object}"))
	if len(warnings) != 1 {
		t.Errorf("a removed property: got warnings %v, want one", warnings)
	}
}

func BenchmarkApply(b *testing.B) {
	in := compile(b, `In: {type: object, properties: {port: {type: number, default: 80, minimum: 0, maximum: 65535}, size: {type: string, enum: [s, m]}, image: {type: string, minLength: 1, maxLength: 200, default: x}}}`)
	values := parse(b, "{port: 8080, size: m}")
	for b.Loop() {
		if _, _, problems := in.Apply(values); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
