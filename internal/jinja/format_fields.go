package jinja

import (
	"strconv"
	"strings"
)

// methodFormat is str.format.
func methodFormat(r *run, args []any, kw []kwarg) any {
	f := &fieldFormatter{r: r, args: args[1:], escape: r.escapeOf(args[0])}
	f.named = func(name string) (any, bool) {
		for _, k := range kw {
			if k.name == name {
				return k.value, true
			}
		}
		return nil, false
	}
	return sameKind(args[0], f.format(r.mustText(args[0]), 2))
}

// formatMap is str.format_map.
func formatMap(r *run, s, mapping any) any {
	r.refuse(mapping)
	d, ok := mapping.(*dict)
	if !ok {
		r.failf("'%s' object is not a mapping", typeName(mapping))
	}
	f := &fieldFormatter{r: r, escape: r.escapeOf(s)}
	f.named = func(name string) (any, bool) { return d.getString(r, name) }
	return sameKind(s, f.format(r.mustText(s), 2))
}

// escapeOf is how values are made safe in the markup s; nil for plain strings.
func (r *run) escapeOf(s any) func(string) string {
	if _, ok := s.(markup); ok {
		return escapeHTML
	}
	return nil
}

type fieldFormatter struct {
	r      *run
	args   []any
	named  func(name string) (any, bool)
	auto   int // fields numbered so far
	manual bool
	escape func(string) string
}

// format fills in the {} of s; depth bounds specifications inside each other.
func (f *fieldFormatter) format(s string, depth int) string {
	if depth < 0 {
		f.r.failf("Max string recursion exceeded")
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		if i+1 < len(s) && s[i+1] == s[i] {
			b.WriteByte(s[i])
			s = s[i+2:]
			continue
		}
		if s[i] == '}' {
			f.r.failf("Single '}' encountered in format string")
		}
		field, rest := f.cutField(s[i+1:])
		b.WriteString(f.field(field, depth))
		s = rest
	}
	b.WriteString(s)
	f.r.alloc(b.Len())
	return b.String()
}

func (f *fieldFormatter) cutField(s string) (field, rest string) {
	level := 1
	inBrackets := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			inBrackets = true
		case ']':
			inBrackets = false
		case '{':
			level++
		case '}':
			if inBrackets && level == 1 {
				continue
			}
			if level--; level == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	f.r.failf("expected '}' before end of string")
	return "", ""
}

// field formats one replacement field: name, conversion, specification.
func (f *fieldFormatter) field(s string, depth int) string {
	r := f.r
	r.step()
	end := 0
	for brackets := false; end < len(s); end++ {
		if s[end] == '[' {
			brackets = true
		} else if s[end] == ']' {
			brackets = false
		} else if !brackets && (s[end] == '!' || s[end] == ':') {
			break
		}
	}
	name, rest := s[:end], s[end:]
	v := f.lookup(name)
	if strings.HasPrefix(rest, "!") {
		if len(rest) < 2 || len(rest) > 2 && rest[2] != ':' {
			r.failf("expected ':' after conversion specifier")
		}
		switch rest[1] {
		case 's':
			v = r.str(v)
		case 'r':
			r.refuse(v)
			v = r.repr(v)
		case 'a':
			r.refuse(v)
			v = ascii(r.repr(v))
		default:
			r.failf("Unknown conversion specifier %c", rest[1])
		}
		rest = rest[2:]
	}
	spec := f.format(strings.TrimPrefix(rest, ":"), depth-1)
	out := r.formatValue(v, spec)
	if _, safe := v.(markup); f.escape != nil && !safe {
		out = f.escape(out)
	}
	return out
}

// lookup finds what a field's name means: an argument, then attributes and items.
func (f *fieldFormatter) lookup(name string) any {
	r := f.r
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := f.argument(name[:end])
	for rest := name[end:]; rest != ""; {
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			if end == 0 {
				r.failf("Empty attribute in format string")
			}
			v = r.library.attr(r, v, rest[1:1+end], hintNode(name))
			rest = rest[1+end:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 2 {
			r.failf("Missing ']' in format string")
		}
		v = r.library.item(r, v, fieldKey(rest[1:end]), hintNode(name))
		rest = rest[end+1:]
	}
	return v
}

func hintNode(name string) expr { return &nameExpr{name: name} }

func fieldKey(s string) any {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return int64(n)
	}
	return s
}

func (f *fieldFormatter) argument(first string) any {
	r := f.r
	if first == "" {
		if f.manual {
			r.failf("cannot switch from manual field specification to automatic field numbering")
		}
		first = strconv.Itoa(f.auto)
		f.auto++
	} else if isDecimal(first[0]) {
		if f.auto > 0 {
			r.failf("cannot switch from manual field specification to automatic field numbering")
		}
		f.manual = true
	}
	if i, ok := fieldKey(first).(int64); ok {
		if int(i) >= len(f.args) {
			r.failf("Replacement index %d out of range for positional args tuple", i)
		}
		return f.args[i]
	}
	v, ok := f.named(first)
	if !ok {
		r.failf("KeyError: %s", reprString(first))
	}
	return v
}
