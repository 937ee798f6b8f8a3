package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/spf13/cobra"
)

func (t *tool) apiCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "api OPERATION",
		Short: "Call one operation of the API",
		Long: `Call one operation of the API and print its answer. It is for scripts and for
machines without the AWS CLI. Operations and the members of their inputs are
written as in the AWS CLI (get-service --name hello); an operation also as in the
API (GetService). Help for each: hadron api get-service --help.

Texts are read from a file with file://PATH, as in --spec file://spec.yaml. Lists
are given one element at a time, structures as JSON or key=value,key=value. A whole
input is given by --input-json; members given beside it win.

A list is read to its end, however many pages that takes; --max-items and
--starting-token read it in parts, --page-size says how much is asked for at once,
and --no-paginate, or a member of the input that is about pages, makes one call.

An error is printed as "ExceptionName: message", with exit code 1.

` + credentialsHelp,
		Example: `  hadron api list-environments --output text
  hadron api list-services --max-items 20
  hadron api get-service --name hello
  hadron api create-service --input-json service.json --spec file://spec.yaml
  hadron api tag-resource --resource-arn ARN --tags key=team,value=shop --tags key=stage,value=test
  echo '{"name": "hello"}' | hadron api GetService --input-json -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("hadron api: OPERATION is missing")
			}
			return noSuchOperation(args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for n := range api.Operations {
		cmd.AddCommand(t.operationCommand(&api.Operations[n]))
	}
	return cmd
}

// operationCommand calls one operation.
func (t *tool) operationCommand(op *awsjson.Operation) *cobra.Command {
	cmd := &cobra.Command{
		Use:     kebab(op.Name),
		Aliases: []string{op.Name},
		Short:   "Call " + op.Name,
		Long:    operationHelp(op),
		Example: "  " + operationExample(op),
		Args:    wants(),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	*output = "json"
	cmd.Flags().Lookup("output").DefValue = "json"
	cmd.Flags().Lookup("output").Usage = "form of the answer: json, or text: a table of a list, one value a line of anything else"
	input := cmd.Flags().String("input-json", "", "the input as JSON: a text, a file, or - for standard input")
	members := addMemberFlags(cmd, op.Input)
	pages := addPageFlags(cmd, op)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		body, err := t.input(op, *input, members)
		if err != nil {
			return err
		}
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		send := func(body []byte) ([]byte, error) { return call(cmd.Context(), a, op, body) }
		answer, err := pages.read(cmd.Flags(), op, body, send)
		if err != nil {
			return err
		}
		return t.printAnswer(op, answer, output.json())
	}
	return cmd
}

// operationExample is a call with what it needs.
func operationExample(op *awsjson.Operation) string {
	words := []string{"hadron api", kebab(op.Name)}
	for _, m := range op.Input.Members {
		if !m.Required {
			continue
		}
		value := strings.ToUpper(kebab(m.Name))
		switch {
		case enumOf(m.Shape) != nil:
			value = enumOf(m.Shape)[0]
		case m.Shape.Kind == awsjson.List && m.Shape.Element.Kind == awsjson.Structure, m.Shape.Kind == awsjson.Structure:
			value = "'" + example(m.Shape) + "'"
		case m.Shape.Limits != nil && m.Shape.Limits.Max > 10_000 && m.Shape.Limits.Max != awsjson.NoMax:
			value = "file://" + kebab(m.Name) + ".yaml"
		}
		words = append(words, "--"+kebab(m.Name), value)
	}
	if _, rows := listOf(op.Output); rows != nil {
		words = append(words, "--output text")
	}
	return strings.Join(words, " ")
}

func operationHelp(op *awsjson.Operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Call %s of the API.", op.Name)
	if op.Idempotent {
		b.WriteString(" A repeat has no further effect.")
	}
	var required []string
	for _, m := range op.Input.Members {
		if m.Required {
			required = append(required, "--"+kebab(m.Name))
		}
	}
	if len(required) > 0 {
		fmt.Fprintf(&b, "\nIt needs %s.", strings.Join(required, ", "))
	}
	if len(op.Errors) > 0 {
		fmt.Fprintf(&b, "\nIt may be refused with %s.", strings.Join(op.Errors, ", "))
	}
	return b.String()
}

// noSuchOperation says what an unknown operation could have been.
func noSuchOperation(name string) error {
	similar := similarOperations(strings.ToLower(strings.ReplaceAll(name, "-", "")))
	if strings.ToLower(name) == name { // in the spelling that was asked for
		for n := range similar {
			similar[n] = kebab(similar[n])
		}
	}
	if len(similar) > 0 {
		return usagef("there is no operation %q; did you mean %s?", name, strings.Join(similar, ", "))
	}
	return usagef("there is no operation %q; docs/compatibility.md lists them all", name)
}

// similarOperations are those whose name has, or is in, a name in lower case;
// the nearest in length first.
func similarOperations(name string) []string {
	var list []string
	for _, op := range api.Operations {
		if lower := strings.ToLower(op.Name); strings.Contains(lower, name) || strings.Contains(name, lower) {
			list = append(list, op.Name)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int {
		return max(len(a)-len(name), len(name)-len(a)) - max(len(b)-len(name), len(name)-len(b))
	})
	return list[:min(len(list), 3)]
}

// input is what --input-json gives with the members over it.
func (t *tool) input(op *awsjson.Operation, text string, members []*memberFlag) ([]byte, error) {
	object := map[string]json.RawMessage{}
	if text != "" {
		var err error
		if object, err = t.inputObject(text); err != nil {
			return nil, err
		}
	}
	for _, f := range members {
		if f.value != nil {
			value, err := json.Marshal(f.value)
			if err != nil {
				return nil, err
			}
			object[f.member.Name] = value
		}
		if f.member.Required && object[f.member.Name] == nil {
			return nil, usagef("%s: --%s is missing", kebab(op.Name), kebab(f.member.Name))
		}
	}
	return json.Marshal(object)
}

// inputObject reads what --input-json names: JSON itself, a file (also as
// @FILE), or standard input.
func (t *tool) inputObject(text string) (map[string]json.RawMessage, error) {
	body := []byte(text)
	file, marked := strings.CutPrefix(text, "@")
	var err error
	switch {
	case file == "-":
		body, err = io.ReadAll(t.stdin)
	case marked || !strings.HasPrefix(strings.TrimSpace(text), "{") && fileExists(text):
		body, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("--input-json: %w", err)
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &object); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + bytes.Count(body[:min(int(e.Offset), len(body))], []byte("\n"))
			return nil, usagef("--input-json: line %d: %w", line, err)
		}
		return nil, usagef(`--input-json: want a JSON object, as in {"name": "hello"}, or a file that has one: %w`, err)
	}
	return object, nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// call sends a checked input and gives the answer as the server wrote it.
func call(ctx context.Context, a access, op *awsjson.Operation, body []byte) ([]byte, error) {
	in := op.Method.New()
	if err := awsjson.Decode(body, op.Input, in); err != nil {
		return nil, err
	}
	answer, err := a.transport().Send(ctx, op, body)
	return answer, a.explain(err)
}
