// Package results is what the programs of bench print and keep: a table, and
// bench/results.json.
package results

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
)

// Row is one measured number. A goal is about the value.
type Row struct {
	Name      string     `json:"name"`
	Value     float64    `json:"value"`
	Unit      string     `json:"unit"`
	Reference *Reference `json:"reference,omitempty"`
	Goal      *Goal      `json:"goal,omitempty"`
}

// Reference is what a number is compared with.
type Reference struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Goal is what a number is to reach.
type Goal struct {
	Is    string  `json:"is"` // ">=" or "<="
	Value float64 `json:"value"`
}

func (r Row) reached() string {
	switch {
	case r.Goal == nil:
		return ""
	case r.Goal.Is == ">=" && r.Value >= r.Goal.Value, r.Goal.Is == "<=" && r.Value <= r.Goal.Value:
		return "yes"
	}
	return "NO"
}

// Print prints a table.
func Print(w io.Writer, rows []Row) {
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

type content struct {
	Results []Row `json:"results"`
}

// Write puts rows into a file of results, in place of those of their names.
func Write(file string, rows []Row) error {
	var all content
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", file, err)
	}
	all.Results = slices.DeleteFunc(all.Results, func(old Row) bool {
		return slices.ContainsFunc(rows, func(r Row) bool { return r.Name == old.Name })
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
