package main

import (
	"bytes"
	"fmt"
	"go/format"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

const (
	apiFolder     = "internal/api"
	compatibility = "docs/compatibility.md"
)

// render fills every template with the model. The results are keyed by path from the
// repository's root.
func render(m *model) (map[string][]byte, error) {
	t, err := template.New("").Funcs(m.functions()).ParseFS(content, "templates/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, tmpl := range t.Templates() {
		name, isFile := strings.CutSuffix(tmpl.Name(), ".tmpl")
		if !isFile {
			continue
		}
		var b bytes.Buffer
		if err := tmpl.Execute(&b, m); err != nil {
			return nil, err
		}
		text := b.Bytes()
		if !strings.HasSuffix(name, ".go") {
			files[path.Join("docs", name)] = text
			continue
		}
		if text, err = format.Source(text); err != nil {
			return nil, fmt.Errorf("%s: %w", tmpl.Name(), err)
		}
		files[path.Join(apiFolder, name)] = text
	}
	return files, nil
}

// functions are what the templates can call.
func (m *model) functions() template.FuncMap {
	return template.FuncMap{
		"upper":   upperFirst,
		"lower":   lowerFirst,
		"camel":   camel,
		"goType":  m.goType,
		"id":      func(shape string) string { return "shape" + shape },
		"kind":    func(s shape) string { return kinds[s.Type] },
		"limits":  limits,
		"shape":   func(name string) shape { return m.Shapes.By[name] },
		"has":     func(all []string, one string) bool { return slices.Contains(all, one) },
		"strings": stringsLiteral,
		"path":    func(p string) string { return stringsLiteral(strings.Split(p, ".")) },
		"element": func(list string) string { return m.goType(m.Shapes.By[list].Member.Shape, true) },
		"exceptions": func() []string {
			return slices.DeleteFunc(slices.Clone(m.Shapes.Names), func(n string) bool { return !m.Shapes.By[n].Exception })
		},
		"proven": proven,
		"answered": func(operations []string) int {
			return len(operations) - len(slices.DeleteFunc(slices.Clone(operations), func(o string) bool { return m.Implemented[o] }))
		},
	}
}

// proven is a cell of the compatibility table: what of an operation a client
// has seen, a check mark for success and an exception's initial.
func proven(results []string) string {
	var cell []string
	for _, r := range results {
		if r == "ok" {
			cell = append(cell, "✓")
		} else if code, ok := initials[r]; ok {
			cell = append(cell, code)
		}
	}
	return strings.Join(cell, " ")
}

// initials abbreviate exceptions in the compatibility table, which explains them.
var initials = map[string]string{
	"AccessDeniedException": "A", "ConflictException": "C", "InternalServerException": "I", "ResourceNotFoundException": "N",
	"ServiceQuotaExceededException": "Q", "ThrottlingException": "T", "ValidationException": "V",
}

var kinds = map[string]string{
	"string": "String", "integer": "Integer", "boolean": "Boolean",
	"timestamp": "Time", "structure": "Structure", "list": "List",
}

// goType is the Go type of a shape: of an element when it stands in a list, else of a
// member of a struct, which must be able to be absent.
func (m *model) goType(name string, isElement bool) string {
	s := m.Shapes.By[name]
	pointer := "*"
	if isElement {
		pointer = ""
	}
	switch s.Type {
	case "list":
		return "[]" + m.goType(s.Member.Shape, true)
	case "structure":
		return pointer + name
	case "integer":
		return pointer + "int64"
	case "boolean":
		return pointer + "bool"
	case "timestamp":
		return pointer + "awsjson.Timestamp"
	}
	if s.Enum != nil {
		return pointer + name
	}
	return pointer + "string"
}

// limits writes the Limits of a shape, or nothing if it has none.
func limits(s shape) string {
	if s.Min == nil && s.Max == nil {
		return ""
	}
	low, high := "0", "awsjson.NoMax"
	if s.Type == "integer" {
		low = "awsjson.NoMin"
	}
	if s.Min != nil {
		low = strconv.FormatInt(*s.Min, 10)
	}
	if s.Max != nil {
		high = strconv.FormatInt(*s.Max, 10)
	}
	return fmt.Sprintf("&awsjson.Limits{Min: %s, Max: %s}", low, high)
}

func stringsLiteral(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = strconv.Quote(s)
	}
	return "[]string{" + strings.Join(quoted, ", ") + "}"
}

// camel turns CREATE_IN_PROGRESS into CreateInProgress and createdAt into CreatedAt.
func camel(value string) string {
	if value != strings.ToUpper(value) {
		return upperFirst(value)
	}
	var b strings.Builder
	for word := range strings.SplitSeq(value, "_") {
		b.WriteString(upperFirst(strings.ToLower(word)))
	}
	return b.String()
}

func upperFirst(s string) string { return mapFirst(s, unicode.ToUpper) }
func lowerFirst(s string) string { return mapFirst(s, unicode.ToLower) }

func mapFirst(s string, f func(rune) rune) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(f(r)) + s[n:]
}
