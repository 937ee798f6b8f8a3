package library

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestBundlesAreThere(t *testing.T) {
	t.Parallel()
	for kind, name := range map[string]string{"environment": LocalNetwork, "service": WebService} {
		b, err := Bundle(kind, name, "v1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.Stat(b, "schema/schema.yaml"); err != nil {
			t.Errorf("%s template %s: %v", kind, name, err)
		}
	}
	if _, err := Bundle("environment", "nothing", "v1"); err == nil {
		t.Error("a bundle that does not exist has no error")
	}
}

// helpers are the files that each infrastructure folder has a copy of.
var helpers = []string{"inputs.sh", "json.awk"}

func TestHelpersAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for _, name := range helpers {
		var first []byte
		count := 0
		err := fs.WalkDir(files, ".", func(file string, _ fs.DirEntry, err error) error {
			if err != nil || path.Base(file) != name {
				return err
			}
			content, err := fs.ReadFile(files, file)
			if count++; first == nil {
				first = content
			} else if !bytes.Equal(first, content) {
				t.Errorf("%s differs from the others of its name", file)
			}
			return err
		})
		if err != nil || count < 3 {
			t.Errorf("%s: found %d, %v", name, count, err)
		}
	}
}

// script runs shell text beside the helpers and an inputs file.
func script(t *testing.T, inputs, text string) (stdout string, err error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range helpers {
		content, err := fs.ReadFile(files, "environment-templates/local-network/v1/infrastructure/"+name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "proton-inputs.json"), []byte(inputs), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "set -eu\n. ./inputs.sh\n"+text)
	cmd.Dir = dir
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err = cmd.Run(); err != nil && stderr.Len() == 0 {
		t.Errorf("it fails without a word: %v", err)
	}
	return out.String(), err
}

func TestInputsAreRead(t *testing.T) {
	t.Parallel()
	const inputs = `{ "environment" : {"name":"dev", "inputs": {
		"quoted": "a \"b\" \\ c / d\/e", "dollar": "$HOME 'x' ` + "`id`" + ` $(id)", "unicode": "ü \u00fc €", "line": "a\nb\tc",
		"json": "{\"a\": [1, 2]}", "empty": "", "number": -1.5e3, "yes": true, "none": null,
		"list": ["a b", "c,d", {"k": [["deep"]]}], "no_items": [], "nothing": {} } } }`
	for text, want := range map[string]string{
		"input environment.name":                             "dev\n",
		"input environment.inputs.quoted":                    `a "b" \ c / d/e` + "\n",
		"input environment.inputs.dollar":                    "$HOME 'x' `id` $(id)\n",
		"input environment.inputs.unicode":                   "ü \\u00fc €\n",
		"input environment.inputs.line":                      `a\nb\tc` + "\n",
		"input environment.inputs.json":                      `{"a": [1, 2]}` + "\n",
		"input environment.inputs.empty":                     "\n",
		"input environment.inputs.number":                    "-1.5e3\n",
		"input environment.inputs.yes":                       "true\n",
		"input environment.inputs.none":                      "null\n",
		"input 'environment.inputs.list[1]'":                 "c,d\n",
		"input 'environment.inputs.list[2].k[0][0]'":         "deep\n",
		"input environment.inputs.absent 'or this'":          "or this\n",
		"input_list environment.inputs.list":                 "a b\nc,d\n",
		"input_list environment.inputs.no_items":             "",
		"input_count environment.inputs.list":                "3\n",
		"input_count environment.inputs.no_items":            "0\n",
		`output Key 'a "b" \ c' ,`:                           `  {"key": "Key", "valueString": "a \"b\" \\ c"},` + "\n",
		"value=$(input environment.absent) && echo not here": "",
	} {
		got, err := script(t, inputs, text)
		if got != want || (err != nil) != strings.Contains(text, "not here") {
			t.Errorf("%s: got %q, want %q (%v)", text, got, want, err)
		}
	}
}

func TestInputsThatAreNoJSONEndTheScript(t *testing.T) {
	t.Parallel()
	for _, inputs := range []string{``, `{`, `{"a" 1}`, `{"a": }`, `{"a": "b`, `[1 2]`, `{a: 1}`} {
		if out, err := script(t, inputs, "echo went on"); err == nil || out != "" {
			t.Errorf("%s: %q, %v", inputs, out, err)
		}
	}
}
