package cli

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (t *tool) userCommand() *cobra.Command {
	return group("user", "Make and keep users", "Make users: access keys with an IAM policy.",
		t.createUserCommand(), t.listUsersCommand(), t.updateUserCommand(), t.deleteUserCommand())
}

// serverFlags are what every command about principals has.
type serverFlags struct {
	endpoint *string
	account  *string
	output   *format
}

func addServerFlags(flags *pflag.FlagSet) serverFlags {
	return serverFlags{
		endpoint: endpointFlag(flags), output: outputFlag(flags),
		account: flags.String("account", "", "account, 12 digits (default: the caller's; others need the root key)"),
	}
}

func (f serverFlags) accountID() *string {
	if *f.account == "" {
		return nil
	}
	return f.account
}

// policyFlags are the policies of a user or role.
type policyFlags struct{ given *[]string }

func addPolicyFlag(flags *pflag.FlagSet, note string) policyFlags {
	return policyFlags{flags.StringArray("policy", nil, "file with the IAM policy document, or name of a built-in policy"+note)}
}

// read gives the one document and the names of built-in policies.
func (f policyFlags) read() (document *string, managed []string, err error) {
	for _, name := range *f.given {
		if _, ok := auth.ManagedPolicy(name); ok {
			managed = append(managed, name)
			continue
		}
		text, err := os.ReadFile(name)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("--policy: %w", err)
		case document != nil:
			return nil, nil, usagef("--policy names two files: a user or role has one document, and any built-in policies besides")
		}
		document = api.Ptr(string(text))
	}
	return document, managed, nil
}

// tell prints an answer as JSON, or as text says.
func (t *tool) tell(f serverFlags, answer any, text func()) error {
	if f.output.json() {
		return t.writeJSON(answer)
	}
	text()
	return nil
}

// table prints rows under a heading.
func (t *tool) table(heading string, rows [][]string) {
	w := tabwriter.NewWriter(t.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, heading)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
}

// policiesText names the policies of a user or role in a table.
func policiesText(document *string, managed []string) string {
	names := managed
	if document != nil {
		names = append([]string{"(own document)"}, managed...)
	}
	return strings.Join(names, ", ")
}

// printKey prints the lines that an access key is used with.
func (t *tool) printKey(a access, heading string, id, secret *string) {
	fmt.Fprintf(t.stdout, "%s Its secret cannot be read again:\n\n  export AWS_ENDPOINT_URL=%s\n  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n  %s\n",
		heading, shellWord(a.endpoint), api.Value(id), shellWord(api.Value(secret)), exportRegion(a.region))
}

func (t *tool) createUserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an access key whose IAM policy is a file",
		Long: `Make a user with an access key that may do what an IAM policy document says, with
Proton's actions, resources and condition keys; or what a built-in policy of that
name says. The secret is printed once and cannot be read again.

` + credentialsHelp,
		Example: `  cat > reader.json <<'END'
  {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["proton:Get*", "proton:List*"], "Resource": "*"}]}
  END
  hadron user create reader --policy reader.json
  hadron user create developer --policy AWSProtonDeveloperAccess`,
		Args: wants("NAME"),
	}
	f := addServerFlags(cmd.Flags())
	policy := addPolicyFlag(cmd.Flags(), " (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(*policy.given) == 0 {
			return usagef("%s: --policy FILE.json is missing", cmd.CommandPath())
		}
		document, managed, err := policy.read()
		if err != nil {
			return err
		}
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		user, err := a.client().CreateUser(cmd.Context(), &api.CreateUserInput{
			Name: &args[0], Policy: document, ManagedPolicies: managed, AccountId: f.accountID(),
		})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, user, func() { t.printKey(a, "Made "+api.Value(user.Arn)+".", user.AccessKeyId, user.SecretAccessKey) })
	}
	return cmd
}

func (t *tool) listUsersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List users", Args: wants(), Example: "  hadron user list",
		Long: "List the users of an account by name, with their policies.\n\n" + credentialsHelp,
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		all := &api.ListUsersOutput{Users: []api.User{}}
		for in := (&api.ListUsersInput{AccountId: f.accountID()}); ; {
			page, err := a.client().ListUsers(cmd.Context(), in)
			if err != nil {
				return a.explain(err)
			}
			all.Users = append(all.Users, page.Users...)
			if in.NextToken = page.NextToken; in.NextToken == nil {
				break
			}
		}
		return t.tell(f, all, func() {
			var rows [][]string
			for _, u := range all.Users {
				rows = append(rows, []string{api.Value(u.Name), policiesText(u.Policy, u.ManagedPolicies)})
			}
			t.table("NAME\tPOLICIES", rows)
		})
	}
	return cmd
}

func (t *tool) updateUserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update NAME --policy FILE|NAME", Short: "Replace a user's policies",
		Long: `Replace what a user may do. It holds from their next call on. A file replaces the
document, names of built-in policies replace the built-in ones.

` + credentialsHelp,
		Example: "  hadron user update reader --policy reader.json", Args: wants("NAME"),
	}
	f := addServerFlags(cmd.Flags())
	policy := addPolicyFlag(cmd.Flags(), " (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		document, managed, err := policy.read()
		if err != nil {
			return err
		}
		if document == nil && managed == nil {
			return usagef("%s: --policy is missing", cmd.CommandPath())
		}
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().UpdateUser(cmd.Context(), &api.UpdateUserInput{
			Name: &args[0], Policy: document, ManagedPolicies: managed, AccountId: f.accountID(),
		})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() { fmt.Fprintf(t.stdout, "Changed %s.\n", api.Value(out.User.Arn)) })
	}
	return cmd
}

func (t *tool) deleteUserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a user with all access keys",
		Long:    "Delete a user with all access keys. Their next call is refused.\n\n" + credentialsHelp,
		Example: "  hadron user delete reader", Args: wants("NAME"),
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().DeleteUser(cmd.Context(), &api.DeleteUserInput{Name: &args[0], AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() { fmt.Fprintf(t.stdout, "Deleted %s.\n", args[0]) })
	}
	return cmd
}
