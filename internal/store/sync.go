package store

import (
	"context"
	"slices"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
)

var repositorySyncs = newTable("repository_syncs", 1, func(r *proton.RepositorySync) []column {
	return []column{
		{"id", &r.ID}, {"account", &r.Account}, {"region", &r.Region}, {"provider", &r.Provider}, {"repository", &r.Repository},
		{"wanted", &r.Wanted}, {"done", &r.Done}, {"poll_at", (*instant)(&r.PollAt)}, {"heads_json", document{&r.Heads}},
		{"attempt", &r.Attempt}, {"lease_owner", &r.LeaseOwner}, {"lease_until", (*instant)(&r.LeaseUntil)},
	}
}, nil)

var templateSyncs = newTable("template_syncs", 4, func(c *proton.TemplateSyncConfig) []column {
	return []column{
		{"account", &c.Account}, {"region", &c.Region}, {"kind", &c.Kind}, {"template_name", &c.TemplateName},
		{"provider", &c.Provider}, {"repository", &c.Repository}, {"branch", &c.Branch},
		{"subdirectory", &c.Subdirectory}, {"as_given", &c.AsGiven}, {"revision", &c.Revision},
	}
}, func(c *proton.TemplateSyncConfig) *int64 { return &c.Revision })

var serviceSyncs = newTable("service_syncs", 3, func(c *proton.ServiceSyncConfig) []column {
	return []column{
		{"account", &c.Account}, {"region", &c.Region}, {"service_name", &c.ServiceName},
		{"provider", &c.Provider}, {"repository", &c.Repository}, {"branch", &c.Branch},
		{"file_path", &c.FilePath}, {"revision", &c.Revision},
	}
}, func(c *proton.ServiceSyncConfig) *int64 { return &c.Revision })

var syncStates = newTable("sync_states", 4, func(s *proton.SyncState) []column {
	return []column{
		{"account", &s.Account}, {"region", &s.Region}, {"subject", &s.Subject}, {"key", &s.Key},
		{"owner", &s.Owner}, {"repository_id", &s.RepositoryID}, {"latest_json", document{&s.Latest}},
		{"succeeded_json", document{&s.Succeeded}}, {"desired_json", document{&s.Desired}},
		{"digest", &s.Digest}, {"digest_good", &s.DigestGood}, {"waiting", (*flag)(&s.Waiting)}, {"revision", &s.Revision},
	}
}, func(s *proton.SyncState) *int64 { return &s.Revision })

var syncBlockers = newTable("sync_blockers", 1, func(b *proton.SyncBlocker) []column {
	return []column{
		{"id", &b.ID}, {"account", &b.Account}, {"region", &b.Region}, {"service_name", &b.ServiceName},
		{"instance_name", &b.InstanceName}, {"resolved", (*flag)(&b.Resolved)}, {"created_reason", &b.CreatedReason},
		{"created_at", (*instant)(&b.CreatedAt)}, {"resolved_reason", &b.ResolvedReason},
		{"resolved_at", (*instant)(&b.ResolvedAt)}, {"deployment_id", &b.DeploymentID}, {"revision", &b.Revision},
	}
}, func(b *proton.SyncBlocker) *int64 { return &b.Revision })

// TemplateSync reads a template's sync config; ok is false without one.
func (tx *Tx) TemplateSync(ctx context.Context, s proton.Scope, kind proton.TemplateKind, name string) (proton.TemplateSyncConfig, bool, error) {
	return templateSyncs.get(ctx, tx, s.Account, s.Region, kind, name)
}

// TemplateSyncsFrom lists the templates that are synced from a repository.
func (tx *Tx) TemplateSyncsFrom(ctx context.Context, s proton.Scope, provider, repository string) ([]proton.TemplateSyncConfig, error) {
	return templateSyncs.list(ctx, tx, "WHERE account = ? AND region = ? AND provider = ? AND repository = ? ORDER BY branch, kind, template_name",
		s.Account, s.Region, provider, repository)
}

// SaveTemplateSync writes a sync config, new (its Revision is 0) or read before.
func (tx *Tx) SaveTemplateSync(ctx context.Context, c proton.TemplateSyncConfig) error {
	if c.Revision == 0 {
		c.Revision = 1
		return templateSyncs.add(ctx, tx, c)
	}
	return templateSyncs.save(ctx, tx, c)
}

// DeleteTemplateSync removes a template's sync config and what is known of its
// syncs.
func (tx *Tx) DeleteTemplateSync(ctx context.Context, s proton.Scope, kind proton.TemplateKind, name string) error {
	c := proton.TemplateSyncConfig{Kind: kind, TemplateName: name}
	if err := tx.deleteSyncStates(ctx, s, c.Owner()); err != nil {
		return err
	}
	return templateSyncs.delete(ctx, tx, s.Account, s.Region, kind, name)
}

// ServiceSync reads a service's sync config; ok is false without one.
func (tx *Tx) ServiceSync(ctx context.Context, s proton.Scope, service string) (proton.ServiceSyncConfig, bool, error) {
	return serviceSyncs.get(ctx, tx, s.Account, s.Region, service)
}

// ServiceSyncsFrom lists the services that are synced from a repository.
func (tx *Tx) ServiceSyncsFrom(ctx context.Context, s proton.Scope, provider, repository string) ([]proton.ServiceSyncConfig, error) {
	return serviceSyncs.list(ctx, tx, "WHERE account = ? AND region = ? AND provider = ? AND repository = ? ORDER BY branch, service_name",
		s.Account, s.Region, provider, repository)
}

// SaveServiceSync writes a sync config, new (its Revision is 0) or read before.
func (tx *Tx) SaveServiceSync(ctx context.Context, c proton.ServiceSyncConfig) error {
	if c.Revision == 0 {
		c.Revision = 1
		return serviceSyncs.add(ctx, tx, c)
	}
	return serviceSyncs.save(ctx, tx, c)
}

// DeleteServiceSync removes a service's sync config, what is known of its
// syncs, and its blockers.
func (tx *Tx) DeleteServiceSync(ctx context.Context, s proton.Scope, service string) error {
	if err := tx.deleteSyncStates(ctx, s, service); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, "DELETE FROM sync_blockers WHERE account = ? AND region = ? AND service_name = ?", s.Account, s.Region, service); err != nil {
		return err
	}
	return serviceSyncs.delete(ctx, tx, s.Account, s.Region, service)
}

func (tx *Tx) deleteSyncStates(ctx context.Context, s proton.Scope, owner string) error {
	_, err := tx.exec(ctx, "DELETE FROM sync_states WHERE account = ? AND region = ? AND owner = ?", s.Account, s.Region, owner)
	return err
}

// SyncState reads what is known of the syncs of one thing; ok is false, and
// the state one to begin with, if nothing is.
func (tx *Tx) SyncState(ctx context.Context, s proton.Scope, subject proton.SyncSubject, key string) (proton.SyncState, bool, error) {
	state, ok, err := syncStates.get(ctx, tx, s.Account, s.Region, subject, key)
	if err == nil && !ok {
		state.Scope, state.Subject, state.Key = s, subject, key
	}
	return state, ok, err
}

// SyncStatesOf lists the states that belong to a config.
func (tx *Tx) SyncStatesOf(ctx context.Context, s proton.Scope, owner string) ([]proton.SyncState, error) {
	return syncStates.list(ctx, tx, "WHERE account = ? AND region = ? AND owner = ? ORDER BY subject, key", s.Account, s.Region, owner)
}

// SaveSyncState writes a state, new (its Revision is 0) or read before.
func (tx *Tx) SaveSyncState(ctx context.Context, s proton.SyncState) error {
	if s.Revision == 0 {
		s.Revision = 1
		return syncStates.add(ctx, tx, s)
	}
	return syncStates.save(ctx, tx, s)
}

// SyncWaits reports whether something of a repository is to be tried again
// without a new commit.
func (tx *Tx) SyncWaits(ctx context.Context, repositoryID string) (bool, error) {
	n, err := tx.count(ctx, "sync_states WHERE repository_id = ? AND waiting = 1", repositoryID)
	return n > 0, err
}

// DeleteSyncState forgets what is known of the syncs of one thing.
func (tx *Tx) DeleteSyncState(ctx context.Context, s proton.Scope, subject proton.SyncSubject, key string) error {
	return syncStates.delete(ctx, tx, s.Account, s.Region, subject, key)
}

// RepositorySync reads the work of syncing a repository; ok is false without it.
func (tx *Tx) RepositorySync(ctx context.Context, id string) (proton.RepositorySync, bool, error) {
	return repositorySyncs.get(ctx, tx, id)
}

// RequestSync asks for a round of syncing a repository and answers its number.
// again are the heads that are to be processed although they did not change.
func (tx *Tx) RequestSync(ctx context.Context, repositoryID string, again ...string) (int64, error) {
	// The statement that changes the row comes first: it holds off others.
	n, err := tx.execCount(ctx, "UPDATE repository_syncs SET wanted = wanted + 1 WHERE id = ?", repositoryID)
	if err != nil || n == 0 {
		return 0, err
	}
	r, _, err := repositorySyncs.get(ctx, tx, repositoryID)
	if err != nil {
		return 0, err
	}
	for _, key := range again {
		if r.Heads == nil {
			r.Heads = map[string]proton.Head{}
		}
		head := r.Heads[key]
		head.Asked++
		r.Heads[key] = head
	}
	if r.PollAt.IsZero() {
		if r.PollAt, err = tx.clock(ctx); err != nil {
			return 0, err
		}
	}
	if err := repositorySyncs.save(ctx, tx, r); err != nil {
		return 0, err
	}
	return r.Wanted, tx.Enqueue(ctx, syncRound(r))
}

func syncRound(r proton.RepositorySync) jobs.Job {
	return jobs.Job{Kind: jobs.SyncRepository, Key: r.ID, Generation: r.Wanted}
}

// ClaimSync takes the work of a repository for owner and a lease, and
// raises its attempt. ok is false if someone holds it or nothing is wanted:
// who holds it sees what is wanted before letting go.
func (tx *Tx) ClaimSync(ctx context.Context, id, owner string, lease time.Duration) (proton.RepositorySync, bool, error) {
	until, untilArgs := tx.store.dialect.in(lease)
	lapsed, lapsedArgs := tx.store.dialect.lapsed("lease_until")
	n, err := tx.execCount(ctx, `UPDATE repository_syncs SET attempt = attempt + 1, lease_owner = ?, lease_until = `+until+`
		WHERE id = ? AND wanted > done AND (lease_owner = '' OR `+lapsed+`)`,
		slices.Concat([]any{owner}, untilArgs, []any{id}, lapsedArgs)...)
	if err != nil || n == 0 {
		return proton.RepositorySync{}, false, err
	}
	return repositorySyncs.get(ctx, tx, id)
}

// HeldSync reads the work for the worker that claimed an attempt, and holds
// others off it until the transaction ends. jobs.ErrLost if the attempt has
// been superseded.
func (tx *Tx) HeldSync(ctx context.Context, id string, attempt int64) (proton.RepositorySync, error) {
	n, err := tx.execCount(ctx, "UPDATE repository_syncs SET attempt = attempt WHERE id = ? AND attempt = ?", id, attempt)
	if err == nil && n == 0 {
		err = jobs.ErrLost
	}
	if err != nil {
		return proton.RepositorySync{}, err
	}
	r, _, err := repositorySyncs.get(ctx, tx, id)
	return r, err
}

// SaveHeldSync writes the work back; the caller has read it with HeldSync in
// the same transaction.
func (tx *Tx) SaveHeldSync(ctx context.Context, r proton.RepositorySync) error {
	return repositorySyncs.save(ctx, tx, r)
}

// SyncHeartbeat prolongs a lease. jobs.ErrLost if the attempt has been superseded.
func (s *Store) SyncHeartbeat(ctx context.Context, id string, attempt int64, lease time.Duration) error {
	return s.Update(ctx, func(tx *Tx) error {
		until, args := s.dialect.in(lease)
		n, err := tx.execCount(ctx, "UPDATE repository_syncs SET lease_until = "+until+" WHERE id = ? AND attempt = ?", append(args, id, attempt)...)
		if err == nil && n == 0 {
			err = jobs.ErrLost
		}
		return err
	})
}

// PollSyncs queues a round for every repository whose time to be looked at has
// come, and those whose worker is gone, both by the leases' clock: a node whose
// own is wrong polls no more and no less. It answers how many there were.
func (s *Store) PollSyncs(ctx context.Context, every time.Duration) (int, error) {
	clock, clockArgs := s.dialect.clock()
	lapsed, lapsedArgs := s.dialect.lapsed("lease_until")
	due := "(poll_at > 0 AND poll_at <= " + clock + ") OR (wanted > done AND lease_owner <> '' AND " + lapsed + ")"
	args := slices.Concat(clockArgs, lapsedArgs)
	n := 0
	err := s.View(ctx, func(tx *Tx) (err error) {
		n, err = tx.count(ctx, "repository_syncs WHERE "+due, args...)
		return err
	})
	if err != nil || n == 0 {
		return 0, err // the usual case costs no write
	}
	err = s.Update(ctx, func(tx *Tx) error {
		now, err := tx.clock(ctx)
		if err != nil {
			return err
		}
		rows, err := repositorySyncs.list(ctx, tx, "WHERE "+due, args...)
		n = len(rows)
		for _, r := range rows {
			if err != nil {
				return err
			}
			r.Wanted++
			r.PollAt = now.Add(every)
			if err = repositorySyncs.save(ctx, tx, r); err == nil {
				err = tx.Enqueue(ctx, syncRound(r))
			}
		}
		return err
	})
	return n, err
}

// RequeueSyncs queues every round that was asked for and not answered, at the
// start of a server that has the database to itself.
func (tx *Tx) RequeueSyncs(ctx context.Context) (int, error) {
	rows, err := repositorySyncs.list(ctx, tx, "WHERE wanted > done")
	for _, r := range rows {
		if err != nil {
			return 0, err
		}
		r.Wanted, r.Attempt, r.LeaseOwner, r.LeaseUntil = r.Wanted+1, r.Attempt+1, "", time.Time{}
		if err = repositorySyncs.save(ctx, tx, r); err == nil {
			err = tx.Enqueue(ctx, syncRound(r))
		}
	}
	return len(rows), err
}

// InsertSyncBlocker adds a blocker.
func (tx *Tx) InsertSyncBlocker(ctx context.Context, b proton.SyncBlocker) error {
	return syncBlockers.add(ctx, tx, b)
}

// SyncBlocker reads a blocker of a scope; ok is false without it.
func (tx *Tx) SyncBlocker(ctx context.Context, s proton.Scope, id string) (proton.SyncBlocker, bool, error) {
	b, ok, err := syncBlockers.get(ctx, tx, id)
	return b, ok && b.Scope == s, err
}

// SyncBlockers lists the blockers of an instance, or with an empty instance
// those of the service itself, newest first.
func (tx *Tx) SyncBlockers(ctx context.Context, s proton.Scope, service, instance string, limit int) ([]proton.SyncBlocker, error) {
	return syncBlockers.list(ctx, tx, "WHERE account = ? AND region = ? AND service_name = ? AND instance_name = ? ORDER BY created_at DESC, id DESC LIMIT ?",
		s.Account, s.Region, service, instance, limit)
}

// ActiveSyncBlocker reads a blocker that holds up an instance, its own or the
// service's; ok is false if none does.
func (tx *Tx) ActiveSyncBlocker(ctx context.Context, s proton.Scope, service, instance string) (proton.SyncBlocker, bool, error) {
	return syncBlockers.one(ctx, tx, "WHERE account = ? AND region = ? AND service_name = ? AND instance_name IN ('', ?) AND resolved = 0 ORDER BY instance_name, created_at, id",
		s.Account, s.Region, service, instance)
}

// SaveSyncBlocker writes a blocker back. Conflict if it changed meanwhile.
func (tx *Tx) SaveSyncBlocker(ctx context.Context, b proton.SyncBlocker) error {
	return syncBlockers.save(ctx, tx, b)
}

// WakeSync asks for a round of syncing what a config is synced from, if
// something of the config waits.
func (tx *Tx) WakeSync(ctx context.Context, s proton.Scope, owner string) error {
	states, err := tx.SyncStatesOf(ctx, s, owner)
	for _, state := range states {
		if err == nil && state.Waiting {
			_, err = tx.RequestSync(ctx, state.RepositoryID)
			return err
		}
	}
	return err
}

// EndSyncAttempt ends the attempt that an event of a thing belongs to: what
// was started outside has ended. Nothing happens if the thing is not synced,
// or its attempt is about something else.
func (tx *Tx) EndSyncAttempt(ctx context.Context, s proton.Scope, subject proton.SyncSubject, key, started, externalID string, status proton.SyncStatus, event, text string, now time.Time) error {
	state, ok, err := tx.SyncState(ctx, s, subject, key)
	if err != nil || !ok || state.Latest == nil || state.Latest.Status.Ended() || !state.Latest.Refers(started, externalID) {
		return err
	}
	state.End(status, event, text, externalID, now)
	return tx.SaveSyncState(ctx, state)
}
