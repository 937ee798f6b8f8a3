package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

func ids(ds []proton.Deployment) []string {
	return names(ds, func(d proton.Deployment) string { return d.ID })
}

func (d db) insert(ds ...proton.Deployment) {
	d.t.Helper()
	d.update(func(c context.Context, x *store.Tx) error { return x.InsertDeployments(c, ds...) })
}

// running is a deployment that a worker can claim.
func running(id string) proton.Deployment {
	return proton.Deployment{Scope: scope, ID: id, Goal: proton.GoalApply, Status: proton.InProgress, CreatedAt: noon, Ready: true}
}

func (d db) deployment(id string) proton.Deployment {
	d.t.Helper()
	return view(d, func(c context.Context, x *store.Tx) (proton.Deployment, error) { return x.Deployment(c, scope, id) })
}

func deploymentsPage(t *testing.T, d db) {
	var want []string
	for n := range 10 {
		record := proton.Deployment{Scope: scope, ID: fmt.Sprintf("d%d", n), CreatedAt: noon.Add(time.Duration(n/3) * time.Second)}
		want = append(want, record.ID)
		d.insert(record)
	}
	d.insert(proton.Deployment{Scope: other, ID: "elsewhere", CreatedAt: noon})
	slices.Reverse(want)
	var got []string
	var after *store.DeploymentPosition
	for page := 0; ; page++ {
		list := view(d, func(c context.Context, x *store.Tx) ([]proton.Deployment, error) {
			return x.Deployments(c, scope, store.DeploymentFilter{}, after, 4)
		})
		got = append(got, ids(list)...)
		if len(list) < 4 {
			break
		}
		after = &store.DeploymentPosition{CreatedAt: list[3].CreatedAt, ID: list[3].ID}
		d.insert(proton.Deployment{Scope: scope, ID: fmt.Sprint("new", page), CreatedAt: noon.Add(time.Hour)})
	}
	d.same("pages", want, got)
}

func deploymentsByFilter(t *testing.T, d db) {
	d.insert(
		proton.Deployment{Scope: scope, ID: "environment", EnvironmentName: "prod", CreatedAt: noon},
		proton.Deployment{Scope: scope, ID: "instance", EnvironmentName: "prod", ServiceName: "shop", InstanceName: "i", CreatedAt: noon},
		proton.Deployment{Scope: scope, ID: "instance2", EnvironmentName: "dev", ServiceName: "shop", InstanceName: "j", CreatedAt: noon},
		proton.Deployment{Scope: scope, ID: "pipeline", ServiceName: "shop", CreatedAt: noon},
		proton.Deployment{Scope: scope, ID: "component", TargetType: proton.TargetComponent, EnvironmentName: "prod", ComponentName: "queue", ServiceName: "shop", InstanceName: "i", CreatedAt: noon},
	)
	for _, c := range []struct {
		filter store.DeploymentFilter
		want   []string
	}{
		{store.DeploymentFilter{}, []string{"pipeline", "instance2", "instance", "environment", "component"}},
		{store.DeploymentFilter{Environment: "prod"}, []string{"instance", "environment", "component"}},
		{store.DeploymentFilter{Service: "shop"}, []string{"pipeline", "instance2", "instance"}},
		{store.DeploymentFilter{Service: "shop", Instance: "i"}, []string{"instance"}},
		{store.DeploymentFilter{Service: "shop", Environment: "dev"}, []string{"instance2"}},
		{store.DeploymentFilter{Component: "queue"}, []string{"component"}},
		{store.DeploymentFilter{Component: "queue", Service: "shop"}, []string{"component"}},
		{store.DeploymentFilter{Component: "queue", Service: "cart"}, []string{}},
		{store.DeploymentFilter{Service: "none"}, []string{}},
	} {
		got := view(d, func(ctx context.Context, x *store.Tx) ([]proton.Deployment, error) {
			return x.Deployments(ctx, scope, c.filter, nil, 100)
		})
		d.same(fmt.Sprintf("%+v", c.filter), c.want, ids(got))
	}
}

// claim tries to claim for a lease and answers whether that worked.
func (d db) claim(id string, attempt int64, owner string, lease time.Duration) (proton.Deployment, bool) {
	d.t.Helper()
	var got proton.Deployment
	var ok bool
	d.update(func(c context.Context, x *store.Tx) (err error) {
		got, ok, err = x.ClaimDeployment(c, id, attempt, owner, lease)
		return err
	})
	return got, ok
}

func claimsFence(t *testing.T, d db) {
	waiting, done := running("waiting"), running("done")
	waiting.Ready, done.CompletedAt = false, noon
	d.insert(running("d"), waiting, done)
	for _, id := range []string{"waiting", "done", "missing"} {
		if got, ok := d.claim(id, 0, "a", time.Minute); ok {
			t.Errorf("%s was claimed: %+v", id, got)
		}
	}
	first, ok := d.claim("d", 0, "a", 30*time.Second)
	if left := time.Until(first.LeaseUntil); !ok || first.Attempt != 1 || first.LeaseOwner != "a" || left < 20*time.Second || left > 30*time.Second {
		t.Fatalf("the first claim: %t, %+v", ok, first)
	}
	for attempt := range int64(3) {
		if _, ok := d.claim("d", attempt, "b", time.Minute); ok {
			t.Errorf("claimed with attempt %d while it is leased", attempt)
		}
	}
	if status, err := d.Heartbeat(t.Context(), "d", 1, time.Minute); err != nil || status != proton.InProgress {
		t.Errorf("heartbeat of the holder: %s, %v", status, err)
	}
	if left := time.Until(d.deployment("d").LeaseUntil); left < 40*time.Second {
		t.Errorf("a heartbeat left the lease at %v", left)
	}
	d.expire("d", 1)
	second, ok := d.claim("d", 1, "b", time.Minute)
	if !ok || second.Attempt != 2 || second.LeaseOwner != "b" {
		t.Fatalf("after the lease ran out: %t, %+v", ok, second)
	}
	lost := map[string]error{
		"read": d.tryUpdate(func(c context.Context, x *store.Tx) error { _, err := x.HeldDeployment(c, "d", 1); return err }),
		"save": d.tryUpdate(func(c context.Context, x *store.Tx) error {
			stale := first
			stale.Checkpoint = "stale"
			return x.SaveHeldDeployment(c, stale)
		}),
		"hand over": d.tryUpdate(func(c context.Context, x *store.Tx) error { return x.RequeueHeldDeployment(c, first, noon) }),
		"log":       d.Append(t.Context(), "d", 1, store.Entries{Lines: []store.LogEvent{{At: noon, Message: "stale"}}}),
	}
	_, lost["heartbeat"] = d.Heartbeat(t.Context(), "d", 1, time.Minute)
	for what, err := range lost {
		if !errors.Is(err, jobs.ErrLost) {
			t.Errorf("%s of a superseded attempt: %v, want ErrLost", what, err)
		}
	}
	d.same("the new holder's record", second, d.deployment("d"))
	second.Checkpoint, second.Status = "mine", proton.Cancelling
	d.update(func(c context.Context, x *store.Tx) error { return x.SaveHeldDeployment(c, second) })
	if status, err := d.Heartbeat(t.Context(), "d", 2, time.Minute); err != nil || status != proton.Cancelling {
		t.Errorf("a heartbeat tells of the cancel request: %s, %v", status, err)
	}
	second.CompletedAt = noon
	d.update(func(c context.Context, x *store.Tx) error { return x.SaveHeldDeployment(c, second) })
	if _, err := d.Heartbeat(t.Context(), "d", 2, time.Minute); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("heartbeat of what has ended: %v", err)
	}
}

// expire lets the lease of an attempt run out.
func (d db) expire(id string, attempt int64) {
	d.t.Helper()
	if _, err := d.Heartbeat(d.t.Context(), id, attempt, -time.Millisecond); err != nil {
		d.t.Fatal(err)
	}
}

func expiredLeasesAreQueuedAgain(t *testing.T, d db) {
	expired := running("expired")
	expired.RequestID, expired.TraceParent = "r-1", "00-trace"
	d.insert(expired, running("held"), running("never-claimed"), running("ended"))
	d.claim("expired", 0, "a", time.Minute)
	d.expire("expired", 1)
	d.claim("held", 0, "a", time.Minute)
	ended, _ := d.claim("ended", 0, "a", -time.Second)
	ended.CompletedAt = noon
	d.update(func(c context.Context, x *store.Tx) error { return x.SaveHeldDeployment(c, ended) })
	d.work() // the jobs of their insertion
	for _, want := range []int{1, 0} {
		if n, err := d.RequeueExpired(t.Context()); err != nil || n != want {
			t.Errorf("queued %d, %v; want %d", n, err, want)
		}
	}
	got := d.deployment("expired")
	if got.Attempt != 2 || got.LeaseOwner != "" || !got.LeaseUntil.IsZero() {
		t.Errorf("after it was queued: %+v", got)
	}
	again := deploy("expired", 2)
	again.Origin = jobs.Origin{RequestID: "r-1", Trace: "00-trace"}
	d.same("jobs", []jobs.Job{again}, d.work())
	if _, ok := d.claim("expired", 1, "a", time.Minute); ok {
		t.Error("a job of the past claimed it")
	}
}

func everythingUnfinishedIsQueued(t *testing.T, d db) {
	waiting, ended := running("waiting"), running("ended")
	waiting.Ready, ended.CompletedAt, ended.Status = false, noon, proton.Succeeded
	d.insert(running("held"), running("queued"), waiting, ended)
	d.claim("held", 0, "a", time.Minute)
	version := proton.TemplateVersion{Scope: scope, ID: "v", Kind: proton.ServiceTemplate, TemplateName: "web", Status: proton.RegistrationInProgress}
	draft := version
	draft.ID, draft.Minor, draft.Status = "w", 1, proton.Draft
	d.update(func(c context.Context, x *store.Tx) error {
		return errors.Join(x.InsertTemplateVersion(c, version), x.InsertTemplateVersion(c, draft))
	})
	d.work()
	if n, err := d.RequeueAll(t.Context()); err != nil || n != 3 {
		t.Errorf("queued %d, %v; want 3", n, err)
	}
	d.same("jobs", []jobs.Job{deploy("held", 2), deploy("queued", 1), {Kind: jobs.RegisterTemplateVersion, Key: "v", Generation: 1}}, d.work())
}

func waitingDeploymentsAreReleased(t *testing.T, d db) {
	waiting := running("d")
	waiting.Ready = false
	d.insert(waiting)
	d.same("jobs while it waits", []jobs.Job(nil), d.work())
	for range 2 {
		d.update(func(c context.Context, x *store.Tx) error {
			return errors.Join(x.ReleaseDeployment(c, "d"), x.ReleaseDeployment(c, "missing"))
		})
	}
	if !d.deployment("d").Ready {
		t.Error("not ready")
	}
	d.same("jobs", []jobs.Job{deploy("d", 0)}, d.work())
	d.update(func(c context.Context, x *store.Tx) error { return x.ReleaseDeployment(c, "d") })
	d.same("jobs after another release", []jobs.Job(nil), d.work())
}

func heldDeploymentsAreHandedOver(t *testing.T, d db) {
	d.insert(running("d"))
	d.work()
	held, _ := d.claim("d", 0, "a", time.Minute)
	d.update(func(c context.Context, x *store.Tx) error { return x.RequeueHeldDeployment(c, held, time.Time{}) })
	if got := d.deployment("d"); got.LeaseOwner != "" || !got.LeaseUntil.IsZero() || got.Attempt != 1 {
		t.Errorf("%+v", got)
	}
	d.same("jobs", []jobs.Job{deploy("d", 1)}, d.work())
	if _, ok := d.claim("d", 1, "b", time.Minute); !ok {
		t.Error("the next worker cannot claim it")
	}
}

func whatHappensMeanwhileWakes(t *testing.T, d db) {
	d.insert(running("waits"), running("held"))
	d.work()
	wake := func(id string) {
		d.update(func(c context.Context, x *store.Tx) error { return x.WakeDeployment(c, id) })
	}
	waits, _ := d.claim("waits", 0, "a", time.Minute)
	waits.Begun = true
	d.update(func(c context.Context, x *store.Tx) error {
		return x.RequeueHeldDeployment(c, waits, noon.Add(time.Hour))
	})
	d.work()
	wake("waits")
	d.same("jobs of one that waits", []jobs.Job{deploy("waits", 2)}, d.work())

	d.claim("held", 0, "a", time.Minute)
	wake("held")
	d.same("jobs of one that is held", []jobs.Job(nil), d.work())
	held := d.deployment("held")
	if !held.Woken || held.Attempt != 1 {
		t.Errorf("the holder is not told: %+v", held)
	}
	d.update(func(c context.Context, x *store.Tx) error { return x.RequeueHeldDeployment(c, held, time.Time{}) })
	if d.deployment("held").Woken {
		t.Error("its holder was told, and it says so for ever")
	}
	d.work()
	d.claim("held", 1, "b", time.Minute)
	wake("held")
	d.expire("held", 2)
	if again, ok := d.claim("held", 2, "c", time.Minute); !ok || again.Woken {
		t.Errorf("who claims it sees what has happened: %v %+v", ok, again)
	}
}

func logsAreNumbered(t *testing.T, d db) {
	d.insert(running("d"), running("e"))
	d.claim("d", 0, "a", time.Minute)
	read := func(after int64, limit int) []store.LogEvent {
		return view(d, func(c context.Context, x *store.Tx) ([]store.LogEvent, error) { return x.Log(c, "d", after, limit) })
	}
	d.same("nothing", []store.LogEvent{}, read(0, 10))
	var want []store.LogEvent
	for n := range 3 {
		batch := []store.LogEvent{{At: noon, Message: fmt.Sprintf("line %d", n)}, {At: noon.Add(time.Second), Message: ""}}
		if err := d.Append(t.Context(), "d", 1, store.Entries{Lines: batch}); err != nil {
			t.Fatal(err)
		}
		for _, e := range batch {
			e.Sequence = int64(len(want) + 1)
			want = append(want, e)
		}
	}
	if err := d.Append(t.Context(), "e", 0, store.Entries{Lines: want[:1]}); err != nil {
		t.Fatal(err)
	}
	d.same("all", want, read(0, 10))
	d.same("a page", want[2:4], read(2, 2))
	d.update(func(c context.Context, x *store.Tx) error { return x.DeleteDeployment(c, "d") })
	d.same("of a deleted deployment", []store.LogEvent{}, read(0, 10))
	if err := d.Append(t.Context(), "d", 1, store.Entries{Lines: want}); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("log of a deleted deployment: %v", err)
	}
}

func deploymentsAreRecorded(t *testing.T, d db) {
	d.insert(running("d"), running("e"))
	held, _ := d.claim("d", 0, "a", time.Minute)
	timeline := func() []proton.Milestone {
		return view(d, func(c context.Context, x *store.Tx) ([]proton.Milestone, error) { return x.Timeline(c, "d") })
	}
	record := func() proton.Record {
		return view(d, func(c context.Context, x *store.Tx) (proton.Record, error) { return x.Record(c, "d", true) })
	}
	d.same("no timeline", []proton.Milestone{}, timeline())
	d.same("no record", proton.Record{}, record())
	stepped := proton.Milestone{Number: 2, At: noon, Times: 1, Kind: proton.MilestoneStepped, Attempt: 1}
	again := stepped
	again.Times, again.Until = 3, noon.Add(time.Second)
	want := proton.Record{
		Method: "CODEBUILD", Preview: &proton.Preview{Summary: "much", Details: []string{"a", "b"}, At: noon},
		Files: []proton.RenderedFile{{Path: "a.json", Size: 2, Content: "{}"}, {Path: "b", Size: 9, Note: "not text"}},
	}
	for _, e := range []store.Entries{
		{Lines: []store.LogEvent{{At: noon, Message: "line"}}, Milestones: []proton.Milestone{stepped}, Record: &proton.Record{Method: "CODEBUILD"}},
		{Milestones: []proton.Milestone{again}, Record: &want},
	} {
		if err := d.Append(t.Context(), "d", 1, e); err != nil {
			t.Fatal(err)
		}
	}
	cancel := proton.Milestone{Number: 3, At: noon.Add(time.Minute), Times: 1, Kind: proton.MilestoneCancelRequested}
	d.update(func(c context.Context, x *store.Tx) error { return x.AddMilestone(c, "d", cancel) })
	d.same("timeline", []proton.Milestone{again, cancel}, timeline())
	d.same("record", want, record())
	bare := want
	bare.Files = nil
	d.same("record without files", bare, view(d, func(c context.Context, x *store.Tx) (proton.Record, error) { return x.Record(c, "d", false) }))
	held.Checkpoint = "kept"
	d.update(func(c context.Context, x *store.Tx) error {
		return errors.Join(x.AppendHeld(c, "d", 1, store.Entries{Lines: []store.LogEvent{{At: noon, Message: "last"}}}), x.SaveHeldDeployment(c, held))
	})
	if lines := view(d, func(c context.Context, x *store.Tx) ([]store.LogEvent, error) { return x.Log(c, "d", 0, 9) }); len(lines) != 2 {
		t.Errorf("log: %+v", lines)
	}
	stale := store.Entries{Milestones: []proton.Milestone{stepped}, Record: &proton.Record{}}
	if err := d.Append(t.Context(), "d", 2, stale); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("appended for an attempt that is not held: %v", err)
	}
	var many store.Entries
	for n := range int64(1000) {
		many.Milestones = append(many.Milestones, proton.Milestone{Number: 10 + n, At: noon, Times: 1, Kind: proton.MilestoneStepped, Attempt: 1})
	}
	if err := d.Append(t.Context(), "d", 1, many); err != nil {
		t.Fatal(err)
	}
	d.update(func(c context.Context, x *store.Tx) error { return x.TrimTimeline(c, "d") })
	if got := timeline(); len(got) != 200 || got[0].Number != 2 || got[199].Number != 1009 {
		t.Errorf("a trimmed timeline has %d milestones", len(got))
	}
	d.update(func(c context.Context, x *store.Tx) error { return x.DeleteDeployment(c, "d") })
	d.same("timeline of a deleted deployment", []proton.Milestone{}, timeline())
	d.same("record of a deleted deployment", proton.Record{}, record())
}

func fleetsWait(t *testing.T, d db) {
	const fleet = 60
	for n := range fleet {
		d.insert(running(fmt.Sprintf("fleet-%d", n)))
	}
	single := running("single")
	single.Account = "999999999999"
	d.insert(single)
	order := make(chan string, fleet+1)
	worker, err := d.NewWorker(jobs.Config{Logger: slog.New(slog.DiscardHandler), Concurrency: 1},
		map[jobs.Kind]jobs.Handler{jobs.Deploy: func(_ context.Context, j jobs.Job) (jobs.Next, error) {
			order <- j.Key
			return jobs.Done(), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := 0
	for key := range order {
		if key == "single" {
			break
		}
		before++
	}
	if before > 30 {
		t.Errorf("%d of a fleet's %d deployments came before another account's only one, which was asked for last", before, fleet)
	}
	if err := worker.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func equalJobsAreOne(t *testing.T, d db) {
	for range 3 {
		d.update(func(ctx context.Context, tx *store.Tx) error {
			return tx.Enqueue(ctx, deploy("a", 1), deploy("b", 2), deploy("a", 1))
		})
	}
	d.same("jobs", []jobs.Job{deploy("a", 1), deploy("b", 2)}, d.work())
}
