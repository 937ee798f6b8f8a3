package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// starters are the files that bundles are started with, in folders that are
// laid over each other: environment-ENGINE, service-ENGINE, and for a service
// with pipeline pipeline-ENGINE over that.
//
//go:embed starters
var starters embed.FS

const customerManaged = "customer-managed"

var starterEngines = []string{"codebuild", "cloudformation", "terraform"}

type initOptions struct {
	engine, name              string
	pipeline, customerManaged bool
}

func (t *tool) initCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init environment|service DIR",
		Short: "Start a template bundle",
		Long: `Start a bundle of an environment or a service template in DIR: a small one, with
comments, that is valid and has a test. DIR is made; files that are there are never
overwritten.

--engine says what provisions: codebuild (commands, with any tool), cloudformation
or terraform. A service gets a pipeline with --pipeline. An environment that is made
by other means, whose template only names its outputs, is --customer-managed.`,
		Example: `  hadron template init environment ./vpc/v1 --name vpc --engine cloudformation
  hadron template init service ./web/v1 --name web --engine terraform --pipeline
  hadron template init environment ./legacy/v1 --name legacy --customer-managed`,
		Args:      wants("environment or service", "DIR"),
		ValidArgs: []string{"environment", "service"},
	}
	o := &initOptions{}
	flags := cmd.Flags()
	flags.StringVar(&o.engine, "engine", starterEngines[0], "what provisions: "+strings.Join(starterEngines, ", "))
	flags.StringVar(&o.name, "name", "", "name of the template; that of DIR if not given")
	flags.BoolVar(&o.pipeline, "pipeline", false, "with a pipeline; services only")
	flags.BoolVar(&o.customerManaged, customerManaged, false, "without infrastructure; environments only")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if flags.Changed("engine") && o.customerManaged {
			return usagef("%s: --engine and --customer-managed exclude each other: nothing is provisioned", cmd.CommandPath())
		}
		layers, err := o.layers(args[0])
		if err == nil {
			err = o.chooseName(args[1])
		}
		if err != nil {
			return usagef("%s: %w", cmd.CommandPath(), err)
		}
		return t.initBundle(cmd, args[1], o, layers)
	}
	return cmd
}

// layers are the folders of starters that make up the bundle.
func (o *initOptions) layers(kind string) ([]string, error) {
	switch {
	case kind != "environment" && kind != "service":
		return nil, fmt.Errorf("%q is no kind of template; want environment or service", kind)
	case !slices.Contains(starterEngines, o.engine):
		return nil, fmt.Errorf("--engine: there is no %q; want one of: %s", o.engine, strings.Join(starterEngines, ", "))
	case kind == "environment" && o.pipeline:
		return nil, errors.New("--pipeline is for services; an environment has none")
	case kind == "service" && o.customerManaged:
		return nil, errors.New("--customer-managed is for environments; a service without --pipeline is one whose pipeline you manage")
	case o.customerManaged:
		return []string{"environment-" + customerManaged}, nil
	case o.pipeline:
		return []string{"service-" + o.engine, "pipeline-" + o.engine}, nil
	}
	return []string{kind + "-" + o.engine}, nil
}

// templateName is what the API takes for a template's name.
var templateName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

func (o *initOptions) chooseName(dir string) error {
	from := "--name"
	if o.name == "" {
		full, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		o.name, from = filepath.Base(full), "DIR"
	}
	if !templateName.MatchString(o.name) {
		return fmt.Errorf("%s: %q cannot name a template; give --name, of letters, digits, _ and -", from, o.name)
	}
	return nil
}

func (t *tool) initBundle(cmd *cobra.Command, dir string, o *initOptions, layers []string) error {
	files, err := starterFiles(layers, o.name)
	if err != nil {
		return err
	}
	if err := writeNew(dir, files); err != nil {
		return err
	}
	// What a starter renders to depends on its name: so the first expected
	// files are made here.
	tests, err := findTests(dir, "")
	if err != nil {
		return err
	}
	results := runTests(cmd.Context(), tests, true)
	if s := summarize(results); s.Failed > 0 {
		t.printResults(dir, results)
		return errors.New("the new bundle does not pass its test; please report this")
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintln(t.stdout, filepath.Join(dir, name))
	}
	fmt.Fprintf(t.stdout, "%s\n", tests[0].path(testExpected)+string(filepath.Separator))
	fmt.Fprintf(t.stdout, `
Check it after each change:
  hadron template validate %[1]s
  hadron template test %[1]s
Accept what has changed in what is rendered:
  hadron template test %[1]s --update
`, dir)
	return nil
}

// starterFiles lays folders over each other.
func starterFiles(layers []string, name string) (map[string]string, error) {
	files := map[string]string{}
	for _, layer := range layers {
		root := path.Join("starters", layer)
		err := fs.WalkDir(starters, root, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := starters.ReadFile(file)
			files[strings.TrimPrefix(file, root+"/")] = strings.ReplaceAll(string(text), "@NAME@", name)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// writeNew writes files below a folder, none if one of them is there already.
func writeNew(dir string, files map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if file := filepath.Join(dir, name); exists(file) {
			return fmt.Errorf("%s is there already and is not overwritten; nothing was written", file)
		}
	}
	if exists(filepath.Join(dir, "tests", "default", testExpected)) {
		return fmt.Errorf("%s is there already and is not overwritten; nothing was written", filepath.Join(dir, "tests", "default", testExpected))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.WriteFile(file, []byte(files[name]), mode); err != nil {
			return err
		}
	}
	return nil
}
