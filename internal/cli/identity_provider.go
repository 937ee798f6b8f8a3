package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

func (t *tool) identityProviderCommand() *cobra.Command {
	return group("identity-provider", "Admit tokens of identity providers (OpenID Connect)",
		`Say which identity providers' tokens an account admits: those of GitHub Actions, of
GitLab CI, of a company's sign-in. A token opens the roles whose trust policy names its
provider and whose conditions it meets; see "hadron role create" and docs/security.md.`,
		t.createIdentityProviderCommand(), t.listIdentityProvidersCommand(), t.updateIdentityProviderCommand(), t.deleteIdentityProviderCommand())
}

func (t *tool) createIdentityProviderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "create URL --client-id ID", Short: "Admit tokens of an identity provider",
		Long: `Admit tokens of an identity provider that are for one of the named clients (aud). URL is
what its tokens say under iss; its keys are found from there, by discovery.

` + credentialsHelp,
		Example: "  hadron identity-provider create https://token.actions.githubusercontent.com --client-id sts.amazonaws.com", Args: wants("URL"),
	}
	f := addServerFlags(cmd.Flags())
	clients := cmd.Flags().StringSlice("client-id", nil, "whom tokens may be for, the aud they have; more than one with commas (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(*clients) == 0 {
			return usagef("%s: --client-id ID is missing", cmd.CommandPath())
		}
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().CreateIdentityProvider(cmd.Context(), &api.CreateIdentityProviderInput{Url: &args[0], ClientIds: *clients, AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() { fmt.Fprintf(t.stdout, "Made %s.\n", api.Value(out.IdentityProvider.Arn)) })
	}
	return cmd
}

func (t *tool) listIdentityProvidersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List identity providers", Args: wants(), Example: "  hadron identity-provider list",
		Long: "List the identity providers of an account by URL.\n\n" + credentialsHelp,
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		all := &api.ListIdentityProvidersOutput{IdentityProviders: []api.IdentityProvider{}}
		for in := (&api.ListIdentityProvidersInput{AccountId: f.accountID()}); ; {
			page, err := a.client().ListIdentityProviders(cmd.Context(), in)
			if err != nil {
				return a.explain(err)
			}
			all.IdentityProviders = append(all.IdentityProviders, page.IdentityProviders...)
			if in.NextToken = page.NextToken; in.NextToken == nil {
				break
			}
		}
		return t.tell(f, all, func() {
			var rows [][]string
			for _, p := range all.IdentityProviders {
				rows = append(rows, []string{api.Value(p.Url), strings.Join(p.ClientIds, " "), p.CreatedAt.UTC().Format(time.RFC3339)})
			}
			t.table("URL\tCLIENTS\tMADE", rows)
		})
	}
	return cmd
}

func (t *tool) updateIdentityProviderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "update URL --client-id ID", Short: "Replace the clients that tokens may be for",
		Long:    "Replace the clients that a provider's tokens may be for. It holds from the next token on.\n\n" + credentialsHelp,
		Example: "  hadron identity-provider update https://token.actions.githubusercontent.com --client-id hadron", Args: wants("URL"),
	}
	f := addServerFlags(cmd.Flags())
	clients := cmd.Flags().StringSlice("client-id", nil, "whom tokens may be for (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(*clients) == 0 {
			return usagef("%s: --client-id ID is missing", cmd.CommandPath())
		}
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().UpdateIdentityProvider(cmd.Context(), &api.UpdateIdentityProviderInput{Url: &args[0], ClientIds: *clients, AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() { fmt.Fprintf(t.stdout, "Changed %s.\n", api.Value(out.IdentityProvider.Arn)) })
	}
	return cmd
}

func (t *tool) deleteIdentityProviderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete URL", Short: "Admit no more tokens of an identity provider",
		Long:    "Admit no more tokens of an identity provider. Sessions that were issued for some end by themselves.\n\n" + credentialsHelp,
		Example: "  hadron identity-provider delete https://token.actions.githubusercontent.com", Args: wants("URL"),
	}
	f := addServerFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().DeleteIdentityProvider(cmd.Context(), &api.DeleteIdentityProviderInput{Url: &args[0], AccountId: f.accountID()})
		if err != nil {
			return a.explain(err)
		}
		return t.tell(f, out, func() { fmt.Fprintf(t.stdout, "Deleted %s.\n", args[0]) })
	}
	return cmd
}
