package cli

import (
	"fmt"
	"os"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

func (t *tool) userCommand() *cobra.Command {
	return group("user", "Make access keys", "Make users: access keys with an IAM policy.", t.createUserCommand())
}

func (t *tool) createUserCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an access key whose IAM policy is a file",
		Long: `Make a user with an access key that may do what an IAM policy document says, with
Proton's actions and resources. The secret is printed once and cannot be read again.

` + credentialsHelp,
		Example: `  cat > reader.json <<'END'
  {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["proton:Get*", "proton:List*"], "Resource": "*"}]}
  END
  hadron user create reader --policy reader.json`,
		Args: wants("NAME"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	policy := cmd.Flags().String("policy", "", "file with the IAM policy document (required)")
	account := cmd.Flags().String("account", "", "account of the user, 12 digits (default: the caller's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *policy == "" {
			return usagef("%s: --policy FILE.json is missing", cmd.CommandPath())
		}
		document, err := os.ReadFile(*policy)
		if err != nil {
			return fmt.Errorf("--policy: %w", err)
		}
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		in := &api.CreateUserInput{Name: &args[0], Policy: api.Ptr(string(document))}
		if *account != "" {
			in.AccountId = account
		}
		user, err := a.client().CreateUser(cmd.Context(), in)
		if err != nil {
			return a.explain(err)
		}
		if output.json() {
			return t.writeJSON(user)
		}
		fmt.Fprintf(t.stdout, "Made %s. Its secret cannot be read again:\n\n  export AWS_ACCESS_KEY_ID=%s\n  export AWS_SECRET_ACCESS_KEY=%s\n",
			api.Value(user.Arn), api.Value(user.AccessKeyId), shellWord(api.Value(user.SecretAccessKey)))
		return nil
	}
	return cmd
}
