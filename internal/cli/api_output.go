package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hadronhq/hadron/internal/awsjson"
)

// printAnswer prints an answer as JSON, or as text: a list as a table, anything
// else as one value a line.
func (t *tool) printAnswer(op *awsjson.Operation, answer []byte, asJSON bool) error {
	if asJSON {
		var b bytes.Buffer
		if err := json.Indent(&b, answer, "", "  "); err != nil {
			return fmt.Errorf("the answer is not JSON: %w", err)
		}
		b.WriteByte('\n')
		_, err := t.stdout.Write(b.Bytes())
		return err
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	name, rows := listOf(op.Output)
	if rows == nil {
		printFlat(t.stdout, "", v)
		return nil
	}
	items, _ := v[name].([]any)
	if err := printTable(t.stdout, rows, items); err != nil {
		return err
	}
	if token, ok := v["nextToken"].(string); ok {
		fmt.Fprintf(t.stderr, "There is more: --starting-token %s\n", token)
	}
	return nil
}

// listOf is the list of structures that an output is, beside its token; nil if
// it is something else.
func listOf(output *awsjson.Shape) (name string, rows *awsjson.Shape) {
	for _, m := range output.Members {
		switch {
		case m.Name == "nextToken":
		case m.Shape.Kind == awsjson.List && m.Shape.Element.Kind == awsjson.Structure && rows == nil:
			name, rows = m.Name, m.Shape.Element
		default:
			return "", nil
		}
	}
	return name, rows
}

// columns are the members that a table shows, in this order. A list whose rows
// have none of them shows all there are.
var columns = []string{
	"timestamp", "name", "id", "key", "provider", "templateName", "serviceName", "serviceInstanceName", "componentName", "environmentName",
	"majorVersion", "minorVersion", "templateMajorVersion", "templateMinorVersion", "recommendedVersion", "targetResourceType",
	"deploymentStatus", "status", "createdAt", "lastDeploymentSucceededAt", "value", "valueString", "identifier", "provisioningEngine", "branch", "message",
}

func printTable(w io.Writer, row *awsjson.Shape, items []any) error {
	var shown []string
	for _, name := range columns {
		has := func(item any) bool { v, ok := item.(map[string]any); return ok && v[name] != nil }
		if memberOf(row, name) != nil && (len(items) == 0 || slices.ContainsFunc(items, has)) {
			shown = append(shown, name)
		}
	}
	if len(shown) == 0 {
		for _, m := range row.Members {
			shown = append(shown, m.Name)
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	headings := make([]string, len(shown))
	for n, name := range shown {
		headings[n] = strings.ToUpper(strings.ReplaceAll(kebab(name), "-", " "))
	}
	fmt.Fprintln(table, strings.Join(headings, "\t"))
	for _, item := range items {
		values, _ := item.(map[string]any)
		cells := make([]string, len(shown))
		for n, name := range shown {
			cells[n] = cell(memberOf(row, name), values[name])
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}

func memberOf(s *awsjson.Shape, name string) *awsjson.Shape {
	i := slices.IndexFunc(s.Members, func(m awsjson.Member) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return s.Members[i].Shape
}

// cell is a value on one line of a table, with a dash for none.
func cell(s *awsjson.Shape, v any) string {
	if v == nil {
		return "-"
	}
	if number, ok := v.(json.Number); ok && s.Kind == awsjson.Time {
		if seconds, err := number.Float64(); err == nil {
			return time.UnixMilli(int64(seconds * 1000)).UTC().Format(time.RFC3339)
		}
	}
	text := fmt.Sprint(v)
	if s.Kind == awsjson.List || s.Kind == awsjson.Structure {
		if encoded, err := json.Marshal(v); err == nil {
			text = string(encoded)
		}
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
}

// printFlat prints one line for each scalar: its path, a tab, its value.
func printFlat(w io.Writer, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			printFlat(w, strings.TrimPrefix(path+"."+key, "."), v[key])
		}
	case []any:
		for n, item := range v {
			printFlat(w, fmt.Sprintf("%s[%d]", path, n), item)
		}
	default:
		fmt.Fprintf(w, "%s\t%s\n", path, strings.ReplaceAll(fmt.Sprint(v), "\n", `\n`))
	}
}
