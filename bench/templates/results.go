package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/hadronhq/hadron/internal/jinja"
	"github.com/hadronhq/hadron/internal/schema"
)

// row is one measured number. A goal is about the value.
type row struct {
	Name      string     `json:"name"`
	Value     float64    `json:"value"`
	Unit      string     `json:"unit"`
	Reference *reference `json:"reference,omitempty"`
	Goal      *goal      `json:"goal,omitempty"`
}

type reference struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

type goal struct {
	Is    string  `json:"is"` // ">=" or "<="
	Value float64 `json:"value"`
}

func (r row) reached() string {
	switch {
	case r.Goal == nil:
		return ""
	case r.Goal.Is == ">=" && r.Value >= r.Goal.Value, r.Goal.Is == "<=" && r.Value <= r.Goal.Value:
		return "yes"
	}
	return "NO"
}

func printTable(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "name\tvalue\tunit\treference\tratio\tgoal\treached")
	for _, r := range rows {
		of, ratio, goal := "", "", ""
		if r.Reference != nil {
			of = fmt.Sprintf("%.4g (%s)", r.Reference.Value, r.Reference.Name)
			ratio = fmt.Sprintf("%.3g", r.Value/r.Reference.Value)
		}
		if r.Goal != nil {
			goal = fmt.Sprintf("%s %g", r.Goal.Is, r.Goal.Value)
		}
		fmt.Fprintf(t, "%s\t%.4g\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Value, r.Unit, of, ratio, goal, r.reached())
	}
	t.Flush()
}

type results struct {
	Results []row `json:"results"`
}

// writeRows puts rows into a file of results, in place of those of their names.
func writeRows(file string, rows []row) error {
	var all results
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", file, err)
	}
	all.Results = slices.DeleteFunc(all.Results, func(old row) bool {
		return slices.ContainsFunc(rows, func(r row) bool { return r.Name == old.Name })
	})
	all.Results = append(all.Results, rows...)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// variables reads the parameters of a case in their order.
func variables(raw []byte) (*jinja.Map, error) {
	o := schema.NewObject()
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, err
	}
	return toJinja(o).(*jinja.Map), nil
}

func toJinja(v any) any {
	switch v := v.(type) {
	case *schema.Object:
		m := jinja.NewMap()
		for _, k := range v.Keys() {
			value, _ := v.Get(k)
			m.Set(k, toJinja(value))
		}
		return m
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = toJinja(item)
		}
		return items
	}
	return v
}
