// Package linediff finds what turns the lines of one text into those of another.
package linediff

// An Edit is a line that is kept (Sign ' '), taken away ('-') or added ('+'),
// and how many lines of each text come before it.
type Edit struct {
	Sign byte
	Text string
	A, B int
}

// Changes reports whether the line is not in both texts.
func (e Edit) Changes() bool { return e.Sign != ' ' }

// mostCells bounds the table of the longest common subsequence, to 8 MB.
const mostCells = 4_000_000

// Compared reports whether two texts are compared line by line. Of longer ones
// everything between what they begin and end with alike is one change.
func Compared(a, b []string) bool {
	head, tail := sameEnds(a, b)
	return comparable(a[head:len(a)-tail], b[head:len(b)-tail])
}

func comparable(a, b []string) bool { return (len(a)+1)*(len(b)+1) <= mostCells }

// Edits are the fewest that turn the lines a into b, in the order of both.
func Edits(a, b []string) []Edit {
	head, tail := sameEnds(a, b)
	var out []Edit
	i, j := 0, 0
	keep := func() { out = append(out, Edit{' ', a[i], i, j}); i++; j++ }
	remove := func() { out = append(out, Edit{'-', a[i], i, j}); i++ }
	add := func() { out = append(out, Edit{'+', b[j], i, j}); j++ }
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

// sameEnds counts the lines that two texts begin and end with alike.
func sameEnds(a, b []string) (head, tail int) {
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return head, tail
}

// commonLengths is the length of the longest common subsequence of what follows
// each pair of places, which mostCells keeps below 2000; nil if the table would be
// too large.
func commonLengths(a, b []string) [][]uint16 {
	if !comparable(a, b) {
		return nil
	}
	table := make([][]uint16, len(a)+1)
	cells := make([]uint16, (len(a)+1)*(len(b)+1))
	for i := range table {
		table[i], cells = cells[:len(b)+1], cells[len(b)+1:]
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
