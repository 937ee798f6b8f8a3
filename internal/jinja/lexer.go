package jinja

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokData
	tokVariableBegin
	tokVariableEnd
	tokBlockBegin
	tokBlockEnd
	tokName
	tokString
	tokInteger
	tokFloat
	tokOperator
)

// token is one lexical unit. text is the name, the operator, the literal text,
// or the string's value; number holds the value of integers and floats.
type token struct {
	kind     tokenKind
	pos, end int
	text     string
	number   any
}

// describe names a token in messages, in Jinja's words.
func (t token) describe() string {
	switch t.kind {
	case tokEOF:
		return "end of template"
	case tokData:
		return "template data"
	case tokVariableBegin:
		return "begin of print statement"
	case tokVariableEnd:
		return "end of print statement"
	case tokBlockBegin:
		return "begin of statement block"
	case tokBlockEnd:
		return "end of statement block"
	case tokString:
		return strconv.Quote(t.text)
	case tokInteger, tokFloat:
		return fmt.Sprint(t.number)
	}
	return t.text
}

type lexMode uint8

const (
	lexRoot     lexMode = iota // a template
	lexVariable                // the inside of {{ }}, without the braces
)

type lexer struct {
	prog     *program
	src      string
	pos      int
	tokens   []token
	brackets []byte // closing brackets that are still to come
}

// lex splits the whole source. It panics with *Error.
func lex(prog *program, mode lexMode) []token {
	l := &lexer{prog: prog, src: prog.source}
	l.tokens = make([]token, 0, 16+len(l.src)/8)
	if mode == lexVariable {
		l.inside(tokEOF)
	} else {
		l.root()
	}
	l.emit(token{kind: tokEOF, pos: len(l.src), end: len(l.src)})
	return l.tokens
}

func (l *lexer) emit(t token) { l.tokens = append(l.tokens, t) }

func (l *lexer) failf(pos int, format string, args ...any) {
	panic(l.prog.errorAt(pos, fmt.Sprintf(format, args...)))
}

// root reads literal text and hands each tag to its reader.
func (l *lexer) root() {
	for l.pos < len(l.src) {
		start := l.pos
		open := findOpening(l.src, start)
		if open < 0 {
			l.data(start, len(l.src), false)
			l.pos = len(l.src)
			return
		}
		kind := l.src[open+1]
		l.pos = open + 2
		strip := l.skipSign() == '-'
		l.data(start, open, strip)
		switch kind {
		case '#':
			l.comment(open)
		case '{':
			l.emit(token{kind: tokVariableBegin, pos: open, end: l.pos})
			l.inside(tokVariableEnd)
		default:
			if end, trim := l.matchTag(open, "raw"); end >= 0 {
				l.raw(open, end, trim)
				continue
			}
			l.emit(token{kind: tokBlockBegin, pos: open, end: l.pos})
			l.inside(tokBlockEnd)
		}
	}
}

// findOpening is the offset of the next {{, {% or {#, or -1.
func findOpening(s string, from int) int {
	for {
		i := strings.IndexByte(s[from:], '{')
		if i < 0 || from+i+1 >= len(s) {
			return -1
		}
		i += from
		switch s[i+1] {
		case '{', '%', '#':
			return i
		}
		from = i + 1
	}
}

// skipSign steps over the + or - that may follow an opening.
func (l *lexer) skipSign() byte {
	if l.pos < len(l.src) && (l.src[l.pos] == '-' || l.src[l.pos] == '+') {
		l.pos++
		return l.src[l.pos-1]
	}
	return 0
}

func (l *lexer) data(from, to int, strip bool) {
	text := l.src[from:to]
	if strip {
		text = strings.TrimRightFunc(text, isSpace)
	}
	if text != "" {
		l.emit(token{kind: tokData, pos: from, end: to, text: text})
	}
}

func (l *lexer) comment(open int) {
	i := strings.Index(l.src[l.pos:], "#}")
	if i < 0 {
		l.failf(open, "Missing end of comment tag")
	}
	end := l.pos + i
	trim := i > 0 && l.src[end-1] == '-'
	l.pos = end + 2
	if trim {
		l.skipSpace()
	}
}

// matchTag reports whether a tag of one word starts at open, returning the
// offset after it (or -1) and whether it ends in -%}.
func (l *lexer) matchTag(open int, word string) (end int, trim bool) {
	i := open + 2
	if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+') {
		i++
	}
	i = skipSpaceFrom(l.src, i)
	if !strings.HasPrefix(l.src[i:], word) {
		return -1, false
	}
	i = skipSpaceFrom(l.src, i+len(word))
	rest := l.src[i:]
	switch {
	case strings.HasPrefix(rest, "%}"):
		return i + 2, false
	case strings.HasPrefix(rest, "-%}"):
		return i + 3, true
	case word == "endraw" && strings.HasPrefix(rest, "+%}"):
		return i + 3, false
	}
	return -1, false
}

func (l *lexer) raw(open, start int, trim bool) {
	l.pos = start
	if trim {
		l.skipSpace()
	}
	start = l.pos
	for at := start; ; {
		i := strings.Index(l.src[at:], "{%")
		if i < 0 {
			l.failf(open, "Missing end of raw directive")
		}
		at += i
		if end, trim := l.matchTag(at, "endraw"); end >= 0 {
			l.data(start, at, at+2 < len(l.src) && l.src[at+2] == '-')
			l.pos = end
			if trim {
				l.skipSpace()
			}
			return
		}
		at += 2
	}
}

func (l *lexer) skipSpace() { l.pos = skipSpaceFrom(l.src, l.pos) }

func skipSpaceFrom(s string, i int) int {
	for i < len(s) {
		c := s[i]
		if c == ' ' || c == '\n' || c == '\t' {
			i++
			continue
		}
		if c > ' ' && c < utf8.RuneSelf {
			return i
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !isSpace(r) {
			return i
		}
		i += size
	}
	return i
}

// isSpace is Python's str.isspace for one character.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

// inside reads tokens up to the end of the tag.
func (l *lexer) inside(until tokenKind) {
	l.brackets = l.brackets[:0]
	for {
		l.skipSpace()
		if l.pos >= len(l.src) {
			return
		}
		if len(l.brackets) == 0 && until != tokEOF && l.closing(until) {
			return
		}
		c := l.src[l.pos]
		switch {
		case c >= '0' && c <= '9':
			l.number()
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf:
			l.name()
		case c == '"' || c == '\'':
			l.str(c)
		default:
			l.operator()
		}
	}
}

func (l *lexer) closing(until tokenKind) bool {
	rest := l.src[l.pos:]
	mark := "%}"
	if until == tokVariableEnd {
		mark = "}}"
	}
	start, trim := l.pos, false
	switch {
	case strings.HasPrefix(rest, mark):
		l.pos += 2
	case rest[0] == '-' && strings.HasPrefix(rest[1:], mark):
		l.pos += 3
		trim = true
	case until == tokBlockEnd && rest[0] == '+' && strings.HasPrefix(rest[1:], mark):
		l.pos += 3
	default:
		return false
	}
	l.emit(token{kind: until, pos: start, end: l.pos})
	if trim {
		l.skipSpace()
	}
	return true
}

func (l *lexer) name() {
	start := l.pos
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c < utf8.RuneSelf {
			if !isWordByte(c) {
				break
			}
			l.pos++
			continue
		}
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		if !isWordRune(r) && !continuesIdentifier(r) {
			break
		}
		l.pos += size
	}
	if l.pos == start {
		first, _ := utf8.DecodeRuneInString(l.src[start:])
		l.failf(start, "unexpected char %s", reprString(string(first)))
	}
	if !isIdentifier(l.src[start:l.pos]) {
		l.failf(start, "Invalid character in identifier")
	}
	l.emit(token{kind: tokName, pos: start, end: l.pos, text: l.src[start:l.pos]})
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// digits steps over digits of a kind, with single underscores between them.
func digits(s string, i int, ok func(byte) bool) int {
	if i >= len(s) || !ok(s[i]) {
		return i
	}
	for i++; i < len(s); i++ {
		if ok(s[i]) {
			continue
		}
		if s[i] == '_' && i+1 < len(s) && ok(s[i+1]) {
			continue
		}
		break
	}
	return i
}

func isDecimal(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) number() {
	start := l.pos
	if end := l.floatEnd(start); end > start {
		text := strings.ReplaceAll(l.src[start:end], "_", "")
		f, _ := strconv.ParseFloat(text, 64) // out of range gives infinity, as in Python
		l.pos = end
		l.emit(token{kind: tokFloat, pos: start, end: end, number: f, text: text})
		return
	}
	end := integerEnd(l.src, start)
	text := strings.ReplaceAll(l.src[start:end], "_", "")
	l.pos = end
	var number any
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		number = n
	} else if b, ok := new(big.Int).SetString(text, 0); ok && b.BitLen() <= maxIntBits {
		number = b
	} else {
		l.failf(start, "the integer has too many digits")
	}
	l.emit(token{kind: tokInteger, pos: start, end: end, number: number, text: text})
}

// floatEnd is the end of a float at start, or start if there is none.
func (l *lexer) floatEnd(start int) int {
	s := l.src
	if start > 0 && s[start-1] == '.' {
		return start
	}
	i := digits(s, start, isDecimal)
	whole := i
	if i < len(s) && s[i] == '.' {
		if j := digits(s, i+1, isDecimal); j > i+1 {
			i = j
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if k := digits(s, j, isDecimal); k > j {
			return k
		}
	}
	if i > whole {
		return i
	}
	return start
}

func integerEnd(s string, i int) int {
	if s[i] != '0' {
		return digits(s, i, isDecimal)
	}
	if i+1 < len(s) {
		var ok func(byte) bool
		switch s[i+1] | 0x20 {
		case 'x':
			ok = func(c byte) bool { return isDecimal(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
		case 'o':
			ok = func(c byte) bool { return c >= '0' && c <= '7' }
		case 'b':
			ok = func(c byte) bool { return c == '0' || c == '1' }
		}
		if ok != nil {
			from := i + 2
			if from < len(s) && s[from] == '_' {
				from++
			}
			if end := digits(s, from, ok); end > from {
				return end
			}
		}
	}
	return digits(s, i, func(c byte) bool { return c == '0' })
}

// operators of two characters; all others have one.
var longOperators = []string{"//", "**", "==", "!=", ">=", "<="}

func (l *lexer) operator() {
	start := l.pos
	rest := l.src[start:]
	op := ""
	for _, long := range longOperators {
		if strings.HasPrefix(rest, long) {
			op = long
			break
		}
	}
	if op == "" {
		if strings.IndexByte("+-/*%~[](){}><=.:|,;", rest[0]) < 0 {
			l.failf(start, "unexpected char %s", reprString(rest[:1]))
		}
		op = rest[:1]
	}
	switch op {
	case "(":
		l.brackets = append(l.brackets, ')')
	case "[":
		l.brackets = append(l.brackets, ']')
	case "{":
		l.brackets = append(l.brackets, '}')
	case ")", "]", "}":
		n := len(l.brackets)
		if n == 0 {
			l.failf(start, "unexpected '%s'", op)
		}
		if l.brackets[n-1] != op[0] {
			l.failf(start, "unexpected '%s', expected '%c'", op, l.brackets[n-1])
		}
		l.brackets = l.brackets[:n-1]
	}
	l.pos += len(op)
	l.emit(token{kind: tokOperator, pos: start, end: l.pos, text: op})
}

func (l *lexer) str(quote byte) {
	start := l.pos
	escaped := false
	for i := start + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '\\':
			escaped = true
			i++
		case quote:
			text := l.src[start+1 : i]
			if escaped {
				text = l.unescape(text, start+1)
			}
			l.pos = i + 1
			l.emit(token{kind: tokString, pos: start, end: l.pos, text: text})
			return
		}
	}
	l.failf(start, "unexpected char %s: the string is not closed", reprString(string(quote)))
}

var simpleEscapes = map[byte]byte{
	'\\': '\\', '\'': '\'', '"': '"', 'a': '\a', 'b': '\b', 'f': '\f',
	'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

// unescape reads a string literal the way Python does.
func (l *lexer) unescape(s string, at int) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		c := s[i+1] // a string literal never ends in a lone backslash
		switch {
		case c == '\n':
			i += 2
		case simpleEscapes[c] != 0:
			b.WriteByte(simpleEscapes[c])
			i += 2
		case c >= '0' && c <= '7':
			j := i + 1
			n := rune(0)
			for ; j < len(s) && j < i+4 && s[j] >= '0' && s[j] <= '7'; j++ {
				n = n*8 + rune(s[j]-'0')
			}
			b.WriteRune(n)
			i = j
		case c == 'x' || c == 'u' || c == 'U':
			i = l.unescapeHex(&b, s, i, at)
		case c == 'N':
			l.failf(at+i, "characters by name (\\N{...}) are not supported; use \\u with the number")
		case c >= utf8.RuneSelf:
			// Jinja escapes such a character first, then reads the two
			// backslashes as one.
			r, size := utf8.DecodeRuneInString(s[i+1:])
			switch {
			case r < 0x100:
				fmt.Fprintf(&b, `\x%02x`, r)
			case r < 0x10000:
				fmt.Fprintf(&b, `\u%04x`, r)
			default:
				fmt.Fprintf(&b, `\U%08x`, r)
			}
			i += 1 + size
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
			i += 2
		}
	}
	return b.String()
}

func (l *lexer) unescapeHex(b *strings.Builder, s string, i, at int) int {
	n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i+1]]
	end := i + 2 + n
	if end > len(s) {
		l.failf(at+i, "truncated \\%c escape", s[i+1])
	}
	v, err := strconv.ParseUint(s[i+2:end], 16, 32)
	if err != nil {
		l.failf(at+i, "truncated \\%c escape", s[i+1])
	}
	if v > unicode.MaxRune || v >= 0xd800 && v < 0xe000 {
		l.failf(at+i, "illegal Unicode character")
	}
	b.WriteRune(rune(v))
	return end
}
