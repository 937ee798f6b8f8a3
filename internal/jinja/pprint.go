package jinja

import (
	"slices"
	"strings"
)

// pprintWidth is the line width of Python's pprint.
const pprintWidth = 80

// filterPprint is Python's pprint.pformat: one line where it fits, else one
// item a line; dicts sorted by key.
func filterPprint(r *run, a []any) any {
	p := &pprinter{r: r}
	p.format(a[0], 0, 0, 1)
	return p.b.String()
}

type pprinter struct {
	r *run
	b strings.Builder
}

// format writes v at a column, leaving room behind it for closing brackets.
func (p *pprinter) format(v any, indent, allowance, depth int) {
	if depth > maxValueDepth {
		p.r.failf("the value is nested more than %d deep, or holds itself", maxValueDepth)
	}
	v = p.sorted(v, depth)
	line := p.r.repr(v)
	if runeLen(line) <= pprintWidth-indent-allowance {
		p.b.WriteString(line)
		return
	}
	switch v := v.(type) {
	case *dict:
		p.b.WriteByte('{')
		for i, e := range v.entries {
			key := p.r.repr(e.key)
			if i > 0 {
				p.newline(indent + 1)
			}
			p.b.WriteString(key + ": ")
			p.format(e.value, indent+1+runeLen(key)+2, p.room(i, len(v.entries), allowance), depth+1)
			p.comma(i, len(v.entries))
		}
		p.b.WriteByte('}')
	case *list:
		p.items(v.items, "[", "]", indent, allowance, depth)
	case *tuple:
		if v.names != nil {
			p.b.WriteString(line)
			return
		}
		closing := ")"
		if len(v.items) == 1 {
			closing = ",)"
		}
		p.items(v.items, "(", closing, indent, allowance, depth)
	case string:
		p.text(v, indent, allowance, depth)
	default:
		p.b.WriteString(line)
	}
}

// sorted orders the dicts of a value by key, as far down as it goes.
func (p *pprinter) sorted(v any, depth int) any {
	if depth > maxValueDepth {
		p.r.failf("the value is nested more than %d deep, or holds itself", maxValueDepth)
	}
	all := func(items []any) []any {
		p.r.allocItems(len(items))
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = p.sorted(item, depth+1)
		}
		return out
	}
	switch v := v.(type) {
	case *list:
		return &list{items: all(v.items)}
	case *tuple:
		if v.names != nil {
			return v // Python prints these with their own repr
		}
		return &tuple{items: all(v.items)}
	case *dict:
		entries := slices.Clone(v.all(p.r))
		p.r.allocItems(len(entries))
		slices.SortStableFunc(entries, func(a, b dictEntry) int { return p.compareKeys(a.key, b.key) })
		out := newDict(len(entries))
		for _, e := range entries {
			out.set(p.r, e.key, p.sorted(e.value, depth+1))
		}
		return out
	}
	return v
}

// compareKeys orders keys of any kinds: by value where Python can, else by type.
func (p *pprinter) compareKeys(a, b any) int {
	_, aText := text(a)
	_, bText := text(b)
	_, aNumber := number(a)
	_, bNumber := number(b)
	if aText && bText || aNumber && bNumber {
		switch {
		case p.r.ordered(opLt, a, b, 0):
			return -1
		case p.r.ordered(opLt, b, a, 0):
			return 1
		}
		return 0
	}
	return strings.Compare(typeName(a), typeName(b))
}

func (p *pprinter) newline(indent int) {
	p.b.WriteByte('\n')
	p.b.WriteString(p.r.fill(indent, " "))
}

func (p *pprinter) comma(i, n int) {
	if i < n-1 {
		p.b.WriteByte(',')
	}
}

// room is what must stay free behind the i-th of n items.
func (p *pprinter) room(i, n, allowance int) int {
	if i < n-1 {
		return 1
	}
	return allowance + 1
}

func (p *pprinter) items(items []any, open, closing string, indent, allowance, depth int) {
	p.b.WriteString(open)
	for i, item := range items {
		if i > 0 {
			p.newline(indent + 1)
		}
		p.format(item, indent+1, p.room(i, len(items), allowance+len(closing)-1), depth+1)
		p.comma(i, len(items))
	}
	p.b.WriteString(closing)
}

// text writes a long string as adjacent literals, broken after spaces.
func (p *pprinter) text(s string, indent, allowance, depth int) {
	lines := splitLines(s, true)
	if depth == 1 {
		indent, allowance = indent+1, allowance+1
	}
	var chunks []string
	for i, line := range lines {
		room := pprintWidth - indent
		if i == len(lines)-1 {
			room -= allowance
		}
		if runeLen(reprString(line)) <= room {
			chunks = append(chunks, reprString(line))
			continue
		}
		chunks = append(chunks, breakLiteral(line, i == len(lines)-1, pprintWidth-indent, allowance)...)
	}
	if len(chunks) == 1 {
		p.b.WriteString(chunks[0])
		return
	}
	if depth == 1 {
		p.b.WriteByte('(')
	}
	for i, c := range chunks {
		if i > 0 {
			p.newline(indent)
		}
		p.b.WriteString(c)
	}
	if depth == 1 {
		p.b.WriteByte(')')
	}
}

// breakLiteral writes one line of text as literals no wider than room.
func breakLiteral(line string, last bool, room, allowance int) []string {
	parts := wordsWithSpace(line)
	var out []string
	current := ""
	for i, part := range parts {
		width := room
		if last && i == len(parts)-1 {
			width -= allowance
		}
		if current != "" && runeLen(reprString(current+part)) > width {
			out = append(out, reprString(current))
			current = part
		} else {
			current += part
		}
	}
	if current != "" {
		out = append(out, reprString(current))
	}
	return out
}

// wordsWithSpace splits text into words, each with the space behind it.
func wordsWithSpace(s string) []string {
	var out []string
	start, inSpace := 0, false
	for i, c := range s {
		if space := isSpace(c); space {
			inSpace = true
		} else if inSpace {
			out = append(out, s[start:i])
			start, inSpace = i, false
		}
	}
	return append(out, s[start:])
}
