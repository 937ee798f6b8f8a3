package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What Python's str knows of characters, where Go's unicode package says less:
// cases that are several characters, and classes. TestCharactersAreAsInPython
// holds all of it against Python for every character.

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	var b strings.Builder
	for _, c := range s {
		b.WriteString(upperRune(c))
	}
	return b.String()
}

func upperRune(c rune) string {
	if s, ok := upperTexts[c]; ok {
		return s
	}
	return string(unicode.ToUpper(c))
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for i, c := range s {
		writeLower(&b, s, i, c)
	}
	return b.String()
}

// writeLower writes the character c, at s[i:], as str.lower() has it there.
func writeLower(b *strings.Builder, s string, i int, c rune) {
	switch {
	case c == 'İ':
		b.WriteString("i\u0307")
	case c == 'Σ' && endsWord(s, i):
		b.WriteRune('ς')
	default:
		b.WriteRune(unicode.ToLower(c))
	}
}

// endsWord reports whether a sigma at s[i:] is the last letter of a word.
func endsWord(s string, i int) bool {
	before := strings.TrimRightFunc(s[:i], isCaseIgnorable)
	after := strings.TrimLeftFunc(s[i+len("Σ"):], isCaseIgnorable)
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	return before != "" && hasCase(last) && (after == "" || !hasCase(first))
}

func titleRune(c rune) string {
	s, ok := upperTexts[c]
	t := unicode.ToTitle(c)
	switch {
	case !ok || t != c || unicode.IsTitle(c):
		return string(t)
	case c == 'ŉ':
		return s
	}
	_, size := utf8.DecodeRuneInString(s)
	return s[:size] + strings.ReplaceAll(strings.ToLower(s[size:]), "ι", "\u0345")
}

func capitalize(s string) string {
	c, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	var b strings.Builder
	b.WriteString(titleRune(c))
	for i, c := range s[size:] {
		writeLower(&b, s, size+i, c)
	}
	return b.String()
}

// titleWords is str.title(): a letter after anything else starts a word.
func titleWords(s string) string {
	var b strings.Builder
	inWord := false
	for i, c := range s {
		if inWord {
			writeLower(&b, s, i, c)
		} else {
			b.WriteString(titleRune(c))
		}
		inWord = hasCase(c)
	}
	return b.String()
}

func swapCase(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case isUpperRune(c):
			writeLower(&b, s, i, c)
		case isLowerRune(c):
			b.WriteString(upperRune(c))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func caseFold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == 'ı':
			b.WriteRune(c)
		case c == 'İ':
			b.WriteString("i\u0307")
		case c == 'ẞ':
			b.WriteString("ss")
		case unicode.Is(unicode.Cherokee, c):
			b.WriteRune(unicode.ToUpper(c))
		default:
			b.WriteString(strings.Map(unicode.ToLower, upperRune(c)))
		}
	}
	return b.String()
}

func isUpperRune(c rune) bool { return unicode.IsUpper(c) || unicode.Is(unicode.Other_Uppercase, c) }

func isLowerRune(c rune) bool { return unicode.IsLower(c) || unicode.Is(unicode.Other_Lowercase, c) }

func hasCase(c rune) bool { return isUpperRune(c) || isLowerRune(c) || unicode.IsTitle(c) }

// isCaseIgnorable reports whether a word goes on behind c.
func isCaseIgnorable(c rune) bool {
	return unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387՟״‘’․‧︓﹒﹕＇．：", c)
}

func isDigitRune(c rune) bool { return unicode.IsDigit(c) || unicode.Is(otherDigits, c) }

// latinDigits writes the decimal digits of any script as 0 to 9.
func latinDigits(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c >= utf8.RuneSelf && unicode.IsDigit(c) {
			first := c // of its ten, which are next to each other and begin where others don't
			for unicode.IsDigit(first - 1) {
				first--
			}
			return '0' + (c-first)%10
		}
		return c
	}, s)
}

func isNumericRune(c rune) bool {
	return unicode.IsNumber(c) || c >= '㐅' && strings.ContainsRune(ideographicNumbers, c)
}

func isAlphanumeric(c rune) bool { return unicode.IsLetter(c) || isNumericRune(c) }

// isWordRune is \w of Python's patterns.
func isWordRune(c rune) bool { return c == '_' || isAlphanumeric(c) }

func isIdentifier(s string) bool {
	for i, c := range s {
		if c != '_' && !startsIdentifier(c) && (i == 0 || !continuesIdentifier(c)) {
			return false
		}
	}
	return s != ""
}

func startsIdentifier(c rune) bool {
	return unicode.In(c, unicode.L, unicode.Nl, unicode.Other_ID_Start) && !strings.ContainsRune(notInIdentifiers+onlyInsideIdentifiers, c)
}

func continuesIdentifier(c rune) bool {
	return unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue) || strings.ContainsRune(onlyInsideIdentifiers, c)
}

// upperTexts are the upper cases that are several characters.
var upperTexts = map[rune]string{
	0x00df: "SS", 0x0149: "\u02bcN", 0x01f0: "J\u030c", 0x0390: "\u0399\u0308\u0301",
	0x03b0: "\u03a5\u0308\u0301", 0x0587: "\u0535\u0552", 0x1e96: "H\u0331", 0x1e97: "T\u0308",
	0x1e98: "W\u030a", 0x1e99: "Y\u030a", 0x1e9a: "A\u02be", 0x1f50: "\u03a5\u0313",
	0x1f52: "\u03a5\u0313\u0300", 0x1f54: "\u03a5\u0313\u0301", 0x1f56: "\u03a5\u0313\u0342", 0x1f80: "\u1f08\u0399",
	0x1f81: "\u1f09\u0399", 0x1f82: "\u1f0a\u0399", 0x1f83: "\u1f0b\u0399", 0x1f84: "\u1f0c\u0399",
	0x1f85: "\u1f0d\u0399", 0x1f86: "\u1f0e\u0399", 0x1f87: "\u1f0f\u0399", 0x1f88: "\u1f08\u0399",
	0x1f89: "\u1f09\u0399", 0x1f8a: "\u1f0a\u0399", 0x1f8b: "\u1f0b\u0399", 0x1f8c: "\u1f0c\u0399",
	0x1f8d: "\u1f0d\u0399", 0x1f8e: "\u1f0e\u0399", 0x1f8f: "\u1f0f\u0399", 0x1f90: "\u1f28\u0399",
	0x1f91: "\u1f29\u0399", 0x1f92: "\u1f2a\u0399", 0x1f93: "\u1f2b\u0399", 0x1f94: "\u1f2c\u0399",
	0x1f95: "\u1f2d\u0399", 0x1f96: "\u1f2e\u0399", 0x1f97: "\u1f2f\u0399", 0x1f98: "\u1f28\u0399",
	0x1f99: "\u1f29\u0399", 0x1f9a: "\u1f2a\u0399", 0x1f9b: "\u1f2b\u0399", 0x1f9c: "\u1f2c\u0399",
	0x1f9d: "\u1f2d\u0399", 0x1f9e: "\u1f2e\u0399", 0x1f9f: "\u1f2f\u0399", 0x1fa0: "\u1f68\u0399",
	0x1fa1: "\u1f69\u0399", 0x1fa2: "\u1f6a\u0399", 0x1fa3: "\u1f6b\u0399", 0x1fa4: "\u1f6c\u0399",
	0x1fa5: "\u1f6d\u0399", 0x1fa6: "\u1f6e\u0399", 0x1fa7: "\u1f6f\u0399", 0x1fa8: "\u1f68\u0399",
	0x1fa9: "\u1f69\u0399", 0x1faa: "\u1f6a\u0399", 0x1fab: "\u1f6b\u0399", 0x1fac: "\u1f6c\u0399",
	0x1fad: "\u1f6d\u0399", 0x1fae: "\u1f6e\u0399", 0x1faf: "\u1f6f\u0399", 0x1fb2: "\u1fba\u0399",
	0x1fb3: "\u0391\u0399", 0x1fb4: "\u0386\u0399", 0x1fb6: "\u0391\u0342", 0x1fb7: "\u0391\u0342\u0399",
	0x1fbc: "\u0391\u0399", 0x1fc2: "\u1fca\u0399", 0x1fc3: "\u0397\u0399", 0x1fc4: "\u0389\u0399",
	0x1fc6: "\u0397\u0342", 0x1fc7: "\u0397\u0342\u0399", 0x1fcc: "\u0397\u0399", 0x1fd2: "\u0399\u0308\u0300",
	0x1fd3: "\u0399\u0308\u0301", 0x1fd6: "\u0399\u0342", 0x1fd7: "\u0399\u0308\u0342", 0x1fe2: "\u03a5\u0308\u0300",
	0x1fe3: "\u03a5\u0308\u0301", 0x1fe4: "\u03a1\u0313", 0x1fe6: "\u03a5\u0342", 0x1fe7: "\u03a5\u0308\u0342",
	0x1ff2: "\u1ffa\u0399", 0x1ff3: "\u03a9\u0399", 0x1ff4: "\u038f\u0399", 0x1ff6: "\u03a9\u0342",
	0x1ff7: "\u03a9\u0342\u0399", 0x1ffc: "\u03a9\u0399", 0xfb00: "FF", 0xfb01: "FI",
	0xfb02: "FL", 0xfb03: "FFI", 0xfb04: "FFL", 0xfb05: "ST",
	0xfb06: "ST", 0xfb13: "\u0544\u0546", 0xfb14: "\u0544\u0535", 0xfb15: "\u0544\u053b",
	0xfb16: "\u054e\u0546", 0xfb17: "\u0544\u053d",
}

// Letters that their compatibility form makes something else than a letter.
const (
	notInIdentifiers      = "\u037a\u2e2f\u309b\u309c\ufc5e\ufc5f\ufc60\ufc61\ufc62\ufc63\ufdfa\ufdfb\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e"
	onlyInsideIdentifiers = "\u0e33\u0eb3\uff9e\uff9f"
)

// otherDigits are digits that no number is written with.
var otherDigits = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0xb2, 0xb3, 1}, {0xb9, 0xb9, 1}, {0x1369, 0x1371, 1}, {0x19da, 0x19da, 1}, {0x2070, 0x2070, 1},
		{0x2074, 0x2079, 1}, {0x2080, 0x2089, 1}, {0x2460, 0x2468, 1}, {0x2474, 0x247c, 1}, {0x2488, 0x2490, 1},
		{0x24ea, 0x24ea, 1}, {0x24f5, 0x24fd, 1}, {0x24ff, 0x24ff, 1}, {0x2776, 0x277e, 1}, {0x2780, 0x2788, 1},
		{0x278a, 0x2792, 1},
	},
	R32: []unicode.Range32{
		{0x10a40, 0x10a43, 1}, {0x10e60, 0x10e68, 1}, {0x11052, 0x1105a, 1}, {0x1f100, 0x1f10a, 1},
	},
	LatinOffset: 2,
}

// ideographicNumbers are letters that stand for a number.
const ideographicNumbers = "㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零" +
	"\uf96b\uf973\uf978\uf9b2\uf9d1\uf9d3\uf9fd\U00020001\U00020064\U000200e2\U00020121\U0002092a\U00020983\U0002098c\U0002099c\U00020aea\U00020afd" +
	"\U00020b19\U00022390\U00022998\U00023b1b\U0002626d\U0002f890"
