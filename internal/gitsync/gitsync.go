// Package gitsync keeps up with what is in linked repositories: template
// versions and the specs of services.
//
// All its work is jobs: a round looks where the branches of one repository
// are, which costs little, and syncs what has changed. Rounds of a repository
// follow each other, whatever asks for them and on whatever node they run: who
// works holds a lease, and every write says which claim it belongs to. What a
// round does it does by the control plane's own code, in transactions that
// also record what was synced, so a round that is cut short and done again
// repeats nothing that shows.
//
// It holds no rules about templates or services.
package gitsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Config is what a Syncer is made of.
type Config struct {
	Store  *store.Store
	Plane  *control.Plane
	Git    *git.Git
	Forges *forge.Forges
	Sealer *auth.Sealer
	Limits bundle.Limits
	Owner  string        // names this process in leases
	Poll   time.Duration // how often each repository is looked at
	Logger *slog.Logger
}

// Syncer syncs repositories. It is safe for concurrent use.
type Syncer struct{ Config }

// New makes a Syncer.
func New(c Config) *Syncer { return &Syncer{c} }

const (
	lease     = 15 * time.Second
	heartbeat = 4 * time.Second
)

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Handlers are the kinds of jobs that a Syncer does.
func (s *Syncer) Handlers() map[jobs.Kind]jobs.Handler {
	return map[jobs.Kind]jobs.Handler{jobs.SyncRepository: s.sync}
}

// Watch queues a round, once a second, for every repository whose turn it is
// to be looked at, and for those whose worker is gone. It returns when ctx ends.
func (s *Syncer) Watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := s.Store.PollSyncs(ctx, s.Poll); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "look for repositories to sync", "err", err)
		}
	}
}

// sync works off the rounds that were asked for of one repository.
func (s *Syncer) sync(ctx context.Context, j jobs.Job) (jobs.Next, error) {
	var r proton.RepositorySync
	ok := false
	err := s.Store.Update(ctx, func(tx *store.Tx) (err error) {
		r, ok, err = tx.ClaimSync(ctx, j.Key, s.Owner, lease)
		return err
	})
	if err != nil || !ok {
		return jobs.Done(), err
	}
	err = jobs.Hold(ctx, heartbeat, func(ctx context.Context) error {
		return s.Store.SyncHeartbeat(ctx, r.ID, r.Attempt, lease)
	}, func(held context.Context) error { return s.rounds(held, r) })
	switch {
	case errors.Is(err, jobs.ErrLost):
		s.Logger.WarnContext(ctx, "sync lost to another worker", "repository", r.Repository)
	case errors.Is(context.Cause(ctx), jobs.ErrStopping):
		s.letGo(context.WithoutCancel(ctx), r, true)
	case err != nil:
		s.letGo(ctx, r, false) // so that the next try need not wait for the lease
		return jobs.Done(), fmt.Errorf("sync %s:%s: %w", r.Provider, r.Repository, err)
	}
	return jobs.Done(), nil
}

// letGo gives up the lease, and has another worker carry on.
func (s *Syncer) letGo(ctx context.Context, r proton.RepositorySync, requeue bool) {
	err := s.Store.Update(ctx, func(tx *store.Tx) error {
		held, err := tx.HeldSync(ctx, r.ID, r.Attempt)
		if err != nil {
			return err
		}
		held.LeaseOwner, held.LeaseUntil = "", time.Time{}
		if err := tx.SaveHeldSync(ctx, held); err != nil || !requeue {
			return err
		}
		_, err = tx.RequestSync(ctx, r.ID)
		return err
	})
	if err != nil && !errors.Is(err, jobs.ErrLost) {
		s.Logger.ErrorContext(ctx, "let go of a sync", "repository", r.Repository, "err", err)
	}
}

// rounds goes on until no round is wanted any more.
func (s *Syncer) rounds(ctx context.Context, r proton.RepositorySync) error {
	for {
		w := &round{Syncer: s, work: r, heads: map[string]proton.Head{}}
		if err := w.do(ctx); err != nil {
			return err
		}
		again, done := false, r.Wanted
		err := s.Store.Update(ctx, func(tx *store.Tx) error {
			held, err := tx.HeldSync(ctx, r.ID, r.Attempt)
			if err != nil {
				return err
			}
			held.Done = done
			if w.idle {
				held.PollAt = time.Time{}
			}
			if held.Heads == nil {
				held.Heads = map[string]proton.Head{}
			}
			for key, head := range w.heads {
				head.Asked = held.Heads[key].Asked // perhaps asked for again meanwhile
				held.Heads[key] = head
			}
			if again = held.Wanted > held.Done; !again {
				held.LeaseOwner, held.LeaseUntil = "", time.Time{}
			}
			r = held
			return tx.SaveHeldSync(ctx, held)
		})
		if err != nil || !again {
			return err
		}
	}
}

// round is one round of syncing a repository.
type round struct {
	*Syncer
	work       proton.RepositorySync
	repository proton.Repository
	templates  []proton.TemplateSyncConfig
	services   []proton.ServiceSyncConfig
	specs      map[string][]string    // branches that specs are read from, by the key of the ops file's
	waiting    map[string]bool        // branches, by their keys, of what is to be tried again
	heads      map[string]proton.Head // what has been processed, by key
	remote     git.Remote
	idle       bool // nothing is synced from the repository
}

// do looks where the branches are and syncs what has changed.
func (w *round) do(ctx context.Context) error {
	found, err := w.read(ctx)
	if err != nil {
		return err
	}
	if !found || len(w.templates)+len(w.services) == 0 {
		w.idle = true
		return nil
	}
	branches := w.branches()
	at, problem := w.look(ctx, branches)
	if problem != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, key := range w.keys() {
		branch, known := branchOf(key), w.work.Heads[key]
		asked := known.Asked > known.Answered
		sha := at[branch]
		if problem == nil && !asked && sha == known.SHA && !w.waiting[key] && !w.specMoved(key, at) {
			continue
		}
		u := &update{round: w, branch: branch, key: key, sha: sha, asked: asked, quiet: problem == nil && !asked && sha == known.SHA}
		u.quiet = u.quiet && !w.specMoved(key, at)
		done, err := u.do(ctx, problem)
		if err != nil {
			return err
		}
		if done {
			w.heads[key] = proton.Head{SHA: sha, Answered: known.Asked}
		}
	}
	return nil
}

// read reads what is synced from the repository.
func (w *round) read(ctx context.Context) (found bool, err error) {
	w.waiting, w.specs = map[string]bool{}, map[string][]string{}
	err = w.Store.View(ctx, func(tx *store.Tx) error {
		if w.repository, found, err = tx.RepositoryByID(ctx, w.work.ID); err != nil || !found {
			return err
		}
		r := w.repository
		if w.templates, err = tx.TemplateSyncsFrom(ctx, r.Scope, r.Provider, r.Name); err != nil {
			return err
		}
		if w.services, err = tx.ServiceSyncsFrom(ctx, r.Scope, r.Provider, r.Name); err != nil {
			return err
		}
		for _, c := range w.templates {
			if err := w.noteWaiting(ctx, tx, c.Owner(), proton.HeadKey(proton.TemplateSync, c.Branch)); err != nil {
				return err
			}
		}
		for _, c := range w.services {
			if err := w.noteWaiting(ctx, tx, c.ServiceName, proton.HeadKey(proton.ServiceSync, c.Branch)); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

func (w *round) noteWaiting(ctx context.Context, tx *store.Tx, owner, key string) error {
	states, err := tx.SyncStatesOf(ctx, w.repository.Scope, owner)
	for _, state := range states {
		if state.Waiting {
			w.waiting[key] = true
		}
		if state.Subject == proton.SubjectInstance && state.Desired != nil {
			w.specs[key] = append(w.specs[key], state.Desired.Branch)
		}
	}
	return err
}

// specMoved reports whether a branch that specs are read from is at another
// commit than when they were read last.
func (w *round) specMoved(key string, at map[string]string) bool {
	for _, branch := range w.specs[key] {
		if branch != branchOf(key) && at[branch] != w.work.Heads[specKey(branch)].SHA {
			return true
		}
	}
	return false
}

// keys are the branches that something is synced from, templates first.
func (w *round) keys() []string {
	var keys []string
	seen := map[string]bool{}
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for _, c := range w.templates {
		add(proton.HeadKey(proton.TemplateSync, c.Branch))
	}
	for _, c := range w.services {
		add(proton.HeadKey(proton.ServiceSync, c.Branch))
	}
	return keys
}

func (w *round) branches() []string {
	var list []string
	for _, key := range w.keys() {
		list = append(list, branchOf(key))
		list = append(list, w.specs[key]...)
	}
	return list
}

// look asks the server where branches are. The problem is worded for people.
func (w *round) look(ctx context.Context, branches []string) (map[string]string, error) {
	var c proton.Connection
	known := false
	err := w.Store.View(ctx, func(tx *store.Tx) (err error) {
		c, known, err = tx.Connection(ctx, w.repository.Scope, w.repository.ConnectionARN)
		return err
	})
	if err == nil && !known {
		err = fmt.Errorf("connection %s is not known any more", w.repository.ConnectionARN)
	}
	if err != nil {
		return nil, err
	}
	if w.remote, err = Remote(ctx, w.Forges, w.Sealer, c, w.repository.Name); err != nil {
		return nil, err
	}
	return w.Git.Heads(ctx, w.remote, branches...)
}

// Server is a connection with its credentials opened.
func Server(sealer *auth.Sealer, c proton.Connection) (forge.Server, error) {
	server := forge.Server{Kind: forge.Kind(c.Kind), URL: c.URL}
	if c.Token == "" {
		return server, nil
	}
	var err error
	server.Token, err = sealer.Open(c.Token, control.TokenName(c))
	return server, err
}

// Remote is a repository of a connection, as git reaches it.
func Remote(ctx context.Context, forges *forge.Forges, sealer *auth.Sealer, c proton.Connection, repository string) (git.Remote, error) {
	server, err := Server(sealer, c)
	if err != nil {
		return git.Remote{}, err
	}
	return forges.Remote(ctx, server, repository)
}

// record changes what is known of one sync, if the round's claim still stands.
func (w *round) record(ctx context.Context, subject proton.SyncSubject, key, owner string, change func(*proton.SyncState)) error {
	return w.Store.Update(ctx, func(tx *store.Tx) error {
		return w.recordIn(ctx, tx, subject, key, owner, change)
	})
}

func (w *round) recordIn(ctx context.Context, tx *store.Tx, subject proton.SyncSubject, key, owner string, change func(*proton.SyncState)) error {
	if err := w.fence(ctx, tx); err != nil {
		return err
	}
	state, _, err := tx.SyncState(ctx, w.repository.Scope, subject, key)
	if err != nil {
		return err
	}
	state.Owner, state.RepositoryID = owner, w.repository.ID
	change(&state)
	return tx.SaveSyncState(ctx, state)
}

func (w *round) fence(ctx context.Context, tx *store.Tx) error {
	_, err := tx.HeldSync(ctx, w.work.ID, w.work.Attempt)
	return err
}

func newID() string { return uuid.NewString() }
