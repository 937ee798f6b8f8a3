package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Client is a stock client with a suite of its own.
type Client struct {
	File  string // in internal/gen/model/proven
	Title string // its column in docs/compatibility.md
	agent string // what its User-Agent contains
}

// Clients are all clients that have a suite.
var Clients = []Client{
	{"go-v1.txt", "Go v1", "aws-sdk-go/1."},
	{"boto3.txt", "boto3", "Boto3/"},
	{"aws-cli.txt", "AWS CLI", "aws-cli/"},
	{"javascript-v3.txt", "JavaScript v3", "aws-sdk-js/3."},
	{"java-v2.txt", "Java v2", "aws-sdk-java/2."},
	{"rust.txt", "Rust", "aws-sdk-rust/1."},
}

// Record is what was called through proxies and what came of it. It is safe
// for concurrent use.
type Record struct {
	mu       sync.Mutex
	results  map[string]map[string]map[string]bool // client's file → operation → result
	problems []string
}

// NewRecord makes an empty one.
func NewRecord() *Record { return &Record{results: map[string]map[string]map[string]bool{}} }

func (r *Record) call(agent, operation, result string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range Clients {
		if strings.Contains(agent, c.agent) {
			r.add(c.File, operation, result)
		}
	}
}

func (r *Record) add(file, operation, result string) {
	if r.results[file] == nil {
		r.results[file] = map[string]map[string]bool{}
	}
	if r.results[file][operation] == nil {
		r.results[file][operation] = map[string]bool{}
	}
	r.results[file][operation][result] = true
}

func (r *Record) problem(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, text)
}

// Problems lists the answers that the model does not allow.
func (r *Record) Problems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.problems)
}

// stored is the form of a Record in a file.
type stored struct {
	Results  map[string]map[string]map[string]bool
	Problems []string
}

// Save writes the record to a file.
func (r *Record) Save(file string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := json.Marshal(stored{r.results, r.problems})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// Add reads what Save wrote and adds it.
func (r *Record) Add(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, s.Problems...)
	for client, operations := range s.Results {
		for operation, results := range operations {
			for result := range results {
				r.add(client, operation, result)
			}
		}
	}
	return nil
}

// Check holds what a client did in a whole run of its suite against what the
// repository at root says that it proves. Each claim must have happened; a
// success that is not claimed is missing there. With update it writes the
// claims anew instead.
func (r *Record) Check(root string, c Client, update bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	file := filepath.Join(root, "internal", "gen", "model", "proven", c.File)
	if update {
		return os.WriteFile(file, r.claims(c), 0o644)
	}
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	claimed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		for _, result := range words[1:] {
			claimed[words[0]+" "+result] = true
			if !r.results[c.File][words[0]][result] {
				errs = append(errs, fmt.Errorf("%s claims %s %s, which did not happen", c.File, words[0], result))
			}
		}
	}
	for operation, results := range r.results[c.File] {
		if results["ok"] && !claimed[operation+" ok"] {
			errs = append(errs, fmt.Errorf("%s does not say that %s succeeds; run the suite with -update", c.File, operation))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// Keep takes over what a client is said to prove already, for an update from
// a part of its suite.
func (r *Record) Keep(root string, c Client) error {
	text, err := os.ReadFile(filepath.Join(root, "internal", "gen", "model", "proven", c.File))
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		for _, result := range words[1:] {
			r.add(c.File, words[0], result)
		}
	}
	return nil
}

// claims is the text of a client's file.
func (r *Record) claims(c Client) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", c.Title)
	for _, operation := range slices.Sorted(maps.Keys(r.results[c.File])) {
		results := slices.Sorted(maps.Keys(r.results[c.File][operation]))
		if n := slices.Index(results, "ok"); n > 0 { // first
			results = append([]string{"ok"}, slices.Delete(results, n, n+1)...)
		}
		fmt.Fprintf(&b, "%s %s\n", operation, strings.Join(results, " "))
	}
	return b.Bytes()
}
