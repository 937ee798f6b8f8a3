package app_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hadronhq/hadron/"

// mayImport says which packages of ours each package may import. A package
// without a line fails the test: a new one is a decision that someone reviews.
var mayImport = map[string]string{
	"internal/proton":      "",
	"internal/awsjson":     "",
	"internal/jobs":        "",
	"internal/engine":      "",
	"internal/jinja":       "",
	"internal/tracing":     "",
	"internal/schema":      "",
	"internal/linediff":    "",
	"internal/api":         "awsjson",
	"internal/auth":        "proton",
	"internal/bundle":      "proton jinja schema",
	"internal/store":       "proton jobs",
	"internal/bucketstore": "auth store",
	"internal/control":     "api auth awsjson oidc proton store bundle",
	"internal/oidc":        "",
	"internal/provision":   "proton store jobs bundle engine",
	"internal/git":         "auth",
	"internal/forge":       "auth git",
	"internal/gitsync":     "api auth awsjson bundle control forge git jobs proton schema store",
	"internal/cli":         "api app auth awsjson bundle library linediff",
	"internal/console":     "api auth awsjson bundle linediff schema",
	"library":              "",
	"internal/gen":         "awsjson",

	"bench/results":   "",
	"bench/templates": "bench/results bundle jinja schema",
	"bench/deploy":    "bench/results api app auth awsjson",
	"bench/api":       "bench/results api app auth awsjson engine proton store",

	"internal/engine/sandbox":        "",
	"internal/engine/supervisor":     "engine/sandbox",
	"internal/engine/command":        "engine engine/sandbox engine/supervisor",
	"internal/engine/cloudformation": "engine identity",
	"internal/engine/pullrequest":    "engine forge git",
	"internal/engine/opentofu":       "engine engine/sandbox engine/supervisor",
	"internal/identity":              "engine",
	"internal/awsread":               "engine identity",
	"internal/tofustate":             "auth store",
	"internal/sts":                   "auth oidc proton store",
	"internal/events":                "identity proton store",

	"internal/app": "*",
	"cmd/hadron":   "cli",
}

// testOnly are the packages that exist for tests; no product package may
// import them. What they serve, they may import.
var testOnly = map[string]string{
	"internal/store/postgrestest":            " ",
	"internal/engine/enginetest":             "engine",
	"internal/oidc/oidctest":                 "",
	"internal/engine/cloudformation/cfntest": "",
	"internal/store/storetest":               "store proton jobs",
	"internal/forge/forgetest":               "git/gittest",
	"internal/git/gittest":                   "",
}

// forbidden are other packages, or trees of them, that a package must not
// import itself.
var forbidden = map[string][]string{
	"internal/proton":  {"context", "net", "database", "log", "os", "io", "math/rand", "crypto"},
	"internal/jinja":   {"os", "net", "database", "log"},
	"internal/awsjson": {"database", "os"},
	"internal/control": {"database", "net/http", "os"},
	"internal/cli":     {"database"},
	"internal/console": {"database", "os"},
}

// onlyIn are foreign packages that only the named of ours may import.
var onlyIn = map[string][]string{
	"modernc.org/sqlite":            {"internal/store"},
	"github.com/jackc/pgx":          {"internal/store", "internal/store/postgrestest"},
	"github.com/riverqueue/":        {"internal/jobs"},
	"github.com/getkin/kin-openapi": {"internal/schema"},
	"github.com/go-jose/":           {"internal/oidc", "internal/oidc/oidctest"},
	"github.com/spf13/cobra":        {"internal/cli", "cmd/hadron"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// productPackages are the packages of this module as go list sees them, tests
// aside, by their path inside it.
func productPackages(t *testing.T) map[string]listed {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", module+"...")
	command.Dir = "../.."
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string]listed{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages[strings.TrimPrefix(p.ImportPath, module)] = p
	}
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages", len(packages))
	}
	return packages
}

func TestWhoMayImportWhom(t *testing.T) {
	t.Parallel()
	for path, p := range productPackages(t) {
		if path == "test" || strings.HasPrefix(path, "test/") {
			continue // programs that test the product from outside
		}
		allowed, known := mayImport[path]
		helper, isTest := testOnly[path]
		if !known && !isTest {
			t.Errorf("%s has no line in the table of this test: say there what it may import", path)
			continue
		}
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, module)
			switch {
			case !isOurs:
				checkForeign(t, path, imported, isTest)
			case testOnly[ours] != "" && !isTest:
				t.Errorf("%s imports %s, which is for tests", path, ours)
			case allowed == "*":
			case !slices.Contains(strings.Fields(allowed+" "+helper), strings.TrimPrefix(ours, "internal/")):
				t.Errorf("%s imports %s; the table allows only: %s", path, ours, allowed+helper)
			}
		}
	}
}

// checkForeign refuses imports from outside the module that do not belong in
// a package.
func checkForeign(t *testing.T, path, imported string, isTest bool) {
	t.Helper()
	if !isTest && within(imported, "testing") {
		t.Errorf("%s imports %s outside of its tests", path, imported)
	}
	for _, tree := range forbidden[path] {
		if within(imported, tree) {
			t.Errorf("%s imports %s, which has no place there", path, imported)
		}
	}
	for prefix, owners := range onlyIn {
		if strings.HasPrefix(imported, prefix) && !slices.Contains(owners, path) {
			t.Errorf("%s imports %s; only %s may", path, imported, strings.Join(owners, ", "))
		}
	}
}

// within reports whether a package is tree or below it.
func within(imported, tree string) bool {
	return imported == tree || strings.HasPrefix(imported, tree+"/")
}
