package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

func (t *tool) connectionCommand() *cobra.Command {
	return group("connection", "Connect git servers", `Connect git servers: their address and the credentials that Hadron uses there. A
connection has an ARN, which create-repository and create-service take.`,
		t.createConnectionCommand(), t.updateConnectionCommand(), t.listConnectionsCommand(), t.deleteConnectionCommand())
}

const tokenHelp = `The credentials are read from --token-file ("-" is standard input) and kept sealed:
they are never shown again. What they are depends on the kind:

  github      a personal access token, or a JSON object with appId, installationId
              and privateKey of a GitHub App
  gitlab      a personal, group or project access token
  gitea       an access token (Gitea and Forgejo)
  bitbucket   a repository, project or workspace access token, or user:app-password
  git         https: user:password, or a token alone; ssh: a private key

`

func (t *tool) createConnectionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Connect a git server",
		Long: `Connect a git server. A connection ARN that your scripts name already is bound to
the new connection with --arn; without it an ARN is made.

The answer has an address and a secret for a webhook of the server's: with it a
push is seen at once, without it when the repository is polled next.

` + tokenHelp + credentialsHelp,
		Example: `  hadron connection create --name forge --provider GITHUB_ENTERPRISE --kind gitea \
    --url https://git.example.com --token-file token
  hadron connection create --name github --provider GITHUB --kind github --token-file token \
    --arn arn:aws:codestar-connections:eu-west-1:111122223333:connection/0f0e0d0c-1111-2222-3333-444455556666
  hadron connection create --name local --provider GITHUB --kind git --url file:///srv/git`,
		Args: wants(),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	name := cmd.Flags().String("name", "", "name of the connection (required)")
	provider := cmd.Flags().String("provider", "", "what the API calls the server: GITHUB, GITHUB_ENTERPRISE or BITBUCKET (required)")
	kind := cmd.Flags().String("kind", "", "what it is: github, gitlab, gitea, bitbucket or git (required)")
	address := cmd.Flags().String("url", "", "address that repositories are below: BASE/owner/repository.git (default: the public server of the kind)")
	token := cmd.Flags().String("token-file", "", "file with the credentials; - is standard input")
	arn := cmd.Flags().String("arn", "", "connection ARN to bind (default: a new one)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for flag, value := range map[string]string{"name": *name, "provider": *provider, "kind": *kind} {
			if value == "" {
				return usagef("%s: --%s is missing", cmd.CommandPath(), flag)
			}
		}
		in := &api.CreateConnectionInput{
			Name: name, Provider: api.Ptr(api.ConnectionProvider(*provider)), Kind: api.Ptr(api.ConnectionKind(*kind)),
			Url: given(*address), ConnectionArn: given(*arn),
		}
		var err error
		if in.Token, err = t.token(*token); err != nil {
			return err
		}
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		c, err := a.client().CreateConnection(cmd.Context(), in)
		if err != nil {
			return a.explain(err)
		}
		if output.json() {
			return t.writeJSON(c)
		}
		fmt.Fprintf(t.stdout, "Made connection %s:\n\n  %s\n\nA webhook of the server's tells pushes at once:\n\n  address  %s\n  secret   %s\n\nThe secret cannot be read again.\n",
			api.Value(c.Name), api.Value(c.ConnectionArn), api.Value(c.WebhookUrl), api.Value(c.WebhookSecret))
		return nil
	}
	return cmd
}

// token reads credentials; nil if no file is named.
func (t *tool) token(file string) (*string, error) {
	if file == "" {
		return nil, nil
	}
	var content []byte
	var err error
	if file == "-" {
		content, err = io.ReadAll(t.stdin)
	} else {
		content, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	if content = bytes.TrimSpace(content); len(content) == 0 {
		return nil, usagef("--token-file: %s is empty", file)
	}
	return api.Ptr(string(content)), nil
}

// given is the value of a flag as an input has it: absent when empty.
func given(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

func (t *tool) updateConnectionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Replace the credentials of a connection",
		Long: `Replace the credentials of a connection, and sync what uses it anew. Without
--token-file they are removed.

` + tokenHelp + credentialsHelp,
		Example: `  hadron connection update forge --token-file new-token`,
		Args:    wants("NAME"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	file := cmd.Flags().String("token-file", "", "file with the credentials; - is standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		token, err := t.token(*file)
		if err != nil {
			return err
		}
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().UpdateConnection(cmd.Context(), &api.UpdateConnectionInput{Name: &args[0], Token: token})
		if err != nil {
			return a.explain(err)
		}
		if output.json() {
			return t.writeJSON(out.Connection)
		}
		fmt.Fprintf(t.stdout, "Changed connection %s.\n", args[0])
		return nil
	}
	return cmd
}

func (t *tool) listConnectionsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List connections", Long: "List connections by name.\n\n" + credentialsHelp,
		Example: "  hadron connection list", Args: wants()}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		list := []api.Connection{}
		for c, err := range a.client().ListConnectionsAll(cmd.Context(), api.ListConnectionsInput{}) {
			if err != nil {
				return a.explain(err)
			}
			list = append(list, c)
		}
		if output.json() {
			return t.writeJSON(map[string]any{"connections": list})
		}
		w := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tPROVIDER\tKIND\tURL\tARN")
		for _, c := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", *c.Name, *c.Provider, *c.Kind, *c.Url, *c.ConnectionArn)
		}
		return w.Flush()
	}
	return cmd
}

func (t *tool) deleteConnectionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Remove a connection that no repository uses",
		Example: "  hadron connection delete forge",
		Long:    "Remove a connection that no repository uses. One that does not exist is no error.\n\n" + credentialsHelp,
		Args:    wants("NAME"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().DeleteConnection(cmd.Context(), &api.DeleteConnectionInput{Name: &args[0]})
		switch {
		case err != nil:
			return a.explain(err)
		case output.json():
			return t.writeJSON(out)
		case out.Connection == nil:
			_, err = fmt.Fprintf(t.stdout, "There is no connection %s.\n", args[0])
		default:
			_, err = fmt.Fprintf(t.stdout, "Removed connection %s.\n", args[0])
		}
		return err
	}
	return cmd
}
