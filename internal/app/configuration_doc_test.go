package app

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

const configurationFile = "../../docs/configuration.md"

// docs/configuration.md says what the doc comments of Config say.
func TestConfigurationIsDocumented(t *testing.T) {
	t.Parallel()
	got := configurationPage(t)
	if *update {
		if err := os.WriteFile(configurationFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(configurationFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/configuration.md is not what Config says (go test ./internal/app -run Documented -update writes it):\n%s", diff)
	}
}

// Every setting can be seen in --help too.
func TestEverySettingHasUsage(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	for _, s := range settings(&c) {
		if usage[s.name] == "" {
			t.Errorf("setting %s has no usage", s.name)
		}
	}
	if len(usage) != len(settings(&c)) {
		t.Errorf("%d usages for %d settings", len(usage), len(settings(&c)))
	}
}

const configurationIntro = `# Configuration

<!-- Made of the doc comments of Config in internal/app/config.go by
     go test ./internal/app -run Documented -update; do not edit. -->

` + "`hadron serve`" + ` works with nothing set. Each setting has a flag, an environment variable, and a key in
the configuration file, which is named by ` + "`--config` or `HADRON_CONFIG`" + `. Flags win, then environment,
then file; an empty environment variable counts as not set. What cannot work is refused at start, all
of it at once.

The file is YAML, one value for each key:

` + "```yaml" + `
listen: 127.0.0.1:9000
data: /var/lib/hadron
log-format: json
` + "```" + `

`

func configurationPage(t *testing.T) string {
	t.Helper()
	comments := fieldComments(t)
	var b strings.Builder
	b.WriteString(configurationIntro)
	b.WriteString("| setting | environment | default | meaning |\n|---|---|---|---|\n")
	c := DefaultConfig()
	fields := reflect.TypeFor[Config]()
	for n, s := range settings(&c) {
		comment := comments[fields.Field(n).Name]
		if comment == "" {
			t.Errorf("Config.%s has no doc comment", fields.Field(n).Name)
		}
		value := "none"
		if v := fmt.Sprint(s.value.Interface()); v != "" {
			value = "`" + v + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s | %s |\n", s.name, s.env, value, strings.ReplaceAll(comment, "|", `\|`))
	}
	return b.String()
}

// fieldComments are the doc comments of Config's fields as one line each.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Config" {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			for _, name := range f.Names {
				comments[name.Name] = sentence(strings.Join(strings.Fields(f.Doc.Text()), " "), name.Name)
			}
		}
		return false
	})
	if len(comments) == 0 {
		t.Fatal("config.go has no type Config with fields")
	}
	return comments
}

// sentence turns "Listen is the address …" to "The address …", for a table that
// has the name in another column.
func sentence(comment, name string) string {
	rest, ok := strings.CutPrefix(comment, name+" is ")
	if !ok || rest == "" {
		return comment
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}
