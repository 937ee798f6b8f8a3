package engine_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/engine"
)

func TestRedactorCutsEverySpelling(t *testing.T) {
	t.Parallel()
	const secret = `p&ss<w>rd/"42" é'x`
	escaped, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"plain":             secret,
		"base64":            base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 URL":        base64.RawURLEncoding.EncodeToString([]byte(secret)),
		"base64, shifted 1": base64.StdEncoding.EncodeToString([]byte("u:me:" + secret + "::")),
		"base64, shifted 2": base64.StdEncoding.EncodeToString([]byte("u:m:" + secret)),
		"URL query":         url.QueryEscape(secret),
		"URL path":          url.PathEscape(secret),
		"JSON":              string(escaped),
		"JSON in JSON-ish":  `{"a":` + strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(escaped)) + `}`,
		"shell":             strings.ReplaceAll(secret, "'", `'\''`),
	}
	r := engine.NewRedactor(secret)
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := r.String("before " + text + " after")
			if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || !strings.Contains(got, "[secret]") {
				t.Errorf("got %q", got)
			}
			if left := len(got) - len("before [secret] after"); left > 12 {
				t.Errorf("%d bytes of the secret's text are left: %q", left, got)
			}
		})
	}
}

func TestRedactorCutsSecretsInPieces(t *testing.T) {
	t.Parallel()
	r := engine.NewRedactor("hunter22", "hunter22-long", "tttttt", "line one\nline two", "short")
	cases := []struct{ in, want string }{
		{"a hunter22 b", "a [secret] b"},
		{"hunter22-lon hunter22-long", "[secret]-lon [secret]"},
		{"hhunter2hunter22hunter22", "hhunter2[secret]"},
		{"ttttttttttx", "[secret]x"},
		{"> line two <", "> [secret] <"},
		{"hunter2", "hunter2"},
		{"a short one", "a short one"},
		{"", ""},
	}
	for _, c := range cases {
		for size := 1; size <= len(c.in)+1; size++ {
			var b strings.Builder
			w := r.Writer(&b)
			for rest := c.in; rest != ""; {
				n := min(size, len(rest))
				io.WriteString(w, rest[:n])
				rest = rest[n:]
			}
			w.Close()
			if b.String() != c.want {
				t.Errorf("%q in pieces of %d: got %q, want %q", c.in, size, b.String(), c.want)
			}
		}
	}
}

func TestRedactorHoldsBackOnlyBeginningsOfSecrets(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	w := engine.NewRedactor("hunter22").Writer(&b)
	io.WriteString(w, "password: hun")
	if b.String() != "password: " {
		t.Errorf("got %q", b.String())
	}
	io.WriteString(w, "gry")
	if b.String() != "password: hungry" {
		t.Errorf("got %q", b.String())
	}
}

func FuzzRedactorLeavesNoSecret(f *testing.F) {
	f.Add("abcabcabd", "abcabd", "xxabcabcabdyy", 3)
	f.Add("aaaaaa", "aaaaaab", "aaaaaaaaab", 1)
	f.Fuzz(func(t *testing.T, one, two, text string, size int) {
		if size < 1 || strings.Contains("[secret]", one) || strings.Contains("[secret]", two) {
			t.Skip()
		}
		var b strings.Builder
		w := engine.NewRedactor(one, two).Writer(&b)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			io.WriteString(w, rest[:n])
			rest = rest[n:]
		}
		w.Close()
		for _, part := range strings.Split(b.String(), "[secret]") {
			for _, secret := range []string{one, two} {
				if len(secret) >= engine.RedactMinimum && strings.Contains(part, secret) {
					t.Errorf("%q is in %q", secret, b.String())
				}
			}
		}
	})
}

func TestLogIsFitToBeShown(t *testing.T) {
	t.Parallel()
	limits := engine.LogLimits{Line: 20, Head: 60, Tail: 30}
	cases := []struct {
		name string
		in   []string
		want string
	}{
		{"lines", []string{"one\ntw", "o\n"}, "one\ntwo\n"},
		{"last line without end", []string{"one"}, "one\n"},
		{"carriage returns", []string{"10%\r20%\r", "\nend\r\n"}, "10%\n20%\nend\n"},
		{"colours", []string{"\x1b[1;31mred\x1b[0m one"}, "red one\n"},
		{"titles", []string{"a\x1b]0;title\abc\x1bM"}, "abc\n"},
		{"control characters", []string{"a\x00b\x07\u0085\u202ec\td\n"}, "a\ufffdb\ufffd\ufffd\ufffdc\td\n"},
		{"invalid UTF-8", []string{"a\xff\xc3\n"}, "a\ufffd\ufffd\n"},
		{"long line", []string{"0123456789012345", "67890123456789\nx\n"}, "01234567890123456789 [line too long: 10 bytes left out]\nx\n"},
		{"long line cut in a character", []string{"0123456789012345678é\n"}, "0123456789012345678 [line too long: 2 bytes left out]\n"},
		{"secret", []string{"my hun", "ter22!\n"}, "my [secret]!\n"},
		{"secret split by an escape", []string{"my hun\x1b[0mter22!\n"}, "my [secret]!\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			l := engine.NewLog(&b, engine.NewRedactor("hunter22"), limits)
			for _, s := range c.in {
				io.WriteString(l, s)
			}
			l.Close()
			io.WriteString(l, "after the end")
			if diff := cmp.Diff(c.want, b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLogKeepsSomeLinesOfAFlood(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := engine.NewLog(&b, nil, engine.LogLimits{Head: 1 << 20, Tail: 4, Lines: 3})
	io.WriteString(l, strings.Repeat("y\n", 1000)+"e\n")
	l.Close()
	if got := b.String(); !strings.HasPrefix(got, "y\ny\ny\n[log too long: 19") || !strings.HasSuffix(got, "y\ne\n") || len(got) > 80 {
		t.Errorf("got %q", got)
	}
}

func TestLogKeepsHeadAndTail(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	l := engine.NewLog(&b, nil, engine.LogLimits{Line: 100, Head: 1000, Tail: 200})
	for range 1000 {
		io.WriteString(l, "0123456789\n")
	}
	io.WriteString(l, "the error\n")
	l.Close()
	got := b.String()
	if len(got) > 1000+2*200+100 {
		t.Errorf("log of %d bytes", len(got))
	}
	if !strings.HasPrefix(got, "0123456789\n") || !strings.HasSuffix(got, "0123456789\nthe error\n") || !strings.Contains(got, "bytes left out here]\n") {
		t.Errorf("got %q", got)
	}
}
