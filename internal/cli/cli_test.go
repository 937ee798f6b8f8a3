package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// result is what a command line has come to.
type result struct {
	code           int
	stdout, stderr string
}

type variables map[string]string

func (v variables) lookup(name string) (string, bool) {
	value, ok := v[name]
	return value, ok
}

// hadron runs a command line as the binary does, with no other environment.
func hadron(t *testing.T, env variables, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	tool := &tool{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, lookupEnv: env.lookup}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	code := tool.run(ctx, args)
	return result{code, stdout.String(), stderr.String()}
}

func (r result) wantCode(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// output is a buffer that is read while a command writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// background is a command that runs until it is stopped.
type background struct {
	stdout, stderr output
	stop           context.CancelFunc
	code           chan int
}

func start(t *testing.T, env variables, args ...string) *background {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	b := &background{stop: stop, code: make(chan int, 1)}
	tool := &tool{stdin: strings.NewReader(""), stdout: &b.stdout, stderr: &b.stderr, lookupEnv: env.lookup}
	go func() { b.code <- tool.run(ctx, args) }()
	t.Cleanup(func() { b.end(t) })
	return b
}

// end stops the command, as Ctrl-C does, and answers its exit code.
func (b *background) end(t *testing.T) int {
	t.Helper()
	b.stop()
	select {
	case code := <-b.code:
		b.code <- code
		return code
	case <-time.After(30 * time.Second):
		t.Fatalf("the command does not stop\nstdout: %s\nstderr: %s", b.stdout.String(), b.stderr.String())
		return -1
	}
}

// wait waits until the command has printed what matches, and answers the first
// group of it.
func (b *background) wait(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringSubmatch(b.stdout.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case code := <-b.code:
			b.code <- code
			t.Fatalf("ended with code %d before it printed %s\nstdout: %s\nstderr: %s", code, pattern, b.stdout.String(), b.stderr.String())
		default:
		}
	}
	t.Fatalf("did not print %s\nstdout: %s\nstderr: %s", pattern, b.stdout.String(), b.stderr.String())
	return ""
}

const servesOn = `serves on (http://127\.0\.0\.1:\d+)`

// toServer is the environment of a client of a server with that data folder.
func toServer(url, data string) variables {
	return variables{"AWS_ENDPOINT_URL": url, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(data, "credentials")}
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// A command line that makes no sense ends with 2, work that cannot be done with
// 1, and either says in a line what would be right.
func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notJSON := write(t, filepath.Join(dir, "not.json"), "{\n  oops\n}")
	profile := write(t, filepath.Join(dir, "credentials"), "[other]\naws_access_key_id = A\naws_secret_access_key = B\n")
	keys := variables{"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
	for _, c := range []struct {
		args string
		env  variables
		code int
		want string // in standard error
	}{
		{"srve", nil, 2, `hadron has no command "srve"; did you mean serve?`},
		{"template", nil, 2, "hadron template needs one of: init, render, test, validate"},
		{"template check", nil, 2, `hadron template has no command "check"`},
		{"serve here", nil, 2, `hadron serve: there is one argument too many: "here"`},
		{"serve --bogus", nil, 2, "unknown flag: --bogus\nRun 'hadron serve --help' for usage."},
		{"serve --concurrency many", nil, 2, "--concurrency"},
		{"serve --listen here --account-id 7", nil, 1, "hadron: listen: \"here\" is not host:port, as in 127.0.0.1:8080\nhadron: account-id: \"7\" is not 12 digits\n"},
		{"serve", variables{"HADRON_CONCURRENCY": "many"}, 1, `HADRON_CONCURRENCY: "many" is not a whole number`},
		{"serve --config " + dir + "/none", nil, 1, "configuration file " + dir + "/none does not exist"},
		{"serve", variables{"HADRON_CONFIG": dir + "/none"}, 1, "configuration file " + dir + "/none does not exist"},
		{"version --output xml", nil, 2, "must be text or json"},
		{"template validate", nil, 2, "hadron template validate: PATH is missing"},
		{"template validate " + dir + "/none", nil, 1, "/none does not exist; want a bundle's folder or a .tar.gz file"},
		{"template validate a b", nil, 2, `there is one argument too many: "b"`},
		{"template validate --output xml a", nil, 2, "must be text or json"},
		{"template test", nil, 2, "hadron template test: PATH is missing"},
		{"template test " + dir + "/none", nil, 1, "/none is not a folder; want that of a bundle, or one with bundles in it"},
		{"template test " + dir, nil, 1, "holds no bundle: there is no schema/schema.yaml at or below it"},
		{"template test --run [ x", nil, 2, `--run "[" is not a pattern`},
		{"template init", nil, 2, "hadron template init: environment or service is missing"},
		{"template init service", nil, 2, "hadron template init: DIR is missing"},
		{"template init stack x", nil, 2, `"stack" is no kind of template; want environment or service`},
		{"template init service x --engine helm", nil, 2, `--engine: there is no "helm"; want one of: codebuild, cloudformation, terraform`},
		{"template init environment x --pipeline", nil, 2, "--pipeline is for services"},
		{"template init service x --customer-managed", nil, 2, "--customer-managed is for environments"},
		{"template init environment x --customer-managed --engine terraform", nil, 2, "--engine and --customer-managed exclude each other"},
		{"template init service x --name a.b", nil, 2, `--name: "a.b" cannot name a template`},
		{"template render", nil, 2, "PATH (or --file) is missing"},
		{"template render x", nil, 2, "--spec FILE is missing"},
		{"template render x --spec y", nil, 2, "--out DIR is missing"},
		{"template render x --spec y --out z --instance i --pipeline", nil, 2, "--instance and --pipeline exclude each other"},
		{"template render --file x --spec y", nil, 2, "--file and --spec exclude each other"},
		{"deployment logs", nil, 2, "DEPLOYMENT is missing"},
		{"user create", nil, 2, "NAME is missing"},
		{"user create ann", nil, 2, "--policy FILE.json is missing"},
		{"api", nil, 2, "OPERATION is missing"},
		{"api GetServices", keys, 2, `there is no operation "GetServices"; did you mean GetService,`},
		{"api get-services", keys, 2, `there is no operation "get-services"; did you mean get-service,`},
		{"api get-service", keys, 2, "get-service: --name is missing"},
		{"api get-service --name a --color b", keys, 2, "unknown flag: --color"},
		{"api list-services --max-results many", keys, 2, `"many" is not a whole number`},
		{"api tag-resource --resource-arn a --tags key:team", keys, 2, `"key:team" has no =; write it as JSON or as key=…,value=…`},
		{"api tag-resource --resource-arn a --tags name=team", keys, 2, `Tag has no member "name"`},
		{"api update-account-settings --delete-pipeline-provisioning-repository=perhaps", keys, 2, `"perhaps" is not true or false`},
		{"api create-service-template-version --source s3={bucket=b", keys, 2, "} is missing"},
		{"api get-service --name file://" + dir + "/none", keys, 2, "no such file"},
		{"api zzz", keys, 2, "docs/compatibility.md lists them all"},
		{"api GetService --input-json {", keys, 2, "--input-json: line 1: unexpected end of JSON input"},
		{"api GetService --input-json [1]", keys, 2, `--input-json: want a JSON object, as in {"name": "hello"}`},
		{"api GetService --input-json @" + notJSON, keys, 2, "--input-json: line 2: invalid character 'o'"},
		{"api GetService --input-json @" + dir + "/none", keys, 1, "no such file"},
		{"api GetService --input-json {\"name\":7}", keys, 1, "SerializationException: "},
		{"api ListServices", nil, 1, "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE"},
		{"api ListServices", variables{"AWS_ACCESS_KEY_ID": "A"}, 1, "must be set together"},
		{"api ListServices", variables{"AWS_SHARED_CREDENTIALS_FILE": profile}, 1, "profile default needs aws_access_key_id"},
		{"api ListServices --endpoint-url localhost:8080", keys, 2, `the server's address "localhost:8080" is not a URL`},
		{"api ListServices --endpoint-url http://127.0.0.1:1", keys, 1, `no server answers at http://127.0.0.1:1; start one with "hadron serve"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			got := hadron(t, c.env, strings.Fields(c.args)...).wantCode(t, c.code)
			if !strings.Contains(got.stderr, c.want) {
				t.Errorf("stderr: %s\nwant in it: %s", got.stderr, c.want)
			}
			if got.stdout != "" {
				t.Errorf("stdout: %s", got.stdout)
			}
		})
	}
}

// Every command has a text that explains it and, if it does something, examples.
func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	var walk func(path ...string)
	walk = func(path ...string) {
		got := hadron(t, nil, append(path, "--help")...).wantCode(t, 0)
		cmd, _, err := (&tool{}).root().Find(path)
		if err != nil {
			t.Fatal(err)
		}
		if cmd.Long == "" || !strings.Contains(got.stdout, strings.Fields(cmd.Long)[0]) {
			t.Errorf("hadron %v --help does not explain: %s", path, got.stdout)
		}
		if !cmd.HasSubCommands() && !strings.Contains(got.stdout, "Examples:") {
			t.Errorf("hadron %v --help has no examples", path)
		}
		for _, sub := range cmd.Commands() {
			walk(append(path[:len(path):len(path)], sub.Name())...)
		}
	}
	walk()
}

func TestVersionIsPrinted(t *testing.T) {
	t.Parallel()
	if got := hadron(t, nil, "version").wantCode(t, 0); !strings.HasPrefix(got.stdout, "hadron dev (go1.") {
		t.Errorf("version: %s", got.stdout)
	}
	var v struct{ Version, Go, Platform string }
	got := hadron(t, nil, "version", "--output", "json").wantCode(t, 0)
	if err := json.Unmarshal([]byte(got.stdout), &v); err != nil || v.Version != "dev" || v.Platform == "" {
		t.Errorf("version --output json: %s (%v)", got.stdout, err)
	}
}

func TestCompletionKnowsOperations(t *testing.T) {
	t.Parallel()
	got := hadron(t, nil, "__complete", "api", "").wantCode(t, 0)
	if !strings.Contains(got.stdout, "create-service\tCall CreateService\n") || !strings.Contains(got.stdout, "list-deployment-log-events\tCall ListDeploymentLogEvents\n") {
		t.Errorf("completion of api: %s", got.stdout)
	}
	got = hadron(t, nil, "__complete", "api", "update-environment", "--deployment-type", "").wantCode(t, 0)
	if !strings.Contains(got.stdout, "CURRENT_VERSION\n") {
		t.Errorf("completion of an enumeration: %s", got.stdout)
	}
	if got = hadron(t, nil, "__complete", "api", "create-service", "--template").wantCode(t, 0); !strings.Contains(got.stdout, "--template-major-version\t") {
		t.Errorf("completion of members: %s", got.stdout)
	}
	if got := hadron(t, nil, "completion", "bash").wantCode(t, 0); !strings.Contains(got.stdout, "__start_hadron") {
		t.Error("there is no completion for bash")
	}
}
