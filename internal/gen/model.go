package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// service is one service model file.
type service struct {
	Metadata struct {
		Service        string `json:"service"`
		APIVersion     string `json:"apiVersion"`
		Protocol       string `json:"protocol"`
		JSONVersion    string `json:"jsonVersion"`
		SigningName    string `json:"signingName"`
		TargetPrefix   string `json:"targetPrefix"`
		ErrorNamespace string `json:"errorNamespace"`
	} `json:"metadata"`
	Operations ordered[operation] `json:"operations"`
	Shapes     ordered[shape]     `json:"shapes"`
	Waiters    ordered[waiter]    `json:"waiters"`
	Pagination ordered[paginator] `json:"pagination"`
}

type operation struct {
	Input      string   `json:"input"`
	Output     string   `json:"output"`
	Errors     []string `json:"errors"`
	Idempotent bool     `json:"idempotent"`
}

type shape struct {
	Type      string          `json:"type"`
	Required  []string        `json:"required"`
	Members   ordered[member] `json:"members"`
	Member    *member         `json:"member"`
	Min       *int64          `json:"min"`
	Max       *int64          `json:"max"`
	Pattern   string          `json:"pattern"`
	Enum      []string        `json:"enum"`
	Sensitive bool            `json:"sensitive"`
	Union     bool            `json:"union"`
	Exception bool            `json:"exception"`
	Fault     bool            `json:"fault"`
	Retryable *struct {
		Throttling bool `json:"throttling"`
	} `json:"retryable"`
}

type member struct {
	Shape            string `json:"shape"`
	IdempotencyToken bool   `json:"idempotencyToken"`
}

type waiter struct {
	Operation   string `json:"operation"`
	Delay       int    `json:"delay"`
	MaxAttempts int    `json:"maxAttempts"`
	Acceptors   []struct {
		Matcher  string `json:"matcher"`
		Argument string `json:"argument"`
		State    string `json:"state"`
		Expected string `json:"expected"`
	} `json:"acceptors"`
}

type paginator struct {
	InputToken  string `json:"input_token"`
	OutputToken string `json:"output_token"`
	LimitKey    string `json:"limit_key"`
	ResultKey   string `json:"result_key"`
}

// override loosens or tightens a shape for some of the members that use it.
type override struct {
	As      string   `json:"as"`
	From    string   `json:"from"`
	Max     *int64   `json:"max"`
	Members []string `json:"members"` // Structure.member
	Reason  string   `json:"reason"`
}

// ordered is a JSON object that remembers the order of its members.
type ordered[T any] struct {
	Names []string
	By    map[string]T
}

func (o *ordered[T]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if _, err := d.Token(); err != nil {
		return err
	}
	o.By = make(map[string]T)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		o.set(name.(string), v)
	}
	return nil
}

func (o *ordered[T]) set(name string, v T) {
	if o.By == nil {
		o.By = make(map[string]T)
	}
	if _, ok := o.By[name]; !ok {
		o.Names = append(o.Names, name)
	}
	o.By[name] = v
}

// model is everything that is generated from.
type model struct {
	Services    []*service
	Shapes      ordered[shape] // of all services, sorted by name
	Implemented map[string]bool
	Clients     []client // that have a suite
	Differences string   // what the compatibility page says besides its table
}

// client is a stock client and what its suite proves.
type client struct {
	Title  string
	Proven map[string][]string // results by operation
}

// loadModel reads the service models named, and beside them overrides.json,
// implemented.txt and, if they are there, differences.md and proven/*.txt.
func loadModel(fsys fs.FS, dir string, services ...string) (*model, error) {
	m := &model{Implemented: make(map[string]bool)}
	for _, name := range services {
		s := new(service)
		if err := readJSON(fsys, path.Join(dir, name), s); err != nil {
			return nil, err
		}
		m.Services = append(m.Services, s)
	}
	var overrides []override
	if err := readJSON(fsys, path.Join(dir, "overrides.json"), &overrides); err != nil {
		return nil, err
	}
	for _, o := range overrides {
		if err := m.override(o); err != nil {
			return nil, fmt.Errorf("overrides.json: %s: %w", o.As, err)
		}
	}
	if err := m.merge(); err != nil {
		return nil, err
	}
	implemented, err := fs.ReadFile(fsys, path.Join(dir, "implemented.txt"))
	if err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(string(implemented)) {
		m.Implemented[name] = true
	}
	differences, err := fs.ReadFile(fsys, path.Join(dir, "differences.md"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m.Differences = string(differences)
	if err := m.loadClients(fsys, path.Join(dir, "proven")); err != nil {
		return nil, err
	}
	return m, m.check()
}

// loadClients reads what the suites of stock clients prove: a file for each
// with its title, and a line for each operation with the results seen.
func (m *model) loadClients(fsys fs.FS, dir string) error {
	files, err := fs.Glob(fsys, path.Join(dir, "*.txt"))
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		title, lines, _ := strings.Cut(string(text), "\n")
		c := client{Title: strings.TrimPrefix(title, "# "), Proven: make(map[string][]string)}
		for line := range strings.Lines(lines) {
			if words := strings.Fields(line); len(words) > 0 {
				c.Proven[words[0]] = words[1:]
			}
		}
		m.Clients = append(m.Clients, c)
	}
	return nil
}

func readJSON(fsys fs.FS, name string, v any) error {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// override gives the members named a changed copy of their shape.
func (m *model) override(o override) error {
	for _, place := range o.Members {
		structure, name, _ := strings.Cut(place, ".")
		found := false
		for _, s := range m.Services {
			used, ok := s.Shapes.By[structure].Members.By[name]
			if !ok {
				continue
			}
			if used.Shape != o.From {
				return fmt.Errorf("%s has shape %s, not %s", place, used.Shape, o.From)
			}
			changed := s.Shapes.By[o.From]
			if o.Max != nil {
				changed.Max = o.Max
			}
			s.Shapes.set(o.As, changed)
			used.Shape = o.As
			s.Shapes.By[structure].Members.By[name] = used
			found = true
		}
		if !found {
			return fmt.Errorf("there is no member %s", place)
		}
	}
	return nil
}

// merge collects the shapes of all services. A name that two of them use must mean the
// same in both.
func (m *model) merge() error {
	for _, s := range m.Services {
		for _, name := range s.Shapes.Names {
			next := s.Shapes.By[name]
			if before, ok := m.Shapes.By[name]; ok && !sameShape(before, next) {
				return fmt.Errorf("shape %s differs between two services", name)
			}
			m.Shapes.set(name, next)
		}
	}
	slices.Sort(m.Shapes.Names)
	return nil
}

func sameShape(a, b shape) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// check finds what the templates could not express.
func (m *model) check() error {
	operations := make(map[string]bool)
	for _, s := range m.Services {
		for _, name := range s.Operations.Names {
			if operations[name] {
				return fmt.Errorf("operation %s belongs to two services", name)
			}
			operations[name] = true
			if err := m.checkOperation(s.Operations.By[name]); err != nil {
				return fmt.Errorf("operation %s: %w", name, err)
			}
		}
	}
	for name := range m.Implemented {
		if !operations[name] {
			return fmt.Errorf("implemented.txt: there is no operation %s", name)
		}
	}
	for _, c := range m.Clients {
		for name := range c.Proven {
			if !operations[name] {
				return fmt.Errorf("proven: %s: there is no operation %s", c.Title, name)
			}
		}
	}
	for _, name := range m.Shapes.Names {
		if err := m.checkShape(m.Shapes.By[name]); err != nil {
			return fmt.Errorf("shape %s: %w", name, err)
		}
	}
	return nil
}

func (m *model) checkOperation(o operation) error {
	for _, name := range append([]string{o.Input, o.Output}, o.Errors...) {
		if m.Shapes.By[name].Type != "structure" {
			return fmt.Errorf("%s is not a structure", name)
		}
	}
	return nil
}

func (m *model) checkShape(s shape) error {
	if !slices.Contains([]string{"structure", "list", "string", "integer", "boolean", "timestamp"}, s.Type) {
		return fmt.Errorf("type %q is not supported", s.Type)
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		return err
	}
	for _, r := range s.Required {
		if _, ok := s.Members.By[r]; !ok {
			return fmt.Errorf("required member %s does not exist", r)
		}
	}
	used := slices.Collect(func(yield func(member) bool) {
		for _, name := range s.Members.Names {
			if !yield(s.Members.By[name]) {
				return
			}
		}
	})
	if s.Type == "list" {
		if s.Member == nil {
			return fmt.Errorf("a list needs a member")
		}
		used = append(used, *s.Member)
	}
	for _, u := range used {
		if _, ok := m.Shapes.By[u.Shape]; !ok {
			return fmt.Errorf("there is no shape %s", u.Shape)
		}
	}
	return nil
}
