package jinja

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Python's string functions where Go's differ.

// allRunes reports whether s is not empty and every character is ok.
func allRunes(s string, ok func(rune) bool) bool {
	for _, c := range s {
		if !ok(c) {
			return false
		}
	}
	return s != ""
}

// isCased reports whether s has letters of the case wanted and none of the other.
func isCased(s string, want, not func(rune) bool) bool {
	found := false
	for _, c := range s {
		if not(c) || unicode.IsTitle(c) {
			return false
		}
		found = found || want(c)
	}
	return found
}

func isTitle(s string) bool {
	inWord, found := false, false
	for _, c := range s {
		switch {
		case isUpperRune(c) || unicode.IsTitle(c):
			if inWord {
				return false
			}
			inWord, found = true, true
		case isLowerRune(c):
			if !inWord {
				return false
			}
			found = true
		default:
			inWord = false
		}
	}
	return found
}

func isLineBreak(c rune) bool {
	switch c {
	case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// splitLines is str.splitlines().
func splitLines(s string, keep bool) []string {
	var lines []string
	start := 0
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if !isLineBreak(c) {
			i += size
			continue
		}
		end := i
		i += size
		if c == '\r' && i < len(s) && s[i] == '\n' {
			i++
		}
		if keep {
			end = i
		}
		lines = append(lines, s[start:end])
		start = i
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}

// splitSpace is str.split() and, from the right, str.rsplit(), without a
// separator: at most n splits, or any number if n is negative.
func splitSpace(s string, n int, right bool) []string {
	if n < 0 {
		return strings.FieldsFunc(s, isSpace)
	}
	var out []string
	if !right {
		for s = strings.TrimLeftFunc(s, isSpace); s != ""; n-- {
			i := strings.IndexFunc(s, isSpace)
			if n == 0 || i < 0 {
				if n != 0 {
					s = strings.TrimRightFunc(s, isSpace)
				}
				return append(out, s)
			}
			out = append(out, s[:i])
			s = strings.TrimLeftFunc(s[i:], isSpace)
		}
		return out
	}
	for s = strings.TrimRightFunc(s, isSpace); s != ""; n-- {
		i := strings.LastIndexFunc(s, isSpace)
		if n == 0 || i < 0 {
			out = append(out, s)
			break
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		out = append(out, s[i+size:])
		s = strings.TrimRightFunc(s[:i], isSpace)
	}
	slices.Reverse(out)
	return out
}

// splitRight is str.rsplit(sep, n).
func splitRight(s, sep string, n int) []string {
	all := strings.Split(s, sep)
	if n < 0 || n >= len(all)-1 {
		return all
	}
	head := strings.Join(all[:len(all)-n], sep)
	return append([]string{head}, all[len(all)-n:]...)
}

// splitLeft is str.split(sep, n).
func splitLeft(s, sep string, n int) []string {
	if n < 0 {
		return strings.Split(s, sep)
	}
	return strings.SplitN(s, sep, n+1)
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

func escapeHTML(s string) string { return htmlEscapes.Replace(s) }

// escaped is markupsafe.escape as text.
func (r *run) escaped(v any) string {
	if m, ok := v.(markup); ok {
		return string(m)
	}
	s := escapeHTML(r.str(v))
	r.alloc(len(s))
	return s
}
