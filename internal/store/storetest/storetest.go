// Package storetest is the suite that the store must pass on every SQL engine
// it runs on: what is written comes back whole, lost races are refused,
// lists page without gaps, claims fence, and jobs follow their transaction.
//
// It knows the store by its exported face only. Product code never imports it.
package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// RunLists tries the lists that look for what they were asked for, as Run does.
func RunLists(t *testing.T, open func(t *testing.T) *store.Store) {
	instancesInEveryOrder(t, db{t, open(t)})
}

// Run tries the store that open makes; each call of open must answer an empty
// one, which is closed when its test ends.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for name, test := range map[string]func(*testing.T, db){
		"every field comes back":             everyFieldComesBack,
		"empty records come back":            emptyRecordsComeBack,
		"taken keys are refused":             takenKeysAreRefused,
		"stale writes are refused":           staleWritesAreRefused,
		"what is missing is named":           whatIsMissingIsNamed,
		"deletes take the tags along":        deletesTakeTheTagsAlong,
		"failed updates leave nothing":       failedUpdatesLeaveNothing,
		"concurrent updates lose nothing":    concurrentUpdatesLoseNothing,
		"views do not change under the eyes": viewsAreConsistent,
		"version numbers are not reused":     versionNumbersAreNotReused,
		"versions in use":                    versionsInUse,
		"lists by name page":                 listsByNamePage,
		"environments by template":           environmentsByTemplate,
		"instances in every order":           instancesInEveryOrder,
		"components by where they are":       componentsByWhereTheyAre,
		"the summary follows every write":    summaryFollowsEveryWrite,
		"deployments page, newest first":     deploymentsPage,
		"deployments by what they belong to": deploymentsByFilter,
		"claims fence":                       claimsFence,
		"expired leases are queued again":    expiredLeasesAreQueuedAgain,
		"everything unfinished is queued":    everythingUnfinishedIsQueued,
		"waiting deployments are released":   waitingDeploymentsAreReleased,
		"held deployments are handed over":   heldDeploymentsAreHandedOver,
		"what happens meanwhile wakes":       whatHappensMeanwhileWakes,
		"fleets wait behind single ones":     fleetsWait,
		"equal jobs are one":                 equalJobsAreOne,
		"syncs are claimed and polled":       syncsAreClaimedAndPolled,
		"logs are numbered":                  logsAreNumbered,
		"deployments are recorded":           deploymentsAreRecorded,
		"status changes are kept for each":   statusChangesAreKeptForEachTarget,
		"one server tells a target":          oneServerTellsATarget,
		"tags":                               tags,
		"client tokens":                      clientTokens,
		"bundles":                            bundles,
		"secrets stay":                       secretsStay,
		"account settings":                   accountSettings,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, db{t, open(t)})
		})
	}
}

// db is an open store in a test: what goes wrong fails the test.
type db struct {
	t *testing.T
	*store.Store
}

func (d db) update(f func(ctx context.Context, tx *store.Tx) error) {
	d.t.Helper()
	if err := d.tryUpdate(f); err != nil {
		d.t.Fatal(err)
	}
}

func (d db) tryUpdate(f func(ctx context.Context, tx *store.Tx) error) error {
	return d.Update(d.t.Context(), func(tx *store.Tx) error { return f(d.t.Context(), tx) })
}

// view answers what f reads.
func view[T any](d db, f func(ctx context.Context, tx *store.Tx) (T, error)) T {
	d.t.Helper()
	got, err := tryView(d, f)
	if err != nil {
		d.t.Fatal(err)
	}
	return got
}

func tryView[T any](d db, f func(ctx context.Context, tx *store.Tx) (T, error)) (got T, err error) {
	err = d.View(d.t.Context(), func(tx *store.Tx) error {
		got, err = f(d.t.Context(), tx)
		return err
	})
	return got, err
}

func (d db) same(what string, want, got any) {
	d.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var (
	scope = proton.Scope{Account: "123456789012", Region: "eu-west-1"}
	other = proton.Scope{Account: "123456789012", Region: "us-east-1"}
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)
)

// filled is a record in which every field has a value of its own.
func filled[T any]() T {
	var record T
	n := 0
	fill(reflect.ValueOf(&record).Elem(), &n)
	return record
}

func fill(v reflect.Value, n *int) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(noon.Add(time.Duration(*n) * time.Microsecond)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("f%d <é> \"'\n", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("storetest cannot fill a " + v.Type().String())
	}
}

// ran collects the jobs that a worker was handed.
type ran struct {
	mu   sync.Mutex
	jobs []jobs.Job
}

// work runs a worker until the markers, which it queues last, one of each kind
// because kinds don't wait for each other, were handed out; it answers all the
// jobs that were.
func (d db) work() []jobs.Job {
	d.t.Helper()
	marker := jobs.Job{Kind: jobs.Deploy, Key: "marker", Generation: time.Now().UnixMicro()}
	other := marker
	other.Kind = jobs.RegisterTemplateVersion
	d.update(func(ctx context.Context, tx *store.Tx) error { return tx.Enqueue(ctx, marker, other) })
	var r ran
	seen := make(chan jobs.Kind, 2)
	handler := func(_ context.Context, j jobs.Job) (jobs.Next, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if j.Key == marker.Key {
			if j.Generation == marker.Generation {
				seen <- j.Kind
			}
			return jobs.Done(), nil
		}
		j.RunAt, j.Priority = time.Time{}, 0
		r.jobs = append(r.jobs, j)
		return jobs.Done(), nil
	}
	// One at a time, so that the marker comes after all that was due before it.
	worker, err := d.NewWorker(jobs.Config{Logger: slog.New(slog.DiscardHandler), Concurrency: 1},
		map[jobs.Kind]jobs.Handler{jobs.Deploy: handler, jobs.RegisterTemplateVersion: handler})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := worker.Start(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	for range 2 {
		select {
		case <-seen:
		case <-time.After(20 * time.Second):
			d.t.Error("a marker job was not handed out")
		}
	}
	if err := worker.Stop(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	slices.SortFunc(r.jobs, func(a, b jobs.Job) int {
		return slices.Compare([]string{string(a.Kind), a.Key}, []string{string(b.Kind), b.Key})
	})
	return r.jobs
}

func deploy(id string, attempt int64) jobs.Job {
	return jobs.Job{Kind: jobs.Deploy, Key: id, Generation: attempt}
}
