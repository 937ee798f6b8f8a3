package cli

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/hadronhq/hadron/internal/app"
	"github.com/spf13/cobra"
)

func (t *tool) databaseCommand() *cobra.Command {
	return group("database", "Move a server's database", "Move a server's database.", t.copyDatabaseCommand())
}

func (t *tool) copyDatabaseCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "copy --from URL --to URL",
		Short: "Copy a database from SQLite to PostgreSQL, or back",
		Long: `Copy all that a database holds into an empty one, compare every row, and queue
there what is unfinished. Stop the servers first. The servers of the new database
need the same master key. Buckets are not copied: registered template versions do
not need them.`,
		Example: `  hadron database copy --from sqlite:hadron-data/hadron.db --to postgres://hadron@db/hadron`,
		Args:    cobra.NoArgs,
	}
	from := c.Flags().String("from", "", "database to copy: sqlite:PATH or postgres://…")
	to := c.Flags().String("to", "", "empty database to copy to")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *from == "" || *to == "" {
			return usagef("--from and --to are needed")
		}
		if path, ok := strings.CutPrefix(*from, "sqlite:"); ok { // opening it would make it
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("--from: %w", err)
			}
		}
		table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
		rows := 0
		err := app.CopyDatabase(cmd.Context(), *from, *to, slog.New(slog.DiscardHandler), func(name string, n int) {
			fmt.Fprintf(table, "%s\t%d\n", name, n)
			rows += n
		})
		if err != nil {
			return err
		}
		table.Flush()
		fmt.Fprintf(t.stdout, "\n%d rows copied and compared.\n", rows)
		return nil
	}
	return c
}
