package engine

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// LogLimits bound the log of one run, in bytes. Zero fields mean the defaults.
type LogLimits struct {
	Line  int // longest line; default 16 KiB
	Head  int // what is kept from the beginning of the log; default 8 MiB
	Tail  int // what is kept of its end, once the head is full; default 256 KiB
	Lines int // how many lines the head has at most, for short ones cost more to keep than their bytes; default 100 000
}

func (l LogLimits) withDefaults() LogLimits {
	if l.Line <= 0 {
		l.Line = 16 << 10
	}
	if l.Head <= 0 {
		l.Head = 8 << 20
	}
	if l.Tail <= 0 {
		l.Tail = 256 << 10
	}
	if l.Lines <= 0 {
		l.Lines = 100_000
	}
	return l
}

// Log turns whatever a tool prints into a log that can be stored and shown:
// secrets cut out, valid UTF-8 without control characters or terminal
// sequences, lines and the whole of bounded size. It hands on whole lines as
// they are complete; once the head is full it keeps the end in memory, and
// Close hands that on with a line saying how much is missing. Memory is
// bounded whatever is written. It is safe for concurrent use and never fails:
// errors of the writer below are dropped with the text.
type Log struct {
	mu      sync.Mutex
	limits  LogLimits
	redact  *Redactor
	stream  io.WriteCloser // cuts secrets, then calls split
	below   io.Writer
	line    []byte
	cut     int  // bytes of the current line that were left out
	lastCR  bool // the last byte was a carriage return, already taken as a line end
	batch   []byte
	written int
	lines   int
	tail    []byte
	missing int // bytes left out between head and tail
	closed  bool
}

// NewLog returns a Log that writes to w.
func NewLog(w io.Writer, r *Redactor, limits LogLimits) *Log {
	l := &Log{limits: limits.withDefaults(), redact: r, below: w}
	l.stream = r.Writer(writerFunc(l.split))
	return l
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// Write takes output in pieces of any size. It always takes all of p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return len(p), nil
	}
	l.stream.Write(p)
	l.flush()
	return len(p), nil
}

// Note writes a line of its own, ending a line that is not complete.
func (l *Log) Note(line string) {
	l.mu.Lock()
	unfinished := len(l.line) > 0 || l.cut > 0
	l.mu.Unlock()
	if unfinished {
		line = "\n" + line
	}
	io.WriteString(l, line+"\n")
}

// Close hands on what is left. The writer below stays open.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	l.stream.Close()
	if len(l.line) > 0 || l.cut > 0 {
		l.endLine()
	}
	if len(l.tail) > 0 {
		if l.missing > 0 {
			l.batch = fmt.Appendf(l.batch, "[log too long: %d bytes left out here]\n", l.missing)
		}
		l.batch = append(l.batch, l.tail...)
	}
	l.flush()
	return nil
}

// split takes redacted output apart into lines. A carriage return ends a line
// too: that is how progress bars draw.
func (l *Log) split(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		if i != 0 {
			l.lastCR = false
		}
		if i < 0 {
			l.addToLine(p)
			return
		}
		l.addToLine(p[:i])
		if !(p[i] == '\n' && l.lastCR) {
			l.endLine()
		}
		l.lastCR = p[i] == '\r'
		p = p[i+1:]
	}
}

func (l *Log) addToLine(p []byte) {
	room := max(0, l.limits.Line-len(l.line))
	kept := min(room, len(p))
	l.line = append(l.line, p[:kept]...)
	l.cut += len(p) - kept
}

func (l *Log) endLine() {
	if l.cut > 0 { // do not leave half a character
		for range utf8.UTFMax {
			if r, n := utf8.DecodeLastRune(l.line); r != utf8.RuneError || n != 1 {
				break
			}
			l.line = l.line[:len(l.line)-1]
			l.cut++
		}
	}
	text := string(l.line)
	if clean := Clean(text); clean != text {
		// What was split up by control characters may be whole now.
		text = l.redact.String(clean)
	}
	if l.cut > 0 {
		text += fmt.Sprintf(" [line too long: %d bytes left out]", l.cut)
	}
	l.line, l.cut = l.line[:0], 0
	l.keep(text + "\n")
}

func (l *Log) keep(line string) {
	if l.missing == 0 && len(l.tail) == 0 && l.written+len(line) <= l.limits.Head && l.lines < l.limits.Lines {
		l.written += len(line)
		l.lines++
		l.batch = append(l.batch, line...)
		return
	}
	l.tail = append(l.tail, line...)
	if len(l.tail) <= 2*l.limits.Tail {
		return
	}
	// Drop whole lines, rarely, so that it costs little.
	drop := len(l.tail) - l.limits.Tail
	if i := bytes.IndexByte(l.tail[drop:], '\n'); i >= 0 {
		drop += i + 1
	}
	l.missing += drop
	l.tail = append(l.tail[:0], l.tail[drop:]...)
}

func (l *Log) flush() {
	if len(l.batch) > 0 {
		l.below.Write(l.batch)
		l.batch = l.batch[:0]
	}
}

// Clean returns a line of text fit to be shown anywhere: terminal sequences
// are dropped, other control characters, direction overrides and invalid bytes
// become U+FFFD. Tabs stay, line ends become U+FFFD.
func Clean(s string) string {
	if !needsCleaning(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\x1b':
			n = terminalSequence(s[i:])
		case hostile(r):
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// CleanText is Clean for text of several lines, which stay.
func CleanText(s string) string {
	lines := strings.Split(s, "\n")
	for n, line := range lines {
		lines[n] = Clean(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

func needsCleaning(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, hostile)
}

func hostile(r rune) bool {
	switch {
	case r == '\t':
		return false
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return true
	}
	return unicode.Is(unicode.Bidi_Control, r)
}

// terminalSequence returns the length of the escape sequence s begins with:
// CSI (colours, cursor), OSC (titles, links), or a short one.
func terminalSequence(s string) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x7e {
				return i
			}
		}
		return len(s)
	case ']':
		if i := strings.IndexByte(s, '\a'); i >= 0 {
			return i + 1
		}
		if i := strings.Index(s[2:], "\x1b\\"); i >= 0 {
			return 2 + i + 2
		}
		return 2
	}
	if s[1] >= 0x20 && s[1] <= 0x7e {
		return 2
	}
	return 1
}

// Count is a number of things in words: "1 file", "2 files".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
