package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (t *tool) roleCommand() *cobra.Command {
	return group("role", "Make and keep roles",
		"Make roles: what users, pipelines and people of other identity providers can become for a while, with temporary credentials.",
		t.createRoleCommand(), t.listRolesCommand(), t.updateRoleCommand(), t.deleteRoleCommand())
}

// roleFlags are what create and update have.
type roleFlags struct {
	serverFlags
	policy  policyFlags
	trust   *string
	longest *time.Duration
}

func addRoleFlags(flags *pflag.FlagSet, trustNote string) roleFlags {
	return roleFlags{
		serverFlags: addServerFlags(flags), policy: addPolicyFlag(flags, ""),
		trust:   flags.String("trust", "", "file with the trust policy: who may become the role"+trustNote),
		longest: flags.Duration("max-session", 0, "longest life of its credentials, 15m to 12h (default 1h)"),
	}
}

// input reads what create and update have in common.
func (f roleFlags) input(name string) (*api.CreateRoleInput, error) {
	in := &api.CreateRoleInput{Name: &name, AccountId: f.accountID()}
	if *f.trust != "" {
		text, err := os.ReadFile(*f.trust)
		if err != nil {
			return nil, fmt.Errorf("--trust: %w", err)
		}
		in.TrustPolicy = api.Ptr(string(text))
	}
	if *f.longest != 0 {
		in.MaxSessionSeconds = api.Ptr(int64(f.longest.Seconds()))
	}
	var err error
	in.Policy, in.ManagedPolicies, err = f.policy.read()
	return in, err
}

func (t *tool) createRoleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create NAME --trust FILE --policy FILE|NAME", Short: "Make a role",
		Long: `Make a role. Its trust policy names under Principal who may become it: users, roles or
accounts of this server ("AWS"), or an identity provider ("Federated"). Its policies
say what it may do. Credentials come from "aws sts assume-role" with this server as
endpoint, or from an AWS profile with role_arn.

` + credentialsHelp,
		Example: `  cat > trust.json <<'END'
  {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"AWS": "arn:aws:iam::123456789012:user/ci"}}}
  END
  hadron role create deployer --trust trust.json --policy HadronDeveloperAccess`,
		Args: wants("NAME"),
	}
	f := addRoleFlags(cmd.Flags(), " (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *f.trust == "" {
			return usagef("%s: --trust FILE.json is missing", cmd.CommandPath())
		}
		in, err := f.input(args[0])
		if err != nil {
			return err
		}
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().CreateRole(cmd.Context(), in)
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f.serverFlags, out, func() { fmt.Fprintf(t.stdout, "Made %s.\n", api.Value(out.Role.Arn)) })
	}
	return cmd
}

func (t *tool) listRolesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List roles", Args: wants(), Example: "  hadron role list",
		Long: "List the roles of an account by name, with their policies.\n\n" + credentialsHelp,
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		all := &api.ListRolesOutput{Roles: []api.Role{}}
		for in := (&api.ListRolesInput{AccountId: f.accountID()}); ; {
			page, err := a.client().ListRoles(cmd.Context(), in)
			if err != nil {
				return a.explain(err)
			}
			all.Roles = append(all.Roles, page.Roles...)
			if in.NextToken = page.NextToken; in.NextToken == nil {
				break
			}
		}
		return t.tell(f, all, func() {
			var rows [][]string
			for _, r := range all.Roles {
				rows = append(rows, []string{api.Value(r.Name), policiesText(r.Policy, r.ManagedPolicies)})
			}
			t.table("NAME\tPOLICIES", rows)
		})
	}
	return cmd
}

func (t *tool) updateRoleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update NAME", Short: "Replace a role's trust policy or policies",
		Long:    "Replace what is given of a role. It holds for its sessions from their next call on.\n\n" + credentialsHelp,
		Example: "  hadron role update deployer --policy deployer.json", Args: wants("NAME"),
	}
	f := addRoleFlags(cmd.Flags(), "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in, err := f.input(args[0])
		if err != nil {
			return err
		}
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		update := api.UpdateRoleInput(*in)
		out, err := a.client().UpdateRole(cmd.Context(), &update)
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f.serverFlags, out, func() { fmt.Fprintf(t.stdout, "Changed %s.\n", api.Value(out.Role.Arn)) })
	}
	return cmd
}

func (t *tool) deleteRoleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a role",
		Long:    "Delete a role. Its sessions are refused from then on.\n\n" + credentialsHelp,
		Example: "  hadron role delete deployer", Args: wants("NAME"),
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().DeleteRole(cmd.Context(), &api.DeleteRoleInput{Name: &args[0], AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() { fmt.Fprintf(t.stdout, "Deleted %s.\n", args[0]) })
	}
	return cmd
}
