package console

import (
	"strings"

	"github.com/hadronhq/hadron/internal/linediff"
)

// specLine is a line of a text: unchanged, added or removed.
type specLine struct{ Mark, Text string }

// specChange writes a spec with what has changed in it. Without one before,
// nothing is said to have changed.
func specChange(before, after string) []specLine {
	a, b := lines(before), lines(after)
	if len(a) == 0 {
		return marked(nil, " ", b)
	}
	return difference(a, b)
}

// difference keeps the longest common run of lines; the rest is removed or
// added.
func difference(a, b []string) (out []specLine) {
	for _, e := range linediff.Edits(a, b) {
		out = append(out, specLine{string(e.Sign), e.Text})
	}
	return out
}

func marked(out []specLine, mark string, lines []string) []specLine {
	for _, text := range lines {
		out = append(out, specLine{mark, text})
	}
	return out
}

func lines(text string) []string {
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
