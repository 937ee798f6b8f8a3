package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hadronhq/hadron/internal/schema"
)

// ResolveServiceSpec returns spec with every CurrentValue replaced by what the
// same input of the same instance, or of the pipeline, has in current; by null,
// which means not given, where it has none. Nothing else of the text changes.
// The error is a *SpecError: a token in an instance that current does not
// have, or one written through an alias that would need two values.
func ResolveServiceSpec(spec, current string) (string, error) {
	s, err := ParseServiceSpec(spec)
	if err != nil {
		return "", err
	}
	if len(s.CurrentValues()) == 0 {
		return spec, nil
	}
	old, err := ParseServiceSpec(current)
	if err != nil {
		return "", fmt.Errorf("read the current spec: %w", err)
	}
	r := &resolver{}
	r.section(s.pipeline, old.pipeline, "pipeline")
	for _, i := range s.Instances {
		was, ok := old.Instance(i.Name)
		if !ok {
			for _, path := range currentValues(i.values, i.path()) {
				r.refuse(path, "%s can't be used in a new instance; give the value", CurrentValue)
			}
			continue
		}
		r.section(i.values, was.values, i.path())
	}
	return r.rewrite(spec)
}

// ResolveEnvironmentSpec does the same for an environment.
func ResolveEnvironmentSpec(spec, current string) (string, error) {
	s, err := ParseEnvironmentSpec(spec)
	if err != nil {
		return "", err
	}
	if len(s.CurrentValues()) == 0 {
		return spec, nil
	}
	old, err := ParseEnvironmentSpec(current)
	if err != nil {
		return "", fmt.Errorf("read the current spec: %w", err)
	}
	r := &resolver{}
	r.section(s.values, old.values, "spec")
	return r.rewrite(spec)
}

// resolver collects replacements of tokens by place.
type resolver struct {
	edits    []edit
	problems []SpecProblem
}

type edit struct {
	line, column int
	path, value  string
}

func (r *resolver) refuse(path, format string, args ...any) {
	r.problems = append(r.problems, SpecProblem{Problem: Problem{Path: path, Message: fmt.Sprintf(format, args...)}})
}

// section walks new values beside the old ones.
func (r *resolver) section(n, old *schema.Node, path string) {
	switch {
	case n == nil:
	case n.Kind == schema.String && n.Text == CurrentValue:
		e := edit{n.Line, n.Column, path, flow(old)}
		for _, other := range r.edits {
			if other.line == e.line && other.column == e.column && other.value != e.value {
				r.refuse(path, "%s is written through an alias shared with %s, which has another value", CurrentValue, other.path)
				return
			}
		}
		r.edits = append(r.edits, e)
	case n.Kind == schema.List:
		for i, item := range n.Items {
			var was *schema.Node
			if old != nil && i < len(old.Items) {
				was = old.Items[i]
			}
			r.section(item, was, fmt.Sprintf("%s[%d]", path, i))
		}
	case n.Kind == schema.Map:
		for _, f := range n.Fields {
			r.section(f.Value, old.Get(f.Key), path+"."+f.Key)
		}
	}
}

// flow writes a value on one line. Numbers keep their source text.
func flow(n *schema.Node) string {
	switch {
	case n.IsNull():
		return "null"
	case n.Kind == schema.List:
		items := make([]string, len(n.Items))
		for i, item := range n.Items {
			items[i] = flow(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case n.Kind == schema.Map:
		fields := make([]string, len(n.Fields))
		for i, f := range n.Fields {
			fields[i] = quoteFlow(f.Key) + ": " + flow(f.Value)
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case n.Kind == schema.String:
		return quoteFlow(n.Text)
	}
	return n.Text
}

// quoteFlow writes a text as JSON does, which is YAML too.
func quoteFlow(s string) string {
	var b bytes.Buffer
	_ = schema.WriteJSON(&b, s, "", "") // a string: cannot fail
	return b.String()
}

// tokens are the ways to write CurrentValue.
var tokens = []string{strconv.Quote(CurrentValue), "'" + CurrentValue + "'", CurrentValue}

func (r *resolver) rewrite(spec string) (string, error) {
	lines := strings.SplitAfter(spec, "\n")
	slices.SortFunc(r.edits, func(a, b edit) int { // last first, so that columns stay right
		if a.line != b.line {
			return b.line - a.line
		}
		return b.column - a.column
	})
	r.edits = slices.CompactFunc(r.edits, func(a, b edit) bool { return a.line == b.line && a.column == b.column })
	for _, e := range r.edits {
		if e.line > len(lines) || !replaceAt(&lines[e.line-1], e.column, e.value) {
			r.refuse(e.path, "write %s on the line of its key, in quotes", CurrentValue)
		}
	}
	if len(r.problems) > 0 {
		return "", &SpecError{r.problems}
	}
	return strings.Join(lines, ""), nil
}

// replaceAt replaces the token that starts at a column (1-based, characters),
// behind an anchor or tag if there is one.
func replaceAt(line *string, column int, value string) bool {
	runes := []rune(*line)
	if column < 1 || column > len(runes) {
		return false
	}
	before, rest := string(runes[:column-1]), string(runes[column-1:])
	for strings.HasPrefix(rest, "&") || strings.HasPrefix(rest, "!") {
		i := strings.IndexByte(rest, ' ')
		if i < 0 {
			return false
		}
		before, rest = before+rest[:i+1], rest[i+1:]
	}
	for _, token := range tokens {
		if after, ok := strings.CutPrefix(rest, token); ok {
			*line = before + value + after
			return true
		}
	}
	return false
}
