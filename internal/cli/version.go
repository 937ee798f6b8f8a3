package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/hadronhq/hadron/internal/app"
	"github.com/spf13/cobra"
)

func (t *tool) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Long:  "Print the version of this binary, and of the Go and the platform it was built with.",
		Example: `  hadron version
  hadron version --output json`,
		Args: wants(),
	}
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		if output.json() {
			return t.writeJSON(map[string]string{
				"version": app.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			})
		}
		fmt.Fprintf(t.stdout, "hadron %s (%s, %s/%s)\n", app.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	}
	return cmd
}

// writeJSON prints a value for programs to read.
func (t *tool) writeJSON(v any) error {
	e := json.NewEncoder(t.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeLine prints a value as one line of JSON.
func (t *tool) writeLine(v any) error {
	e := json.NewEncoder(t.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
