package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"strings"
)

// RedactMinimum is the length in bytes below which a value is not cut out:
// shorter ones would riddle every text with holes.
const RedactMinimum = 6

// Redacted stands where a secret was.
const Redacted = "[secret]"

// Redactor cuts secret values out of text: as they are, each line of those of
// several lines, and as base64 (at any alignment, so also inside "user:secret"),
// hexadecimal, URL-encoded, JSON-escaped or shell-quoted text. A nil Redactor
// cuts nothing. It is safe for concurrent use.
type Redactor struct {
	// An Aho-Corasick automaton: node 0 is the root, whose edges are dense;
	// those of other nodes are rare and share one map.
	root  [256]int32
	edges map[edge]int32
	fail  []int32
	depth []int32 // length of the text that leads to the node
	match []int32 // length of the longest pattern that ends at the node
}

type edge struct {
	node int32
	char byte
}

// NewRedactor returns a Redactor for the values of RedactMinimum bytes and more.
func NewRedactor(values ...string) *Redactor {
	r := &Redactor{edges: map[edge]int32{}}
	r.grow(0)
	for _, value := range values {
		for _, form := range forms(value) {
			if len(form) >= RedactMinimum {
				r.add(form)
			}
		}
	}
	r.link()
	return r
}

// forms returns the spellings in which a value is likely to be printed.
func forms(value string) []string {
	if len(value) < RedactMinimum {
		return nil
	}
	out := []string{
		value,
		hex.EncodeToString([]byte(value)),
		strings.ToUpper(hex.EncodeToString([]byte(value))),
		url.QueryEscape(value),
		url.PathEscape(value),
		strings.ReplaceAll(value, "'", `'\''`),
		strings.ReplaceAll(value, "'", `'"'"'`),
		jsonText(value, true),
		jsonText(value, false),
	}
	for shift := range 3 {
		out = append(out, base64Inner(base64.StdEncoding, value, shift), base64Inner(base64.URLEncoding, value, shift))
	}
	if strings.ContainsAny(value, "\r\n") {
		for line := range strings.Lines(value) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func jsonText(value string, escapeHTML bool) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(escapeHTML)
	if enc.Encode(value) != nil {
		return ""
	}
	return strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`)
}

// base64Inner returns the characters of an encoding of some text that depend on
// value alone, when shift bytes (modulo 3) stand before it.
func base64Inner(enc *base64.Encoding, value string, shift int) string {
	text := enc.WithPadding(base64.NoPadding).EncodeToString([]byte(strings.Repeat("\x00", shift) + value))
	first := (shift*8 + 5) / 6
	last := (shift + len(value)) * 8 / 6
	return text[first:last]
}

func (r *Redactor) grow(depth int32) int32 {
	r.fail = append(r.fail, 0)
	r.depth = append(r.depth, depth)
	r.match = append(r.match, 0)
	return int32(len(r.fail) - 1)
}

func (r *Redactor) edge(node int32, c byte) (int32, bool) {
	if node == 0 {
		return r.root[c], r.root[c] != 0
	}
	next, ok := r.edges[edge{node, c}]
	return next, ok
}

func (r *Redactor) add(pattern string) {
	node := int32(0)
	for i := range len(pattern) {
		next, ok := r.edge(node, pattern[i])
		if !ok {
			next = r.grow(int32(i + 1))
			if node == 0 {
				r.root[pattern[i]] = next
			} else {
				r.edges[edge{node, pattern[i]}] = next
			}
		}
		node = next
	}
	r.match[node] = int32(len(pattern))
}

// link sets, for each node, the node of the longest proper suffix of its text,
// shortest texts first.
func (r *Redactor) link() {
	children := make(map[int32][]edge, len(r.edges))
	for e := range r.edges {
		children[e.node] = append(children[e.node], e)
	}
	var queue []int32
	for _, next := range r.root {
		if next != 0 {
			queue = append(queue, next)
		}
	}
	for len(queue) > 0 {
		node := queue[0]
		queue = queue[1:]
		r.match[node] = max(r.match[node], r.match[r.fail[node]])
		for _, e := range children[node] {
			child := r.edges[e]
			r.fail[child] = r.step(r.fail[node], e.char)
			queue = append(queue, child)
		}
	}
}

// step moves on by one byte, falling back to shorter suffixes.
func (r *Redactor) step(node int32, c byte) int32 {
	for {
		if next, ok := r.edge(node, c); ok {
			return next
		}
		if node == 0 {
			return 0
		}
		node = r.fail[node]
	}
}

// String returns s with every secret replaced.
func (r *Redactor) String(s string) string {
	if r == nil || len(r.fail) == 1 {
		return s
	}
	var b strings.Builder
	w := r.Writer(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// Writer returns a writer that passes on to w what is written, without the
// secrets, also those that come in pieces. Of each write it holds back only
// what may be the beginning of a secret; Close passes that on.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	if r == nil {
		r = NewRedactor()
	}
	return &redactWriter{r: r, w: w}
}

type redactWriter struct {
	r      *Redactor
	w      io.Writer
	node   int32
	held   []byte // the last bytes, which may yet turn out to be secret
	secret []bool // for each held byte
	hidden bool   // the last byte handed on was secret, and Redacted stands for it
	out    []byte
}

func (w *redactWriter) Write(p []byte) (int, error) {
	w.out = w.out[:0]
	for i := 0; i < len(p); i++ {
		if len(w.held) == 0 { // the common case: nothing that begins a secret
			start := i
			for i < len(p) && w.r.root[p[i]] == 0 {
				i++
			}
			if i > start {
				w.out, w.hidden = append(w.out, p[start:i]...), false
			}
			if i == len(p) {
				break
			}
		}
		w.held, w.secret = append(w.held, p[i]), append(w.secret, false)
		w.node = w.r.step(w.node, p[i])
		for k := len(w.held) - int(w.r.match[w.node]); k < len(w.held); k++ {
			w.secret[k] = true
		}
		w.pass(len(w.held) - int(w.r.depth[w.node]))
	}
	if len(w.out) == 0 {
		return len(p), nil
	}
	if _, err := w.w.Write(w.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// pass hands on the first n held bytes, which no later match can touch.
func (w *redactWriter) pass(n int) {
	if n == 0 {
		return
	}
	for i, c := range w.held[:n] {
		switch {
		case !w.secret[i]:
			w.out = append(w.out, c)
		case !w.hidden:
			w.out = append(w.out, Redacted...)
		}
		w.hidden = w.secret[i]
	}
	w.held = append(w.held[:0], w.held[n:]...)
	w.secret = append(w.secret[:0], w.secret[n:]...)
}

// Close passes on what is still held. It does not close the writer below.
func (w *redactWriter) Close() error {
	w.out = w.out[:0]
	w.pass(len(w.held))
	w.node = 0
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.w.Write(w.out)
	return err
}
