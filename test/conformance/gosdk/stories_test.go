package gosdk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/private/protocol/json/jsonutil"
	"github.com/aws/aws-sdk-go/service/s3"
)

// step is one step of a story; package story of the product's module says what
// its members mean.
type step struct {
	Call, Until, Wait, Pages, Put   string
	As, Refused, Message, Key, Name string
	In                              map[string]any
	Want                            any
	Save                            map[string]string
	Fails                           bool
	Size                            int
	Content                         []byte
}

// TestStories goes through what every stock client goes through.
func TestStories(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(proxy, "stories", root).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var stories []struct {
		Name     string
		Settings []string
		Git      bool
		Steps    []step
	}
	if err := json.Unmarshal(out, &stories); err != nil {
		t.Fatal(err)
	}
	for _, s := range stories {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if aws := "${aws}"; strings.Contains(strings.Join(s.Settings, " "), aws) {
				played := playAWS(t)
				for n := range s.Settings {
					s.Settings[n] = strings.ReplaceAll(s.Settings[n], aws, played)
				}
			}
			r := newRunner(t, own(t, s.Settings...))
			if s.Git {
				r.connect(t)
			}
			for n, step := range s.Steps {
				if err := r.step(step); err != nil {
					step.Content = nil
					text, _ := json.Marshal(step)
					t.Fatalf("step %d: %s\n%v", n+1, text, err)
				}
			}
		})
	}
}

// playAWS starts a program that plays CloudFormation and STS.
func playAWS(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(proxy, "aws")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// runner carries out steps with the SDK.
type runner struct {
	clients   map[string]*client
	variables map[string]string
}

func newRunner(t *testing.T, s *server) *runner {
	t.Helper()
	root := clientOf(t, s)
	r := &runner{
		clients:   map[string]*client{"root": root},
		variables: map[string]string{"region": root.region, "account": account, "bucket": root.bucket},
	}
	for name, user := range map[string]struct{ effect, account string }{"denied": {"Deny", account}, "other": {"Allow", "999988887777"}} {
		policy := filepath.Join(t.TempDir(), "policy.json")
		text := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": %q, "Action": ["proton:*", "iam:PassRole"], "Resource": "*"}]}`, user.effect)
		if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, "user", "create", name, "--policy", policy, "--account", user.account, "--output", "json")
		cmd.Env = []string{"AWS_ENDPOINT_URL=" + s.url(), "AWS_ACCESS_KEY_ID=" + rootKey, "AWS_SECRET_ACCESS_KEY=" + rootSecret, "AWS_REGION=" + root.region}
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("make the user %s: %v\n%s", name, err, out)
		}
		var key struct{ AccessKeyID, SecretAccessKey string }
		if err := json.Unmarshal(out, &key); err != nil {
			t.Fatal(err)
		}
		r.clients[name] = s.client(t, root.region, key.AccessKeyID, key.SecretAccessKey)
	}
	return r
}

// connect makes a connection to repositories in a folder.
func (r *runner) connect(t *testing.T) {
	t.Helper()
	folder, c := t.TempDir(), r.clients["root"]
	if out, err := exec.Command(proxy, "repositories", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), binary, "connection", "create", "--name", "local", "--provider", "GITHUB", "--kind", "git",
		"--url", "file://"+folder, "--output", "json")
	cmd.Env = []string{"AWS_ENDPOINT_URL=" + c.server.url(), "AWS_ACCESS_KEY_ID=" + rootKey, "AWS_SECRET_ACCESS_KEY=" + rootSecret, "AWS_REGION=" + c.region}
	out, err := cmd.Output()
	var made struct{ ConnectionARN string }
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil || made.ConnectionARN == "" {
		t.Fatalf("make a connection: %v\n%s", err, out)
	}
	r.variables["connection"] = made.ConnectionARN
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

// fill replaces the variables in all texts of a value.
func (r *runner) fill(value any) any {
	switch v := value.(type) {
	case string:
		return variable.ReplaceAllStringFunc(v, func(name string) string { return r.variables[name[2:len(name)-1]] })
	case []any:
		v = slices.Clone(v)
		for n := range v {
			v[n] = r.fill(v[n])
		}
		return v
	case map[string]any:
		filled := map[string]any{}
		for key := range v {
			filled[key] = r.fill(v[key])
		}
		return filled
	}
	return value
}

func (r *runner) step(s step) error {
	switch {
	case s.Put != "":
		c := r.clients["root"]
		_, err := c.s3.PutObjectWithContext(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &s.Put, Body: bytes.NewReader(s.Content)})
		return err
	case s.Wait != "":
		return r.wait(s)
	case s.Pages != "":
		return r.pages(s)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		err := r.attempt(s)
		if err == nil || s.Until == "" || time.Now().After(deadline) {
			return err
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// method finds a method of the SDK's client and makes its input.
func (r *runner) method(as, name string, in map[string]any) (method, input reflect.Value, err error) {
	if as == "" {
		as = "root"
	}
	method = reflect.ValueOf(r.clients[as].Proton).MethodByName(name)
	if !method.IsValid() {
		return method, input, fmt.Errorf("the SDK has no %s", name)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return method, input, err
	}
	input = reflect.New(method.Type().In(1).Elem())
	return method, input, jsonutil.UnmarshalJSON(input.Interface(), bytes.NewReader(text))
}

// attempt calls once and says what is wrong with the outcome.
func (r *runner) attempt(s step) error {
	in, _ := r.fill(s.In).(map[string]any)
	method, input, err := r.method(s.As, s.Call+s.Until+"WithContext", in)
	if err != nil {
		return err
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(r.clients["root"].ctx), input})
	if err, _ := results[1].Interface().(error); err != nil {
		var refusal awserr.Error
		if s.Refused == "" || !errors.As(err, &refusal) || refusal.Code() != s.Refused {
			return err
		}
		if want := r.fill(s.Message); s.Message != "" && refusal.Message() != want {
			return fmt.Errorf("refused with %s, want %s", refusal.Message(), want)
		}
		return nil
	}
	if s.Refused != "" {
		return errors.New("it was not refused")
	}
	out, err := asJSON(results[0].Interface())
	if err != nil {
		return err
	}
	for name, path := range s.Save {
		var value any = out
		for part := range strings.SplitSeq(path, ".") {
			if list, ok := value.([]any); ok {
				n, err := strconv.Atoi(part)
				if err != nil || n >= len(list) {
					return fmt.Errorf("there is no %s", path)
				}
				value = list[n]
				continue
			}
			object, _ := value.(map[string]any)
			value = object[part]
		}
		r.variables[name] = fmt.Sprint(value)
	}
	return differs(r.fill(s.Want), out, "answer")
}

// asJSON is an output of the SDK as JSON has it.
func asJSON(output any) (map[string]any, error) {
	text, err := jsonutil.BuildJSON(output)
	if err != nil {
		return nil, err
	}
	var value map[string]any
	return value, json.Unmarshal(text, &value)
}

// differs says what of want is not in got.
func differs(want, got any, path string) error {
	switch want := want.(type) {
	case nil:
		return nil
	case map[string]any:
		if object, ok := got.(map[string]any); ok {
			for key := range want {
				if err := differs(want[key], object[key], path+"."+key); err != nil {
					return err
				}
			}
			return nil
		}
	case []any:
		if list, ok := got.([]any); ok && len(list) == len(want) {
			for n := range want {
				if err := differs(want[n], list[n], fmt.Sprintf("%s[%d]", path, n)); err != nil {
					return err
				}
			}
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return fmt.Errorf("%s is %v, want %v", path, got, want)
}

func (r *runner) wait(s step) error {
	in, _ := r.fill(s.In).(map[string]any)
	method, input, err := r.method("", "WaitUntil"+s.Wait+"WithContext", in)
	if err != nil {
		return err
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(r.clients["root"].ctx), input, reflect.ValueOf(fast)})
	err, _ = results[0].Interface().(error)
	if (err != nil) != s.Fails {
		return fmt.Errorf("the waiter ended with %v", err)
	}
	return nil
}

// pages reads a list with the SDK's paginator.
func (r *runner) pages(s step) error {
	in, _ := r.fill(s.In).(map[string]any)
	if s.Size > 0 {
		in["maxResults"] = s.Size
	}
	method, input, err := r.method("", s.Pages+"PagesWithContext", in)
	if err != nil {
		return err
	}
	names := []any{}
	page := reflect.MakeFunc(method.Type().In(2), func(args []reflect.Value) []reflect.Value {
		out, failed := asJSON(args[0].Interface())
		err = errors.Join(err, failed)
		items, _ := out[s.Key].([]any)
		for _, item := range items {
			names = append(names, item.(map[string]any)[s.Name])
		}
		return []reflect.Value{reflect.ValueOf(true)}
	})
	results := method.Call([]reflect.Value{reflect.ValueOf(r.clients["root"].ctx), input, page})
	if failed, _ := results[0].Interface().(error); failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	return differs(s.Want, names, "names")
}
