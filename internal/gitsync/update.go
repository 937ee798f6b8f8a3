package gitsync

import (
	"context"
	"fmt"
	"strings"

	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/proton"
)

// update is the sync of one branch to the commit that it is at.
type update struct {
	*round
	branch string
	key    string
	sha    string // empty: there is no such branch
	asked  bool   // somebody wants it synced although it may be the same
	quiet  bool   // nothing changed, but something is to be tried again
	failed []string
}

func branchOf(key string) string {
	_, branch, _ := strings.Cut(key, " ")
	return branch
}

func (u *update) kind() proton.SyncType {
	kind, _, _ := strings.Cut(u.key, " ")
	return proton.SyncType(kind)
}

// stateKey names the state of the branch's syncs.
func (u *update) stateKey() string {
	return proton.RepositoryStateKey(u.repository.Provider, u.repository.Name, u.branch, u.kind())
}

func (u *update) revision(directory string) proton.SyncRevision {
	if directory == "" {
		directory = "/"
	}
	return proton.SyncRevision{Provider: u.repository.Provider, Repository: u.repository.Name, Branch: u.branch, Directory: directory, SHA: u.sha}
}

// change changes what is known of the branch's syncs.
func (u *update) change(ctx context.Context, change func(*proton.SyncState)) error {
	return u.record(ctx, proton.SubjectRepository, u.stateKey(), "", change)
}

// do syncs the branch. done is false if it is to be tried again although
// nothing changes: what stood in the way is outside.
func (u *update) do(ctx context.Context, problem error) (done bool, err error) {
	if problem == nil && u.sha == "" {
		problem = fmt.Errorf("branch %s does not exist in %s", u.branch, u.repository.Name)
		done = true
	}
	if problem != nil {
		return done, u.fail(ctx, problem)
	}
	if !u.quiet {
		err = u.change(ctx, func(s *proton.SyncState) {
			s.Begin(newID(), string(u.repository.ARN()), u.revision(""), now())
			s.Latest.Status = proton.SyncInProgress
			s.Latest.Note(proton.EventCloneStarted, "Clone started", "", now())
		})
		if err != nil {
			return false, err
		}
	}
	commit, err := u.Git.Fetch(ctx, u.remote, u.branch, u.sha)
	if err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, u.fail(ctx, err)
	}
	defer commit.Close()
	u.sha = commit.SHA
	if !u.quiet {
		err = u.change(ctx, func(s *proton.SyncState) {
			s.Latest.Target = u.revision("")
			s.Latest.Note(proton.EventConfigUpdated, "Updated configuration", "", now())
			s.Latest.Note(proton.EventStartingSync, "Starting syncs for commit "+u.sha, u.sha, now())
		})
		if err != nil {
			return false, err
		}
	}
	entries, err := commit.Tree(ctx)
	if err != nil {
		return false, u.fail(ctx, err)
	}
	if err := u.syncAll(ctx, &snapshot{commit, entries}); err != nil {
		return false, err
	}
	if u.quiet {
		return true, nil
	}
	return true, u.change(ctx, func(s *proton.SyncState) {
		for _, text := range u.failed {
			s.Latest.Note(proton.EventConfigInvalid, text, u.sha, now())
		}
		s.Latest.Status = proton.SyncSucceeded
		if len(u.failed) > 0 {
			s.Latest.Status = proton.SyncFailed
			return
		}
		s.Succeeded = s.Latest
	})
}

// fail records that the branch could not be read. The same failure, looked at
// again, is no new attempt.
func (u *update) fail(ctx context.Context, problem error) error {
	text := "Clone failed: " + problem.Error()
	u.Logger.WarnContext(ctx, "a repository could not be synced", "repository", string(u.repository.ARN()), "branch", u.branch, "err", problem)
	return u.change(ctx, func(s *proton.SyncState) {
		if s.Latest != nil && s.Latest.Status == proton.SyncFailed && !u.asked && s.Latest.Refers(proton.EventCloneFailed, u.sha) {
			if last := s.Latest.Events[len(s.Latest.Events)-1]; last.Text == text {
				return
			}
		}
		if s.Latest == nil || s.Latest.Status.Ended() {
			s.Begin(newID(), string(u.repository.ARN()), u.revision(""), now())
			s.Latest.Note(proton.EventCloneStarted, "Clone started", "", now())
		}
		s.End(proton.SyncFailed, proton.EventCloneFailed, text, u.sha, now())
	})
}

// snapshot is a commit with the list of what is in it.
type snapshot struct {
	*git.Commit
	entries []git.Entry
}

// syncAll syncs what is configured of the branch.
func (u *update) syncAll(ctx context.Context, c *snapshot) error {
	if u.kind() == proton.ServiceSync {
		return u.syncServices(ctx, c)
	}
	// Environment templates first: service templates of the same commit may
	// name them.
	for _, kind := range []proton.TemplateKind{proton.EnvironmentTemplate, proton.ServiceTemplate} {
		for _, config := range u.templates {
			if config.Kind != kind || config.Branch != u.branch {
				continue
			}
			if err := u.syncTemplate(ctx, c, config); err != nil {
				return err
			}
		}
	}
	return nil
}
