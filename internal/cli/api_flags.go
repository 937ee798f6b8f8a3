package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// kebab is a name of the model as a flag or command: clientToken is client-token.
func kebab(name string) string {
	var b strings.Builder
	for n, r := range name {
		if unicode.IsUpper(r) && n > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// memberFlag is the value of one member of an operation's input.
type memberFlag struct {
	member awsjson.Member
	value  any // as JSON has it; nil while nothing is given
}

// addMemberFlags adds a flag for each member of an input.
func addMemberFlags(cmd *cobra.Command, input *awsjson.Shape) []*memberFlag {
	list := make([]*memberFlag, len(input.Members))
	for n, m := range input.Members {
		list[n] = &memberFlag{member: m}
		f := cmd.Flags().VarPF(list[n], kebab(m.Name), "", describe(m))
		if m.Shape.Kind == awsjson.Boolean {
			f.NoOptDefVal = "true"
		}
		if values := enumOf(m.Shape); values != nil {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return values, cobra.ShellCompDirectiveNoFileComp
			})
		}
	}
	return list
}

// enumOf is the values that a member, or each element of it, may have.
func enumOf(s *awsjson.Shape) []string {
	if s.Kind == awsjson.List {
		s = s.Element
	}
	return s.Enum
}

var _ pflag.Value = (*memberFlag)(nil)

func (f *memberFlag) String() string { return "" }

// Type is what --help shows behind the flag's name.
func (f *memberFlag) Type() string {
	if f.member.Shape.Kind == awsjson.Boolean {
		return "bool"
	}
	return kindName(f.member.Shape)
}

// Set takes a value as it is written on the command line. Lists grow with each use.
func (f *memberFlag) Set(text string) error {
	s := f.member.Shape
	if path, ok := strings.CutPrefix(text, "file://"); ok {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text = string(content)
	}
	if s.Kind != awsjson.List {
		value, err := parseValue(s, text)
		f.value = value
		return err
	}
	list, _ := f.value.([]any)
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		value, err := parseValue(s, text)
		if err != nil {
			return err
		}
		f.value = append(list, value.([]any)...)
		return nil
	}
	element, err := parseValue(s.Element, text)
	f.value = append(list, element)
	return err
}

// parseValue reads a value of a shape: text as it is, structures and lists as
// JSON or in the shorthand of the AWS CLI.
func parseValue(s *awsjson.Shape, text string) (any, error) {
	switch s.Kind {
	case awsjson.Integer:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, nil
	case awsjson.Boolean:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not true or false", text)
		}
		return b, nil
	case awsjson.Structure, awsjson.List:
		if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, `{"`) || trimmed == "{}" {
			var v any
			if err := json.Unmarshal([]byte(trimmed), &v); err != nil {
				return nil, fmt.Errorf("JSON: %w", err)
			}
			return v, nil
		}
		p := &shorthand{rest: text}
		v, err := p.pairs(s, "")
		if err == nil && p.rest != "" {
			err = fmt.Errorf("%q is left over", p.rest)
		}
		if err != nil {
			return nil, fmt.Errorf("%w; write it as JSON or as %s", err, example(s))
		}
		return v, nil
	}
	return text, nil
}

// shorthand reads structures as the AWS CLI writes them:
// key=value,key={key=value}. A comma in a value stands behind a backslash, or
// the value in double quotes.
type shorthand struct{ rest string }

// pairs reads the members of a structure up to the end, which is not read.
func (p *shorthand) pairs(s *awsjson.Shape, end string) (map[string]any, error) {
	out := map[string]any{}
	for {
		name, rest, ok := strings.Cut(p.rest, "=")
		if !ok {
			return nil, fmt.Errorf("%q has no =", p.rest)
		}
		i := slices.IndexFunc(s.Members, func(m awsjson.Member) bool { return m.Name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("%s has no member %q", s.Name, strings.TrimSpace(name))
		}
		p.rest = rest
		value, err := p.value(s.Members[i].Shape, end)
		if err != nil {
			return nil, err
		}
		out[s.Members[i].Name] = value
		if p.rest == "" || end != "" && strings.HasPrefix(p.rest, end) {
			return out, nil
		}
		p.rest = strings.TrimPrefix(p.rest, ",")
	}
}

func (p *shorthand) value(s *awsjson.Shape, end string) (any, error) {
	if s.Kind == awsjson.Structure && strings.HasPrefix(p.rest, "{") {
		p.rest = p.rest[1:]
		v, err := p.pairs(s, "}")
		if err == nil && p.rest == "" {
			err = fmt.Errorf("} is missing")
		}
		p.rest = strings.TrimPrefix(p.rest, "}")
		return v, err
	}
	return parseValue(s, p.text(end))
}

// text reads a value up to a comma or the end of what it is in.
func (p *shorthand) text(end string) string {
	var b strings.Builder
	quoted := strings.HasPrefix(p.rest, `"`)
	n := 0
	if quoted {
		n = 1
	}
	for ; n < len(p.rest); n++ {
		c := p.rest[n]
		switch {
		case c == '\\' && n+1 < len(p.rest):
			n++
			b.WriteByte(p.rest[n])
			continue
		case quoted && c == '"':
			p.rest = p.rest[n+1:]
			return b.String()
		case !quoted && (c == ',' || end != "" && c == end[0]):
			p.rest = p.rest[n:]
			return b.String()
		}
		b.WriteByte(c)
	}
	p.rest = ""
	return b.String()
}

func kindName(s *awsjson.Shape) string {
	switch s.Kind {
	case awsjson.Integer:
		return "integer"
	case awsjson.Boolean:
		return "true|false"
	case awsjson.Structure:
		return "structure"
	case awsjson.List:
		return "list"
	}
	return "string"
}

// describe says what a member takes, for --help: required or not, its limits,
// and how to write it.
func describe(m awsjson.Member) string {
	var parts []string
	if m.Required {
		parts = append(parts, "required")
	}
	s := m.Shape
	if s.Kind == awsjson.List {
		parts = append(parts, "may be given several times"+bounds(s.Limits, " elements"))
		s = s.Element
	}
	switch {
	case s.Enum != nil:
		parts = append(parts, strings.Join(s.Enum, ", "))
	case s.Kind == awsjson.Structure:
		parts = append(parts, "JSON or "+example(s))
	case s.Kind == awsjson.String:
		if limits := strings.TrimPrefix(bounds(s.Limits, " characters"), ", "); limits != "" {
			parts = append(parts, limits)
		}
		if s.Pattern != "" && len(s.Pattern) <= 60 {
			parts = append(parts, "matching "+s.Pattern)
		}
		if m.Name == "spec" || s.Limits != nil && s.Limits.Max > 1000 && s.Limits.Max != awsjson.NoMax {
			parts = append(parts, "file://PATH reads a file")
		}
	case s.Kind == awsjson.Integer:
		if limits := strings.TrimPrefix(bounds(s.Limits, ""), ", "); limits != "" {
			parts = append(parts, limits)
		}
	}
	return strings.Join(parts, "; ")
}

// bounds are limits in words.
func bounds(l *awsjson.Limits, of string) string {
	switch {
	case l == nil || l.Min == awsjson.NoMin && l.Max == awsjson.NoMax:
		return ""
	case l.Max == awsjson.NoMax || l.Max == math.MaxInt64:
		return fmt.Sprintf(", at least %d%s", l.Min, of)
	case l.Min == awsjson.NoMin || l.Min == 0:
		return fmt.Sprintf(", at most %d%s", l.Max, of)
	}
	return fmt.Sprintf(", %d to %d%s", l.Min, l.Max, of)
}

// example is how a structure is written in shorthand.
func example(s *awsjson.Shape) string {
	if s.Kind == awsjson.List {
		s = s.Element
	}
	var pairs []string
	for _, m := range s.Members {
		value := "…"
		if m.Shape.Kind == awsjson.Structure {
			value = "{" + example(m.Shape) + "}"
		}
		pairs = append(pairs, m.Name+"="+value)
	}
	return strings.Join(pairs, ",")
}
