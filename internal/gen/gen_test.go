package main

import (
	"encoding/json"
	"flag"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite golden files")

// inputs are the files of an archive that the generator reads.
func inputs(a *txtar.Archive) fstest.MapFS {
	files := make(fstest.MapFS)
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "model/") {
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return files
}

func generateTiny(t *testing.T) (*txtar.Archive, map[string][]byte) {
	t.Helper()
	a, err := txtar.ParseFile("testdata/tiny.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m, err := loadModel(inputs(a), "model", "tiny.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := render(m)
	if err != nil {
		t.Fatal(err)
	}
	return a, files
}

func TestTinyModelGolden(t *testing.T) {
	t.Parallel()
	a, got := generateTiny(t)
	if *update {
		a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return !strings.HasPrefix(f.Name, "model/") })
		for _, name := range slices.Sorted(maps.Keys(got)) {
			a.Files = append(a.Files, txtar.File{Name: name, Data: got[name]})
		}
		if err := os.WriteFile("testdata/tiny.txtar", txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := make(map[string]string)
	for _, f := range a.Files {
		if !strings.HasPrefix(f.Name, "model/") {
			want[f.Name] = string(f.Data)
		}
	}
	if len(want) == 0 {
		t.Fatal("no golden files; run with -update")
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s was not generated", name)
		}
	}
	for name, text := range got {
		if diff := cmp.Diff(want[name], string(text)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// What is generated from another model than the project's must compile too.
func TestTinyModelCompiles(t *testing.T) {
	t.Parallel()
	_, files := generateTiny(t)
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{make(map[string]string)}
	for name, text := range files {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		file := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root, name)] = file
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", file, "./"+apiFolder)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := project()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 6 {
		t.Errorf("only %d files are generated", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is out of date (%v): go run ./internal/gen", name, err)
		}
	}
	present, err := fs.Glob(os.DirFS(filepath.Join(root, apiFolder)), "zz_*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range present {
		if _, ok := files[apiFolder+"/"+name]; !ok {
			t.Errorf("%s is generated no more; remove it", name)
		}
	}
}

func TestBadModelsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, old, new, want string }{
		{"unknown key", "tiny.json", `"exception"`, `"exotic"`, "exotic"},
		{"unknown type", "tiny.json", `"type": "timestamp"`, `"type": "map"`, `shape Timestamp: type "map" is not supported`},
		{"missing shape", "tiny.json", `"shape": "Count"`, `"shape": "Gone"`, "shape Node: there is no shape Gone"},
		{"missing input", "tiny.json", `"input": "PutNodeInput"`, `"input": "Secret"`, "operation PutNode: Secret is not a structure"},
		{"bad pattern", "tiny.json", `^[a-z`, `^[a-z(]++`, "error parsing regexp"},
		{"required of nothing", "tiny.json", `"name"`, `"nome"`, "required member nome does not exist"},
		{"implemented of nothing", "implemented.txt", "PutNode", "PutNobody", "implemented.txt: there is no operation PutNobody"},
		{"proof of nothing", "proven/some-sdk.txt", "PutNode", "PutNobody", "proven: Some SDK: there is no operation PutNobody"},
		{"override of nothing", "overrides.json", "longName", "shortName", "overrides.json: LongName: there is no member PutNodeInput.shortName"},
		{"override of another shape", "overrides.json", `"from": "Name"`, `"from": "Secret"`, "PutNodeInput.longName has shape Name, not Secret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile("testdata/tiny.txtar")
			if err != nil {
				t.Fatal(err)
			}
			files := inputs(a)
			before := string(files["model/"+c.file].Data)
			after := strings.Replace(before, c.old, c.new, 1)
			if before == after {
				t.Fatalf("%s does not contain %s", c.file, c.old)
			}
			files["model/"+c.file].Data = []byte(after)
			if _, err := loadModel(files, "model", "tiny.json"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestCamelCase(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"ACTIVE": "Active", "CREATE_FAILED_CLEANUP_COMPLETE": "CreateFailedCleanupComplete", "createdAtBefore": "CreatedAtBefore", "name": "Name",
	} {
		if got := camel(value); got != want {
			t.Errorf("camel(%s) = %s, want %s", value, got, want)
		}
	}
}
