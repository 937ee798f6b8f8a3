package pullrequest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/git"
)

// restore makes the branch anew if it conflicts with its base by now, is gone,
// or does not carry this deployment any more.
func (d *Driver) restore(ctx context.Context, r engine.Run, a Access, conflict bool) error {
	if !conflict {
		heads, err := d.Git.Heads(ctx, a.Remote, branch(r))
		if err != nil {
			return err
		}
		if sha := heads[branch(r)]; sha != "" {
			intact, err := d.intact(ctx, r, a, sha)
			if err != nil || intact {
				return err
			}
		}
	}
	fmt.Fprintf(r.Log, "branch %s is made anew\n", branch(r))
	_, err := d.push(ctx, r, a)
	return err
}

// intact reports whether the branch still carries the run's metadata.
func (d *Driver) intact(ctx context.Context, r engine.Run, a Access, sha string) (bool, error) {
	c, err := d.Git.Fetch(ctx, a.Remote, branch(r), sha)
	if err != nil {
		return false, err
	}
	defer c.Close()
	entries, err := c.Tree(ctx)
	if err != nil {
		return false, err
	}
	text, err := c.ReadFile(ctx, path.Join(folder(r, entries), metadataFile), 1<<20)
	if err != nil {
		return false, nil
	}
	return bytes.Equal(text, fileOf(r, metadataFile)), nil
}

func fileOf(r engine.Run, name string) []byte {
	i := slices.IndexFunc(r.Files, func(f engine.File) bool { return f.Path == name })
	if i < 0 {
		return nil
	}
	return r.Files[i].Content
}

// folder is where a resource's files are: below environments/ where the
// repository has that, though pipelines never.
func folder(r engine.Run, entries []git.Entry) string {
	has := slices.ContainsFunc(entries, func(e git.Entry) bool { return e.Path == "environments" && e.Kind == git.Folder })
	if has && r.Repository.Kind != "service_pipeline" {
		return path.Join("environments", r.Repository.Folder)
	}
	return r.Repository.Folder
}

// push makes the run's commit on top of the base and moves its branch there.
// It answers what people are told of it; nothing if there is nothing to remove.
func (d *Driver) push(ctx context.Context, r engine.Run, a Access) (text string, err error) {
	c, err := d.Git.Fetch(ctx, a.Remote, r.Repository.Branch, "")
	if err != nil {
		return "", err
	}
	defer c.Close()
	files, root, err := d.change(ctx, r, c)
	if err != nil || files == nil {
		return "", err
	}
	before, err := c.ReadFile(ctx, path.Join(root, inputsFile), 1<<20)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	_, err = c.Push(ctx, git.Change{
		Branch: branch(r), Message: title(r) + "\n", Author: d.Author, Email: d.Email, When: r.CreatedAt, Files: files,
	})
	return d.body(r, before), err
}

// change is what a run changes of a commit, and in which folder: nil if it removes a resource that
// is not there.
func (d *Driver) change(ctx context.Context, r engine.Run, c *git.Commit) (files map[string][]byte, root string, err error) {
	entries, err := c.Tree(ctx)
	if err != nil {
		return nil, "", err
	}
	root = folder(r, entries)
	there := func(name string) bool {
		return slices.ContainsFunc(entries, func(e git.Entry) bool { return e.Path == path.Join(root, name) && e.Kind == git.File })
	}
	if r.Goal == engine.Destroy && !there(metadataFile) {
		return nil, root, nil
	}
	files = map[string][]byte{}
	for _, f := range r.Files {
		content := f.Content
		if r.Goal == engine.Destroy && strings.HasSuffix(f.Path, ".tf") {
			if !there(f.Path) {
				continue
			}
			content = released(content)
		}
		files[path.Join(root, f.Path)] = content
	}
	if r.Goal == engine.Destroy {
		return files, root, nil // automation needs all of them to remove what they describe
	}
	return files, root, d.dropStale(ctx, c, entries, root, files)
}

// notice is how every Terraform file begins that was written here.
var notice = []byte("/*\nManaged by Proton:")

// dropStale removes the files of earlier deployments that are no part of the
// template any more. Files of others stay.
func (d *Driver) dropStale(ctx context.Context, c *git.Commit, entries []git.Entry, root string, files map[string][]byte) error {
	for _, e := range entries {
		if _, kept := files[e.Path]; kept || e.Kind != git.File || path.Dir(e.Path) != root || path.Ext(e.Path) != ".tf" {
			continue
		}
		content, err := c.Read(ctx, 1<<20, e)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(content[e.ID], notice) {
			files[e.Path] = nil
		}
	}
	return nil
}

// released replaces a file's notice by one that says that it is managed no
// more.
func released(content []byte) []byte {
	if _, rest, ok := bytes.Cut(content, []byte("*/\n\n")); ok && bytes.HasPrefix(content, notice) {
		content = rest
	}
	return append([]byte("/*\nNo longer managed by Proton: the resource was deleted in Proton.\n*/\n\n"), content...)
}
