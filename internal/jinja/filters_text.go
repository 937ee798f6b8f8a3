package jinja

import (
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var textFilters = table(
	define("capitalize", "s", softText(capitalize)),
	define("lower", "s", softText(lower)),
	define("upper", "s", softText(upper)),
	define("title", "s", func(r *run, a []any) any {
		s := titleFilter(r.str(a[0])) // plain text, also of Markup
		r.alloc(len(s))
		return s
	}),
	define("string", "value", func(r *run, a []any) any {
		if m, ok := a[0].(markup); ok {
			return m
		}
		return r.str(a[0])
	}),
	define("center", "value width?", func(r *run, a []any) any {
		width := 80
		if a[1] != missing {
			width = r.smallInt(a[1], 0)
		}
		return sameKind(a[0], r.justify(r.str(a[0]), width, " ", true, true))
	}),
	define("trim", "value chars?", func(r *run, a []any) any {
		return strip(r, []any{r.soft(a[0]), a[1]}, true, true)
	}),
	define("replace", "s old new count?", func(r *run, a []any) any {
		n := -1
		if given(a[3]) != nil {
			n = r.smallInt(a[3], -1)
		}
		return r.replace(r.str(a[0]), r.str(a[1]), r.str(a[2]), n)
	}),
	defineRaw("format", func(r *run, args []any, kw []kwarg) any {
		if len(args) > 1 && len(kw) > 0 {
			r.failf("can't handle positional and keyword arguments at the same time")
		}
		var values any = &tuple{items: args[1:]}
		if len(kw) > 0 {
			d := newDict(len(kw))
			for _, k := range kw {
				d.set(r, k.name, k.value)
			}
			values = d
		}
		return r.binary(opMod, r.soft(args[0]), values)
	}),
	define("indent", "s width? first? blank?", filterIndent),
	define("truncate", "s length? killwords? end? leeway?", filterTruncate),
	define("wordcount", "s", func(r *run, a []any) any {
		return int64(len(strings.FieldsFunc(r.str(a[0]), func(c rune) bool {
			return !isWordRune(c)
		})))
	}),
	define("wordwrap", "s width? break_long_words? wrapstring? break_on_hyphens?", filterWordwrap),
	define("striptags", "value", func(r *run, a []any) any { return stripTags(r.str(a[0])) }),
	define("urlencode", "value", filterURLEncode),
	define("xmlattr", "d autospace?", filterXMLAttr),
)

// soft is str() that leaves markup what it is.
func (r *run) soft(v any) any {
	if m, ok := v.(markup); ok {
		return m
	}
	return r.str(v)
}

func softText(f func(string) string) func(*run, []any) any {
	return func(r *run, a []any) any {
		s := f(r.str(a[0]))
		r.alloc(len(s))
		return sameKind(a[0], s)
	}
}

// titleFilter is Jinja's title: words start after spaces, hyphens and brackets.
func titleFilter(s string) string {
	var b strings.Builder
	for s != "" {
		c, size := utf8.DecodeRuneInString(s)
		if startsWords(c) {
			b.WriteRune(c)
			s = s[size:]
			continue
		}
		end := strings.IndexFunc(s, startsWords)
		if end < 0 {
			end = len(s)
		}
		b.WriteString(upperRune(c))
		b.WriteString(lower(s[size:end]))
		s = s[end:]
	}
	return b.String()
}

func startsWords(c rune) bool { return strings.ContainsRune("-({[<", c) || isSpace(c) }

func filterIndent(r *run, a []any) any {
	s := r.mustText(a[0])
	indent := "    "
	if a[1] != missing {
		var ok bool
		if indent, ok = text(a[1]); !ok {
			indent = r.fill(r.smallInt(a[1], 0), " ")
		}
	}
	first, blank := r.optBool(a[2], false), r.optBool(a[3], false)
	lines := splitLines(s+"\n", false)
	r.allocItems(len(lines))
	r.alloc(len(s))
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && first || i > 0 && (blank || line != "") {
			r.alloc(len(indent))
			b.WriteString(indent)
		}
		b.WriteString(line)
	}
	return sameKind(a[0], b.String())
}

func filterTruncate(r *run, a []any) any {
	length, leeway, end := 255, 5, any("...")
	if a[1] != missing {
		length = r.smallInt(a[1], -1<<31)
	}
	if a[3] != missing {
		end = a[3]
	}
	if given(a[4]) != nil {
		leeway = r.smallInt(a[4], -1<<31)
	}
	n := r.mustLength(end)
	if length < n {
		r.failf("expected length >= %d, got %d", n, length)
	}
	if leeway < 0 {
		r.failf("expected leeway >= 0, got %d", leeway)
	}
	if r.mustLength(a[0]) <= length+leeway {
		return a[0]
	}
	s := r.mustText(a[0])
	s = s[:byteOffset(s, length-n)]
	if !r.optBool(a[2], false) {
		if i := strings.LastIndexByte(s, ' '); i >= 0 {
			s = s[:i]
		}
	}
	return r.binary(opAdd, sameKind(a[0], s), end)
}

var (
	comments = regexp.MustCompile(`(?s)<!--.*?-->`)
	tags     = regexp.MustCompile(`(?s)<.*?>`)
)

func stripTags(s string) string {
	s = tags.ReplaceAllString(comments.ReplaceAllString(s, ""), "")
	return html.UnescapeString(strings.Join(strings.FieldsFunc(s, isSpace), " "))
}

func filterURLEncode(r *run, a []any) any {
	r.refuse(r.strict(a[0]))
	if _, isText := text(a[0]); isText {
		return r.urlQuote(a[0], false)
	}
	var pairs []any
	if d, ok := a[0].(*dict); ok {
		pairs = r.collect(&dictView{d, "items"})
	} else if _, ok := r.iterate(a[0]); ok {
		pairs = r.collect(a[0])
	} else {
		return r.urlQuote(a[0], false)
	}
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		kv := r.collect(p)
		if len(kv) != 2 {
			r.failf("expected pairs of key and value, got %d values", len(kv))
		}
		parts[i] = r.urlQuote(kv[0], true) + "=" + r.urlQuote(kv[1], true)
	}
	return strings.Join(parts, "&")
}

func (r *run) urlQuote(v any, query bool) string {
	s := r.str(v)
	r.alloc(3 * len(s))
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		switch {
		case isWordByte(c) || c == '.' || c == '-' || c == '~' || c == '/' && !query:
			b = append(b, c)
		case c == ' ' && query:
			b = append(b, '+')
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

func filterXMLAttr(r *run, a []any) any {
	r.refuse(a[0])
	d, ok := a[0].(*dict)
	if !ok {
		r.failf("'%s' object has no attribute 'items'", typeName(a[0]))
	}
	var b strings.Builder
	for _, e := range d.all(r) {
		if _, undef := e.value.(*undefined); e.value == nil || undef {
			continue
		}
		key := r.mustText(e.key)
		if strings.ContainsAny(key, " \t\n\r\f\v/>=") {
			r.failf("Invalid character in attribute name: %s", reprString(key))
		}
		if b.Len() > 0 || r.optBool(a[1], true) {
			b.WriteByte(' ')
		}
		b.WriteString(r.escaped(e.key) + `="` + r.escaped(e.value) + `"`)
	}
	r.alloc(b.Len())
	return b.String()
}

func filterWordwrap(r *run, a []any) any {
	s := r.mustText(a[0])
	w := wrapper{width: r.optInt(a[1], 79), breakWords: r.optBool(a[2], true), breakHyphens: r.optBool(a[4], true)}
	newline := "\n"
	if given(a[3]) != nil {
		newline = r.mustText(a[3])
	}
	r.work(len(s))
	r.allocItems(len(s) / max(w.width, 1))
	var lines []string
	for _, line := range splitLines(s, false) {
		if w.width <= 0 {
			r.failf("invalid width %d (must be > 0)", w.width)
		}
		lines = append(lines, strings.Join(w.wrap(line), newline))
	}
	out := strings.Join(lines, newline)
	r.alloc(len(out))
	return out
}

// wrapper is Python's textwrap with the options that wordwrap sets.
type wrapper struct {
	width                    int
	breakWords, breakHyphens bool
}

func (w wrapper) wrap(s string) []string {
	chunks := w.chunks(s)
	var lines []string
	for len(chunks) > 0 {
		if len(lines) > 0 && strings.TrimFunc(chunks[0], isSpace) == "" {
			chunks = chunks[1:]
		}
		var line []string
		size := 0
		for len(chunks) > 0 {
			n := runeLen(chunks[0])
			if size+n > w.width {
				break
			}
			line = append(line, chunks[0])
			size += n
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && runeLen(chunks[0]) > w.width {
			line, chunks = w.breakLong(line, size, chunks)
		}
		if n := len(line); n > 0 && strings.TrimFunc(line[n-1], isSpace) == "" {
			line = line[:n-1]
		}
		if len(line) > 0 {
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

func isWrapSpace(c rune) bool { return strings.ContainsRune("\t\n\v\f\r ", c) }

func (w wrapper) breakLong(line []string, size int, chunks []string) ([]string, []string) {
	space := w.width - size
	if !w.breakWords {
		if len(line) == 0 {
			return chunks[:1], chunks[1:]
		}
		return line, chunks
	}
	chunk := chunks[0]
	end := byteOffset(chunk, min(space, runeLen(chunk)))
	if w.breakHyphens && runeLen(chunk) > space {
		if i := strings.LastIndexByte(chunk[:end], '-'); i > 0 && strings.Trim(chunk[:i], "-") != "" {
			end = i + 1
		}
	}
	chunks[0] = chunk[end:]
	return append(line, chunk[:end]), chunks
}

// chunks splits a line into words, spaces and, where hyphens break, the parts
// of compound words.
func (w wrapper) chunks(s string) []string {
	var out []string
	for s != "" {
		c, _ := utf8.DecodeRuneInString(s)
		space := isWrapSpace(c)
		end := strings.IndexFunc(s, func(c rune) bool { return isWrapSpace(c) != space })
		if end < 0 {
			end = len(s)
		}
		if space || !w.breakHyphens {
			out = append(out, s[:end])
		} else {
			out = append(out, hyphenChunks(s[:end])...)
		}
		s = s[end:]
	}
	return out
}

// hyphenChunks splits a word after hyphens between letters, and around dashes
// of two or more hyphens, as textwrap's pattern does.
func hyphenChunks(word string) []string {
	cs := []rune(word)
	isWord := func(i int) bool {
		return i >= 0 && i < len(cs) && isWordRune(cs[i])
	}
	isLetter := func(i int) bool { return isWord(i) && !unicode.IsDigit(cs[i]) }
	isHyphen := func(i int) bool { return i >= 0 && i < len(cs) && cs[i] == '-' }
	var out []string
	start := 0
	cut := func(end int) {
		if end > start {
			out = append(out, string(cs[start:end]))
			start = end
		}
	}
	for i := 0; i < len(cs); i++ {
		if !isHyphen(i) {
			continue
		}
		run := i
		for isHyphen(run) {
			run++
		}
		switch {
		case run-i >= 2 && i > start && wordPunct(cs[i-1]) && isWord(run):
			cut(i)
			cut(run)
		case run-i == 1 && i > start && isLetter(i-1) && (isLetter(i-2) || isHyphen(i-2) && isLetter(i-3)) &&
			isLetter(i+1) && (isLetter(i+2) || isHyphen(i+2) && isLetter(i+3)):
			cut(i + 1)
		}
		i = run - 1
	}
	cut(len(cs))
	return out
}

func wordPunct(c rune) bool {
	return isWordRune(c) || strings.ContainsRune(`!"'&.,?`, c)
}
