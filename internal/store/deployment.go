package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
)

var deployments = newTable("deployments", 1, func(d *proton.Deployment) []column {
	return []column{
		{"id", &d.ID}, {"account", &d.Account}, {"region", &d.Region}, {"run_id", &d.RunID},
		{"target_type", &d.TargetType}, {"environment_name", &d.EnvironmentName}, {"service_name", &d.ServiceName},
		{"instance_name", &d.InstanceName}, {"component_name", &d.ComponentName}, {"goal", &d.Goal},
		{"status", &d.Status}, {"status_message", &d.StatusMessage},
		{"created_at", (*instant)(&d.CreatedAt)}, {"last_modified_at", (*instant)(&d.LastModifiedAt)},
		{"completed_at", (*instant)(&d.CompletedAt)}, {"target_created_at", (*instant)(&d.TargetCreatedAt)},
		{"initial_json", document{&d.Initial}}, {"target_json", document{&d.Target}},
		{"preceding_attempted", &d.PrecedingAttemptedID}, {"preceding_succeeded", &d.PrecedingSucceededID},
		{"ready", (*flag)(&d.Ready)}, {"begun", (*flag)(&d.Begun)}, {"inputs_json", document{&d.Inputs}},
		{"report_json", document{&d.Report}}, {"outputs_json", document{&d.Outputs}}, {"resources_json", document{&d.Resources}},
		{"attempt", &d.Attempt}, {"lease_owner", &d.LeaseOwner}, {"lease_until", (*instant)(&d.LeaseUntil)},
		{"checkpoint", &d.Checkpoint}, {"failures", &d.Failures},
		{"cause", &d.Cause}, {"forced", (*flag)(&d.Forced)}, {"engine", &d.Engine},
		{"woken", (*flag)(&d.Woken)},
		{"request_id", &d.RequestID}, {"trace_parent", &d.TraceParent},
	}
}, nil).announced(3, (*proton.Deployment).ARN).long("status_message", "initial_json", "target_json", "inputs_json", "report_json", "outputs_json", "resources_json", "checkpoint")

// LimitEngines has deployments of the named engines queued apart once it is
// known that they are theirs, for workers that take so many of them at once. Call
// it before the store is used by others.
func (s *Store) LimitEngines(engines ...string) {
	s.limited = map[string]bool{}
	for _, e := range engines {
		s.limited[e] = true
	}
}

// deployKind is the kind of job that carries a deployment on. What is being
// cancelled needs no place: it gives one back.
func (s *Store) deployKind(engine string, status proton.DeploymentStatus) jobs.Kind {
	if s.limited[engine] && status != proton.Cancelling {
		return jobs.DeployWith(engine)
	}
	return jobs.Deploy
}

func (tx *Tx) work(d proton.Deployment) jobs.Job {
	return jobs.Job{Kind: tx.store.deployKind(d.Engine, d.Status), Key: d.ID, Generation: d.Attempt, Origin: jobs.Origin{RequestID: d.RequestID, Trace: d.TraceParent}}
}

// fresh is the job of a deployment that is worked on for the first time.
func (tx *Tx) fresh(d proton.Deployment) jobs.Job {
	job := tx.work(d)
	job.Priority = tx.store.shares.priority(d.Account, time.Now())
	return job
}

// InsertDeployments adds deployments and queues those that are ready and not
// already ended.
func (tx *Tx) InsertDeployments(ctx context.Context, ds ...proton.Deployment) error {
	var queue []jobs.Job
	origin := jobs.OriginOf(ctx)
	for _, d := range ds {
		if origin != (jobs.Origin{}) {
			d.RequestID, d.TraceParent = origin.RequestID, origin.Trace
		}
		row, err := tx.store.sealed(d)
		if err != nil {
			return err
		}
		if err := deployments.add(ctx, tx, row); err != nil {
			return err
		}
		if d.Ready && d.Status.Running() {
			queue = append(queue, tx.fresh(d))
		}
	}
	return tx.Enqueue(ctx, queue...)
}

// Deployment reads a deployment of a scope. NotFound without it.
func (tx *Tx) Deployment(ctx context.Context, s proton.Scope, id string) (proton.Deployment, error) {
	d, ok, err := tx.DeploymentByID(ctx, id)
	if err == nil && (!ok || d.Scope != s) {
		err = proton.NoDeployment(id)
	}
	return d, err
}

// DeploymentByID reads a deployment of any scope; ok is false without it.
func (tx *Tx) DeploymentByID(ctx context.Context, id string) (proton.Deployment, bool, error) {
	d, ok, err := deployments.get(ctx, tx, id)
	if err == nil {
		err = tx.store.open(&d)
	}
	return d, ok, err
}

// SaveDeployment writes a deployment back that nobody works on.
func (tx *Tx) SaveDeployment(ctx context.Context, d proton.Deployment) error {
	row, err := tx.store.sealed(d)
	if err != nil {
		return err
	}
	return deployments.save(ctx, tx, row)
}

// ReleaseDeployment makes a waiting deployment ready and queues it. One that
// is ready already is left alone.
func (tx *Tx) ReleaseDeployment(ctx context.Context, id string) error {
	d, ok, err := tx.DeploymentByID(ctx, id)
	if err != nil || !ok || d.Ready {
		return err
	}
	d.Ready = true
	if err := tx.SaveDeployment(ctx, d); err != nil {
		return err
	}
	if err := tx.AddMilestone(ctx, id, proton.Milestone{At: time.Now(), Kind: proton.MilestoneReleased}); err != nil {
		return err
	}
	return tx.Enqueue(ctx, tx.fresh(d))
}

// DeleteDeployment removes a deployment's record and all that is kept of it.
func (tx *Tx) DeleteDeployment(ctx context.Context, id string) error {
	for _, table := range []string{"deployment_logs", "deployment_timeline", "deployment_records"} {
		if _, err := tx.exec(ctx, "DELETE FROM "+table+" WHERE deployment_id = ?", id); err != nil {
			return err
		}
	}
	_, err := tx.exec(ctx, deployments.remove, id) // which is no event: only the record goes
	return err
}

// DeploymentFilter selects deployments; empty fields do not restrict.
type DeploymentFilter struct {
	Environment string // the environment's own, and those of what lives in it
	Service     string // its instances' and pipeline's
	Instance    string
	Component   string
}

// DeploymentPosition is where a page of deployments ended.
type DeploymentPosition struct {
	CreatedAt time.Time
	ID        string
}

// Deployments lists deployments, newest first, from behind a position, without
// their states, inputs and results.
func (tx *Tx) Deployments(ctx context.Context, s proton.Scope, f DeploymentFilter, after *DeploymentPosition, limit int) ([]proton.Deployment, error) {
	w := &where{}
	w.and("account = ?", s.Account)
	w.and("region = ?", s.Region)
	if f.Component == "" && f.Instance != "" { // an index has both
		w.and("instance_name = ?", f.Instance)
		f.Instance = ""
	}
	w.equal([2]string{"component_name", f.Component}, [2]string{"service_name", f.Service},
		[2]string{"environment_name", f.Environment}, [2]string{"instance_name", f.Instance})
	if f.Service != "" && f.Component == "" { // components only name what they are attached to
		w.and("target_type <> ?", proton.TargetComponent)
	}
	if after != nil {
		w.and("(created_at, id) < (?, ?)", micros(after.CreatedAt), after.ID)
	}
	return deployments.listBriefly(ctx, tx, w.clause()+" ORDER BY created_at DESC, id DESC LIMIT ?", append(w.args, limit)...)
}

// ClaimDeployment takes a queued deployment for owner and for the length of a
// lease, and raises its attempt: whoever held it before can write no more. ok
// is false if attempt is superseded, someone holds it, or there is nothing left
// to do.
func (tx *Tx) ClaimDeployment(ctx context.Context, id string, attempt int64, owner string, lease time.Duration) (proton.Deployment, bool, error) {
	until, untilArgs := tx.store.dialect.in(lease)
	now, nowArgs := tx.store.dialect.clock()
	n, err := tx.execCount(ctx, `UPDATE deployments SET attempt = attempt + 1, woken = 0, lease_owner = ?, lease_until = `+until+`
		WHERE id = ? AND attempt = ? AND completed_at = 0 AND ready = 1 AND (lease_owner = '' OR lease_until < `+now+`)`,
		slices.Concat([]any{owner}, untilArgs, []any{id, attempt}, nowArgs)...)
	if err != nil || n == 0 {
		return proton.Deployment{}, false, err
	}
	return tx.DeploymentByID(ctx, id)
}

// HeldDeployment reads a deployment for the worker that claimed an attempt.
// jobs.ErrLost if that has been superseded.
func (tx *Tx) HeldDeployment(ctx context.Context, id string, attempt int64) (proton.Deployment, error) {
	d, ok, err := deployments.one(ctx, tx, "WHERE id = ? AND attempt = ?", id, attempt)
	if err == nil && !ok {
		err = jobs.ErrLost
	}
	if err == nil {
		err = tx.store.open(&d)
	}
	return d, err
}

// SaveHeldDeployment writes a deployment back for the worker that holds its
// attempt. jobs.ErrLost if that has been superseded.
func (tx *Tx) SaveHeldDeployment(ctx context.Context, d proton.Deployment) error {
	row, err := tx.store.sealed(d)
	if err != nil {
		return err
	}
	values := deployments.values(&row)
	args := append(append([]any{}, values[1:]...), d.ID, d.Attempt)
	held, err := deployments.write(ctx, tx, deployments.update+" AND attempt = ?", args, []any{d.ID}, 1, 1)
	if err == nil && !held {
		err = jobs.ErrLost
	}
	return err
}

// RequeueHeldDeployment gives up the hold on a deployment and queues it anew,
// to be carried on at an instant.
func (tx *Tx) RequeueHeldDeployment(ctx context.Context, d proton.Deployment, at time.Time) error {
	d.LeaseOwner, d.LeaseUntil, d.Woken = "", time.Time{}, false
	if err := tx.SaveHeldDeployment(ctx, d); err != nil {
		return err
	}
	job := tx.work(d)
	job.RunAt = at
	return tx.Enqueue(ctx, job)
}

// MoveHeldDeployment gives up the hold on a deployment whose engine has become
// known, and queues it where that engine's places are given away.
func (tx *Tx) MoveHeldDeployment(ctx context.Context, d proton.Deployment, priority int) error {
	d.LeaseOwner, d.LeaseUntil = "", time.Time{}
	if err := tx.SaveHeldDeployment(ctx, d); err != nil {
		return err
	}
	job := tx.work(d)
	job.Priority = priority
	return tx.Enqueue(ctx, job)
}

// WakeDeployment has a deployment carried on at once, for something has happened
// that it may wait for: now if it waits, and else when its worker would wait.
func (tx *Tx) WakeDeployment(ctx context.Context, id string) error {
	n, err := tx.execCount(ctx, `UPDATE deployments SET attempt = attempt + 1
		WHERE id = ? AND lease_owner = '' AND completed_at = 0 AND ready = 1 AND begun = 1`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		_, err = tx.exec(ctx, "UPDATE deployments SET woken = 1 WHERE id = ? AND lease_owner <> '' AND completed_at = 0", id)
		return err
	}
	d, _, err := deployments.get(ctx, tx, id)
	if err != nil {
		return err
	}
	return tx.Enqueue(ctx, tx.work(d))
}

// WakeDeploymentsOf wakes the deployments that have pull requests in a
// repository.
func (tx *Tx) WakeDeploymentsOf(ctx context.Context, r proton.Repository) error {
	list, err := deployments.list(ctx, tx, "WHERE completed_at = 0 AND account = ? AND region = ? AND inputs_json LIKE '%\"repository\":{%'", r.Account, r.Region)
	for _, d := range list {
		if err == nil && d.Inputs != nil && uses(d.Inputs.Repository, r) {
			err = tx.WakeDeployment(ctx, d.ID)
		}
	}
	return err
}

// Heartbeat prolongs a lease and answers the deployment's status, which tells
// a cancel request. jobs.ErrLost if the attempt has been superseded.
func (s *Store) Heartbeat(ctx context.Context, id string, attempt int64, lease time.Duration) (proton.DeploymentStatus, error) {
	var status proton.DeploymentStatus
	err := s.Update(ctx, func(tx *Tx) error {
		until, args := s.dialect.in(lease)
		err := tx.queryRow(ctx, "UPDATE deployments SET lease_until = "+until+" WHERE id = ? AND attempt = ? AND completed_at = 0 RETURNING status",
			append(args, id, attempt), []any{&status})
		if errors.Is(err, sql.ErrNoRows) {
			err = jobs.ErrLost
		}
		return err
	})
	return status, err
}

// RequeueExpired queues every deployment whose lease has run out; it answers
// how many there were.
func (s *Store) RequeueExpired(ctx context.Context) (int, error) {
	expired, err := s.anyExpired(ctx)
	if err != nil || !expired {
		return 0, err // the usual case costs no write
	}
	lapsed, args := s.dialect.lapsed("lease_until")
	return s.requeue(ctx, "lease_until > 0 AND "+lapsed+" AND completed_at = 0 AND ready = 1", args...)
}

func (s *Store) anyExpired(ctx context.Context) (bool, error) {
	var n int
	lapsed, args := s.dialect.lapsed("lease_until")
	err := s.View(ctx, func(tx *Tx) (err error) {
		n, err = tx.count(ctx, "deployments WHERE lease_until > 0 AND "+lapsed+" AND completed_at = 0", args...)
		return err
	})
	return n > 0, err
}

// RequeueAll queues everything unfinished, at the start of a server that has
// the database to itself: nobody else can be working on it.
func (s *Store) RequeueAll(ctx context.Context) (int, error) {
	n, err := s.requeue(ctx, "completed_at = 0 AND ready = 1")
	if err != nil {
		return n, err
	}
	registrations, syncs := 0, 0
	err = s.Update(ctx, func(tx *Tx) (err error) {
		if registrations, err = tx.RequeueRegistrations(ctx); err != nil {
			return err
		}
		syncs, err = tx.RequeueSyncs(ctx)
		return err
	})
	return n + registrations + syncs, err
}

// requeue raises the attempt of the selected deployments, so that jobs of the
// past find nothing to do, and queues them.
func (s *Store) requeue(ctx context.Context, condition string, args ...any) (int, error) {
	var queue []jobs.Job
	err := s.Update(ctx, func(tx *Tx) error {
		queue = nil
		rows, err := tx.query(ctx, `UPDATE deployments SET attempt = attempt + 1, lease_owner = '', lease_until = 0
			WHERE `+condition+` RETURNING id, attempt, engine, status, request_id, trace_parent`, args...)
		if err != nil {
			return fmt.Errorf("requeue: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var job jobs.Job
			var engine string
			var status proton.DeploymentStatus
			if err := rows.Scan(&job.Key, &job.Generation, &engine, &status, &job.Origin.RequestID, &job.Origin.Trace); err != nil {
				return err
			}
			job.Kind = s.deployKind(engine, status)
			queue = append(queue, job)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		rows.Close()
		return tx.Enqueue(ctx, queue...)
	})
	return len(queue), err
}
