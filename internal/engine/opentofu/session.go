package opentofu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

const (
	// overrideFile replaces the backend that the files name. Overrides are
	// merged in the order of their names, and none that people give comes later.
	overrideFile  = "~hadron_override.tf"
	overrideHTTP  = "terraform {\n  backend \"http\" {}\n}\n"
	overrideLocal = "terraform {\n  backend \"local\" {}\n}\n"

	// runMarker is a variable that all processes of a run have.
	runMarker = "HADRON_TOFU_RUN"
)

// session is the tool at work in a run's folder.
type session struct {
	*Driver
	folder    *supervisor.Folder
	run       engine.Run
	log       *engine.Log
	redact    *engine.Redactor
	keeper    *supervisor.Keeper
	binary    string // path
	tool      string // its name in messages
	override  string
	env       map[string]string
	secrets   []string
	notes     []string // lines for the log, until there is one
	providers []string // that the state needs
	legible   bool     // whether providers are known
	needs     needs
}

// open prepares a folder for the tool, up to the init. The session is there,
// to be closed and to word failures, also with an error.
func (d *Driver) open(ctx context.Context, f *supervisor.Folder, r engine.Run, override string) (*session, error) {
	s := &session{Driver: d, folder: f, run: r, override: override, secrets: slices.Clone(r.Secrets), needs: needsOf(r.Files)}
	err := s.findTool()
	if err == nil {
		s.keeper, err = f.Supervise(supervisor.Bounds{Grace: d.Grace, Silence: d.Silence}, d.spare)
	}
	for _, shared := range []string{s.plugins(), s.inits()} { // a box shows what is there
		if err == nil {
			err = os.MkdirAll(shared, 0o700)
		}
	}
	credentials := make(chan answer, 1)
	go func() { credentials <- s.askCredentials(ctx) }()
	var again bool
	if err == nil {
		again, err = s.fillFolder(ctx)
	}
	if got := <-credentials; err == nil {
		err = s.fillEnvironment(ctx, got)
	}
	s.redact = engine.NewRedactor(s.secrets...)
	s.log = engine.NewLog(r.Log, s.redact, d.Limits)
	for _, note := range s.notes {
		s.log.Note("[hadron] " + note)
	}
	if err != nil {
		return s, err
	}
	if again {
		s.log.Note("[hadron] the run was interrupted: it goes on from the state, with a new plan")
	}
	return s, s.init(ctx)
}

func (s *session) plugins() string { return filepath.Join(s.Root, "plugins") }
func (s *session) inits() string   { return filepath.Join(s.Root, "inits") }

// box is what the tool works in. Providers and inits are shared between runs, and
// what a template runs must not change them for others.
func (s *session) box() sandbox.Box {
	return sandbox.Box{Hide: s.Hide, Keep: []string{s.folder.Dir}, Show: []string{s.plugins(), s.inits()}, Limits: s.Bounds}
}

// initBox is what an init works in: it adds providers to the shared ones, unless
// the template has commands of its own run.
func (s *session) initBox() sandbox.Box {
	b := sandbox.Box{Hide: s.Hide, Keep: []string{s.folder.Dir}, Limits: s.Bounds}
	if !s.needs.commands {
		b.Keep = append(b.Keep, s.plugins())
	}
	return b
}

func (s *session) close() {
	if s.keeper != nil {
		s.keeper.Close()
		s.spare.RefillAfter(refillAfter)
	}
	s.log.Close()
}

// refillAfter is how long the next run's supervisor waits to be started, which takes
// time from what is going on: the tool, and then the record of its end.
const refillAfter = 50 * time.Millisecond

// presentable returns text without secrets, fit for a status message.
func (s *session) presentable(text string) string {
	lines := strings.Split(s.redact.String(text), "\n")
	for n, line := range lines {
		lines[n] = engine.Clean(line)
	}
	return strings.Join(lines, "\n")
}

// findTool finds the program to run.
func (s *session) findTool() error {
	path := ""
	for _, pair := range s.Environ {
		if value, ok := strings.CutPrefix(pair, "PATH="); ok {
			path = value
		}
	}
	names := []string{"tofu", "terraform"}
	if s.Binary != "" {
		names = []string{s.Binary}
	}
	for _, name := range names {
		if s.binary = engine.FindProgram(path, name); s.binary == "" {
			continue
		}
		s.tool = "OpenTofu"
		if strings.HasPrefix(filepath.Base(s.binary), "terraform") {
			s.tool = "Terraform"
		}
		return nil
	}
	if s.Binary != "" {
		return failure(fmt.Sprintf("the OpenTofu program %q cannot be run on the server: set HADRON_TOFU to the path of a tofu or terraform program", s.Binary))
	}
	return failure("neither tofu nor terraform is in the server's PATH: install OpenTofu there, or set HADRON_TOFU to the path of a tofu or terraform program")
}

// fillFolder writes the files, after what an earlier try has left was looked at.
func (s *session) fillFolder(ctx context.Context) (again bool, err error) {
	if _, err := s.rescue(ctx, s.folder, s.run, nil); err != nil {
		return false, err
	}
	if again, err = fresh(s.folder); err != nil {
		return again, err
	}
	state, err := s.States.Pull(ctx, StateName(s.run.ResourceARN))
	if err != nil {
		return again, fmt.Errorf("read the state: %w", err)
	}
	s.providers, s.legible = stateProviders(state)
	s.secrets = append(s.secrets, stateSecrets(state)...)
	files := append(slices.Clone(s.run.Files), engine.File{Path: overrideFile, Content: []byte(s.override)})
	if s.override == overrideLocal && state != nil {
		files = append(files, engine.File{Path: "terraform.tfstate", Mode: 0o600, Content: state})
	}
	err = engine.WriteFiles(s.folder.Path("src"), files)
	if err != nil && !engine.Transient(err) {
		err = failure(err.Error())
	}
	return again, err
}

// inherited are the variables that the tool, beside those of every engine,
// gets from the server's environment: it may have to download providers.
var inherited = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "TF_CLI_CONFIG_FILE",
}

func (s *session) fillEnvironment(ctx context.Context, credentials answer) error {
	s.env = engine.Environment(s.Environ, s.folder.Path("home"), s.folder.Path("tmp"))
	for _, pair := range s.Environ {
		name, value, _ := strings.Cut(pair, "=")
		if !slices.Contains(inherited, name) || value == "" {
			continue
		}
		s.env[name] = value
		if proxy, err := url.Parse(value); err == nil && proxy.User != nil {
			password, _ := proxy.User.Password()
			s.secrets = append(s.secrets, password)
		}
	}
	if file := s.env["TF_CLI_CONFIG_FILE"]; file != "" {
		if _, err := os.Stat(file); err != nil {
			delete(s.env, "TF_CLI_CONFIG_FILE") // the tool would complain at each call
		}
	}
	s.env["AWS_REGION"], s.env["AWS_DEFAULT_REGION"] = s.run.Region, s.run.Region
	if err := s.addIdentity(ctx, credentials); err != nil {
		return err
	}
	maps.Copy(s.env, map[string]string{
		"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
		runMarker: s.folder.Dir,
	})
	if !s.needs.commands {
		s.env["TF_PLUGIN_CACHE_DIR"], s.env["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = s.plugins(), "1"
	}
	if s.override == overrideHTTP {
		return s.addBackend(ctx)
	}
	return nil
}

// answer is the credentials for a run, as variables.
type answer struct {
	variables map[string]string
	err       error
}

func (s *session) askCredentials(ctx context.Context) answer {
	if s.Credentials == nil {
		return answer{}
	}
	variables, err := s.Credentials(ctx, s.run)
	return answer{variables, err}
}

func (s *session) addIdentity(ctx context.Context, credentials answer) error {
	if credentials.err != nil {
		return classify("credentials for the run", credentials.err)
	}
	if len(credentials.variables) == 0 {
		s.notes = append(s.notes, "no AWS credentials are configured: the run has none")
	}
	for name, value := range credentials.variables {
		s.env[name] = value
		switch name {
		case "AWS_ACCESS_KEY_ID", "AWS_CREDENTIAL_EXPIRATION", "AWS_REGION", "AWS_DEFAULT_REGION":
		default:
			s.secrets = append(s.secrets, value)
		}
	}
	if s.Environment == nil {
		return nil
	}
	more, err := s.Environment(ctx, s.run)
	if err != nil {
		return classify("environment of the run", err)
	}
	maps.Copy(s.env, more)
	return nil
}

// addBackend says where the state is. Only variables say it, so that an init
// serves every state.
func (s *session) addBackend(ctx context.Context) error {
	id, secret, err := s.Key(ctx, s.run)
	if err != nil {
		return classify("access key for the state", err)
	}
	s.secrets = append(s.secrets, secret)
	address := strings.TrimSuffix(s.URL, "/") + "/" + StateName(s.run.ResourceARN) + "?run=" + url.QueryEscape(s.run.ID)
	maps.Copy(s.env, map[string]string{
		"TF_HTTP_ADDRESS": address, "TF_HTTP_LOCK_ADDRESS": address, "TF_HTTP_UNLOCK_ADDRESS": address,
		"TF_HTTP_USERNAME": id, "TF_HTTP_PASSWORD": secret,
	})
	return nil
}

// classify tells what is worth repeating from what fails the run.
func classify(what string, err error) error {
	if engine.Transient(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return failure(fmt.Sprintf("%s: %v", what, err))
}

// carryOut plans and applies, under one lock and in one process: nobody can
// change anything in between, and the tool and its providers, which take longer
// to start than most plans to make, start once. The plan is in the log.
func (s *session) carryOut(ctx context.Context) error {
	args := []string{"-input=false", "-json", "-auto-approve"}
	if s.run.Goal == engine.Destroy {
		args = append(args, "-destroy")
	}
	e := &events{log: s.log}
	if s.run.Planned != nil {
		e.plan = func() { s.run.Planned(s.changes(e)) }
	}
	exit, err := s.call(ctx, e, "apply", args...)
	if err == nil && exit != 0 {
		err = s.fault(ctx, "apply", exit, e)
	}
	return err
}

// preview plans without a lock.
func (s *session) preview(ctx context.Context) (engine.Changes, error) {
	args := []string{"-input=false", "-json", "-lock=false"}
	if s.run.Goal == engine.Destroy {
		args = append(args, "-destroy")
	}
	e := &events{log: s.log}
	exit, err := s.call(ctx, e, "plan", args...)
	if err == nil && exit != 0 {
		err = s.fault(ctx, "plan", exit, e)
	}
	if err != nil {
		return engine.Changes{}, err
	}
	return s.changes(e), nil
}

// changes is what a plan has told.
func (s *session) changes(e *events) engine.Changes {
	c := engine.Changes{Summary: s.presentable(e.summary)}
	if c.Summary == "" {
		c.Summary = "No changes."
	}
	slices.Sort(e.planned) // the tool prints them as it finds them
	for _, line := range e.planned {
		c.Details = append(c.Details, s.presentable(line))
	}
	return c
}

// call runs a command of the tool that prints events.
func (s *session) call(ctx context.Context, e *events, command string, args ...string) (int, error) {
	exit, err := s.raw(ctx, e, command, args...)
	e.flush()
	return exit, err
}

// raw runs a command of the tool; its output goes to w.
func (s *session) raw(ctx context.Context, w io.Writer, command string, args ...string) (int, error) {
	env := s.env
	if s.solitary() {
		env = s.lazy(env)
	}
	return s.runIn(ctx, s.box(), env, w, command, args...)
}

// lazy has the tool collect no garbage, which takes a quarter of its time, while
// it holds little of what it may.
func (s *session) lazy(env map[string]string) map[string]string {
	little := int64(256 << 20)
	if most := s.Bounds.Memory; most > 0 {
		little = min(little, most/2)
	}
	env = maps.Clone(env)
	env["GOGC"], env["GOMEMLIMIT"] = "off", strconv.FormatInt(little, 10)
	return env
}

// solitary reports whether the tool will start no other programs, which would
// have its environment too: providers hold a lot.
func (s *session) solitary() bool {
	return s.needs.nothing() && !s.needs.provisioners && s.legible && len(s.providers) == 0
}

func (s *session) runIn(ctx context.Context, box sandbox.Box, env map[string]string, w io.Writer, command string, args ...string) (int, error) {
	ctx, ended := engine.Trace(ctx, filepath.Base(s.binary)+" "+command)
	env = engine.Joined(ctx, env)
	exit, err := s.keeper.Run(ctx, supervisor.Program{
		Argv: append([]string{s.binary, command}, args...), Dir: s.folder.Path("src"), Env: engine.Environ(env), Box: box,
		Forward: s.forward(), More: command == "init",
	}, w)
	engine.Note(ctx, "process.exit.code", exit)
	ended(err)
	if late, ok := errors.AsType[engine.TimeoutError](err); ok {
		return exit, failure(fmt.Sprintf("%s %s was still running at the time-out of %s", s.tool, command, late.After))
	}
	if fail, ok := errors.AsType[supervisor.Failure](err); ok {
		return exit, failure(fmt.Sprintf("%s %s failed: %s", s.tool, command, fail))
	}
	return exit, err
}

// forward is the address of the states, if the tool must not be left waiting for
// a server that stands still. Only names of addresses will do.
func (s *session) forward() string {
	at, err := url.Parse(s.URL)
	if err != nil || s.Silence == 0 || at.Scheme != "http" {
		return ""
	}
	address, err := netip.ParseAddrPort(at.Host)
	if err != nil || !address.Addr().Is4() {
		return ""
	}
	return at.Host
}

// errorLocked is how the tools begin the error about a lock that someone else
// holds. Their errors have no codes.
const errorLocked = "Error acquiring the state lock"

// fault words a command's failure.
func (s *session) fault(ctx context.Context, command string, exit int, e *events) error {
	for _, d := range e.errors {
		if d.Summary != errorLocked {
			continue
		}
		holder, err := s.States.Holder(ctx, StateName(s.run.ResourceARN))
		if err != nil {
			return err
		}
		if holder != "" {
			return &blockedError{"the state is locked by " + holder}
		}
		if strings.Contains(d.Detail, "Lock Info") { // given up meanwhile
			return &blockedError{"the state was locked by someone else"}
		}
	}
	return failure(fmt.Sprintf("%s %s failed: %s", s.tool, command, e.failure(exit)))
}

// rescue delivers the state that a tool has left in the folder because it
// could not reach the backend. One that does not follow the state that is kept
// is put aside for people, below Root. It reports whether it delivered one.
func (d *Driver) rescue(ctx context.Context, f *supervisor.Folder, r engine.Run, log *engine.Log) (bool, error) {
	file := leftState(f)
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	note := func(text string) {
		if log != nil {
			log.Note("[hadron] " + text)
		}
	}
	run := r.ID
	if r.Held != nil {
		held, err := r.Held(ctx)
		if err != nil {
			return false, fmt.Errorf("whether the run is still this server's: %w", err)
		}
		if !held {
			run = "" // the lock may be that of the run's next try: none may be in the way
		}
	}
	err = d.States.Push(ctx, StateName(r.ResourceARN), run, content)
	if err == nil {
		note("the tool could not deliver its state: that was made up for")
		return true, os.Remove(file)
	}
	if engine.Transient(err) {
		return false, fmt.Errorf("deliver the state that the tool has left: %w", err)
	}
	aside, failed := d.putAside(f)
	note(fmt.Sprintf("the state that the tool has left was put aside, as %s: %v", aside, err))
	return false, failed
}

// leftState is where the tools write a state that they can't deliver.
func leftState(f *supervisor.Folder) string { return f.Path("src", "errored.tfstate") }

// putAside moves the state that a tool has left in a run's folder to where
// people find it. fs.ErrNotExist without one.
func (d *Driver) putAside(f *supervisor.Folder) (aside string, err error) {
	if _, err := os.Lstat(leftState(f)); err != nil {
		return "", err
	}
	aside = filepath.Join(d.Root, "undelivered", fmt.Sprintf("%s-%d.tfstate", filepath.Base(f.Dir), time.Now().Unix()))
	return aside, errors.Join(os.MkdirAll(filepath.Dir(aside), 0o700), os.Rename(leftState(f), aside))
}
