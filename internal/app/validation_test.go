package app

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/test/conformance/wire"
)

// Every constraint of every member of every operation's input is broken once,
// over the wire; the message names the member and the constraint in AWS's words.
// What is expected comes from the model itself, not from the generated contract.
func TestEveryConstraintOfTheModel(t *testing.T) {
	t.Parallel()
	model, err := wire.LoadModel("../..")
	if err != nil {
		t.Fatal(err)
	}
	operations := model.Operations()
	if len(operations) != 87 {
		t.Fatalf("%d operations", len(operations))
	}
	f := start(t)
	total := 0
	for _, operation := range operations {
		violations := model.Violations(operation)
		total += len(violations)
		for _, v := range violations {
			body, err := json.Marshal(v.Input)
			if err != nil {
				t.Fatal(err)
			}
			status, answer := f.post(t, operation, body)
			if problem := judge(v, status, answer); problem != "" {
				t.Errorf("%s %s: %.600s\n%s\nanswered %d %.2000s", operation, v.Path, body, problem, status, answer)
			}
		}
	}
	t.Logf("%d constraints were broken", total)
	if total < 1000 {
		t.Errorf("only %d constraints were broken", total)
	}
}

// post sends a signed call as it is.
func (f *fixture) post(t *testing.T, operation string, body []byte) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.server.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AwsProton20200720."+operation)
	if err := auth.Sign(r, body, f.server.Root.AccessKeyID, f.server.Root.SecretAccessKey, "", region, "proton", time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

var (
	header  = regexp.MustCompile(`^(\d+) validation errors? detected: `)
	failure = regexp.MustCompile(`(?s)^Value(?: ('.*'|null))? at '([^']*)' failed to satisfy constraint: (.*)$`)
)

// judge says what is wrong with the answer to a violation.
func judge(v wire.Violation, status int, answer []byte) string {
	var got struct {
		Type    string `json:"__type"`
		Text    string `json:"message"`
		Capital string `json:"Message"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || status != http.StatusBadRequest {
		return "not refused with an exception"
	}
	if v.Message != "" {
		if got.Type != "com.amazon.coral.service#SerializationException" || got.Capital != v.Message {
			return "want SerializationException: " + v.Message
		}
		return ""
	}
	count := header.FindStringSubmatch(got.Text)
	if got.Type != "com.amazonaws.proton.v20200720#ValidationException" || count == nil {
		return "want a ValidationException that counts failures"
	}
	noun := " validation errors detected: "
	if len(v.Failures) == 1 {
		noun = " validation error detected: "
	}
	if count[0] != strconv.Itoa(len(v.Failures))+noun {
		return "want " + strconv.Itoa(len(v.Failures)) + noun
	}
	var failures []wire.Failure
	for n, text := range strings.Split(strings.TrimPrefix(got.Text, count[0]), "; ") {
		m := failure.FindStringSubmatch(text)
		if m == nil {
			return "no failure: " + text
		}
		if n < len(v.Failures) && v.Failures[n].Value == "*" {
			m[1] = "*"
		}
		failures = append(failures, wire.Failure{Path: m[2], Value: m[1], Constraint: m[3]})
	}
	byConstraint := func(a, b wire.Failure) int { return cmp.Compare(a.Constraint, b.Constraint) }
	slices.SortFunc(failures, byConstraint)
	want := slices.SortedFunc(slices.Values(v.Failures), byConstraint)
	return gocmp.Diff(want, failures)
}
