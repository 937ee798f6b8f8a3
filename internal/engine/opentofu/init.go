package opentofu

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

const dependencyLock = ".terraform.lock.hcl"

// init makes the providers and modules ready that the files ask for. What it
// makes depends on nothing else of the files, so it is shared by all folders
// that ask for the same. Only remote modules, which may change under the same
// address, are fetched for each run anew, and what a template's own commands may
// have touched serves no other run.
func (s *session) init(ctx context.Context) error {
	own := s.needs.remote || s.needs.commands || !s.legible
	if !own {
		if _, ready := s.findInit(); ready {
			return nil
		}
	}
	lock, err := s.lockPlugins(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if own {
		return s.runInit(ctx)
	}
	dir, ready := s.findInit() // another run's, while we waited
	if ready {
		return nil
	}
	if err := s.runInit(ctx); err != nil {
		return err
	}
	return s.share(dir)
}

// findInit returns the folder of the init that serves the run, and whether it
// is there and was taken into use. Where the state still needs providers that
// the files do not, it is one of its own.
func (s *session) findInit() (dir string, ready bool) {
	dir = filepath.Join(s.inits(), s.initKey(nil))
	if whole(dir) && !s.serves(dir) {
		dir = filepath.Join(s.inits(), s.initKey(s.providers))
	}
	return dir, whole(dir) && s.use(dir)
}

// serves reports whether an init has the providers that the state needs.
func (s *session) serves(dir string) bool {
	for _, provider := range s.providers {
		if _, err := os.Stat(filepath.Join(dir, "data", "providers", filepath.FromSlash(provider))); err != nil {
			return false
		}
	}
	return true
}

// lockPlugins keeps inits apart: the tools' cache of providers is not made for
// two at a time.
func (s *session) lockPlugins(ctx context.Context) (*supervisor.Folder, error) {
	for {
		lock, err := supervisor.TryLock(filepath.Join(s.Root, "init-lock"), true)
		if lock != nil || err != nil {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, s.late(ctx)
		case <-time.After(supervisor.LockPoll):
		}
	}
}

// late words the end of ctx, as a failure if it is the run's own time-out.
func (s *session) late(ctx context.Context) error {
	cause := context.Cause(ctx)
	if late, ok := errors.AsType[engine.TimeoutError](cause); ok {
		return failure(fmt.Sprintf("%s init had to wait for another one until the time-out of %s", s.tool, late.After))
	}
	return cause
}

// share makes the run's init one that others can use.
func (s *session) share(dir string) error {
	fresh := dir + ".new"
	if err := engine.RemoveFolder(fresh); err != nil {
		return err
	}
	if err := os.MkdirAll(fresh, 0o700); err != nil {
		return err
	}
	err := copyFile(s.folder.Path("src", dependencyLock), filepath.Join(fresh, dependencyLock))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // there is none without providers
		return err
	}
	if err := os.Rename(s.env["TF_DATA_DIR"], filepath.Join(fresh, "data")); err != nil {
		return err
	}
	if err := engine.RemoveFolder(dir); err != nil { // one that has lost its providers
		return err
	}
	s.env["TF_DATA_DIR"] = filepath.Join(dir, "data")
	return os.Rename(fresh, dir)
}

// whole reports whether an init is there, with its providers.
func whole(dir string) bool {
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); err != nil {
		return false
	}
	// data/providers/host/namespace/type/version/platform, linked to the cache.
	providers, _ := filepath.Glob(filepath.Join(data, "providers", "*", "*", "*", "*", "*"))
	return !slices.ContainsFunc(providers, func(p string) bool {
		_, err := os.Stat(p)
		return err != nil
	})
}

// use takes an init into use that was made earlier.
func (s *session) use(dir string) bool {
	err := copyFile(filepath.Join(dir, dependencyLock), s.folder.Path("src", dependencyLock))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	now := time.Now()
	os.Chtimes(dir, now, now) // for Sweep
	s.env["TF_DATA_DIR"] = filepath.Join(dir, "data")
	return true
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

// runInit runs an init in the run's own folder.
func (s *session) runInit(ctx context.Context) error {
	s.env["TF_DATA_DIR"] = s.folder.Path("data")
	if err := engine.RemoveFolder(s.env["TF_DATA_DIR"]); err != nil {
		return err
	}
	output := &initOutput{log: s.log}
	// It starts no providers, whatever the files name.
	exit, err := s.runIn(ctx, s.initBox(), s.lazy(s.env), output, "init", "-input=false", "-no-color")
	if err == nil && exit != 0 {
		err = failure(fmt.Sprintf("%s init failed: %s", s.tool, output.failure(exit)))
	}
	return err
}

// initOutput keeps what init prints, up to a bound, and logs what it installs.
type initOutput struct {
	log  *engine.Log
	text bytes.Buffer
	seen int
}

func (o *initOutput) Write(p []byte) (int, error) {
	o.text.Write(p[:min(len(p), max(0, 1<<20-o.text.Len()))])
	for {
		line, _, whole := strings.Cut(o.text.String()[o.seen:], "\n")
		if !whole {
			return len(p), nil
		}
		o.seen += len(line) + 1
		if strings.HasPrefix(line, "- ") {
			o.log.Note(strings.TrimPrefix(line, "- "))
		}
	}
}

// failure returns the errors that init printed, without the frames around them.
func (o *initOutput) failure(exit int) string {
	o.log.Write(o.text.Bytes())
	var kept []string
	inError := false
	for line := range strings.Lines(o.text.String()) {
		line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "│╷╵"))
		switch {
		case strings.HasPrefix(line, "Error: "):
			inError = true
			kept = append(kept, strings.TrimPrefix(line, "Error: "))
		case strings.HasPrefix(line, "Warning: "):
			inError = false
		case inError && line != "":
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		return fmt.Sprintf("it exited with %d", exit)
	}
	text := head(strings.Join(kept, " "), maxFailure)
	for _, beginning := range []string{"Failed to resolve provider packages", "Failed to query available provider packages", "Failed to install provider"} {
		if strings.HasPrefix(kept[0], beginning) {
			text += ". Providers are downloaded by the server: it needs to reach their registry, by a proxy (HTTPS_PROXY) if need be, or a mirror of it, named in the file of TF_CLI_CONFIG_FILE"
		}
	}
	return text
}

// initKey names what an init makes: the tool, the kind of backend, the needs of
// the files, and providers that the state needs besides.
func (s *session) initKey(providers []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", s.binary)
	if info, err := os.Stat(s.binary); err == nil {
		fmt.Fprintln(h, info.Size(), info.ModTime().UnixNano())
	}
	fmt.Fprintf(h, "%q %q\n", s.override, providers)
	for _, fact := range slices.Sorted(maps.Keys(s.needs.facts)) {
		fmt.Fprintf(h, "%q\n", fact)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// needs is what an init has to make ready.
type needs struct {
	facts        map[string]bool
	remote       bool // a module is not in the folder itself
	commands     bool // an init may run commands of the template: to get at the keys of an encrypted state
	provisioners bool // an apply runs commands of the template; nothing to an init
}

// nothing reports whether there are no providers or modules to make ready: one
// init serves all such folders.
func (n needs) nothing() bool { return len(n.facts) == 0 && !n.remote && !n.commands }

// needsOf reads from the files what they ask an init for: the settings,
// providers and modules. A file it cannot read counts as a whole.
func needsOf(files []engine.File) needs {
	n := needs{facts: map[string]bool{}}
	for _, f := range files {
		dir, name := path.Split(f.Path)
		switch {
		case strings.HasSuffix(name, ".tf"), strings.HasSuffix(name, ".tofu"):
			parsed, diags := hclsyntax.ParseConfig(f.Content, f.Path, hcl.InitialPos)
			body, ok := parsed.Body.(*hclsyntax.Body)
			if diags.HasErrors() || !ok {
				n.add(f.Path, string(f.Content))
				continue
			}
			for _, block := range body.Blocks {
				n.addBlock(dir, block, f.Content)
			}
		case strings.HasSuffix(name, ".tf.json"), strings.HasSuffix(name, ".tofu.json"):
			n.add(f.Path, string(f.Content))
			n.remote = n.remote || bytes.Contains(f.Content, []byte(`"module"`))
		case name == dependencyLock:
			n.add(f.Path, string(f.Content))
		}
	}
	return n
}

// add takes note of settings, with their text last.
func (n *needs) add(words ...string) {
	n.facts[strings.Join(words, "\x00")] = true
	text := words[len(words)-1]
	n.commands = n.commands || strings.Contains(text, "encryption") || strings.Contains(text, `\u`) // which JSON may spell it with
}

func (n *needs) addBlock(dir string, b *hclsyntax.Block, source []byte) {
	text := func(attribute string) string {
		if a := b.Body.Attributes[attribute]; a != nil {
			return string(a.Expr.Range().SliceBytes(source))
		}
		return ""
	}
	label := ""
	if len(b.Labels) > 0 {
		label = b.Labels[0]
	}
	switch b.Type {
	case "terraform":
		if !demandsOnlyVersion(b.Body) { // which every command looks at
			n.add(dir, b.Type, bodyText(b, source))
		}
	case "provider":
		n.add(dir, b.Type, label, text("version"))
	case "resource", "data", "ephemeral":
		for _, inner := range b.Body.Blocks {
			n.provisioners = n.provisioners || inner.Type == "provisioner"
		}
		kind, _, _ := strings.Cut(label, "_")
		if kind != "terraform" || text("provider") != "" { // else, as terraform_data, part of the tool
			n.add(dir, "provider of", kind, text("provider"))
		}
	case "module":
		from := text("source")
		n.remote = n.remote || !strings.HasPrefix(from, `"./`) && !strings.HasPrefix(from, `"../`)
		n.add(dir, b.Type, label, from, text("version"))
	case "variable", "output", "locals", "moved":
	default:
		n.add(dir, b.Type, bodyText(b, source))
	}
}

func demandsOnlyVersion(b *hclsyntax.Body) bool {
	for name := range b.Attributes {
		if name != "required_version" {
			return false
		}
	}
	return len(b.Blocks) == 0
}

func bodyText(b *hclsyntax.Block, source []byte) string {
	return string(b.Body.Range().SliceBytes(source))
}
