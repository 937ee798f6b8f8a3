package schema

import (
	"encoding/json"
	"testing"
)

func compiled(t *testing.T, text string) *Types {
	t.Helper()
	types, _, problems := Compile(parse(t, text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return types
}

func TestExampleHasDefaultsAndWhatIsRequired(t *testing.T) {
	t.Parallel()
	types := compiled(t, `
In:
  type: object
  required: [text, shown, size, count, on, list, nested]
  properties:
    optional: {type: string}
    defaulted: {type: number, default: 1.0}
    text: {type: string}
    shown: {type: string, example: 1.10}
    size: {type: string, enum: [s, m]}
    count: {type: integer, minimum: 3}
    on: {type: boolean}
    list: {type: array, items: {type: string}}
    nested: {type: object}
`)
	got, err := json.Marshal(types.Lookup("In").Example())
	const want = `{"defaulted":1.0,"text":"example","shown":"1.10","size":"s","count":3,"on":true,"list":[],"nested":{}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestTypesThatTakeAny(t *testing.T) {
	t.Parallel()
	types := compiled(t, `
Closed: {type: object}
Shut: {type: object, additionalProperties: false}
Open: {type: object, additionalProperties: true}
Texts: {type: object, additionalProperties: {type: string}}
`)
	for name, want := range map[string]bool{"Closed": false, "Shut": false, "Open": true, "Texts": true} {
		if got := types.Lookup(name).TakesAny(); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestUnknownValuesAreToldApartFromOtherWarnings(t *testing.T) {
	t.Parallel()
	types := compiled(t, "In: {type: object, properties: {on: {type: boolean, default: public}}}")
	_, warnings, _ := types.Lookup("In").Apply(parse(t, "typo: 1"))
	if len(warnings) != 2 || !warnings[0].Unknown || warnings[1].Unknown {
		t.Errorf("got %+v", warnings)
	}
}

func TestPropertiesKnowTheirPlace(t *testing.T) {
	t.Parallel()
	got := compiled(t, "In:\n  type: object\n  properties:\n    a:\n      type: string\n").Lookup("In").Properties()
	if len(got) != 1 || got[0].Line != 4 || got[0].Column != 5 {
		t.Errorf("got %+v", got)
	}
}

func TestOwnTagsAreKept(t *testing.T) {
	t.Parallel()
	n := parse(t, "a: !Ref x\nb: !GetAtt [x, y]\nc: !If {x: 1}\nd: !!str 1\ne: 1\nf: ! x\n")
	for key, want := range map[string]string{"a": "!Ref", "b": "!GetAtt", "c": "!If", "d": "", "e": "", "f": ""} {
		if got := n.Get(key).Tag; got != want {
			t.Errorf("%s: got tag %q", key, got)
		}
	}
}
