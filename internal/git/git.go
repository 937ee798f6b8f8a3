// Package git reads and writes strangers' repositories with the git program.
//
// Nothing of a repository is ever checked out: trees and files are read from
// the object store, and commits are built in it. So hooks, filters, submodules
// and links of a repository have nothing to act on, and no path in it can name
// a file outside. Credentials reach git in its environment, for one address
// alone: they are in no argument, no address and no file (an SSH key is in a
// file of its own while git runs).
//
// Clones are kept, one commit deep, bounded each and in all, and may be lost
// at any time. The package knows no forges and no Proton.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/hadronhq/hadron/internal/auth"
)

// Remote is a repository elsewhere.
type Remote struct {
	URL      string // https, http, ssh or file; without credentials
	User     string
	Password auth.Secret
	Key      auth.Secret // private key, for ssh
}

// Config is what a Git is made of. Zero values take the defaults named.
type Config struct {
	Folder        string        // for clones; made if it is not there
	Program       string        // git
	MaxRepository int64         // bytes of one clone; 250 MB
	MaxCache      int64         // bytes of all clones; 1 GB
	Timeout       time.Duration // of one call of git; 5 min
}

// Git runs the git program. It is safe for concurrent use.
type Git struct {
	Config
	mu     sync.Mutex
	clones map[string]*clone
}

// What can be wrong with a repository, apart from what git says.
var (
	ErrNoBranch = errors.New("the branch does not exist")
	ErrTooLarge = errors.New("the repository is too large")
)

// Error is what git said when it could not do what it was asked for.
type Error struct {
	Doing   string
	Message string
	// Denied: the server did not accept the credentials, or there is no such
	// repository for them.
	Denied bool
}

func (e *Error) Error() string { return e.Doing + ": " + e.Message }

// Transient reports whether the same may succeed later.
func (e *Error) Transient() bool { return !e.Denied }

// settings is the only configuration that git reads. Large files pass through it
// in pieces (bigFileThreshold): a gigabyte of zeros is a pack of one megabyte.
const settings = `[core]
	hooksPath = /dev/null
	attributesFile = /dev/null
	excludesFile = /dev/null
	fsmonitor = false
	symlinks = false
	bigFileThreshold = 8m
[init]
	templateDir =
	defaultBranch = main
[credential]
	helper =
[fetch]
	recurseSubmodules = false
	unpackLimit = 1
[transfer]
	fsckObjects = true
	credentialsInUrl = die
[submodule]
	recurse = false
[gc]
	auto = 0
[maintenance]
	auto = false
[http]
	followRedirects = false
	lowSpeedLimit = 1000
	lowSpeedTime = 30
[safe]
	directory = *
[advice]
	detachedHead = false
`

// New makes a Git. An error says that the program is not there or too old.
func New(c Config) (*Git, error) {
	if c.Program == "" {
		c.Program = "git"
	}
	if c.MaxRepository == 0 {
		c.MaxRepository = 250 << 20
	}
	if c.MaxCache == 0 {
		c.MaxCache = 1 << 30
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Minute
	}
	program, err := exec.LookPath(c.Program)
	if err != nil {
		return nil, fmt.Errorf("git is not installed: %w", err)
	}
	c.Program = program
	if c.Folder, err = filepath.Abs(c.Folder); err != nil {
		return nil, err
	}
	g := &Git{Config: c, clones: map[string]*clone{}}
	for _, folder := range []string{g.Folder, g.home(), filepath.Join(g.Folder, "clones")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	return g, os.WriteFile(g.settingsFile(), []byte(settings), 0o600)
}

func (g *Git) home() string         { return filepath.Join(g.Folder, "home") }
func (g *Git) settingsFile() string { return filepath.Join(g.Folder, "gitconfig") }

// call is one run of git.
type call struct {
	doing  string // for errors
	folder string
	remote *Remote // whose credentials it needs; nil: none, and no network
	env    []string
	input  []byte
	output int64 // most bytes of its output; 1 MB
	args   []string
}

// passed are the variables of the server's own environment that git sees.
var passed = []string{"PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
	"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"}

func (g *Git) environment(r *Remote) (env []string, done func(), err error) {
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	env = append(env, "HOME="+g.home(), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+g.settingsFile(),
		"GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1")
	if r == nil {
		return append(env, "GIT_ALLOW_PROTOCOL="), func() {}, nil
	}
	scheme, _, _ := strings.Cut(r.URL, "://")
	env = append(env, "GIT_ALLOW_PROTOCOL="+scheme)
	switch {
	case scheme == "ssh":
		return g.sshEnvironment(env, r)
	case r.Password != "":
		env = append(env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http."+r.URL+".extraHeader",
			"GIT_CONFIG_VALUE_0=Authorization: Basic "+basic(r.User, r.Password))
	}
	return env, func() {}, nil
}

// sshEnvironment keeps the key in a file while git runs: ssh reads it nowhere
// else. Keys of hosts are remembered from the first contact on.
func (g *Git) sshEnvironment(env []string, r *Remote) ([]string, func(), error) {
	command := "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=" + shellWord(filepath.Join(g.Folder, "known_hosts"))
	done := func() {}
	if r.Key != "" {
		f, err := os.CreateTemp(g.home(), "key-*") // mode 0600
		if err != nil {
			return nil, done, err
		}
		done = func() { os.Remove(f.Name()) }
		_, err = f.WriteString(strings.TrimSpace(string(r.Key)) + "\n")
		if err = errors.Join(err, f.Close()); err != nil {
			done()
			return nil, func() {}, err
		}
		command += " -o IdentitiesOnly=yes -i " + shellWord(f.Name())
	}
	return append(env, "GIT_SSH_COMMAND="+command), done, nil
}

func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// run runs git and answers its output.
func (g *Git) run(ctx context.Context, c call) ([]byte, error) {
	env, done, err := g.environment(c.remote)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, g.Timeout, fmt.Errorf("git did not end in %v", g.Timeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, g.Program, c.args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.folder, append(env, c.env...), bytes.NewReader(c.input)
	if c.folder == "" {
		cmd.Dir = g.home()
	}
	if c.output == 0 {
		c.output = 1 << 20
	}
	var problems bounded
	stdout := bounded{max: c.output}
	problems.max = 16 << 10
	cmd.Stdout, cmd.Stderr = &stdout, &problems
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	switch {
	case context.Cause(ctx) != nil && err != nil:
		return nil, fmt.Errorf("%s: %w", c.doing, context.Cause(ctx))
	case err != nil:
		return nil, g.explain(c, problems.String(), err)
	case stdout.over:
		return nil, fmt.Errorf("%s: %w: git answered more than %d bytes", c.doing, ErrTooLarge, c.output)
	}
	return stdout.Bytes(), nil
}

var denied = regexp.MustCompile(`(?i)authentication failed|could not read (username|password)|permission denied|access denied|error: 40[134]|repository .*not found|does not appear to be a git repository|terminal prompts disabled`)

// explain words what git said, without what is secret.
func (g *Git) explain(c call, said string, err error) error {
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.Map(printable, strings.ToValidUTF8(line, "\uFFFD")) // the server may have written it
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "fatal: "), "remote: "))
		if line != "" {
			lines = append(lines, line)
		}
	}
	message := strings.Join(lines[max(0, len(lines)-4):], "; ")
	if message == "" {
		message = err.Error()
	}
	if c.remote != nil {
		for _, secret := range []auth.Secret{c.remote.Password, auth.Secret(basic(c.remote.User, c.remote.Password))} {
			if len(secret) > 3 {
				message = strings.ReplaceAll(message, string(secret), "…")
			}
		}
	}
	if strings.Contains(said, "terminal prompts disabled") { // how git says that the server wants other credentials
		message = "authentication failed: the server does not accept the credentials"
	}
	if strings.Contains(said, "Host key verification failed") {
		message = "the server's host key is not the one of the first contact; if that is right, remove its line from " + filepath.Join(g.Folder, "known_hosts")
	}
	return &Error{Doing: c.doing, Message: message, Denied: c.remote != nil && denied.MatchString(said)}
}

func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

// bounded keeps what is written to it up to a size and drops the rest.
type bounded struct {
	bytes.Buffer
	max  int64
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.max - int64(b.Len())
	if int64(len(p)) > room {
		b.over = true
		b.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// ReadFrom hides the buffer's own, which knows no bound.
func (b *bounded) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{b}, r)
}

// Heads answers the commits that branches are at; a branch that does not exist
// is not in the answer. It moves a few hundred bytes.
func (g *Git) Heads(ctx context.Context, r Remote, branches ...string) (map[string]string, error) {
	args := []string{"ls-remote", "--heads", "--", r.URL}
	for _, b := range branches {
		if CheckBranch(b) == nil {
			args = append(args, "refs/heads/"+b)
		}
	}
	out, err := g.run(ctx, call{doing: "look at " + r.URL, remote: &r, args: args, output: 8 << 20})
	if err != nil {
		return nil, err
	}
	heads := map[string]string{}
	for line := range strings.Lines(string(out)) {
		sha, ref, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok && objectName.MatchString(sha) {
			heads[branch] = sha
		}
	}
	return heads, nil
}

var objectName = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// CheckBranch refuses what is no name of a branch, with the reason.
func CheckBranch(name string) error {
	switch {
	case name == "" || name == "@" || strings.HasPrefix(name, "-"),
		strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.Contains(name, "//"),
		strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || strings.HasSuffix(name, "."),
		strings.ContainsAny(name, " ~^:?*[\\") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no name of a branch", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return fmt.Errorf("%q is no name of a branch", name)
		}
	}
	return nil
}
