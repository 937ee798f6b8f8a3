package git

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
)

func basic(user string, password auth.Secret) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + string(password)))
}

// clone is the kept copy of a repository. Who uses it holds it.
type clone struct {
	sync.Mutex
	folder string
	used   time.Time // guarded by Git.mu
}

// clone answers, held, the clone of an address.
func (g *Git) clone(r Remote) *clone {
	sum := sha256.Sum256([]byte(r.URL + "\x00" + r.User + "\x00" + string(r.Password) + string(r.Key))) // what one may see another may not
	name := hex.EncodeToString(sum[:16])
	g.mu.Lock()
	c := g.clones[name]
	if c == nil {
		c = &clone{folder: filepath.Join(g.Folder, "clones", name)}
		g.clones[name] = c
	}
	c.used = time.Now()
	g.mu.Unlock()
	c.Lock()
	return c
}

// Commit is one commit of a kept clone, which it holds until it is closed.
type Commit struct {
	SHA    string
	git    *Git
	clone  *clone
	remote Remote
	close  sync.Once
}

// Close lets go of the clone. Closing it twice does no harm.
func (c *Commit) Close() { c.close.Do(c.clone.Unlock) }

// Fetch brings the commit that a branch is at into a kept clone. If it is the
// wanted one and is there already, nothing is moved. ErrNoBranch, ErrTooLarge.
func (g *Git) Fetch(ctx context.Context, r Remote, branch, wanted string) (_ *Commit, err error) {
	if err := CheckBranch(branch); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBranch, err)
	}
	c := g.clone(r)
	defer func() {
		if err != nil {
			c.Unlock()
		}
	}()
	if wanted != "" && g.has(ctx, c, wanted) {
		return &Commit{SHA: wanted, git: g, clone: c, remote: r}, nil
	}
	ref := "refs/hadron/" + hex.EncodeToString([]byte(branch))
	fresh, err := g.prepare(ctx, c)
	if err == nil {
		err = g.fetchBounded(ctx, c, r, "+refs/heads/"+branch+":"+ref)
	}
	if errors.Is(err, ErrTooLarge) && !fresh { // what was kept of earlier commits may be what is too much
		if _, err = g.prepare(ctx, c); err == nil {
			err = g.fetchBounded(ctx, c, r, "+refs/heads/"+branch+":"+ref)
		}
	}
	if failed, ok := errors.AsType[*Error](err); ok && strings.Contains(failed.Message, "couldn't find remote ref") {
		return nil, fmt.Errorf("%w: %s has no branch %s", ErrNoBranch, r.URL, branch)
	}
	if err != nil {
		return nil, err
	}
	out, err := g.run(ctx, call{doing: "read branch " + branch, folder: c.folder, args: []string{"rev-parse", "--verify", ref + "^{commit}"}})
	if err != nil {
		return nil, err
	}
	g.trim(c)
	return &Commit{SHA: strings.TrimSpace(string(out)), git: g, clone: c, remote: r}, nil
}

func (g *Git) has(ctx context.Context, c *clone, sha string) bool {
	if _, err := os.Stat(c.folder); err != nil || !objectName.MatchString(sha) {
		return false
	}
	_, err := g.run(ctx, call{doing: "look for a commit", folder: c.folder, args: []string{"rev-parse", "--verify", "--quiet", sha + "^{tree}"}})
	return err == nil
}

// prepare makes the clone if it is not there, and reports whether it did.
func (g *Git) prepare(ctx context.Context, c *clone) (bool, error) {
	if _, err := os.Stat(filepath.Join(c.folder, "HEAD")); err == nil {
		return false, nil
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return true, err
	}
	_, err := g.run(ctx, call{doing: "make a clone", folder: c.folder, args: []string{"init", "--quiet", "--bare", "."}})
	return true, err
}

// fetchBounded fetches and stops as soon as the clone is larger than allowed.
func (g *Git) fetchBounded(ctx context.Context, c *clone, r Remote, refspec string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if size(c.folder) > g.MaxRepository {
				cancel(ErrTooLarge)
				return
			}
		}
	})
	_, err := g.run(ctx, call{doing: "clone " + r.URL, folder: c.folder, remote: &r, args: []string{"fetch", "--quiet", "--depth=1", "--no-tags",
		"--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--update-shallow", "--", r.URL, refspec}})
	close(stop)
	watch.Wait()
	if err == nil && size(c.folder) > g.MaxRepository {
		err = ErrTooLarge
	}
	if errors.Is(err, ErrTooLarge) {
		_ = os.RemoveAll(c.folder)
		return fmt.Errorf("clone %s: %w: it has more than %d bytes", r.URL, ErrTooLarge, g.MaxRepository)
	}
	return err
}

// size is how many bytes a folder has; what can't be read counts nothing.
func size(folder string) int64 {
	var n int64
	_ = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && !d.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// trim removes the clones that were not used for longest while all together
// are too large. Held ones stay, and so do those of another process.
func (g *Git) trim(held *clone) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*clone, 0, len(g.clones))
	var total int64
	sizes := map[*clone]int64{}
	for _, c := range g.clones {
		sizes[c] = size(c.folder)
		total += sizes[c]
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *clone) int { return a.used.Compare(b.used) })
	for _, c := range all {
		if total <= g.MaxCache {
			return
		}
		if c == held || !c.TryLock() {
			continue
		}
		_ = os.RemoveAll(c.folder)
		total -= sizes[c]
		c.Unlock()
	}
}

// Entry is one entry of a commit's tree.
type Entry struct {
	Path string // slash-separated, from the root
	ID   string // of the object: equal content has an equal id
	Kind Kind
	Mode fs.FileMode
	Size int64 // of files
}

// Kind is what an entry is.
type Kind int

const (
	File Kind = iota
	Folder
	Link      // symbolic
	Submodule // a commit of another repository
)

// Tree lists everything that is in the commit, folders before what is in them.
func (c *Commit) Tree(ctx context.Context) ([]Entry, error) {
	out, err := c.git.run(ctx, call{doing: "list commit " + c.SHA, folder: c.clone.folder, output: 64 << 20,
		args: []string{"ls-tree", "-r", "-t", "-z", "-l", "--full-tree", c.SHA}})
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for record := range bytes.SplitSeq(out, []byte{0}) {
		if len(record) == 0 {
			continue
		}
		e, err := parseEntry(string(record))
		if err != nil {
			return nil, fmt.Errorf("list commit %s: %w", c.SHA, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// parseEntry reads "mode type id size<tab>path".
func parseEntry(record string) (Entry, error) {
	head, path, ok := strings.Cut(record, "\t")
	fields := strings.Fields(head)
	if !ok || len(fields) != 4 || !fs.ValidPath(path) || strings.Contains(path, "\x00") {
		return Entry{}, fmt.Errorf("%q is no entry of a tree", record)
	}
	e := Entry{Path: path, ID: fields[2], Mode: 0o644}
	switch fields[0] {
	case "040000":
		e.Kind = Folder
	case "120000":
		e.Kind = Link
	case "160000":
		e.Kind = Submodule
	case "100755":
		e.Mode = 0o755
	}
	e.Size, _ = strconv.ParseInt(fields[3], 10, 64)
	return e, nil
}

// Read answers the content of files, by their ids. Together they may have up
// to max bytes. ErrTooLarge.
func (c *Commit) Read(ctx context.Context, max int64, files ...Entry) (map[string][]byte, error) {
	var request strings.Builder
	var total int64
	for _, f := range files {
		total += f.Size
		request.WriteString(f.ID + "\n")
	}
	if total > max {
		return nil, fmt.Errorf("read commit %s: %w: the files have %d bytes together, more than %d", c.SHA, ErrTooLarge, total, max)
	}
	out, err := c.git.run(ctx, call{doing: "read commit " + c.SHA, folder: c.clone.folder, input: []byte(request.String()),
		output: total + int64(len(files))*128 + 1024, args: []string{"cat-file", "--batch"}})
	if err != nil {
		return nil, err
	}
	contents := map[string][]byte{}
	for _, f := range files {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		if want := fmt.Sprintf("%s blob %d", f.ID, f.Size); string(head) != want || int64(len(rest)) < f.Size+1 {
			return nil, fmt.Errorf("read commit %s: %s is not there", c.SHA, f.Path)
		}
		contents[f.ID], out = rest[:f.Size:f.Size], rest[f.Size+1:]
	}
	return contents, nil
}

// ReadFile answers one file by its path; fs.ErrNotExist without it.
func (c *Commit) ReadFile(ctx context.Context, path string, max int64) ([]byte, error) {
	entries, err := c.Tree(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Path == path })
	switch {
	case i < 0:
		return nil, fs.ErrNotExist
	case entries[i].Kind != File:
		return nil, errors.New("is not a regular file")
	}
	contents, err := c.Read(ctx, max, entries[i])
	return contents[entries[i].ID], err
}
