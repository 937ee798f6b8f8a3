package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hadronhq/hadron/internal/app"
	"github.com/spf13/cobra"
)

func (t *tool) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is stuck or wrong, why, and what helps",
		Long: `Look over an installation on its machine, whether its server runs or not: who may
read the data folder, the disk, the certificate, the database and whether it is up
to date, the master key, clocks, deployments that do not get on, queues, events
and syncs that wait, the programs to deploy with and the sandbox.

It reads the database itself, so give it what the server was given (flags,
environment or --config), and run it as the server's user. It changes nothing.

It exits with 1 if there is a problem. Notes are no problems.`,
		Example: `  hadron doctor
  hadron doctor --config /etc/hadron/hadron.yaml
  hadron doctor --json | jq '.findings[] | select(.state == "problem")'`,
		Args: wants(),
	}
	app.AddFlags(c.Flags())
	file := c.Flags().String("config", "", "configuration file, YAML [HADRON_CONFIG]")
	asJSON := c.Flags().Bool("json", false, "print JSON")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := app.LoadConfig(cmd.Flags(), t.lookupEnv, cmp.Or(*file, t.env("HADRON_CONFIG")))
		if err != nil {
			return err
		}
		findings := app.Examine(cmd.Context(), config)
		ill := slices.ContainsFunc(findings, func(f app.Finding) bool { return f.State == app.Problem })
		if *asJSON {
			text, err := json.MarshalIndent(map[string]any{"ok": !ill, "findings": findings}, "", "  ")
			if err != nil {
				return err
			}
			fmt.Fprintln(t.stdout, string(text))
		} else {
			t.printFindings(findings)
		}
		if ill {
			return quietError{errors.New("there are problems")}
		}
		return nil
	}
	return c
}

// printFindings prints what was found, the worst last: it is what is read first.
func (t *tool) printFindings(findings []app.Finding) {
	for _, state := range []app.State{app.Good, app.Notable, app.Problem} {
		for _, f := range findings {
			if f.State != state {
				continue
			}
			fmt.Fprintf(t.stdout, "%-8s %s: %s\n", state, f.Check, f.Message)
			if f.Why != "" {
				fmt.Fprintf(t.stdout, "         why:  %s\n", f.Why)
			}
			if f.Help != "" {
				fmt.Fprintf(t.stdout, "         do:   %s\n", f.Help)
			}
		}
	}
}
