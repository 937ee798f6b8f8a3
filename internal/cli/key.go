package cli

import (
	"fmt"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

func (t *tool) keyCommand() *cobra.Command {
	return group("key", "Make, list, rotate and delete access keys", "Make, list, rotate and delete the access keys of users. A user has two at most.",
		t.createKeyCommand(), t.listKeysCommand(), t.rotateKeyCommand(), t.deleteKeyCommand())
}

func (t *tool) createKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create USER", Short: "Make another access key of a user",
		Long:    "Make another access key of a user. The secret is printed once and cannot be read again.\n\n" + credentialsHelp,
		Example: "  hadron key create reader", Args: wants("USER"),
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		key, err := a.client().CreateAccessKey(cmd.Context(), &api.CreateAccessKeyInput{UserName: &args[0], AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, key, func() { t.printKey(a, "Made an access key of "+args[0]+".", key.AccessKeyId, key.SecretAccessKey) })
	}
	return cmd
}

func (t *tool) listKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list USER", Short: "List the access keys of a user",
		Long:    "List the access keys of a user, oldest first, without their secrets.\n\n" + credentialsHelp,
		Example: "  hadron key list reader", Args: wants("USER"),
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().ListAccessKeys(cmd.Context(), &api.ListAccessKeysInput{UserName: &args[0], AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() {
			var rows [][]string
			for _, k := range out.AccessKeys {
				until := "-"
				if k.ExpiresAt != nil {
					until = k.ExpiresAt.UTC().Format(time.RFC3339)
				}
				rows = append(rows, []string{api.Value(k.AccessKeyId), string(api.Value(k.Status)), k.CreatedAt.UTC().Format(time.RFC3339), until})
			}
			t.table("KEY\tSTATUS\tMADE\tENDS", rows)
		})
	}
	return cmd
}

func (t *tool) rotateKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rotate USER", Short: "Put a new access key in the place of one",
		Long: `Make a new access key in the place of another, which goes on working for --grace so
that its users can change over. The other need only be named if there are two.

` + credentialsHelp,
		Example: "  hadron key rotate reader --grace 1h", Args: wants("USER"),
	}
	f := addServerFlags(cmd.Flags())
	old := cmd.Flags().String("key", "", "access key to replace (default: the only one)")
	grace := cmd.Flags().Duration("grace", 0, "how long the old key goes on working, at most 168h (default: it ends at once)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		in := &api.RotateAccessKeyInput{UserName: &args[0], AccountId: f.accountID(), GraceSeconds: api.Ptr(int64(grace.Seconds()))}
		if *old != "" {
			in.AccessKeyId = old
		}
		key, err := a.client().RotateAccessKey(cmd.Context(), in)
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, key, func() { t.printKey(a, "Made a new access key of "+args[0]+".", key.AccessKeyId, key.SecretAccessKey) })
	}
	return cmd
}

func (t *tool) deleteKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete USER KEY", Short: "Delete an access key",
		Long:    "Delete an access key of a user. The next call that is signed with it is refused.\n\n" + credentialsHelp,
		Example: "  hadron key delete reader AKIAEXAMPLEEXAMPLEEX", Args: wants("USER", "KEY"),
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().DeleteAccessKey(cmd.Context(), &api.DeleteAccessKeyInput{UserName: &args[0], AccessKeyId: &args[1], AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() { fmt.Fprintf(t.stdout, "Deleted %s.\n", args[1]) })
	}
	return cmd
}
