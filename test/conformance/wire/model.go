package wire

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Model is what the service models say of answers. It is read from the files
// that the product's contract is generated from, but not through that code.
type Model struct {
	operations map[string]*operation // by X-Amz-Target
	shapes     map[string]*shape
}

type operation struct {
	Name      string   `json:"-"`
	Namespace string   `json:"-"` // of its errors
	Input     string   `json:"input"`
	Output    string   `json:"output"`
	Errors    []string `json:"errors"`
}

type shape struct {
	Type     string            `json:"type"`
	Required []string          `json:"required"`
	Members  map[string]member `json:"members"`
	Member   *member           `json:"member"`
	Min      *int64            `json:"min"`
	Max      *int64            `json:"max"`
	Pattern  string            `json:"pattern"`
	Enum     []string          `json:"enum"`
	Union    bool              `json:"union"`

	Sensitive bool `json:"sensitive"`

	pattern *regexp.Regexp
}

type member struct {
	Shape string `json:"shape"`
}

// LoadModel reads the service models of the repository at root.
func LoadModel(root string) (*Model, error) {
	m := &Model{operations: map[string]*operation{}, shapes: map[string]*shape{}}
	for _, name := range []string{"proton.json", "hadron.json"} {
		if err := m.load(filepath.Join(root, "internal", "gen", "model", name)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := m.loosen(filepath.Join(root, "internal", "gen", "model", "overrides.json")); err != nil {
		return nil, fmt.Errorf("overrides.json: %w", err)
	}
	return m, nil
}

// loosen reads where the server accepts more than the model says.
func (m *Model) loosen(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var overrides []struct {
		As, From string
		Max      *int64
		Members  []string
	}
	if err := json.Unmarshal(text, &overrides); err != nil {
		return err
	}
	for _, o := range overrides {
		changed := *m.shapes[o.From]
		changed.Max = o.Max
		m.shapes[o.As] = &changed
		for _, place := range o.Members {
			structure, name, _ := strings.Cut(place, ".")
			m.shapes[structure].Members[name] = member{o.As}
		}
	}
	return nil
}

// Operations lists all of Proton's.
func (m *Model) Operations() []string {
	var names []string
	for _, o := range m.operations {
		if m.IsProton(o.Name) {
			names = append(names, o.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (m *Model) load(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var service struct {
		Metadata struct {
			TargetPrefix   string `json:"targetPrefix"`
			ErrorNamespace string `json:"errorNamespace"`
		} `json:"metadata"`
		Operations map[string]*operation `json:"operations"`
		Shapes     map[string]*shape     `json:"shapes"`
	}
	if err := json.Unmarshal(text, &service); err != nil {
		return err
	}
	for name, o := range service.Operations {
		o.Name, o.Namespace = name, service.Metadata.ErrorNamespace
		m.operations[service.Metadata.TargetPrefix+"."+name] = o
	}
	for name, s := range service.Shapes {
		if s.Pattern != "" {
			if s.pattern, err = regexp.Compile(`\A(?:` + s.Pattern + `)\z`); err != nil {
				return fmt.Errorf("shape %s: %w", name, err)
			}
		}
		m.shapes[name] = s
	}
	return nil
}
