package awsjson_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/awsjson"
)

func TestConstraintMessages(t *testing.T) {
	t.Parallel()
	const (
		pattern = "Member must satisfy regular expression pattern: ^[a-zß]+$"
		element = "Member must satisfy constraint: [Member must have length less than or equal to 10, Member must have length greater than or equal to 1, " + pattern + "]"
	)
	for _, c := range []struct {
		name, body string
		want       []string // failures, without "Value " and " failed to satisfy constraint: "
	}{
		{"all is well", `{"name":"a","keys":["a"],"source":{"file":""},"color":"GREEN","count":100,"path":"a/b"}`, nil},
		{"characters count, not bytes", `{"name":"ßßßßßßßßßß"}`, nil},
		{"required", `{}`, []string{"null at 'name'|Member must not be null"}},
		{"pattern", `{"name":"A"}`, []string{"'A' at 'name'|" + pattern}},
		{"patterns match the whole value", `{"name":"a\n"}`, []string{"'a\n' at 'name'|" + pattern}},
		{"also those without anchors", `{"name":"a","path":"a/b/"}`, []string{"'a/b/' at 'path'|Member must satisfy regular expression pattern: [a-z]+/[a-z]+"}},
		{"empty", `{"name":""}`, []string{"'' at 'name'|" + pattern, "'' at 'name'|Member must have length greater than or equal to 1"}},
		{"too long", `{"name":"abcdefghijk"}`, []string{"'abcdefghijk' at 'name'|Member must have length less than or equal to 10"}},
		{"enum", `{"name":"a","color":"red"}`, []string{"'red' at 'color'|Member must satisfy enum value set: [RED, GREEN]"}},
		{"number too small", `{"name":"a","count":0}`, []string{"'0' at 'count'|Member must have value greater than or equal to 1"}},
		{"number too large", `{"name":"a","count":101}`, []string{"'101' at 'count'|Member must have value less than or equal to 100"}},
		{"sensitive", `{"name":"a","secret":"hunter2"}`, []string{"at 'secret'|Member must have length less than or equal to 5"}},
		{"list too short", `{"name":"a","keys":[]}`, []string{"'[]' at 'keys'|Member must have length greater than or equal to 1"}},
		{"list too long", `{"name":"a","keys":["a","b","c","d"]}`, []string{"'[a, b, c, d]' at 'keys'|Member must have length less than or equal to 3"}},
		{"elements of a list of strings", `{"name":"a","keys":["a","B","C"]}`, []string{"'[a, B, C]' at 'keys'|" + element}},
		{"elements of a list of enums", `{"name":"a","colors":["RED","BLUE"]}`, []string{"'[RED, BLUE]' at 'colors'|Member must satisfy constraint: [Member must satisfy enum value set: [RED, GREEN]]"}},
		{"nested", `{"name":"a","node":{"value":"B","children":[{"value":"c"},{}]}}`,
			[]string{"'B' at 'node.value'|" + pattern, "null at 'node.children.2.member.value'|Member must not be null"}},
		{"union with none", `{"name":"a","source":{"other":1}}`, []string{"at 'source'|Member must have exactly one of its members set: [file, link]"}},
		{"union with two", `{"name":"a","source":{"file":"","link":""}}`, []string{"at 'source'|Member must have exactly one of its members set: [file, link]"}},
		{"order of the model", `{"secret":"","color":"x","count":0}`, []string{"null at 'name'|Member must not be null",
			"'x' at 'color'|Member must satisfy enum value set: [RED, GREEN]", "'0' at 'count'|Member must have value greater than or equal to 1",
			"at 'secret'|Member must have length greater than or equal to 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := new(MakeInput)
			if err := awsjson.Decode([]byte(c.body), &shapes[makeInput], in); err != nil {
				t.Fatal(err)
			}
			err := awsjson.Validate(&shapes[makeInput], in)
			if got, want := message(err), expected(c.want); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func message(err error) string {
	if e, ok := errors.AsType[*awsjson.Error](err); ok && e.Code == "ValidationException" && e.Status == 400 {
		return e.Message
	}
	return fmt.Sprint(err)
}

func expected(failures []string) string {
	all := make([]string, len(failures))
	for i, f := range failures {
		all[i] = "Value " + strings.Replace(f, "|", " failed to satisfy constraint: ", 1)
	}
	switch len(all) {
	case 0:
		return "<nil>"
	case 1:
		return "1 validation error detected: " + all[0]
	}
	return fmt.Sprintf("%d validation errors detected: %s", len(all), strings.Join(all, "; "))
}

func TestManyFailuresAreCountedAndNotAllSpelledOut(t *testing.T) {
	t.Parallel()
	in := &MakeInput{Name: ptr("a"), Nodes: make([]Node, 500)}
	got := message(awsjson.Validate(&shapes[makeInput], in))
	if !strings.HasPrefix(got, "500 validation errors detected: ") || strings.Count(got, "Value null") != 100 {
		t.Errorf("got %.200s… of %d bytes", got, len(got))
	}
	in.Nodes = make([]Node, 501)
	got = message(awsjson.Validate(&shapes[makeInput], in))
	if !strings.HasPrefix(got, "1 validation error detected: Value '[Node(), ") {
		t.Errorf("elements of a list that is too long were checked: %.200s…", got)
	}
}
