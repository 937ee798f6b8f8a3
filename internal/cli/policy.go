package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/spf13/cobra"
)

func (t *tool) policyCommand() *cobra.Command {
	return group("policy", "Read and explain IAM policies",
		"Read the built-in policies, and find out which statement of a policy decides.",
		t.listPoliciesCommand(), t.showPolicyCommand(), t.explainPolicyCommand())
}

func (t *tool) listPoliciesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List the built-in policies",
		Long: `List the policies that every server has. Those named AWSProton… say what AWS's of that
name said, with their gaps; those named Hadron… also cover what came later.`,
		Example: "  hadron policy list", Args: wants(),
	}
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		if output.json() {
			return t.writeJSON(map[string]any{"policies": auth.ManagedPolicies()})
		}
		for _, name := range auth.ManagedPolicies() {
			fmt.Fprintln(t.stdout, name)
		}
		return nil
	}
	return cmd
}

func (t *tool) showPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Print a built-in policy",
		Long:    "Print the document of a built-in policy, to read it or to start a policy of your own from it.",
		Example: "  hadron policy show AWSProtonDeveloperAccess > developer.json", Args: wants("NAME"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, ok := auth.ManagedPolicy(args[0])
		if !ok {
			return noManagedPolicy(args[0])
		}
		fmt.Fprint(t.stdout, p)
		return nil
	}
	return cmd
}

func noManagedPolicy(name string) error {
	return fmt.Errorf("there is no built-in policy %q; there are %s", name, strings.Join(auth.ManagedPolicies(), ", "))
}

// explanation is what "hadron policy explain" says.
type explanation struct {
	Decision  string `json:"decision"`
	Policy    string `json:"policy,omitempty"`
	Statement int    `json:"statement,omitempty"`
	Sid       string `json:"sid,omitempty"`
	Line      int    `json:"line,omitempty"`
}

func explain(d auth.Decision) explanation {
	e := explanation{Decision: "implicitDeny"}
	switch {
	case d.Allowed:
		e.Decision = "allowed"
	case d.Denied:
		e.Decision = "explicitDeny"
	}
	if s := d.Statement; s != nil {
		e.Policy, e.Statement, e.Sid, e.Line = s.Policy, s.Number, s.Sid, s.Line
	}
	return e
}

func (e explanation) String() string {
	place := auth.Statement{Policy: e.Policy, Number: e.Statement, Sid: e.Sid, Line: e.Line}
	switch e.Decision {
	case "allowed":
		return "allowed by " + place.String()
	case "explicitDeny":
		return "denied by " + place.String()
	}
	return "not allowed: no statement allows it"
}

func (t *tool) explainPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain --action ACTION [--resource ARN] --policy FILE|NAME ...",
		Short: "Say which statement of a policy allows or denies an action",
		Long: `Judge an action by policies as the server would, and say which statement decided.
A policy is a file or the name of a built-in one; several are read together, as
those of one user are. What conditions ask for is given by --context, once for
each value. Exit status 0 means allowed, 1 not allowed.`,
		Example: `  hadron policy explain --policy developer.json --action proton:CreateService \
    --resource arn:aws:proton:eu-west-1:123456789012:service/shop \
    --context proton:ServiceTemplate=arn:aws:proton:eu-west-1:123456789012:service-template/web`,
		Args: wants(),
	}
	output := outputFlag(cmd.Flags())
	policies := cmd.Flags().StringArray("policy", nil, "file with a policy document, or name of a built-in policy (required)")
	action := cmd.Flags().String("action", "", "action, as proton:GetService (required)")
	resource := cmd.Flags().String("resource", "*", "ARN of what the action is for")
	given := cmd.Flags().StringArray("context", nil, "condition key and value: aws:ResourceTag/team=red")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(*policies) == 0 || *action == "" {
			return usagef("%s: --policy and --action are needed", cmd.CommandPath())
		}
		facts, err := contextFacts(*given)
		if err != nil {
			return err
		}
		var all []*auth.Policy
		for _, name := range *policies {
			p, err := readPolicy(name)
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		d := auth.JoinPolicies(all...).Decide(auth.Request{Action: *action, Resource: *resource, Facts: facts})
		if output.json() {
			err = t.writeJSON(explain(d))
		} else {
			_, err = fmt.Fprintln(t.stdout, explain(d))
		}
		if err == nil && !d.Allowed {
			err = quietError{fmt.Errorf("not allowed")}
		}
		return err
	}
	return cmd
}

// readPolicy reads a built-in policy, or one in a file.
func readPolicy(name string) (*auth.Policy, error) {
	if p, ok := auth.ManagedPolicy(name); ok {
		return p, nil
	}
	document, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--policy: %w; %w", err, noManagedPolicy(name))
	}
	p, err := auth.ParsePolicy(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p.Named(name), nil
}

// contextFacts reads KEY=VALUE, of which a key may have several.
func contextFacts(given []string) (auth.Facts, error) {
	values := map[string][]string{}
	for _, entry := range given {
		key, value, found := strings.Cut(entry, "=")
		if !found || !strings.Contains(key, ":") {
			return nil, usagef("--context %q is not KEY=VALUE, as aws:username=ann is", entry)
		}
		key = strings.ToLower(key)
		values[key] = append(values[key], value)
	}
	return func(key string) []string { return values[key] }, nil
}
