// Package pullrequest provisions Terraform the way Proton's self-managed
// method did: it opens a pull request with the files, and whoever owns the
// repository has automation apply them and report how that went.
//
// A run has one branch, named after it, so whatever was done before a crash is
// found again: a commit of the same files on the same base is the same commit,
// and a branch has one pull request. Branches are cut from the base as it is,
// each changes the folder of one resource alone, and runs do not get in each
// other's way. What a stranger does to the branch is undone while the pull
// request is open.
package pullrequest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/git"
)

// Access is the way to a repository and its pull requests.
type Access struct {
	Remote git.Remote
	Pulls  forge.PullRequests
}

// Driver opens pull requests. It is safe for concurrent use.
type Driver struct {
	Git *git.Git
	// Access finds the repository of a run.
	Access func(ctx context.Context, r engine.Run) (Access, error)
	Author string // of commits
	Email  string
	// Poll is how often open pull requests are looked at, without being told.
	Poll time.Duration
}

// metadataFile tells automation what a folder is, and changes at every
// deployment.
const metadataFile = ".proton/deployment-metadata.json"

// progress is a checkpoint.
type progress struct {
	Number  int64  `json:"number,omitempty"`
	URL     string `json:"url,omitempty"`
	State   string `json:"state,omitempty"`   // last told of in the log
	Problem string `json:"problem,omitempty"` // likewise
}

func (p progress) String() string {
	text, _ := json.Marshal(p) // cannot fail
	return string(text)
}

// branch is where a run's change is.
func branch(r engine.Run) string { return "proton--proton-" + r.Repository.Kind + "-" + r.ID }

// title is that of the commit and of the pull request.
func title(r engine.Run) string {
	return "Update requested for Proton - " + r.ResourceARN[strings.LastIndex(r.ResourceARN, ":")+1:]
}

// Step opens the pull request of a run, or looks what has become of it and
// what has been reported.
func (d *Driver) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	var p progress
	if checkpoint != "" {
		if err := json.Unmarshal([]byte(checkpoint), &p); err != nil {
			return engine.Status{}, engine.MarkPermanent(fmt.Errorf("checkpoint: %w", err))
		}
	}
	report, err := r.Report(ctx)
	if err != nil {
		return engine.Status{}, err
	}
	if status, ended := d.reported(r, report); ended {
		return status, nil
	}
	access, err := d.Access(ctx, r)
	if err != nil {
		return d.unreachable(ctx, r, p, err)
	}
	if p.Number == 0 {
		return d.open(ctx, r, access)
	}
	pull, err := access.Pulls.Get(ctx, r.Repository.Name, p.Number)
	if err != nil {
		return d.unreachable(ctx, r, p, err)
	}
	return d.follow(ctx, r, access, p, pull)
}

// reported is the end that automation has reported, if it has.
func (d *Driver) reported(r engine.Run, report engine.Report) (engine.Status, bool) {
	switch report.Status {
	case "SUCCEEDED":
		return engine.Status{Done: true, Outputs: report.Outputs, Resources: resources(r)}, true
	case "FAILED":
		if report.Message == "" {
			report.Message = "The deployment was reported as failed."
		}
		return engine.Status{Done: true, Failure: report.Message}, true
	}
	return engine.Status{}, false
}

// resources is what Proton listed of such a resource: its folder.
func resources(r engine.Run) []engine.Resource {
	return []engine.Resource{{Name: r.Repository.Folder, Identifier: r.Repository.Name + "/" + r.Repository.Branch + "/" + r.Repository.Folder}}
}

// unreachable keeps a run waiting whose pull request is open: who owns the
// repository may still apply it and report. Nothing else can be waited for.
func (d *Driver) unreachable(ctx context.Context, r engine.Run, p progress, err error) (engine.Status, error) {
	if ctx.Err() != nil {
		return engine.Status{}, context.Cause(ctx)
	}
	if p.Number == 0 {
		return engine.Status{}, err
	}
	if p.Problem != err.Error() {
		p.Problem = err.Error()
		fmt.Fprintf(r.Log, "the pull request could not be looked at: %v\n", err)
	}
	return engine.Status{Wait: d.Poll, Checkpoint: p.String()}, nil
}

// open makes the branch and its pull request, where they are not there yet.
func (d *Driver) open(ctx context.Context, r engine.Run, a Access) (engine.Status, error) {
	pull, err := a.Pulls.Find(ctx, r.Repository.Name, branch(r))
	if err != nil {
		return engine.Status{}, err
	}
	if pull == nil {
		made, err := d.push(ctx, r, a)
		if err != nil {
			return engine.Status{}, err
		}
		if !made {
			fmt.Fprintln(r.Log, "nothing of the resource is in the repository: there is nothing to remove")
			return engine.Status{Done: true}, nil
		}
		pull, err = a.Pulls.Open(ctx, r.Repository.Name, forge.NewPullRequest{Title: title(r), Body: body(r), Branch: branch(r), Base: r.Repository.Branch})
		if err != nil {
			return engine.Status{}, err
		}
	}
	fmt.Fprintf(r.Log, "pull request %s is open\n", pull.URL)
	p := progress{Number: pull.Number, URL: pull.URL, State: string(forge.Open)}
	return engine.Status{Wait: d.Poll, Checkpoint: p.String()}, nil
}

// body tells people what a pull request is about.
func body(r engine.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Resource: `%s`\nDeployment: `%s`\n", r.ResourceARN, r.DeploymentID)
	if r.Goal == engine.Destroy {
		b.WriteString("\nThe resource is being deleted. Merging this removes what was provisioned of it.\n")
	}
	return b.String()
}

// follow says where a run stands whose pull request is known.
func (d *Driver) follow(ctx context.Context, r engine.Run, a Access, p progress, pull *forge.PullRequest) (engine.Status, error) {
	p.Problem = ""
	if p.State != string(pull.State) {
		p.State = string(pull.State)
		fmt.Fprintf(r.Log, "pull request %s is %s\n", p.URL, pull.State)
	}
	switch {
	case pull.State == forge.Closed && r.Goal == engine.Destroy:
		return engine.Status{Done: true, Failure: "Pull request " + p.URL + " was closed without being merged."}, nil
	case pull.State == forge.Closed:
		return engine.Status{Done: true, Cancelled: true, Failure: "Pull request " + p.URL + " was closed without being merged."}, nil
	case pull.State == forge.Merged && r.Goal == engine.Destroy: // the published automation does not report removals
		return engine.Status{Done: true}, nil
	case pull.State == forge.Open:
		if err := d.restore(ctx, r, a, pull); err != nil {
			return d.unreachable(ctx, r, p, err)
		}
	}
	return engine.Status{Wait: d.Poll, Checkpoint: p.String()}, nil
}

// restore makes the branch anew if it conflicts with its base by now, is gone,
// or does not carry this deployment any more.
func (d *Driver) restore(ctx context.Context, r engine.Run, a Access, pull *forge.PullRequest) error {
	if !pull.Conflict {
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
// made is false if there is nothing to remove.
func (d *Driver) push(ctx context.Context, r engine.Run, a Access) (made bool, err error) {
	c, err := d.Git.Fetch(ctx, a.Remote, r.Repository.Branch, "")
	if err != nil {
		return false, err
	}
	defer c.Close()
	files, err := d.change(ctx, r, c)
	if err != nil || files == nil {
		return false, err
	}
	_, err = c.Push(ctx, git.Change{
		Branch: branch(r), Message: title(r) + "\n", Author: d.Author, Email: d.Email, When: r.CreatedAt, Files: files,
	})
	return err == nil, err
}

// change is what a run changes of a commit: nil if it removes a resource that
// is not there.
func (d *Driver) change(ctx context.Context, r engine.Run, c *git.Commit) (map[string][]byte, error) {
	entries, err := c.Tree(ctx)
	if err != nil {
		return nil, err
	}
	root := folder(r, entries)
	there := func(name string) bool {
		return slices.ContainsFunc(entries, func(e git.Entry) bool { return e.Path == path.Join(root, name) && e.Kind == git.File })
	}
	if r.Goal == engine.Destroy && !there(metadataFile) {
		return nil, nil
	}
	files := map[string][]byte{}
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
		return files, nil // automation needs all of them to remove what they describe
	}
	return files, d.dropStale(ctx, c, entries, root, files)
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

// Cancel closes the pull request of a run. One that is merged can't be undone.
func (d *Driver) Cancel(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	report, err := r.Report(ctx)
	if err != nil {
		return engine.Status{}, err
	}
	if status, ended := d.reported(r, report); ended {
		return status, nil
	}
	a, err := d.Access(ctx, r)
	if err != nil {
		return engine.Status{}, err
	}
	pull, err := a.Pulls.Find(ctx, r.Repository.Name, branch(r))
	if err != nil || pull == nil {
		return engine.Status{}, err
	}
	switch pull.State {
	case forge.Merged:
		return engine.Status{}, fmt.Errorf("pull request %s is merged already", pull.URL)
	case forge.Closed:
		return engine.Status{}, nil
	}
	return engine.Status{}, a.Pulls.Close(ctx, r.Repository.Name, pull.Number)
}

// Preview says which files a pull request would change.
func (d *Driver) Preview(ctx context.Context, r engine.Run) (engine.Changes, error) {
	a, err := d.Access(ctx, r)
	if err != nil {
		return engine.Changes{}, err
	}
	c, err := d.Git.Fetch(ctx, a.Remote, r.Repository.Branch, "")
	if err != nil {
		return engine.Changes{}, err
	}
	defer c.Close()
	files, err := d.change(ctx, r, c)
	if err != nil {
		return engine.Changes{}, err
	}
	changes := engine.Changes{Summary: fmt.Sprintf("A pull request on %s would change %d files.", r.Repository.Name, len(files))}
	for name, content := range files {
		was, err := c.ReadFile(ctx, name, 1<<20)
		switch {
		case content == nil:
			changes.Details = append(changes.Details, "remove "+name)
		case err != nil && err != fs.ErrNotExist:
			return changes, err
		case err != nil:
			changes.Details = append(changes.Details, "add "+name)
		case !bytes.Equal(was, content):
			changes.Details = append(changes.Details, "change "+name)
		}
	}
	slices.Sort(changes.Details)
	return changes, nil
}
