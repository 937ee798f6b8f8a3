package linediff

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func signs(a, b string) string {
	var out strings.Builder
	for _, e := range Edits(strings.Fields(a), strings.Fields(b)) {
		out.WriteString(" " + strings.TrimSpace(string(e.Sign)+e.Text))
	}
	return strings.TrimSpace(out.String())
}

func TestEdits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"", "", ""},
		{"a b c", "a b c", "a b c"},
		{"", "a b", "+a +b"},
		{"a b", "", "-a -b"},
		{"a b c", "a x c d", "a -b +x c +d"},
		{"a b c d", "c d a b", "-a -b c d +a +b"},
		{"a a", "a a a", "a a +a"},
	} {
		if got := signs(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

// Whatever the texts, the kept and removed lines are the one and the kept and
// added lines the other, and no edit is counted from the wrong place.
func TestEditsLeadFromOneTextToTheOther(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	text := func() (lines []string) {
		for range random.IntN(12) {
			lines = append(lines, string('a'+rune(random.IntN(4))))
		}
		return lines
	}
	for range 2000 {
		a, b := text(), text()
		var from, to []string
		for _, e := range Edits(a, b) {
			if e.A != len(from) || e.B != len(to) {
				t.Fatalf("%v to %v: %+v comes after %d and %d lines", a, b, e, len(from), len(to))
			}
			if e.Sign != '+' {
				from = append(from, e.Text)
			}
			if e.Sign != '-' {
				to = append(to, e.Text)
			}
		}
		if strings.Join(from, "") != strings.Join(a, "") || strings.Join(to, "") != strings.Join(b, "") {
			t.Fatalf("%v to %v: %+v", a, b, Edits(a, b))
		}
	}
}

func TestTextsThatAreTooLongAreReplacedBetweenTheirEnds(t *testing.T) {
	t.Parallel()
	a := append(strings.Fields("first "+strings.Repeat("a ", 2500)), "last")
	b := append(strings.Fields("first "+strings.Repeat("b ", 1250)+strings.Repeat("a ", 1250)), "end", "last")
	if Compared(a, b) {
		t.Error("compared line by line")
	}
	edits := Edits(a, b)
	if len(edits) != 2+2500+2501 || edits[0].Changes() || edits[len(edits)-1].Changes() || edits[1].Sign != '-' || edits[2501].Sign != '+' {
		t.Errorf("%d edits", len(edits))
	}
	if !Compared(a, a) || !Compared(a[:1000], b[:1000]) {
		t.Error("short changes are compared line by line")
	}
}
