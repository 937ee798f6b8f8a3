package conformance

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hadronhq/hadron/internal/engine/cloudformation/cfntest"
	"github.com/hadronhq/hadron/test/conformance/story"
)

// A runner carries out the steps of a story with one client. It answers its
// command line and the variables that it needs.
type runner func(t *testing.T) (line, env []string)

var runners = map[string]runner{
	"boto3": func(t *testing.T) ([]string, []string) {
		return []string{filepath.Join(pinnedPython(t), "python3"), "-B", "boto3/story.py"}, nil
	},
	"cli": func(t *testing.T) ([]string, []string) {
		return []string{filepath.Join(pinnedPython(t), "python3"), "-B", "awscli/story.py"}, nil
	},
	"javascript": func(t *testing.T) ([]string, []string) {
		dir := installed(t, javascript, "javascript-v3.txt")
		return []string{"node", "javascript/story.mjs"}, []string{"JAVASCRIPT_SDK=" + dir}
	},
}

// moreRunners have clients that take long to start, or to build.
var moreRunners = map[string]runner{
	"java": func(t *testing.T) ([]string, []string) {
		dir := installed(t, java, moreClaims["java"])
		return []string{"java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", dir + "/*", "java/Story.java"}, nil
	},
	"rust": func(t *testing.T) ([]string, []string) {
		return []string{filepath.Join(installed(t, rust, moreClaims["rust"]), "story")}, nil
	},
}

var moreClaims = map[string]string{"java": "java-v2.txt", "rust": "rust.txt"}

// pinnedPython skips a test that needs the operations of the pinned versions.
func pinnedPython(t *testing.T) string {
	bin := clients(t)
	if _, ok := pinned.Load("boto3.txt"); !ok {
		t.Skip("the pinned boto3 and AWS CLI could not be installed")
	}
	return bin
}

// Every client goes through every story, all at once, each in a Region of its own.
func TestStories(t *testing.T) {
	t.Parallel()
	tell(t, runners)
}

// The same with clients that take long to start. What they are said to prove
// is held against this alone, so a part of it proves nothing.
func TestStoriesOfMoreClients(t *testing.T) {
	if os.Getenv("HADRON_MORE_CLIENTS") == "" {
		t.Skip("clients that take long to start have a run of their own: make test-more-clients")
	}
	t.Parallel()
	ended := tell(t, moreRunners)
	t.Cleanup(func() {
		for name, file := range moreClaims {
			if ended(name) {
				whole.Store(file, true)
			}
		}
	})
}

// tell goes through every story with each runner. Afterwards it knows which of
// them reached the end of each.
func tell(t *testing.T, runners map[string]runner) (ended func(runner string) bool) {
	stories, err := story.All(root)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]*atomic.Int64{}
	for name := range runners {
		ends[name] = &atomic.Int64{}
	}
	for _, s := range stories {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			settings := slices.Clone(s.Settings)
			if aws := "${aws}"; strings.Contains(strings.Join(settings, " "), aws) {
				played := cfntest.New(t).URL
				for n := range settings {
					settings[n] = strings.ReplaceAll(settings[n], aws, played)
				}
			}
			env := serve(t, "", settings...)
			keys := storyKeys(t, env)
			folder := t.TempDir()
			if s.Git {
				if err := story.WriteRepositories(folder); err != nil {
					t.Fatal(err)
				}
			}
			for name, command := range runners {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					region := "eu-" + name + "-1"
					line, more := command(t)
					more = append(more, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_MAX_ATTEMPTS=1")
					env := slices.Concat(env, more)
					variables := map[string]string{}
					if s.Git {
						variables["connection"] = connect(t, env, folder)
					}
					line = append(line, writeStory(t, s, keys, region, variables))
					run(t, env, line[0], line[1:]...)
					ends[name].Add(1)
				})
			}
		})
	}
	return func(runner string) bool { return ends[runner].Load() == int64(len(stories)) }
}

// key is an access key as runners read it.
type key struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

const account = "123456789012"

// storyKeys makes the users that stories know besides the root user.
func storyKeys(t *testing.T, env []string) map[string]key {
	t.Helper()
	keys := map[string]key{"root": {rootKey, rootSecret}}
	for name, user := range map[string]struct{ effect, account string }{"denied": {"Deny", account}, "other": {"Allow", "999988887777"}} {
		policy := filepath.Join(t.TempDir(), "policy.json")
		text := `{"Version": "2012-10-17", "Statement": [{"Effect": "` + user.effect + `", "Action": ["proton:*", "iam:PassRole"], "Resource": "*"}]}`
		if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), binary, "user", "create", name, "--policy", policy, "--account", user.account, "--output", "json")
		cmd.Env = env
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("make the user %s: %v\n%s", name, err, out)
		}
		var made struct{ AccessKeyID, SecretAccessKey string }
		if err := json.Unmarshal(out, &made); err != nil {
			t.Fatal(err)
		}
		keys[name] = key{made.AccessKeyID, made.SecretAccessKey}
	}
	return keys
}

// connect makes a connection to the repositories in a folder.
func connect(t *testing.T, env []string, folder string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "connection", "create", "--name", "local", "--provider", "GITHUB", "--kind", "git",
		"--url", "file://"+folder, "--output", "json")
	cmd.Env = env
	out, err := cmd.Output()
	var made struct{ ConnectionARN string }
	if err == nil {
		err = json.Unmarshal(out, &made)
	}
	if err != nil || made.ConnectionARN == "" {
		t.Fatalf("make a connection: %v\n%s", err, out)
	}
	return made.ConnectionARN
}

// writeStory writes what a runner reads.
func writeStory(t *testing.T, s story.Story, keys map[string]key, region string, variables map[string]string) string {
	t.Helper()
	all := map[string]string{"region": region, "account": account, "bucket": strings.ToLower("story-" + s.Name + "-" + region)}
	maps.Copy(all, variables)
	text, err := json.Marshal(map[string]any{
		"keys": keys, "steps": s.Steps, "variables": all,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "story.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
