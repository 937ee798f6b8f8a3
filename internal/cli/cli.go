// Package cli is the command line: it runs a server, and talks to one.
//
// Commands that talk to a server are clients of its API like any other, signed
// with the usual AWS credentials; the quickstart too does all its work through
// the API and the bucket store of the server it starts. Template commands work
// on files alone.
//
// Results go to standard output, everything else to standard error. A command
// that cannot do its work ends with exit code 1, a wrong command line with 2.
// The package holds no rules about resources and never opens a database.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hadronhq/hadron/internal/app"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // the command could not do what it was asked to
	exitUsage   = 2 // the command line makes no sense
)

// tool is what commands know of the process they run in.
type tool struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	terminal       bool // whether stdout is one
	color          bool
}

// Main runs the command line and answers the exit code. SIGINT and SIGTERM end
// it in good order; a second one ends it at once.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	t := &tool{stdin: os.Stdin, stdout: stdout, stderr: stderr, lookupEnv: os.LookupEnv}
	if f, ok := stdout.(*os.File); ok {
		t.terminal = isatty.IsTerminal(f.Fd()) && t.env("TERM") != "dumb"
		t.color = t.terminal && t.env("NO_COLOR") == ""
	}
	return t.run(ctx, args)
}

// env is the value of an environment variable, or "".
func (t *tool) env(name string) string {
	value, _ := t.lookupEnv(name)
	return value
}

func (t *tool) run(ctx context.Context, args []string) int {
	root := t.root()
	root.SetArgs(args)
	root.SetIn(t.stdin)
	root.SetOut(t.stdout)
	root.SetErr(t.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[quietError](err); ok {
		return exitFailure
	}
	t.printError(err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(t.stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailure
}

// printError prints an error, each of its lines as one of the program. What a
// server has refused begins with the exception's name, for scripts.
func (t *tool) printError(err error) {
	prefix := "hadron: "
	if e, ok := errors.AsType[*awsjson.Error](err); ok && error(e) == err {
		prefix = ""
	}
	if strings.HasPrefix(err.Error(), "hadron ") { // a command line's error names its command
		prefix = ""
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(t.stderr, prefix+strings.TrimRight(line, "\n"))
	}
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// quietError ends a command that has said all there is to say.
type quietError struct{ error }

func (t *tool) root() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "hadron",
		Short: "An open, self-hosted successor to AWS Proton",
		Long: `Hadron is an open, self-hosted successor to AWS Proton: it speaks Proton's API to
unmodified AWS tools, runs existing template bundles, and keeps its state in one
file.

See it work:          hadron quickstart
Run a server:         hadron serve
Check a template:     hadron template validate ./my-template/v1`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				_, err := fmt.Fprintln(t.stdout, "hadron", app.Version)
				return err
			}
			return cmd.Help()
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	// Not cobra's own flag: its words are a template, which looks methods up by
	// name, and with that the linker keeps every method of every type: a quarter of
	// the program.
	root.Flags().BoolVarP(&version, "version", "v", false, "version for hadron")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(t.serveCommand(), t.quickstartCommand(), t.templateCommand(), t.deploymentCommand(), t.resourceCommand(),
		t.userCommand(), t.roleCommand(), t.identityProviderCommand(), t.keyCommand(), t.policyCommand(), t.auditCommand(), t.connectionCommand(), t.databaseCommand(), t.masterKeyCommand(), t.doctorCommand(), t.apiCommand(), t.versionCommand())
	return root
}

// group makes a command that only holds others.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short, Long: long, Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("%s needs one of: %s", cmd.CommandPath(), strings.Join(names(cmd), ", "))
		},
	}
	g.AddCommand(commands...)
	return g
}

func names(cmd *cobra.Command) []string {
	var list []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			list = append(list, c.Name())
		}
	}
	return list
}

// noSuchCommand refuses words where only a command's name could stand.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.SuggestionsMinimumDistance == 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	hint := ""
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(similar, " or "))
	}
	return usagef("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
}

// wants is a check of the number of arguments, which are named for the error.
func wants(arguments ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(arguments):
			return usagef("%s: %s is missing", cmd.CommandPath(), arguments[len(args)])
		case len(args) > len(arguments):
			return usagef("%s: there is one argument too many: %q", cmd.CommandPath(), args[len(arguments)])
		}
		return nil
	}
}

// outputFlag adds --output.
func outputFlag(flags *pflag.FlagSet) *format {
	f := format("text")
	flags.Var(&f, "output", "form of the result: text or json")
	return &f
}

// format is the value of --output.
type format string

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "text|json" }

// Set takes text or json.
func (f *format) Set(s string) error {
	if s != "text" && s != "json" {
		return errors.New("must be text or json")
	}
	*f = format(s)
	return nil
}

func (f *format) json() bool { return *f == "json" }
