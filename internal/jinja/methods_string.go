package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// stringMethods are those of Python's str. Methods of markup give markup.
var stringMethods = table(
	stringMap("capitalize", capitalize),
	stringMap("casefold", caseFold),
	stringMap("lower", lower),
	stringMap("upper", upper),
	stringMap("title", titleWords),
	stringMap("swapcase", swapCase),
	stringTest("isalnum", func(s string) bool { return allRunes(s, isAlphanumeric) }),
	stringTest("isalpha", func(s string) bool { return allRunes(s, unicode.IsLetter) }),
	stringTest("isascii", isASCII),
	stringTest("isdecimal", func(s string) bool { return allRunes(s, unicode.IsDigit) }),
	stringTest("isdigit", func(s string) bool { return allRunes(s, isDigitRune) }),
	stringTest("isidentifier", isIdentifier),
	stringTest("islower", func(s string) bool { return isCased(s, isLowerRune, isUpperRune) }),
	stringTest("isnumeric", func(s string) bool { return allRunes(s, isNumericRune) }),
	stringTest("isprintable", func(s string) bool { return s == "" || allRunes(s, unicode.IsPrint) }),
	stringTest("isspace", func(s string) bool { return allRunes(s, isSpace) }),
	stringTest("istitle", isTitle),
	stringTest("isupper", func(s string) bool { return isCased(s, isUpperRune, isLowerRune) }),
	define("strip", "self chars? /", func(r *run, a []any) any { return strip(r, a, true, true) }),
	define("lstrip", "self chars? /", func(r *run, a []any) any { return strip(r, a, true, false) }),
	define("rstrip", "self chars? /", func(r *run, a []any) any { return strip(r, a, false, true) }),
	define("split", "self sep? maxsplit?", func(r *run, a []any) any { return split(r, a, false) }),
	define("rsplit", "self sep? maxsplit?", func(r *run, a []any) any { return split(r, a, true) }),
	define("splitlines", "self keepends?", func(r *run, a []any) any {
		return r.textList(a[0], splitLines(r.mustText(a[0]), r.optBool(a[1], false)))
	}),
	define("partition", "self sep /", func(r *run, a []any) any { return partition(r, a, false) }),
	define("rpartition", "self sep /", func(r *run, a []any) any { return partition(r, a, true) }),
	define("replace", "self old new count? /", methodReplace),
	define("join", "self iterable /", methodJoin),
	define("startswith", "self prefix start? end? /", func(r *run, a []any) any { return hasAffix(r, a, strings.HasPrefix) }),
	define("endswith", "self suffix start? end? /", func(r *run, a []any) any { return hasAffix(r, a, strings.HasSuffix) }),
	define("removeprefix", "self prefix /", func(r *run, a []any) any {
		return sameKind(a[0], strings.TrimPrefix(r.mustText(a[0]), r.mustText(a[1])))
	}),
	define("removesuffix", "self suffix /", func(r *run, a []any) any {
		return sameKind(a[0], strings.TrimSuffix(r.mustText(a[0]), r.mustText(a[1])))
	}),
	define("find", "self sub start? end? /", func(r *run, a []any) any { return int64(find(r, a, strings.Index)) }),
	define("rfind", "self sub start? end? /", func(r *run, a []any) any { return int64(find(r, a, strings.LastIndex)) }),
	define("index", "self sub start? end? /", func(r *run, a []any) any { return mustFind(r, a, strings.Index) }),
	define("rindex", "self sub start? end? /", func(r *run, a []any) any { return mustFind(r, a, strings.LastIndex) }),
	define("count", "self sub start? end? /", methodCount),
	define("center", "self width fill? /", func(r *run, a []any) any { return justify(r, a, true, true) }),
	define("ljust", "self width fill? /", func(r *run, a []any) any { return justify(r, a, false, true) }),
	define("rjust", "self width fill? /", func(r *run, a []any) any { return justify(r, a, true, false) }),
	define("zfill", "self width /", methodZfill),
	define("expandtabs", "self tabsize?", methodExpandTabs),
	defineRaw("format", methodFormat),
	define("format_map", "self mapping /", func(r *run, a []any) any { return formatMap(r, a[0], a[1]) }),
)

func stringMap(name string, f func(string) string) *builtin {
	return define(name, "self /", func(r *run, a []any) any {
		s := f(r.mustText(a[0]))
		r.alloc(len(s))
		return sameKind(a[0], s)
	})
}

func stringTest(name string, f func(string) bool) *builtin {
	return define(name, "self /", func(r *run, a []any) any { return f(r.mustText(a[0])) })
}

func strip(r *run, a []any, left, right bool) any {
	s := r.mustText(a[0])
	cut := isSpace
	if chars := given(a[1]); chars != nil {
		set := r.mustText(chars)
		cut = func(c rune) bool { return strings.ContainsRune(set, c) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return sameKind(a[0], s)
}

// textList is a list of strings of v's kind.
func (r *run) textList(v any, parts []string) any {
	r.allocItems(len(parts))
	l := &list{items: make([]any, len(parts))}
	for i, p := range parts {
		l.items[i] = sameKind(v, p)
	}
	return l
}

func split(r *run, a []any, right bool) any {
	s := r.mustText(a[0])
	n := r.optInt(a[2], -1)
	sepArg := given(a[1])
	if sepArg == nil {
		r.allocItems(len(s) / 2)
		return r.textList(a[0], splitSpace(s, n, right))
	}
	sep := r.mustText(sepArg)
	if sep == "" {
		r.failf("empty separator")
	}
	r.allocItems(strings.Count(s, sep))
	if right {
		return r.textList(a[0], splitRight(s, sep, n))
	}
	return r.textList(a[0], splitLeft(s, sep, n))
}

func partition(r *run, a []any, right bool) any {
	s, sep := r.mustText(a[0]), r.mustText(a[1])
	if sep == "" {
		r.failf("empty separator")
	}
	i := strings.Index(s, sep)
	parts := []string{s, "", ""}
	if right {
		i = strings.LastIndex(s, sep)
		parts = []string{"", "", s}
	}
	if i >= 0 {
		parts = []string{s[:i], sep, s[i+len(sep):]}
	}
	t := &tuple{}
	for _, p := range parts {
		t.items = append(t.items, sameKind(a[0], p))
	}
	return t
}

func (r *run) replace(s, old, new string, n int) string {
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	grow := len(new) - len(old)
	if grow > 0 && count > 0 && grow > r.memory/count {
		r.alloc(r.memory + 1)
	}
	r.alloc(len(s) + max(0, count*grow))
	return strings.Replace(s, old, new, n)
}

func methodReplace(r *run, a []any) any {
	s, old := r.mustText(a[0]), r.mustText(a[1])
	var new string
	if _, ok := a[0].(markup); ok {
		new = r.escaped(a[2])
	} else {
		new = r.mustText(a[2])
	}
	return sameKind(a[0], r.replace(s, old, new, r.optInt(a[3], -1)))
}

func methodJoin(r *run, a []any) any {
	sep := r.mustText(a[0])
	_, safe := a[0].(markup)
	var b strings.Builder
	i := 0
	for next := r.mustIterate(a[1]); ; i++ {
		item, ok := next()
		if !ok {
			return sameKind(a[0], b.String())
		}
		r.step()
		var s string
		if safe {
			s = r.escaped(item)
		} else if s, ok = text(item); !ok {
			r.refuse(item)
			r.failf("sequence item %d: expected str instance, %s found", i, typeName(item))
		}
		if i > 0 {
			b.WriteString(sep)
		}
		r.alloc(len(s) + len(sep))
		b.WriteString(s)
	}
}

// window cuts s to the optional start and end in a[at] and a[at+1], and says at
// which character it starts; ok is false if the start lies behind the string.
func (r *run) window(s string, a []any, at int) (part string, start int, ok bool) {
	if given(a[at]) == nil && given(a[at+1]) == nil {
		return s, 0, true
	}
	n := runeLen(s)
	clip := func(v any, def int) int {
		if given(v) == nil {
			return def
		}
		i := r.smallInt(v, -1<<31)
		if i < 0 {
			i = max(0, i+n)
		}
		return i
	}
	from, to := clip(a[at], 0), min(clip(a[at+1], n), n)
	if from > n || from > to {
		return "", from, false
	}
	return s[byteOffset(s, from):byteOffset(s, to)], from, true
}

func byteOffset(s string, runes int) int {
	if isASCII(s) {
		return runes
	}
	i := 0
	for range runes {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

func hasAffix(r *run, a []any, has func(s, affix string) bool) any {
	s, _, ok := r.window(r.mustText(a[0]), a, 2)
	if t, isTuple := a[1].(*tuple); isTuple {
		return slices.ContainsFunc(t.items, func(v any) bool { return has(s, r.mustText(v)) && ok })
	}
	affix := r.mustText(a[1])
	return ok && has(s, affix)
}

func find(r *run, a []any, search func(s, sub string) int) int {
	sub := r.mustText(a[1])
	s, start, ok := r.window(r.mustText(a[0]), a, 2)
	i := -1
	if ok {
		i = search(s, sub)
	}
	if i < 0 {
		return -1
	}
	return start + runeLen(s[:i])
}

func mustFind(r *run, a []any, search func(s, sub string) int) any {
	i := find(r, a, search)
	if i < 0 {
		r.failf("substring not found")
	}
	return int64(i)
}

func methodCount(r *run, a []any) any {
	sub := r.mustText(a[1])
	s, _, ok := r.window(r.mustText(a[0]), a, 2)
	if !ok {
		return int64(0)
	}
	return int64(strings.Count(s, sub))
}

func justify(r *run, a []any, left, right bool) any {
	s := r.mustText(a[0])
	c := r.optText(a[2], " ")
	if runeLen(c) != 1 {
		r.failf("The fill character must be exactly one character long")
	}
	return sameKind(a[0], r.justify(s, r.smallInt(a[1], 0), c, left, right))
}

func (r *run) justify(s string, width int, c string, left, right bool) string {
	pad := width - runeLen(s)
	if pad <= 0 {
		return s
	}
	before := 0
	switch {
	case left && right:
		before = pad/2 + pad&width&1
	case left:
		before = pad
	}
	r.alloc(len(s))
	return r.fill(before, c) + s + r.fill(pad-before, c)
}

func methodZfill(r *run, a []any) any {
	s := r.mustText(a[0])
	pad := r.smallInt(a[1], 0) - runeLen(s)
	if pad <= 0 {
		return sameKind(a[0], s)
	}
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		sign, s = s[:1], s[1:]
	}
	return sameKind(a[0], sign+r.fill(pad, "0")+s)
}

func methodExpandTabs(r *run, a []any) any {
	size := r.optInt(a[1], 8)
	var b strings.Builder
	column := 0
	for _, c := range r.mustText(a[0]) {
		switch c {
		case '\t':
			if size > 0 {
				n := size - column%size
				b.WriteString(r.fill(n, " "))
				column += n
			}
			continue
		case '\n', '\r':
			column = -1
		}
		column++
		b.WriteRune(c)
	}
	r.alloc(b.Len())
	return sameKind(a[0], b.String())
}
