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
	"errors"
	"fmt"
	"io/fs"
	"slices"
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
	// Timeout is how long after a pull request was opened its deployment fails if
	// nobody has decided or reported; zero: never.
	Timeout time.Duration
	// ConfirmRemovals has removals wait for a report, too: else their merge ends
	// them, for the published automation does not report those.
	ConfirmRemovals bool
	// Page answers where people see a deployment; nil: nowhere.
	Page func(r engine.Run) string
}

// progress is a checkpoint.
type progress struct {
	Number  int64  `json:"number,omitempty"`
	URL     string `json:"url,omitempty"`
	State   string `json:"state,omitempty"`   // last told of in the log
	Problem string `json:"problem,omitempty"` // likewise
	// Conflict: the server said so at the last look. It may only not have found
	// out yet after the base has moved.
	Conflict bool `json:"conflict,omitempty"`
}

func parse(checkpoint string) (p progress, err error) {
	if checkpoint == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(checkpoint), &p); err != nil {
		return p, engine.MarkPermanent(fmt.Errorf("checkpoint: %w", err))
	}
	return p, nil
}

func (p progress) String() string {
	text, _ := json.Marshal(p) // cannot fail
	return string(text)
}

// Step opens the pull request of a run, or looks what has become of it and
// what has been reported.
func (d *Driver) Step(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	log := engine.NewLog(r.Log, engine.NewRedactor(r.Secrets...), engine.LogLimits{})
	defer log.Close()
	r.Log = log
	p, status, err := d.begin(ctx, r, checkpoint)
	if err != nil || status.Done {
		return status, err
	}
	access, err := d.Access(ctx, r)
	if err != nil {
		return d.unreachable(ctx, r, p, err)
	}
	if p.Number == 0 {
		return d.open(ctx, r, access, p)
	}
	pull, err := access.Pulls.Get(ctx, r.Repository.Name, p.Number)
	if err != nil {
		return d.unreachable(ctx, r, p, err)
	}
	return d.follow(ctx, r, access, p, pull)
}

// begin reads how far a run is. Its status is Done if automation has reported the
// end.
func (d *Driver) begin(ctx context.Context, r engine.Run, checkpoint string) (p progress, end engine.Status, err error) {
	if p, err = parse(checkpoint); err != nil {
		return p, end, err
	}
	report, err := r.Report(ctx)
	if err != nil {
		return p, end, err
	}
	switch report.Status {
	case "SUCCEEDED":
		end = engine.Status{Done: true, Outputs: report.Outputs, Resources: resources(r)}
	case "FAILED":
		if report.Message == "" {
			report.Message = "The deployment was reported as failed."
		}
		end = engine.Status{Done: true, Failure: report.Message}
	}
	return p, end, nil
}

// resources is what Proton listed of such a resource: its folder.
func resources(r engine.Run) []engine.Resource {
	return []engine.Resource{{Name: r.Repository.Folder, Identifier: r.Repository.Name + "/" + r.Repository.Branch + "/" + r.Repository.Folder}}
}

// unreachable keeps a run waiting whose pull request is open: who owns the
// repository may still apply it and report. Without one only what the server
// says itself can be waited for: that it wants to be asked less often.
func (d *Driver) unreachable(ctx context.Context, r engine.Run, p progress, err error) (engine.Status, error) {
	if ctx.Err() != nil {
		return engine.Status{}, context.Cause(ctx)
	}
	refused, ok := errors.AsType[*forge.Error](err)
	if p.Number == 0 && (!ok || !refused.Limited()) {
		return engine.Status{}, err
	}
	if p.Problem != err.Error() {
		p.Problem = err.Error()
		fmt.Fprintf(r.Log, "the pull request could not be looked at: %v\n", err)
	}
	wait := d.Poll
	if ok {
		wait = max(wait, refused.RetryAfter)
	}
	return engine.Status{Wait: wait, Checkpoint: p.String()}, nil
}

// open makes the branch and its pull request, where they are not there yet.
func (d *Driver) open(ctx context.Context, r engine.Run, a Access, p progress) (engine.Status, error) {
	pull, err := a.Pulls.Find(ctx, r.Repository.Name, branch(r))
	if err != nil {
		return d.unreachable(ctx, r, p, err)
	}
	if pull == nil {
		text, err := d.push(ctx, r, a)
		if err != nil {
			return engine.Status{}, err
		}
		if text == "" {
			fmt.Fprintln(r.Log, "nothing of the resource is in the repository: there is nothing to remove")
			return engine.Status{Done: true}, nil
		}
		pull, err = a.Pulls.Open(ctx, r.Repository.Name, forge.NewPullRequest{Title: title(r), Body: text, Branch: branch(r), Base: r.Repository.Branch})
		if err != nil {
			return d.unreachable(ctx, r, p, err)
		}
	}
	fmt.Fprintf(r.Log, "pull request %s is %s\n", pull.URL, pull.State)
	p = progress{Number: pull.Number, URL: engine.Clean(pull.URL), State: string(pull.State)}
	return engine.Status{Wait: d.Poll, Checkpoint: p.String()}, nil
}

// follow says where a run stands whose pull request is known.
func (d *Driver) follow(ctx context.Context, r engine.Run, a Access, p progress, pull *forge.PullRequest) (engine.Status, error) {
	p.Problem = ""
	if p.State != string(pull.State) {
		p.State = string(pull.State)
		fmt.Fprintf(r.Log, "pull request %s is %s\n", p.URL, pull.State)
	}
	late := d.Timeout > 0 && time.Since(pull.CreatedAt) > d.Timeout
	switch {
	case late: // though it is closed by now, for that was done here
		return d.giveUp(ctx, r, a, p, pull)
	case pull.State == forge.Closed:
		failure := "Pull request " + p.URL + " was closed without being merged."
		return engine.Status{Done: true, Cancelled: r.Goal == engine.Apply, Failure: failure}, nil
	case pull.State == forge.Merged && r.Goal == engine.Destroy && !d.ConfirmRemovals:
		return engine.Status{Done: true}, nil
	case pull.State == forge.Open && pull.Conflict && !p.Conflict:
		p.Conflict = true
		return engine.Status{Wait: min(d.Poll, secondLook), Checkpoint: p.String()}, nil
	case pull.State == forge.Open:
		p.Conflict = false
		if err := d.restore(ctx, r, a, pull.Conflict); err != nil {
			return d.unreachable(ctx, r, p, err)
		}
	}
	return engine.Status{Wait: d.Poll, Checkpoint: p.String()}, nil
}

// secondLook is how soon a conflict is looked at again before something is done
// about it.
const secondLook = 3 * time.Second

// giveUp ends a run that nobody has decided in time.
func (d *Driver) giveUp(ctx context.Context, r engine.Run, a Access, p progress, pull *forge.PullRequest) (engine.Status, error) {
	if pull.State == forge.Open {
		if err := a.Pulls.Close(ctx, r.Repository.Name, pull.Number); err != nil {
			return d.unreachable(ctx, r, p, err)
		}
	}
	what := "was closed: it was not merged"
	if pull.State == forge.Merged {
		what = "is merged, but nobody has reported the end of it"
	}
	return engine.Status{Done: true, Failure: fmt.Sprintf("Pull request %s %s within the time-out of %s.", p.URL, what, d.Timeout)}, nil
}

// Cancel closes the pull request of a run. One that is merged can't be undone.
func (d *Driver) Cancel(ctx context.Context, r engine.Run, checkpoint string) (engine.Status, error) {
	p, status, err := d.begin(ctx, r, checkpoint)
	if err != nil || status.Done {
		return status, err
	}
	a, err := d.Access(ctx, r)
	if err != nil {
		return engine.Status{}, err
	}
	var pull *forge.PullRequest
	if p.Number != 0 {
		pull, err = a.Pulls.Get(ctx, r.Repository.Name, p.Number)
	} else {
		pull, err = a.Pulls.Find(ctx, r.Repository.Name, branch(r))
	}
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
	files, _, err := d.change(ctx, r, c)
	if err != nil {
		return engine.Changes{}, err
	}
	changes := engine.Changes{Summary: fmt.Sprintf("A pull request on %s would change %d files.", r.Repository.Name, len(files))}
	for name, content := range files {
		was, err := c.ReadFile(ctx, name, 1<<20)
		switch {
		case content == nil:
			changes.Details = append(changes.Details, "remove "+name)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
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
