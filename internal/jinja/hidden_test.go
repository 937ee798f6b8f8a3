package jinja

import "testing"

func TestHiddenValuesAreFoundByNameAndNotSeenOtherwise(t *testing.T) {
	t.Parallel()
	empty := NewMap()
	empty.SetHidden("outputs", NewMap())
	vars := NewMap()
	vars.Set("c", empty)
	for source, want := range map[string]string{
		"{{ c }}":                                "{}",
		"{{ c | length }}":                       "0",
		"{% if c %}yes{% else %}no{% endif %}":   "no",
		"{{ c.outputs }} {{ c['outputs'] }}":     "{} {}",
		"{{ c.outputs | length > 0 }}":           "False",
		"{{ c.outputs is defined }}":             "True",
		"{{ 'outputs' in c }}":                   "False",
		"{% for k in c %}{{ k }}{% endfor %}":    "",
		"{{ c.items() | list }} {{ c.outputs }}": "[] {}",
		"{{ c | tojson }}":                       "{}",
		"{{ c.name is defined }}":                "False",
		"{{ c.name | default('d') }}":            "d",
		"{{ c == {} }}":                          "True",
		"{{ c.get('outputs', 'd') }}":            "d",
		"{% set d = c %}{{ d.outputs }}":         "{}",
	} {
		got, err := renderText(source, vars)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", source, got, err, want)
		}
	}
}
