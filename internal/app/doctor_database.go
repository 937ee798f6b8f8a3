package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

const (
	// gone is how long after the end of its lease a deployment should have been
	// taken over by somebody.
	gone = 15 * time.Second
	// long is how long a deployment may be worked on before it is looked at.
	long = 6 * time.Hour
	// overdue is how long a job may be due, or an event wait, before something is wrong.
	overdue = time.Minute
	// off is how far a clock may be from the database's.
	off = 2 * time.Second
	// most is how many things of a kind are named.
	most = 20
	// looked is how many unfinished deployments are looked at.
	looked = 5000
)

// database looks at what is kept, and at what waits there.
func (d *doctor) database(ctx context.Context) {
	const check = "database"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	db, err := store.Look(ctx, d.Config.database())
	if err != nil {
		d.found(Problem, check, "cannot be reached", err.Error(), "see that it runs, that --database and --data are the server's, and run this as the server's user")
		return
	}
	defer db.Close()
	has, knows, err := db.Schema(ctx)
	switch {
	case err != nil:
		d.found(Problem, check, "cannot be read", err.Error(), "")
		return
	case has > knows:
		d.found(Problem, check, fmt.Sprintf("is of a newer Hadron: its schema is %d, this program knows %d", has, knows), "this program is older than the server that used it last", "use that server's program")
		return
	case has < knows:
		d.found(Problem, check, fmt.Sprintf("is not up to date: its schema is %d, this program's %d", has, knows), "no server of this version was started on it yet", "start it; take a backup first")
		return
	}
	d.good(check, "answers, and is up to date (schema %d)", has)
	sealer := d.masterKey()
	err = db.View(ctx, func(tx *store.Tx) error {
		// Not run twice: that it is read-only leaves nothing to meet.
		for _, look := range []func(context.Context, *store.Tx) error{
			func(ctx context.Context, tx *store.Tx) error { return d.sealed(ctx, tx, sealer) },
			d.clocks, d.deployments, d.syncs,
		} {
			if err := look(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = d.queues(ctx, db)
	}
	if err != nil {
		d.found(Problem, check, "cannot be read", err.Error(), "")
	}
}

// sealed sees whether the master key is the one that the database was made with.
func (d *doctor) sealed(ctx context.Context, tx *store.Tx, sealer *auth.Sealer) error {
	if sealer == nil {
		return nil
	}
	text, err := tx.Remembered(ctx, masterKeyCheck)
	if err != nil || text == "" {
		return err
	}
	if _, err := sealer.Open(text, masterKeyCheck); err != nil {
		d.found(Problem, "master key", "is not the one that this database's secrets are sealed with", err.Error(), "copy master.key from the data folder that it was made in, or name it by --master-key-file")
		return nil
	}
	d.good("master key", "opens what is sealed")
	return nil
}

// clocks compares this machine's clock, and those of all servers, with the
// database's.
func (d *doctor) clocks(ctx context.Context, tx *store.Tx) error {
	now, err := tx.Clock(ctx)
	if err != nil {
		return err
	}
	nodes, err := tx.Nodes(ctx)
	if err != nil {
		return err
	}
	d.served = d.served || len(nodes) > 0
	help := "have all machines keep time by NTP"
	why := "signatures of callers are refused by a server whose clock is wrong, and times are shown wrong"
	wrong := false
	for _, n := range nodes {
		if n.Offset.Abs() > off {
			wrong = true
			d.found(Problem, "clock", fmt.Sprintf("that of server %s is %v from the database's", n.ID, n.Offset.Round(time.Millisecond)), why, help)
		}
	}
	if here := time.Since(now); here.Abs() > off {
		wrong = true
		d.found(Problem, "clock", fmt.Sprintf("this machine's is %v from the database's", here.Round(time.Millisecond)), why, help)
	}
	if !wrong && len(nodes) > 0 {
		d.good("clock", "those of %d servers agree with the database's", len(nodes))
	}
	return nil
}

// deployments looks for those that do not get on.
func (d *doctor) deployments(ctx context.Context, tx *store.Tx) error {
	list, err := tx.Unfinished(ctx, looked)
	if err != nil {
		return err
	}
	now, err := tx.Clock(ctx)
	if err != nil {
		return err
	}
	live := map[string]bool{}
	for _, kind := range deployKinds() {
		due, err := tx.LiveJobs(ctx, kind)
		if err != nil {
			return err
		}
		for key, is := range due {
			live[key] = live[key] || is
		}
	}
	var stuck []Finding
	for _, dep := range list {
		_, queued := live[dep.ID]
		message, why := d.trouble(dep, now, queued)
		if message == "" {
			continue
		}
		message = fmt.Sprintf("deployment %s of %s %s", dep.ID, resourceOf(dep), message)
		stuck = append(stuck, Finding{"deployments", Problem, message, why, d.helpWith(dep)})
	}
	d.findings = append(d.findings, stuck[:min(len(stuck), most)]...)
	if len(stuck) > most {
		d.found(Problem, "deployments", fmt.Sprintf("and %d more", len(stuck)-most), "", "")
	}
	if len(stuck) == 0 {
		d.good("deployments", "%d are unfinished, and none is stuck", len(list))
	}
	return nil
}

// trouble says what is wrong with a deployment that has not ended; empty if nothing is.
func (d *doctor) trouble(dep proton.Deployment, now time.Time, queued bool) (message, why string) {
	held := !dep.LeaseUntil.IsZero()
	switch {
	case !dep.Ready: // it waits for others, which are looked at themselves
	case !d.served && (held && dep.LeaseUntil.Before(now.Add(-gone)) || !held):
		return "is not worked on", "no server runs" + map[bool]string{true: ", and the lease of the one that held it has run out"}[held]
	case held && dep.LeaseUntil.Before(now.Add(-gone)):
		return "has lost its worker", fmt.Sprintf("its lease ran out %v ago, and no server has taken it over", now.Sub(dep.LeaseUntil).Round(time.Second))
	case held && now.Sub(dep.CreatedAt) > long:
		return fmt.Sprintf("has been worked on for %v", now.Sub(dep.CreatedAt).Round(time.Minute)), "what it runs takes very long, or hangs"
	case !held && !queued:
		return "waits for nothing", "it is not held by a worker, and no job is queued for it"
	case dep.Failures > 0:
		return fmt.Sprintf("cannot take its step: %d tries in a row have failed", dep.Failures), "its timeline says by what; it is tried again"
	}
	return "", ""
}

func (d *doctor) helpWith(dep proton.Deployment) string {
	if !d.served {
		return "hadron serve"
	}
	return fmt.Sprintf("hadron deployment show %s   (region %s, account %s)", dep.ID, dep.Region, dep.Account)
}

func resourceOf(d proton.Deployment) string {
	_, resource, _ := strings.Cut(string(d.TargetARN()), ":"+d.Account+":")
	return resource
}

// syncs looks for what syncs from repositories are blocked by.
func (d *doctor) syncs(ctx context.Context, tx *store.Tx) error {
	list, err := tx.ActiveBlockers(ctx, most)
	for _, b := range list {
		what := "service " + b.ServiceName
		if b.InstanceName != "" {
			what += ", instance " + b.InstanceName
		}
		d.found(Problem, "syncs", what+" is not synced any more", oneLine(b.CreatedReason),
			fmt.Sprintf("hadron api update-service-sync-blocker --id %s --resolved-reason …   (region %s, account %s), once what it says is mended", b.ID, b.Region, b.Account))
	}
	if err == nil && len(list) == 0 {
		d.good("syncs", "none is blocked")
	}
	return err
}

// queues looks at how long jobs and events wait.
func (d *doctor) queues(ctx context.Context, db *store.Store) error {
	now, err := db.Backlog(ctx)
	if err != nil {
		return err
	}
	waiting := 0
	for _, q := range now.Jobs {
		if q.State != "waiting" {
			continue
		}
		waiting += q.Jobs
		if age := time.Since(q.Since); age > overdue {
			why, help := "all workers are busy: more is asked for than the servers may work on at once", "watch hadron_jobs_busy and hadron_queue_oldest_seconds; raise --concurrency or --work-limits, or add a server"
			if !d.served && now.Nodes == 0 {
				why, help = "no server runs", "hadron serve"
			}
			d.found(Problem, "queues", fmt.Sprintf("%d jobs of kind %s wait, the oldest for %v", q.Jobs, q.Kind, age.Round(time.Second)), why, help)
		}
	}
	if !slices.ContainsFunc(d.findings, func(f Finding) bool { return f.Check == "queues" }) {
		d.good("queues", "%d jobs wait, none for long", waiting)
	}
	for _, e := range now.Events {
		if age := time.Since(e.Since); age > overdue {
			d.found(Problem, "events", fmt.Sprintf("%d wait for %s, the oldest for %v", e.Events, e.Target, age.Round(time.Second)),
				"the target does not take them, or no server is configured with it any more; they are dropped after a day", "see the server's log for what it answers (docs/events.md)")
		}
	}
	return nil
}
