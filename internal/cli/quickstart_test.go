package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// quick is the quickstart on a free port.
func quick(t *testing.T, data string, more ...string) result {
	t.Helper()
	return hadron(t, nil, append([]string{"quickstart", "--listen", "127.0.0.1:0", "--data", data}, more...)...)
}

// ask calls an operation and answers its output.
func ask(t *testing.T, env variables, operation, input string) map[string]any {
	t.Helper()
	var out map[string]any
	got := hadron(t, env, "api", operation, "--input-json", input).wantCode(t, 0)
	if err := json.Unmarshal([]byte(got.stdout), &out); err != nil {
		t.Fatalf("%s: %v: %s", operation, err, got.stdout)
	}
	return out
}

// gone waits until an operation finds its resource no longer.
func gone(t *testing.T, env variables, operation, input string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got := hadron(t, env, "api", operation, "--input-json", input); strings.HasPrefix(got.stderr, "ResourceNotFoundException: ") {
			return
		}
	}
	t.Fatalf("%s %s: still there: %s", operation, input, hadron(t, env, "api", operation, "--input-json", input).stdout)
}

// The whole story: nothing is there, everything is deployed; again, and it is
// found; a release is brought out; all is deleted, and nothing stays behind.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "with 'quotes' & blanks")
	first := quick(t, data, "--exit").wantCode(t, 0)
	for _, want := range []string{
		`✓ environment template local-network +published as version 1\.0\n`,
		`✓ service template web-service +published as version 1\.0\n`,
		`✓ environment local +deployed after \d+\.\d s\n`,
		`✓ instance hello-dev +deployed after \d+\.\d s\n`,
		`✓ instance hello-prod +deployed after \d+\.\d s\n`,
		`✓ pipeline of hello +deployed after \d+\.\d s\n`,
		`    Url +file:///.*hello-dev/site/index\.html\n`,
		`export AWS_SECRET_ACCESS_KEY=\S+\n`,
		`aws proton get-service --name hello\n`,
		`  \S+ api get-service --input-json '\{"name": "hello"\}'\n`,
		`starts it again`,
	} {
		if !regexp.MustCompile(want).MatchString(first.stdout) {
			t.Errorf("the first run does not print %s:\n%s", want, first.stdout)
		}
	}
	if strings.Contains(first.stdout, "\x1b") || first.stderr != "" {
		t.Errorf("terminal codes, or something on stderr:\n%q\n%s", first.stdout, first.stderr)
	}

	second := quick(t, data, "--exit").wantCode(t, 0)
	for _, want := range []string{"local-network   published already", "web-service         published already", "· environment local                    deployed already", "· service hello                        deployed already", "Everything is there. Outputs:"} {
		if !strings.Contains(second.stdout, want) {
			t.Errorf("the second run does not print %q:\n%s", want, second.stdout)
		}
	}
	if strings.Contains(second.stdout, "SECRET") {
		t.Errorf("the second run prints a secret:\n%s", second.stdout)
	}

	s := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	env := toServer(s.wait(t, servesOn), data)
	releaseAndDelete(t, env, filepath.Join(data, "quickstart"))
}

func releaseAndDelete(t *testing.T, env variables, state string) {
	t.Helper()
	site := t.TempDir()
	write(t, filepath.Join(site, "index.html"), "release two")
	if out, err := exec.Command(filepath.Join(state, "pipelines/hello/deploy.sh"), site).CombinedOutput(); err != nil {
		t.Fatalf("deploy.sh: %v: %s", err, out)
	}
	for _, instance := range []string{"hello-dev", "hello-prod"} {
		page, err := os.ReadFile(filepath.Join(state, "environments/local/services/hello", instance, "site/index.html"))
		if err != nil || string(page) != "release two" {
			t.Errorf("%s shows %q, %v", instance, page, err)
		}
	}
	ask(t, env, "delete-service", `{"name": "hello"}`)
	gone(t, env, "get-service", `{"name": "hello"}`)
	ask(t, env, "DeleteEnvironment", `{"name": "local"}`)
	gone(t, env, "GetEnvironment", `{"name": "local"}`)
	left, err := filepath.Glob(filepath.Join(strings.NewReplacer("[", `\[`).Replace(state), "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Without --exit it goes on serving what it has made; logs can be read.
func TestQuickstartGoesOnServing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	q := start(t, nil, "quickstart", "--listen", "127.0.0.1:0", "--data", data)
	env := toServer(q.wait(t, servesOn), data)
	q.wait(t, "(Serving)")
	instance := ask(t, env, "GetServiceInstance", `{"name": "hello-dev", "serviceName": "hello"}`)["serviceInstance"].(map[string]any)
	id := instance["lastSucceededDeploymentId"].(string)
	for _, args := range [][]string{{id}, {"--follow", id}, {"--timestamps", id}, {"--output", "json", id}} {
		got := hadron(t, env, append([]string{"deployment", "logs"}, args...)...).wantCode(t, 0)
		if !strings.Contains(got.stdout, "[hadron] running command: sh ./provision.sh") || !strings.Contains(got.stdout, "name=hello.localhost") {
			t.Errorf("deployment logs %v: %s", args, got.stdout)
		}
	}
	flat := hadron(t, env, "api", "list-service-instances", "--output", "text").wantCode(t, 0)
	if lines := strings.Split(flat.stdout, "\n"); !strings.HasPrefix(lines[0], "NAME ") || !strings.Contains(lines[0], "DEPLOYMENT STATUS") || !strings.Contains(lines[1], "SUCCEEDED") {
		t.Errorf("api --output text: %s", flat.stdout)
	}
	missing := hadron(t, env, "api", "GetService", "--input-json", `{"name": "nothing"}`).wantCode(t, 1)
	if !strings.HasPrefix(missing.stderr, "ResourceNotFoundException: ") || missing.stdout != "" {
		t.Errorf("a service that does not exist: %+v", missing)
	}
	if code := q.end(t); code != 0 {
		t.Errorf("exit code %d after a stop: %s", code, q.stderr.String())
	}
}

// A user's key may do what its policy says.
func TestUserCreate(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := start(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", data)
	env := toServer(s.wait(t, servesOn), data)
	policy := write(t, filepath.Join(t.TempDir(), "policy.json"), `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "proton:List*", "Resource": "*"}]}`)
	var user struct{ AccessKeyId, SecretAccessKey, Arn string }
	got := hadron(t, env, "user", "create", "ann", "--policy", policy, "--output", "json").wantCode(t, 0)
	if err := json.Unmarshal([]byte(got.stdout), &user); err != nil {
		t.Fatal(err)
	}
	ann := variables{"AWS_ENDPOINT_URL": env["AWS_ENDPOINT_URL"], "AWS_ACCESS_KEY_ID": user.AccessKeyId, "AWS_SECRET_ACCESS_KEY": user.SecretAccessKey}
	hadron(t, ann, "api", "ListServices").wantCode(t, 0)
	denied := hadron(t, ann, "api", "DeleteService", "--input-json", `{"name": "x"}`).wantCode(t, 1)
	if !strings.HasPrefix(denied.stderr, "AccessDeniedException: ") {
		t.Errorf("a call that the policy does not allow: %s", denied.stderr)
	}
	text := hadron(t, env, "user", "create", "bob", "--policy", policy).wantCode(t, 0)
	if !regexp.MustCompile(`export AWS_ENDPOINT_URL=http:\S+\n  export AWS_ACCESS_KEY_ID=\w+\n  export AWS_SECRET_ACCESS_KEY=\S+\n  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n`).MatchString(text.stdout) {
		t.Errorf("user create: %s", text.stdout)
	}
}

// What fails is explained with the end of its log, and the next run makes it
// good once the cause is gone.
func TestQuickstartThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ obstacle, what, log string }{
		"environment": {"quickstart/environments/local", "environment local: FAILED: ", "does not belong to this environment"},
		"pipeline":    {"quickstart/pipelines/hello", "pipeline of hello: FAILED: ", "does not belong to this pipeline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			mine := write(t, filepath.Join(data, c.obstacle, "mine"), "not to be touched")
			got := quick(t, data, "--exit").wantCode(t, 1)
			if !strings.Contains(got.stdout, "✗") || !strings.Contains(got.stderr, c.what) || !strings.Contains(got.stderr, c.log) {
				t.Errorf("stdout: %s\nstderr: %s", got.stdout, got.stderr)
			}
			if _, err := os.Stat(mine); err != nil {
				t.Errorf("somebody else's file was touched: %v", err)
			}
			if err := os.RemoveAll(filepath.Join(data, c.obstacle)); err != nil {
				t.Fatal(err)
			}
			quick(t, data, "--exit").wantCode(t, 0)
		})
	}
}

// Interrupted, it stops; run again, it goes on.
func TestQuickstartInterrupted(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	q := start(t, nil, "quickstart", "--listen", "127.0.0.1:0", "--data", data)
	q.wait(t, "(environment template local-network)")
	code := q.end(t)
	if strings.Contains(q.stdout.String(), "Serving.") {
		t.Skip("everything was deployed before it could be interrupted")
	}
	if code != 1 || !strings.Contains(q.stderr.String(), "run it again to go on") {
		t.Errorf("exit code %d\nstdout: %s\nstderr: %s", code, q.stdout.String(), q.stderr.String())
	}
	quick(t, data, "--exit").wantCode(t, 0)
}
