// Command gen writes the API contract: package api and docs/compatibility.md.
//
// It reads the service models in model/, which say what operations, shapes and limits
// there are, and fills the templates in templates/ with them. What it writes is data and
// shapes; rules about particular operations do not belong here. Run it from anywhere in
// the repository:
//
//	go run ./internal/gen
//
// It never reads the network or anything outside its own folder.
package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed model templates
var content embed.FS

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	files, err := project()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// project renders all generated files of this repository, by path from its root.
func project() (map[string][]byte, error) {
	m, err := loadModel(content, "model", "proton.json", "hadron.json")
	if err != nil {
		return nil, err
	}
	return render(m)
}

// moduleRoot finds the folder of go.mod, from the working folder upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in the working folder or above it")
		}
		dir = parent
	}
}
