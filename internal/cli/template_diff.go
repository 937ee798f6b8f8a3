package cli

import (
	"fmt"
	"slices"
	"strings"
)

// unifiedDiff is what turns one text into another, as "diff -u" shows it
// without its header: hunks with three lines around each change. It is empty
// for equal texts.
func unifiedDiff(from, to string) []string {
	a, b := diffLines(from), diffLines(to)
	edits := lineEdits(a, b)
	var out []string
	for start := 0; start < len(edits); {
		first := slices.IndexFunc(edits[start:], edit.changes)
		if first < 0 {
			break
		}
		hunk := edits[max(start, start+first-contextLines):]
		end := hunkEnd(hunk)
		out = append(out, hunk[0].header(hunk[:end]))
		for _, e := range hunk[:end] {
			out = append(out, strings.Split(string(e.sign)+e.text, "\n")...)
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

// edit is one line of a diff: kept (blank), taken away (-) or added (+), and
// how many lines of each text come before it.
type edit struct {
	sign byte
	text string
	a, b int
}

func (e edit) changes() bool { return e.sign != ' ' }

// hunkEnd is how many edits, which begin with a hunk, belong to it: a hunk ends
// where its last change is followed by more than two contexts.
func hunkEnd(edits []edit) int {
	end, quiet := 0, 0
	for n, e := range edits {
		if e.changes() {
			end, quiet = n+1, 0
		} else if quiet++; end > 0 && quiet > 2*contextLines {
			break
		}
	}
	return min(end+contextLines, len(edits))
}

func (e edit) header(hunk []edit) string {
	inA, inB := 0, 0
	for _, h := range hunk {
		if h.sign != '+' {
			inA++
		}
		if h.sign != '-' {
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
	return "@@ -" + place(e.a, inA) + " +" + place(e.b, inB) + " @@"
}

// mostCells bounds the table of the longest common subsequence; between longer
// texts, everything between what they begin and end with alike is one change.
const mostCells = 4_000_000

// lineEdits are the fewest edits that turn lines into others.
func lineEdits(a, b []string) []edit {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []edit
	i, j := 0, 0
	keep := func() { out = append(out, edit{' ', a[i], i, j}); i++; j++ }
	remove := func() { out = append(out, edit{'-', a[i], i, j}); i++ }
	add := func() { out = append(out, edit{'+', b[j], i, j}); j++ }
	for range head {
		keep()
	}
	endA, endB := len(a)-tail, len(b)-tail
	common := commonLengths(a[head:endA], b[head:endB])
	for i < endA || j < endB {
		switch {
		case i < endA && j < endB && a[i] == b[j] && common != nil:
			keep()
		case j == endB || i < endA && (common == nil || common[i-head+1][j-head] >= common[i-head][j-head+1]):
			remove()
		default:
			add()
		}
	}
	for range tail {
		keep()
	}
	return out
}

// commonLengths is the length of the longest common subsequence of what follows
// each pair of places; nil if the table would be too large.
func commonLengths(a, b []string) [][]int32 {
	if (len(a)+1)*(len(b)+1) > mostCells {
		return nil
	}
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
