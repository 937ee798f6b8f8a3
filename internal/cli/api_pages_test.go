package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// counting answers pages of the services named 1 to 7, three a page if no other
// size is asked for. It writes down what it is asked.
func counting(asked *[]string) func([]byte) ([]byte, error) {
	return func(body []byte) ([]byte, error) {
		*asked = append(*asked, string(body))
		var in struct {
			NextToken  string
			MaxResults int
		}
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		from, _ := strconv.Atoi(in.NextToken)
		size := max(in.MaxResults, 3)
		var items []string
		for n := from + 1; n <= min(from+size, 7); n++ {
			items = append(items, fmt.Sprintf(`{"name":"%d"}`, n))
		}
		more := ""
		if from+size < 7 {
			more = fmt.Sprintf(`,"nextToken":"%d"`, from+size)
		}
		return []byte(`{"services":[` + strings.Join(items, ",") + `]` + more + `}`), nil
	}
}

// listServices is what a command line of list-services answers, and asks for.
func listServices(t *testing.T, args ...string) (names []string, token string, asked []string, err error) {
	t.Helper()
	op := &api.Operations[slices.IndexFunc(api.Operations, func(op awsjson.Operation) bool { return op.Name == "ListServices" })]
	tool := &tool{}
	cmd := tool.operationCommand(op)
	cmd.ResetFlags()
	members := addMemberFlags(cmd, op.Input)
	pages := addPageFlags(cmd, op)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	body, err := tool.input(op, "", members)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := pages.read(cmd.Flags(), op, body, counting(&asked))
	if err != nil {
		return nil, "", asked, err
	}
	var out struct {
		Services  []struct{ Name string }
		NextToken string
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	for _, s := range out.Services {
		names = append(names, s.Name)
	}
	return names, out.NextToken, asked, nil
}

func TestListsAreReadAsTheAWSCLIReadsThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  string
		names string
		token string
		calls int
	}{
		{"", "1 2 3 4 5 6 7", "", 3},
		{"--page-size 5", "1 2 3 4 5 6 7", "", 2},
		{"--no-paginate", "1 2 3", "3", 1},
		{"--max-results 4", "1 2 3 4", "4", 1},
		{"--next-token 3", "4 5 6", "6", 1},
		{"--max-items 3", "1 2 3", "3", 1},
		{"--max-items 7", "1 2 3 4 5 6 7", "", 3},
		{"--max-items 9", "1 2 3 4 5 6 7", "", 3},
		{"--starting-token 3", "4 5 6 7", "", 2},
	} {
		names, token, asked, err := listServices(t, strings.Fields(c.args)...)
		if err != nil || strings.Join(names, " ") != c.names || token != c.token || len(asked) != c.calls {
			t.Errorf("%q: got %v, token %q, after %q, %v; want %+v", c.args, names, token, asked, err, c)
		}
	}
	if _, _, asked, _ := listServices(t, "--page-size", "5"); !slices.Equal(asked, []string{`{"maxResults":5}`, `{"maxResults":5,"nextToken":"5"}`}) {
		t.Errorf("asked for %q", asked)
	}
}

// However many are shown at a time, all are shown once.
func TestListsAreReadInPartsOfAnySize(t *testing.T) {
	t.Parallel()
	for size := 1; size <= 8; size++ {
		var all []string
		for token, args := "", []string{}; ; args = []string{"--starting-token", token} {
			names, next, _, err := listServices(t, append(args, "--max-items", strconv.Itoa(size))...)
			if err != nil {
				t.Fatal(err)
			}
			all, token = append(all, names...), next
			if next == "" || len(all) > 7 {
				break
			}
		}
		if diff := cmp.Diff([]string{"1", "2", "3", "4", "5", "6", "7"}, all); diff != "" {
			t.Errorf("%d at a time (-want +got):\n%s", size, diff)
		}
	}
}

func TestPagingThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--no-paginate --max-items 3":       "--max-items can't be given with --no-paginate, --next-token or --max-results: they make one call",
		"--max-results 3 --page-size 3":     "--page-size can't be given with --no-paginate, --next-token or --max-results: they make one call",
		"--max-items 0":                     "--max-items: 0 is not a positive number",
		"--page-size -1":                    "--page-size: -1 is not a positive number",
		"--starting-token eyJza2lwIjotMX0=": `--starting-token: "eyJza2lwIjotMX0=" was not printed by an earlier call`,
	} {
		_, _, asked, err := listServices(t, strings.Fields(args)...)
		if err == nil || err.Error() != want || len(asked) > 0 {
			t.Errorf("%s: got %v after %q, want %s", args, err, asked, want)
		}
	}
}

// A log that still grows is read as far as it goes, and its token stays.
func TestGrowingListsEndWhereTheyAre(t *testing.T) {
	t.Parallel()
	op := &api.Operations[slices.IndexFunc(api.Operations, func(op awsjson.Operation) bool { return op.Name == "ListDeploymentLogEvents" })]
	cmd := (&tool{}).operationCommand(op)
	cmd.ResetFlags()
	calls := 0
	answer, err := addPageFlags(cmd, op).read(cmd.Flags(), op, []byte(`{"deploymentId":"d"}`), func([]byte) ([]byte, error) {
		if calls++; calls == 1 {
			return []byte(`{"events":[{"message":"a"}],"nextToken":"t"}`), nil
		}
		return []byte(`{"events":[],"nextToken":"t"}`), nil
	})
	if want := `{"events":[{"message":"a"}],"nextToken":"t"}`; err != nil || string(answer) != want || calls != 2 {
		t.Errorf("got %s, %v, after %d calls; want %s", answer, err, calls, want)
	}
}
