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
		Long: `Call one operation of the API with a JSON input, and print its JSON answer.
It is for scripts and for machines without the AWS CLI. Operations are written as
in the API (GetService) or as in the AWS CLI (get-service).

An error is printed as "ExceptionName: message", with exit code 1.

` + credentialsHelp,
		Example: `  hadron api ListEnvironments
  hadron api get-service --input-json '{"name": "hello"}'
  hadron api CreateService --input-json @service.json
  echo '{"name": "hello"}' | hadron api GetService --input-json @-`,
		Args: wants("OPERATION"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return operationNames(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	*output = "json"
	cmd.Flags().Lookup("output").DefValue = "json"
	cmd.Flags().Lookup("output").Usage = "form of the answer: json, or text with one value a line"
	input := cmd.Flags().String("input-json", "{}", "the input: JSON, @FILE, or @- for standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		op, err := operation(args[0])
		if err != nil {
			return err
		}
		body, err := t.input(*input)
		if err != nil {
			return err
		}
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		answer, err := call(cmd.Context(), a, op, body)
		if err != nil {
			return err
		}
		return t.printAnswer(answer, output.json())
	}
	return cmd
}

func operationNames() []string {
	list := make([]string, len(api.Operations))
	for n, op := range api.Operations {
		list[n] = op.Name
	}
	return list
}

// operation finds an operation by its name or its name in the AWS CLI.
func operation(name string) (*awsjson.Operation, error) {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "")) }
	i := slices.IndexFunc(api.Operations, func(op awsjson.Operation) bool { return plain(op.Name) == plain(name) })
	if i < 0 {
		similar := similarOperations(plain(name))
		if len(similar) > 0 {
			return nil, usagef("there is no operation %q; did you mean %s?", name, strings.Join(similar, ", "))
		}
		return nil, usagef("there is no operation %q; docs/compatibility.md lists them all", name)
	}
	return &api.Operations[i], nil
}

// similarOperations are those whose name has, or is in, a name in lower case;
// the nearest in length first.
func similarOperations(name string) []string {
	var list []string
	for _, n := range operationNames() {
		if lower := strings.ToLower(n); strings.Contains(lower, name) || strings.Contains(name, lower) {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int {
		return max(len(a)-len(name), len(name)-len(a)) - max(len(b)-len(name), len(name)-len(b))
	})
	return list[:min(len(list), 3)]
}

// input reads what --input-json names and checks that it is a JSON object.
func (t *tool) input(text string) ([]byte, error) {
	body := []byte(text)
	if file, ok := strings.CutPrefix(text, "@"); ok {
		var err error
		if file == "-" {
			body, err = io.ReadAll(t.stdin)
		} else {
			body, err = os.ReadFile(file)
		}
		if err != nil {
			return nil, fmt.Errorf("--input-json: %w", err)
		}
	}
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + bytes.Count(body[:min(int(e.Offset), len(body))], []byte("\n"))
			return nil, usagef("--input-json: line %d: %w", line, err)
		}
		return nil, usagef(`--input-json: want a JSON object, as in {"name": "hello"}: %w`, err)
	}
	return body, nil
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

func (t *tool) printAnswer(answer []byte, asJSON bool) error {
	if asJSON {
		var b bytes.Buffer
		if err := json.Indent(&b, answer, "", "  "); err != nil {
			return fmt.Errorf("the answer is not JSON: %w", err)
		}
		b.WriteByte('\n')
		_, err := t.stdout.Write(b.Bytes())
		return err
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	printFlat(t.stdout, "", v)
	return nil
}

// printFlat prints one line for each scalar: its path, a tab, its value.
func printFlat(w io.Writer, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			printFlat(w, strings.TrimPrefix(path+"."+key, "."), v[key])
		}
	case []any:
		for n, item := range v {
			printFlat(w, fmt.Sprintf("%s[%d]", path, n), item)
		}
	default:
		fmt.Fprintf(w, "%s\t%s\n", path, strings.ReplaceAll(fmt.Sprint(v), "\n", `\n`))
	}
}
