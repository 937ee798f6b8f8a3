package console

import "strings"

// specLine is a line of a text: unchanged, added or removed.
type specLine struct{ Mark, Text string }

// maxCompared bounds the lines that are compared one by one.
const maxCompared = 1000

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
// added. Texts of more than maxCompared lines are replaced as a whole.
func difference(a, b []string) []specLine {
	start, end := sameEnds(a, b)
	out := marked(nil, " ", a[:start])
	out = append(out, middle(a[start:len(a)-end], b[start:len(b)-end])...)
	return marked(out, " ", a[len(a)-end:])
}

// sameEnds counts the lines that two texts begin and end with alike.
func sameEnds(a, b []string) (start, end int) {
	for start < min(len(a), len(b)) && a[start] == b[start] {
		start++
	}
	for end < min(len(a), len(b))-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	return start, end
}

func middle(a, b []string) []specLine {
	if len(a) > maxCompared || len(b) > maxCompared {
		return marked(marked(nil, "-", a), "+", b)
	}
	common := commonLines(a, b)
	var out []specLine
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, specLine{" ", a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, specLine{"-", a[i]})
			i++
		default:
			out = append(out, specLine{"+", b[j]})
			j++
		}
	}
	return out
}

// commonLines says how many lines a[i:] and b[j:] have in common.
func commonLines(a, b []string) [][]uint16 {
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
