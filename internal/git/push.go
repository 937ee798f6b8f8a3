package git

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Change is a commit to be made on top of another.
type Change struct {
	Branch  string // to be made, or to be moved there
	Message string
	Author  string // name
	Email   string
	When    time.Time
	Files   map[string][]byte // by path; nil removes a file
}

// Push makes a commit on top of c and moves a branch of the remote there,
// wherever it is. The same change of the same commit is the same commit: doing
// it again does nothing.
func (c *Commit) Push(ctx context.Context, change Change) (sha string, err error) {
	if err := CheckBranch(change.Branch); err != nil {
		return "", err
	}
	tree, err := c.writeTree(ctx, change.Files)
	if err != nil {
		return "", err
	}
	when := fmt.Sprintf("%d +0000", change.When.Unix())
	out, err := c.git.run(ctx, call{doing: "commit", folder: c.clone.folder, input: []byte(change.Message),
		env: []string{
			"GIT_AUTHOR_NAME=" + change.Author, "GIT_AUTHOR_EMAIL=" + change.Email, "GIT_AUTHOR_DATE=" + when,
			"GIT_COMMITTER_NAME=" + change.Author, "GIT_COMMITTER_EMAIL=" + change.Email, "GIT_COMMITTER_DATE=" + when,
		},
		args: []string{"commit-tree", tree, "-p", c.SHA, "-F", "-"}})
	if err != nil {
		return "", err
	}
	sha = strings.TrimSpace(string(out))
	_, err = c.git.run(ctx, call{doing: "push to " + c.remote.URL, folder: c.clone.folder, remote: &c.remote,
		args: []string{"push", "--quiet", "--force", "--no-verify", "--no-recurse-submodules", "--", c.remote.URL, sha + ":refs/heads/" + change.Branch}})
	return sha, err
}

// writeTree is the commit's tree with files changed, in an index of its own.
func (c *Commit) writeTree(ctx context.Context, files map[string][]byte) (string, error) {
	index := filepath.Join(c.clone.folder, "index-of-a-change")
	defer os.Remove(index)
	_ = os.Remove(index) // of a process that was killed
	env := []string{"GIT_INDEX_FILE=" + index}
	if _, err := c.git.run(ctx, call{doing: "read commit " + c.SHA, folder: c.clone.folder, env: env, args: []string{"read-tree", c.SHA}}); err != nil {
		return "", err
	}
	var changes strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := checkPath(path); err != nil {
			return "", err
		}
		if files[path] == nil {
			fmt.Fprintf(&changes, "0 %040d\t%s\x00", 0, path)
			continue
		}
		out, err := c.git.run(ctx, call{doing: "write " + path, folder: c.clone.folder, input: files[path], args: []string{"hash-object", "-w", "--stdin"}})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&changes, "100644 %s\t%s\x00", strings.TrimSpace(string(out)), path)
	}
	_, err := c.git.run(ctx, call{doing: "change files", folder: c.clone.folder, env: env, input: []byte(changes.String()), args: []string{"update-index", "-z", "--index-info"}})
	if err != nil {
		return "", err
	}
	out, err := c.git.run(ctx, call{doing: "write a tree", folder: c.clone.folder, env: env, args: []string{"write-tree"}})
	return strings.TrimSpace(string(out)), err
}

func checkPath(path string) error {
	if !fs.ValidPath(path) || path == "." || slices.ContainsFunc(strings.Split(path, "/"), func(part string) bool { return strings.EqualFold(part, ".git") }) {
		return fmt.Errorf("%q is no path in a repository", path)
	}
	return nil
}
