package schema

import (
	"strings"
	"testing"
)

func TestParseYAMLKinds(t *testing.T) {
	t.Parallel()
	n := parse(t, `
a: 1.10
b: 1.4.2
c: 2010-09-09
d: yes
e: "80"
f: 0x1f
g: .inf
h: 1_000
i: True
j:
k: !!str 12
l: |
  text
m: 12:30:45
`)
	want := map[string]Kind{"a": Float, "b": String, "c": String, "d": String, "e": String, "f": Int, "g": String,
		"h": String, "i": Bool, "j": Null, "k": String, "l": String, "m": String}
	for _, f := range n.Fields {
		if f.Value.Kind != want[f.Key] {
			t.Errorf("%s is a %s, want %s", f.Key, f.Value.Kind, want[f.Key])
		}
	}
	if got := n.Get("a").Text; got != "1.10" {
		t.Errorf("source text %q, want 1.10", got)
	}
	if f := n.Get("f"); f.Scalar != int64(31) || f.Line != 7 || f.Column != 4 {
		t.Errorf("got %+v", f)
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	t.Parallel()
	n := parse(t, "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nagain: *b\nlist:\n  <<: [*b, {z: 4}]\n")
	got, err := n.Value().(*Object).MarshalJSON()
	want := `{"base":{"x":1,"y":2},"use":{"y":3,"x":1},"again":{"x":1,"y":2},"list":{"x":1,"y":2,"z":4}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
}

func TestParseYAMLRefuses(t *testing.T) {
	t.Parallel()
	var bomb strings.Builder
	bomb.WriteString("a: &a [x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c <= 'j'; c++ {
		bomb.WriteString(string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 9), ", ") + "]\n")
	}
	cases := []struct {
		name, text, want string
		line             int
	}{
		{"a control character", "a: 1\nb: 2 # \x01", "invalid YAML: the control character U+0001 is not allowed", 2},
		{"duplicate key", "a: 1\nb: 2\na: 3\n", `duplicate key "a"`, 3},
		{"bomb", bomb.String(), "expands to more than 100000 values", 1},
		{"cycle", "a: &a [*a]\n", "alias *a refers to a value that contains it", 1},
		{"depth", strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested deeper than 100 levels", 1},
		{"syntax", "a: 1\nb: [1, 2\nc: 3\n", "invalid YAML", 2},
		{"key that is a mapping", "a: {{x}}\n", "a key must be a single value", 1},
		{"merge of a list of scalars", "<<: [1]\n", "a merge key (<<) needs a mapping", 1},
		{"two documents", "a: 1\n---\nb: 2\n", "", 0},
		{"size", strings.Repeat("#", 1<<20+1), "larger than", 0},
		{"unknown alias", "a: *b\n", "invalid YAML", 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseYAML([]byte(c.text))
			e, ok := err.(*SyntaxError)
			if !ok || !strings.Contains(e.Message, c.want) || (c.line > 0 && e.Line < c.line) {
				t.Errorf("got %#v, want %q at line %d", err, c.want, c.line)
			}
		})
	}
}

func TestEmptyTextIsNull(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "# nothing\n", "---\n"} {
		if n := parse(t, text); !n.IsNull() {
			t.Errorf("%q is a %s", text, n.Kind)
		}
	}
}

func FuzzParseYAML(f *testing.F) {
	for _, seed := range []string{"a: [1, *b]", "<<: {a: 1}", "&a [*a]", "a: !!int x", "? [a]\n: b", "a: 'x\ny'", "{a: {b: c}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseYAML([]byte(text))
		if err != nil {
			return
		}
		if o, ok := n.Value().(*Object); ok {
			if _, err := o.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzCompile holds hostile values against hostile types.
func FuzzCompile(f *testing.F) {
	f.Add("In: {type: object, properties: {a: {type: string, default: x}}}", "a: 1")
	f.Add("In: {allOf: [{$ref: '#/In'}, {type: array, items: {$ref: '#/In'}}]}", "[[[]]]")
	f.Add("In: {type: object, properties: {a: {$ref: '#/In'}}, additionalProperties: {$ref: '#/In'}}", "a: {b: {c: 1}}")
	f.Add("In: {not: {anyOf: [{type: number, multipleOf: 0.1}]}}", "0.3")
	f.Fuzz(func(t *testing.T, types, values string) {
		n, err := ParseYAML([]byte(types))
		if err != nil || len(types) > 2000 {
			return
		}
		c, _, problems := Compile(n)
		if (c == nil) == (len(problems) == 0) {
			t.Fatalf("types %v with problems %v", c, problems)
		}
		v, err := ParseYAML([]byte(values))
		if c == nil || err != nil || c.Lookup("In") == nil {
			return
		}
		o, _, problems := c.Lookup("In").Apply(v)
		if len(problems) == 0 {
			if _, err := o.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
