package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/bundle"
)

// located gives a problem the path that an editor can open; that of a file
// which is missing, if its folder is there.
func located(source string, p bundle.Problem) bundle.Problem {
	if p.Path == "" {
		p.Path = source
		return p
	}
	full := filepath.Join(source, filepath.FromSlash(p.Path))
	for _, there := range []string{full, filepath.Dir(full)} {
		if _, err := os.Stat(there); err == nil && there != filepath.Clean(source) {
			p.Path = full
			return p
		}
	}
	return p
}

// sourceOf is the text of the file that a problem of a bundle is in, or "".
func sourceOf(source string, p bundle.Problem) string {
	if p.Line == 0 || p.Path == "" {
		return ""
	}
	if info, err := os.Stat(source); err == nil && !info.IsDir() {
		return archived(source, p.Path)
	}
	text, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(p.Path)))
	if err != nil {
		return ""
	}
	return string(text)
}

// archived is the text of the highest file with a name in an archive, or "".
// The archive was read before within the limits; what cannot be read now only
// goes without an excerpt.
func archived(archive, name string) string {
	f, err := os.Open(archive)
	if err != nil {
		return ""
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return ""
	}
	text, depth := "", -1
	for r := tar.NewReader(io.LimitReader(zip, bundle.DefaultLimits().Unpacked)); ; {
		h, err := r.Next()
		if err != nil {
			return text
		}
		if d := strings.Count(h.Name, "/"); strings.HasSuffix("/"+h.Name, "/"+name) && (depth < 0 || d < depth) {
			var b bytes.Buffer
			if _, err := io.Copy(&b, r); err != nil {
				return ""
			}
			text, depth = b.String(), d
		}
	}
}

// diagnose prints a problem as compilers do: its place, what is wrong, and the
// line with a mark under the column. The excerpt is left out without a source.
func (t *tool) diagnose(w io.Writer, severity string, p bundle.Problem, source string) {
	place := p.Path + ":"
	if p.Line > 0 {
		place = fmt.Sprintf("%s%d:%d:", place, p.Line, max(p.Column, 1))
	}
	mark := "31" // red
	if severity == "warning" {
		mark = "33" // yellow
	}
	if severity != "" {
		severity = t.paint(mark, severity+":") + " "
	}
	fmt.Fprintf(w, "%s %s%s\n", t.paint("1", place), severity, p.Message)
	line, column, ok := excerpt(source, p.Line, p.Column)
	if !ok {
		return
	}
	number := fmt.Sprint(p.Line)
	fmt.Fprintf(w, "  %s %s\n", t.paint("2", number+" |"), line)
	if column > 0 {
		fmt.Fprintf(w, "  %s %s%s\n", t.paint("2", strings.Repeat(" ", len(number))+" |"), strings.Repeat(" ", column-1), t.paint(mark, "^"))
	}
}

// paint gives text a color, on a terminal that has them.
func (t *tool) paint(color, text string) string {
	if !t.color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// widest is how much of a line is shown.
const widest = 100

// excerpt is a line of a text and the column of the mark in it: a long line is
// cut to what surrounds the column. Tabs and what is not printable are blanks.
func excerpt(source string, line, column int) (string, int, bool) {
	if source == "" || line < 1 {
		return "", 0, false
	}
	for range line - 1 {
		_, rest, found := strings.Cut(source, "\n")
		if !found {
			return "", 0, false
		}
		source = rest
	}
	text, _, _ := strings.Cut(source, "\n")
	text = strings.TrimRight(text, "\r")
	if !utf8.ValidString(text) {
		return "", 0, false
	}
	runes := []rune(text)
	for n, r := range runes {
		if r < ' ' || r == 0x7f {
			runes[n] = ' '
		}
	}
	column = min(column, len(runes)+1)
	cut := ""
	if from := column - widest/2; len(runes) > widest && from > 0 {
		runes, column, cut = runes[from:], column-from+1, "…"
	}
	if len(runes) > widest {
		runes = append(runes[:widest:widest], '…')
	}
	return cut + string(runes), column, true
}
