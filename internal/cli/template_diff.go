package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/linediff"
)

// unifiedDiff is what turns one text into another, as "diff -u" shows it
// without its header: hunks with three lines around each change. It is empty
// for equal texts.
func unifiedDiff(from, to string) []string {
	a, b := diffLines(from), diffLines(to)
	edits := linediff.Edits(a, b)
	var out []string
	for start := 0; start < len(edits); {
		first := slices.IndexFunc(edits[start:], linediff.Edit.Changes)
		if first < 0 {
			break
		}
		hunk := edits[max(start, start+first-contextLines):]
		end := hunkEnd(hunk)
		out = append(out, header(hunk[:end]))
		for _, e := range hunk[:end] {
			out = append(out, strings.Split(string(e.Sign)+e.Text, "\n")...)
		}
		start = len(edits) - len(hunk) + end
	}
	return out
}

const contextLines = 3

// noNewline is how diff marks a last line without a line end.
const noNewline = "\n\\ No newline at end of file"

func diffLines(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	last := len(lines) - 1
	if lines[last] == "" {
		return lines[:last]
	}
	lines[last] += noNewline
	return lines
}

// hunkEnd is how many edits, which begin with a hunk, belong to it: a hunk ends
// where its last change is followed by more than two contexts.
func hunkEnd(edits []linediff.Edit) int {
	end, quiet := 0, 0
	for n, e := range edits {
		if e.Changes() {
			end, quiet = n+1, 0
		} else if quiet++; end > 0 && quiet > 2*contextLines {
			break
		}
	}
	return min(end+contextLines, len(edits))
}

func header(hunk []linediff.Edit) string {
	inA, inB := 0, 0
	for _, h := range hunk {
		if h.Sign != '+' {
			inA++
		}
		if h.Sign != '-' {
			inB++
		}
	}
	place := func(before, n int) string {
		switch n {
		case 0:
			return fmt.Sprintf("%d,0", before)
		case 1:
			return fmt.Sprint(before + 1)
		}
		return fmt.Sprintf("%d,%d", before+1, n)
	}
	return "@@ -" + place(hunk[0].A, inA) + " +" + place(hunk[0].B, inB) + " @@"
}
