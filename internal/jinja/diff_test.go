package jinja

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// reference is an installed Python Jinja2 that renders on request.
type reference struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

type referenceAnswer struct {
	Output *string `json:"o"`
	Error  string  `json:"e"`
	Slow   bool    `json:"s"`
}

// referencePython is HADRON_JINJA_PYTHON or python3; the test is skipped if it
// cannot import jinja2 3.1.
func referencePython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("HADRON_JINJA_PYTHON")
	if python == "" {
		python = "python3"
	}
	check := exec.Command(python, "-c", "import jinja2; assert jinja2.__version__.startswith('3.1.')")
	if err := check.Run(); err != nil {
		t.Skipf("%s cannot import jinja2 3.1; install it and set HADRON_JINJA_PYTHON", python)
	}
	return python
}

// startReference runs Python's Jinja2, or skips the test.
func startReference(t *testing.T) *reference {
	t.Helper()
	cmd := exec.Command(referencePython(t), filepath.Join("testdata", "reference.py"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &reference{cmd: cmd, in: in, out: bufio.NewReader(out)}
}

func (p *reference) render(t *testing.T, template string, vars *Map) referenceAnswer {
	t.Helper()
	return p.ask(t, template, vars, false)
}

// ask renders; unfolded is without the folding of constants.
func (p *reference) ask(t *testing.T, template string, vars *Map, unfolded bool) referenceAnswer {
	t.Helper()
	source, err := json.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	request := fmt.Appendf(nil, `{"t": %s, "v": %s, "u": %t}`, source, plainJSON(vars), unfolded)
	if _, err := p.in.Write(append(request, '\n')); err != nil {
		t.Fatal(err)
	}
	// Python's arithmetic on huge integers cannot be interrupted from inside.
	timer := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	line, err := p.out.ReadBytes('\n')
	if !timer.Stop() {
		*p = *startReference(t)
		return referenceAnswer{Slow: true}
	}
	if err != nil {
		t.Fatalf("python died on %q: %v", template, err)
	}
	var a referenceAnswer
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// plainJSON writes variables so that Python reads floats as floats.
func plainJSON(v any) string {
	switch v := v.(type) {
	case *Map:
		var parts []string
		for _, e := range v.entries {
			parts = append(parts, plainJSON(e.key)+": "+plainJSON(e.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, plainJSON(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case float64:
		return reprFloat(v)
	}
	data, _ := json.Marshal(v)
	return string(data)
}

// TestSameAsPython renders random templates here and in Python. It runs for
// HADRON_JINJA_DIFF (a duration such as 5m), or 2000 templates if that is
// unset. HADRON_JINJA_SEED repeats a run. docs/templates.md lists the differences
// that are known and stay.
func TestSameAsPython(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	python := startReference(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HADRON_JINJA_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("seed %d", seed)
	deadline, most := time.Time{}, 2000
	if s := os.Getenv("HADRON_JINJA_DIFF"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		deadline, most = time.Now().Add(d), 1<<62
	}
	g := &generate{rnd: rand.New(rand.NewPCG(seed, 1))}
	found, rendered, folded := 0, 0, 0
	n := 0
	for ; n < most && found < 40; n++ {
		if !deadline.IsZero() && time.Now().After(deadline) {
			break
		}
		template, vars := g.template(), g.vars()
		want := python.render(t, template, vars)
		if want.Slow {
			continue
		}
		if want.Output != nil {
			rendered++
		}
		if problem := disagreement(template, vars, want); problem != "" {
			if python.folds(t, template, vars, want) {
				folded++
				continue
			}
			found++
			t.Errorf("%q\n  variables %s\n%s", template, plainJSON(vars), problem)
		}
	}
	t.Logf("%d templates, %d of them rendered by python, %d others but for its folding of constants", n, rendered, folded)
}

// folds reports whether Python answers as we do if it does not fold constants,
// and fails, or doesn't, only because it does.
func (p *reference) folds(t *testing.T, template string, vars *Map, want referenceAnswer) bool {
	t.Helper()
	unfolded := p.ask(t, template, vars, true)
	return !unfolded.Slow && (unfolded.Output == nil) != (want.Output == nil) && disagreement(template, vars, unfolded) == ""
}

func disagreement(template string, vars *Map, want referenceAnswer) string {
	var got string
	opaque := false
	parsed, err := Parse("t", template)
	if err == nil {
		got, opaque, err = parsed.render(context.Background(), vars, Limits{})
	}
	switch {
	case err != nil && strings.Contains(err.Error(), internalError):
		return fmt.Sprintf("  got %v", err)
	case err != nil && strings.Contains(err.Error(), ", which templates do not have"):
		return "" // complex numbers and sets
	case opaque:
		return "" // a method or an iterator; Python prints an address in its text
	case err != nil && want.Output != nil && strings.Contains(*want.Output, " at 0x"):
		return "" // Python prints what it did not evaluate
	case err != nil && want.Output != nil:
		return fmt.Sprintf("  got error %v\n  want      %q", err, *want.Output)
	case err == nil && want.Output == nil:
		return fmt.Sprintf("  got        %q\n  want error %s", got, want.Error)
	case err == nil && got != *want.Output:
		return fmt.Sprintf("  got  %q\n  want %q", got, *want.Output)
	}
	return ""
}

// TestCorpusSameAsPython compares the real templates with their parameters
// against an installed Python, beside the recorded outputs.
func TestCorpusSameAsPython(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	python := startReference(t)
	for _, c := range corpusCases(t) {
		tmpl, err := Parse("t", c.template)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tmpl.Render(context.Background(), c.vars, Limits{})
		want := python.render(t, c.template, c.vars)
		if err != nil || want.Output == nil || got != *want.Output {
			t.Errorf("%s differs: %v, python %s", c.name, err, want.Error)
		}
	}
}
