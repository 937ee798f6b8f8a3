package auth

import (
	"fmt"
	"strings"
)

// pattern is a text in which * stands for any text, ? for one character, and
// ${key} for a fact about the request.
type pattern struct {
	text   string
	parts  []part
	varied bool // has variables
	// What a pattern without variables comes to, as it is and in lower case.
	glob, folded []int16
}

// A part is literal text, a wildcard, or a variable.
type part struct {
	literal  string
	wildcard byte   // '*', '?' or 0
	key      string // of a variable
	fallback *string
}

// newPattern reads a pattern. Variables are only known to documents of the
// version that introduced them.
func newPattern(text string, variables bool) (pattern, error) {
	p := pattern{text: text}
	literal := func(s string) {
		if s != "" {
			p.parts = append(p.parts, part{literal: s})
		}
	}
	rest := text
	for rest != "" {
		n := strings.IndexAny(rest, "*?$")
		if n < 0 {
			literal(rest)
			break
		}
		literal(rest[:n])
		rest = rest[n:]
		switch {
		case rest[0] != '$':
			p.parts = append(p.parts, part{wildcard: rest[0]})
			rest = rest[1:]
		case !variables || !strings.HasPrefix(rest, "${"):
			literal("$")
			rest = rest[1:]
		default:
			inside, after, closed := strings.Cut(rest[2:], "}")
			if !closed {
				return p, fmt.Errorf("%q has a policy variable without its closing brace", text)
			}
			v, err := variable(inside)
			if err != nil {
				return p, fmt.Errorf("%q: %w", text, err)
			}
			p.varied = p.varied || v.key != ""
			p.parts = append(p.parts, v)
			rest = after
		}
	}
	if !p.varied {
		p.glob, p.folded = globOf(p.parts, false), globOf(p.parts, true)
	}
	return p, nil
}

// variable reads what stands between ${ and }: a key with an optional default
// in quotes, or one of the characters that mean something otherwise.
func variable(inside string) (part, error) {
	switch inside {
	case "*", "?", "$":
		return part{literal: inside}, nil
	}
	key, fallback, given := strings.Cut(inside, ",")
	v := part{key: strings.ToLower(strings.TrimSpace(key))}
	if !strings.Contains(v.key, ":") {
		return v, fmt.Errorf("${%s} is not a policy variable, as ${aws:username} is", inside)
	}
	if given {
		text, ok := strings.CutPrefix(strings.TrimSpace(fallback), "'")
		text, closed := strings.CutSuffix(text, "'")
		if !ok || !closed {
			return v, fmt.Errorf("the default of ${%s} must stand in single quotes", inside)
		}
		v.fallback = &text
	}
	return v, nil
}

// resolve puts facts in place of variables; false if one is not known. What is
// put in is literal: its stars stand for themselves.
func (p pattern) resolve(facts Facts) ([]part, bool) {
	if !p.varied {
		return p.parts, true
	}
	parts := make([]part, len(p.parts))
	for n, v := range p.parts {
		if v.key != "" {
			values := facts(v.key)
			switch {
			case len(values) == 1:
				v = part{literal: values[0]}
			case len(values) == 0 && v.fallback != nil:
				v = part{literal: *v.fallback}
			default:
				return nil, false
			}
		}
		parts[n] = v
	}
	return parts, true
}

// matches reports whether value is what the pattern describes.
func (p pattern) matches(value string, facts Facts, fold bool) bool {
	switch {
	case p.varied:
		parts, ok := p.resolve(facts)
		return ok && matchParts(parts, value, fold)
	case fold:
		return matchGlob(p.folded, strings.ToLower(value))
	}
	return matchGlob(p.glob, value)
}

// equals compares without wildcards.
func (p pattern) equals(value string, facts Facts, fold bool) bool {
	parts, ok := p.resolve(facts)
	if !ok {
		return false
	}
	var b strings.Builder
	for _, v := range parts {
		b.WriteString(v.literal)
		if v.wildcard != 0 {
			b.WriteByte(v.wildcard)
		}
	}
	if fold {
		return strings.EqualFold(b.String(), value)
	}
	return b.String() == value
}

func matchParts(parts []part, value string, fold bool) bool {
	if fold {
		value = strings.ToLower(value)
	}
	return matchGlob(globOf(parts, fold), value)
}

func globOf(parts []part, fold bool) []int16 {
	var glob []int16
	for _, v := range parts {
		switch v.wildcard {
		case '*':
			glob = append(glob, anyText)
		case '?':
			glob = append(glob, oneByte)
		}
		text := v.literal
		if fold {
			text = strings.ToLower(text)
		}
		for n := range len(text) {
			glob = append(glob, int16(text[n]))
		}
	}
	return glob
}

const (
	anyText int16 = -1
	oneByte int16 = -2
)

// matchGlob takes time proportional to the product of its arguments at most.
func matchGlob(glob []int16, value string) bool {
	p, v, star, mark := 0, 0, -1, 0
	for v < len(value) {
		switch {
		case p < len(glob) && glob[p] == anyText:
			star, mark = p, v
			p++
		case p < len(glob) && (glob[p] == oneByte || glob[p] == int16(value[v])):
			p++
			v++
		case star >= 0:
			mark++
			p, v = star+1, mark
		default:
			return false
		}
	}
	for p < len(glob) && glob[p] == anyText {
		p++
	}
	return p == len(glob)
}
