package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/engine"
)

// OutputsFile is what commands may leave in the folder they started in.
const OutputsFile = "proton-outputs.json"

const (
	outputsFileLimit = 1 << 20 // bytes
	outputTextLimit  = 1024    // characters of a key or value
	outputsShapes    = `right would be [{"key": "name", "valueString": "text"}], {"name": "text"} or {"stack": {"name": "text"}}`
)

// readOutputs reads the outputs file of the folder; none is no output. Values
// that are not strings become compact JSON text, null is left out.
func readOutputs(dir string) ([]engine.Output, error) {
	name := filepath.Join(dir, OutputsFile)
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", OutputsFile)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, outputsFileLimit+1))
	if err != nil {
		return nil, err
	}
	if len(text) > outputsFileLimit {
		return nil, fmt.Errorf("%s: larger than %d bytes", OutputsFile, outputsFileLimit)
	}
	return parseOutputs(text)
}

// member is one value of the file with its name and line.
type member struct {
	key       string
	raw       json.RawMessage
	line      int
	sensitive bool
}

func parseOutputs(text []byte) ([]engine.Output, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		line := lineOf(text, len(text))
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line = lineOf(text, int(syntax.Offset))
		}
		return nil, fmt.Errorf("%s:%d: not JSON: %v; %s", OutputsFile, line, err, outputsShapes)
	}
	var members []member
	var err error
	switch first(text) {
	case '[':
		members, err = listMembers(text)
	case '{':
		members, err = mapMembers(text)
	default:
		err = fmt.Errorf("%s:1: neither a list nor a map; %s", OutputsFile, outputsShapes)
	}
	if err != nil {
		return nil, err
	}
	return toOutputs(members)
}

func first(text []byte) byte {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return 0
	}
	return text[0]
}

func lineOf(text []byte, offset int) int {
	return 1 + bytes.Count(text[:min(max(offset, 0), len(text))], []byte("\n"))
}

// listMembers reads [{"key": …, "valueString": …}].
func listMembers(text []byte) ([]member, error) {
	var members []member
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.Token()
	for n := 1; dec.More(); n++ {
		var entry struct {
			Key         *string         `json:"key"`
			ValueString json.RawMessage `json:"valueString"`
		}
		err := dec.Decode(&entry)
		line := lineOf(text, int(dec.InputOffset()))
		if err != nil || entry.Key == nil || entry.ValueString == nil {
			return nil, fmt.Errorf("%s:%d: entry %d must have a \"key\" and a \"valueString\"; %s", OutputsFile, line, n, outputsShapes)
		}
		members = append(members, member{key: *entry.Key, raw: entry.ValueString, line: line})
	}
	return members, nil
}

// mapMembers reads a flat map, a map of maps (a stack's name before its
// outputs), or what "terraform output -json" prints.
func mapMembers(text []byte) ([]member, error) {
	top := objectMembers(text, 1)
	isMap := func(m member) bool { return first(m.raw) == '{' }
	if len(top) == 0 || !all(top, isMap) {
		return top, nil
	}
	if all(top, isTerraformOutput) {
		for i, m := range top {
			var out struct {
				Sensitive bool
				Value     json.RawMessage
			}
			if err := json.Unmarshal(m.raw, &out); err != nil {
				return nil, fmt.Errorf("%s:%d: output %q: %w", OutputsFile, m.line, m.key, err)
			}
			top[i].raw, top[i].sensitive = out.Value, out.Sensitive
		}
		return top, nil
	}
	var nested []member
	for _, m := range top {
		nested = append(nested, objectMembers(m.raw, m.line)...)
	}
	return nested, nil
}

func all(members []member, ok func(member) bool) bool {
	return !slices.ContainsFunc(members, func(m member) bool { return !ok(m) })
}

func isTerraformOutput(m member) bool {
	var keys []string
	for _, inner := range objectMembers(m.raw, 1) {
		keys = append(keys, inner.key)
	}
	slices.Sort(keys)
	return slices.Equal(keys, []string{"sensitive", "type", "value"})
}

// objectMembers returns the members of a valid JSON object in their order.
func objectMembers(text []byte, firstLine int) []member {
	var members []member
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.Token()
	for dec.More() {
		token, err := dec.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			break
		}
		line := firstLine - 1 + lineOf(text, int(dec.InputOffset()))
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			break
		}
		members = append(members, member{key: key, raw: raw, line: line})
	}
	return members
}

func toOutputs(members []member) ([]engine.Output, error) {
	var outputs []engine.Output
	for _, m := range members {
		value, ok := valueText(m.raw)
		if !ok {
			continue
		}
		for what, text := range map[string]string{"key": m.key, "value": value} {
			if n := utf8.RuneCountInString(text); n < 1 || n > outputTextLimit {
				return nil, fmt.Errorf("%s:%d: output %q: the %s has %d characters; allowed are 1 to %d",
					OutputsFile, m.line, head(m.key, 80), what, n, outputTextLimit)
			}
		}
		same := func(o engine.Output) bool { return o.Key == m.key }
		if i := slices.IndexFunc(outputs, same); i >= 0 {
			if outputs[i].Value != value {
				return nil, fmt.Errorf("%s:%d: output %q is there twice with different values; each key may occur once", OutputsFile, m.line, m.key)
			}
			continue
		}
		outputs = append(outputs, engine.Output{Key: m.key, Value: value, Sensitive: m.sensitive})
	}
	return outputs, nil
}

// valueText returns a string as it is and all else as compact JSON; false for null.
func valueText(raw json.RawMessage) (string, bool) {
	switch first(raw) {
	case 'n', 0:
		return "", false
	case '"':
		var s string
		json.Unmarshal(raw, &s)
		return s, true
	}
	var b bytes.Buffer
	json.Compact(&b, raw)
	return b.String(), true
}

// head returns at most n characters of s, on one line.
func head(s string, n int) string {
	line, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if utf8.RuneCountInString(line) > n {
		line, more = string([]rune(line)[:n]), true
	}
	if more {
		return line + "…"
	}
	return line
}
