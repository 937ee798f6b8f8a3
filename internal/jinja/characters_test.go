package jinja

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// TestCharactersAreAsInPython holds the methods of texts against Python's, for
// every character that both know.
func TestCharactersAreAsInPython(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("short")
	}
	cmd := exec.Command(referencePython(t), filepath.Join("testdata", "characters.py"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	checked, wrong := 0, 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var c rune
		var classes string
		var cases []string
		if err := json.Unmarshal(lines.Bytes(), &[]any{&c, &classes, &cases}); err != nil {
			t.Fatal(err)
		}
		if !unicode.In(c, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) || strings.ContainsRune(changedInUnicode15, c) {
			continue
		}
		checked++
		if wrong < 40 && !sameCharacter(t, c, classes, cases) {
			wrong++
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if checked < 100000 {
		t.Errorf("only %d characters were compared", checked)
	}
}

// changedInUnicode15 are small letters for Go, and were none in the Unicode of Python 3.11.
const changedInUnicode15 = "\u10fc\ua7f2\ua7f3\ua7f4\uab69"

var classMethods = []string{"isalnum", "isalpha", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper"}

func sameCharacter(t *testing.T, c rune, wantClasses string, wantCases []string) bool {
	s := string(c)
	r := newRun(t.Context(), &program{}, NewMap(), Limits{})
	classes := ""
	is := func(answer bool) {
		classes += map[bool]string{true: "1", false: "0"}[answer]
	}
	for _, name := range classMethods {
		is(stringMethods[name].call(r, []any{s}, nil) == true)
	}
	is(isIdentifier("a" + s))
	is(len(splitLines("a"+s+"b", false)) > 1)
	same := classes == wantClasses
	if !same {
		t.Errorf("%U %q: %v, and part of an identifier, and line break: got %s, want %s", c, s, classMethods, classes, wantClasses)
	}
	cases := []string{upper(s), lower(s), titleWords(s), capitalize(s), swapCase(s), caseFold(s),
		titleWords("a" + s + "b"), lower("a" + s + "b"), lower("a" + s + "Σ"), lower("Σ" + s + "aΣ" + s), latinDigits(s)}
	for i, got := range cases {
		if got != wantCases[i] {
			t.Errorf("%U %q, case %d of characters.py: got %q, want %q", c, s, i, got, wantCases[i])
			same = false
		}
	}
	return same
}
