// Package app wires the parts to a server, reads the configuration, and serves
// the one port. It is the only package that knows all others.
//
// A Server is the whole product in one process: tests and the quickstart start
// the same one that "hadron serve" does. It makes no decisions about resources.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/awsread"
	"github.com/hadronhq/hadron/internal/bucketstore"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/console"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/events"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/git"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/oidc"
	"github.com/hadronhq/hadron/internal/provision"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/sts"
	"github.com/hadronhq/hadron/internal/tofustate"
)

// Version is the release this binary is of; the build sets it.
var Version = "dev"

// Server is a running Hadron.
type Server struct {
	URL     string // how clients reach it
	Root    Credentials
	store   *store.Store
	buckets buckets
	keys    *keys
	states  *tofustate.States
	aws     *awsread.Reader
	tokens  *oidc.Verifier

	masterKeys *masterKeys
	git        *git.Git // nil where it is not installed
	forges     *forge.Forges
	work       *provision.Provisioner
	config     Config
	worker     *jobs.Worker
	limits     map[jobs.Kind]int // of jobs at once, where that is not the configured concurrency
	http       *http.Server
	metrics    *metrics
	tracer     *tracer        // nil: no spans are wanted
	teller     *events.Teller // nil: nobody is told of status changes
	log        *slog.Logger
	node       string // names this process among those that share the database

	listener    net.Listener
	certificate *certificate // nil: no TLS
	plain       net.Listener // beside one with TLS, for programs that this server starts
	localHTTP   *http.Server // serves it
	local       string       // how programs that this server starts reach it

	stopping     atomic.Bool
	stopGrace    time.Duration
	stopWatch    context.CancelFunc
	closeEngines func()
	closeHeir    func()
	wait         sync.WaitGroup
	served       chan error
}

// Credentials are the root access key of a server.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey auth.Secret
	Fresh           bool   // made by this start
	File            string // where they are kept; empty if they were configured
}

// Option changes how a server is made; tests use them.
type Option func(*options)

type options struct {
	engines engine.Set
}

// WithEngines replaces the engines.
func WithEngines(set engine.Set) Option { return func(o *options) { o.engines = set } }

// Start makes a server and starts to serve. The caller closes it.
func Start(ctx context.Context, c Config, log *slog.Logger, opts ...Option) (_ *Server, err error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	s := &Server{
		config: c, metrics: newMetrics(Version), log: log, node: uuid.NewString(), stopGrace: time.Duration(c.StopGrace) * time.Second,
		served: make(chan error, 2), stopWatch: func() {}, closeEngines: func() {}, closeHeir: func() {},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	if s.tracer, err = newTracer(c, s.node, log); err != nil {
		return s, fmt.Errorf("traces: %w", err)
	}
	if s.store, err = store.Open(ctx, c.database(), log); err != nil {
		return s, err
	}
	if s.buckets, err = openBuckets(ctx, c, s.store, log); err != nil {
		return s, fmt.Errorf("bucket store: %w", err)
	}
	if s.masterKeys, err = loadMasterKeys(ctx, c, s.store, log); err != nil {
		return s, fmt.Errorf("master key: %w", err)
	}
	warnOfModes(c, log)
	sealer := s.masterKeys.sealer
	s.store.SealWith(s.masterKeys.forStore())
	root, err := loadRootKey(ctx, c, s.store, sealer)
	if err != nil {
		return s, fmt.Errorf("root access key: %w", err)
	}
	s.Root = Credentials{AccessKeyID: root.id, SecretAccessKey: root.secret, Fresh: root.fresh}
	if c.RootAccessKeyID == "" {
		s.Root.File = CredentialsFile(c.Data)
	}
	runs, err := s.store.Secret(ctx, "run-keys")
	if err != nil {
		return s, fmt.Errorf("keys of deployments: %w", err)
	}
	s.keys = &keys{sealer: sealer, root: root, account: c.AccountID, store: s.store, runs: runs}
	if err = s.open(c); err != nil {
		return s, err
	}
	if s.tokens, err = newTokenVerifier(c); err != nil {
		return s, err
	}
	s.aws = newReader(c, s.keys)
	if s.teller, err = s.newTeller(c, s.aws.Identity); err != nil {
		return s, err
	}
	if s.states, err = newStates(s.store, s.keys, log); err != nil {
		return s, err
	}
	s.openGit(c)
	if o.engines == nil {
		if o.engines, err = s.engines(c, s.keys); err != nil {
			return s, err
		}
	}
	limited := s.limitWork(c)
	s.work = provision.New(provision.Config{
		Store: s.store, Bundles: s.library(c), Engines: o.engines, Objects: objects{s.buckets, s.aws},
		Owner: s.node, Logger: s.log, RedeployInstances: c.RedeployInstances == "components", PreviewTime: time.Duration(c.PreviewTimeout) * time.Second,
		StepAttempts: c.StepAttempts, Observer: s.metrics, Limited: limited,
	})
	s.metrics.watch(s.store, log)
	plane, err := s.plane(ctx, c, o.engines)
	if err != nil {
		return s, err
	}
	if err = s.startWork(ctx, c, plane); err != nil {
		return s, err
	}
	s.serve(plane, s.keys)
	return s, nil
}

// plane is what answers the calls of the API.
func (s *Server) plane(ctx context.Context, c Config, engines engine.Set) (*control.Plane, error) {
	methods := map[string]bool{}
	for method := range engines {
		methods[string(method)] = true
	}
	return control.New(ctx, control.Config{
		Store: s.store, Bundles: s.library(c), Quotas: c.quotas(), StrictSpecs: c.StrictSpecs, Methods: methods, Throttled: throttle(c.ThrottleRate),
		Preview: s.work.Preview, Sealer: s.keys.sealer, MasterKeys: s.masterKeys.status, CheckToken: checkToken, URL: s.URL, Logger: s.log, Cancelled: s.work.Stop,
		AuditRetention: time.Duration(c.AuditRetention) * 24 * time.Hour,
	})
}

// startWork takes up what an earlier process left unfinished and starts to
// work off deployments.
func (s *Server) startWork(ctx context.Context, c Config, plane *control.Plane) error {
	handlers := s.work.Handlers()
	watches := []func(context.Context){s.work.Watch, plane.KeepAudit, s.masterKeys.keep}
	syncer, err := s.syncer(c, plane)
	if err != nil {
		return err
	}
	if syncer != nil {
		maps.Copy(handlers, syncer.Handlers())
		watches = append(watches, syncer.Watch)
	}
	if s.teller != nil {
		watches = append(watches, s.teller.Watch)
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopWatch = stop
	if err := s.takeUp(ctx, watch); err != nil {
		return fmt.Errorf("take up unfinished work: %w", err)
	}
	for kind, handler := range handlers {
		handlers[kind] = s.metrics.around(kind, cmp.Or(s.limits[kind], c.Concurrency), s.tracer.jobs(kind, handler))
	}
	worker, err := s.store.NewWorker(jobs.Config{
		Logger: s.log, Node: s.node, Concurrency: c.Concurrency, Limits: s.limits, GiveUp: s.work.GiveUp, StopGrace: max(s.stopGrace, time.Millisecond),
	}, handlers)
	if err != nil {
		return err
	}
	s.worker = worker
	if err := s.worker.Start(ctx); err != nil {
		return fmt.Errorf("start workers: %w", err)
	}
	for _, w := range watches {
		s.wait.Go(func() { w(watch) })
	}
	return nil
}

// takeUp queues what an earlier process left behind, if nobody else can be
// working on it. Among others it joins them: they see what is left behind.
func (s *Server) takeUp(ctx, watch context.Context) error {
	if s.store.Shared() {
		s.handInOwn(ctx, s.config)
		if err := s.bequeath(s.config); err != nil {
			return err
		}
		return s.work.Join(watch, &s.wait)
	}
	n, err := s.store.RequeueAll(ctx)
	if n > 0 {
		s.log.Info("taking up what was unfinished", "jobs", n)
	}
	return err
}

// library opens bundles of the store; each user of one has a cache of its own.
func (s *Server) library(c Config) *bundle.Library {
	limits, _ := c.bundleLimits() // Check has refused bad ones
	return bundle.NewLibrary(64, limits, func(ctx context.Context, digest string) (archive []byte, err error) {
		err = s.store.View(ctx, func(tx *store.Tx) error {
			archive, err = tx.Bundle(ctx, digest)
			return err
		})
		return archive, err
	})
}

func (s *Server) serve(plane *control.Plane, k *keys) {
	g := &guard{plane: plane, account: s.config.AccountID}
	verifier := &auth.Verifier{Keys: k, Refused: g.tooMany}
	access := accessLog(s.log)
	handler := awsjson.NewHandler(api.Operations, plane, awsjson.Config{
		Authenticate: g.authenticate(verifier), Around: s.tracer.operations(plane.Around), MapError: mapError, Logger: s.log,
		Observe: func(ctx context.Context, f awsjson.Finished) {
			s.metrics.observe(ctx, f)
			answered(ctx, f)
			access(ctx, f)
		},
	})
	tokens := &sts.Service{Store: s.store, Sealer: k.sealer, Verifier: verifier, Logger: s.log, Identities: s.identities(), Stranger: g.stsStranger, Finished: g.sts}
	pages := console.New(console.Config{
		API: handler, Keys: k, Sealer: k.sealer, Version: Version, Logger: s.log,
		Federation: s.consoleSignIn(tokens, g), FederationName: s.config.signInName(), URL: s.URL,
	})
	s.listenAndServe(&routes{
		api: s.metrics.inFlight(s.tracer.calls(handler)), buckets: s.buckets.Handler(verifier, g.bucket), states: g.limited(s.states.Handler()), metrics: s.metrics.handler(), console: pages,
		webhooks: g.limited(&webhooks{store: s.store, sealer: k.sealer, log: s.log}), sts: tokens, ready: s.ready,
	})
	s.http.RegisterOnShutdown(pages.Stop) // it would wait for them for ever
}

// Wait returns when ctx ends, or with an error when serving fails.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.served:
		return err
	}
}

// stopTime is how long a stopping server waits for what runs, and then for
// calls to be answered.
const stopTime = 10 * time.Second

// Close stops the server: no new deployments; those that run may go on for a
// while, and are then stopped and left to be taken up by the next start or by
// another server. Then running calls are answered, and no new ones.
func (s *Server) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.stopGrace+2*stopTime)
	defer cancel()
	s.stopping.Store(true)
	var errs []error
	if s.worker != nil { // first: what a tool is interrupted at it still writes to us
		work, done := context.WithTimeout(ctx, s.stopGrace+stopTime)
		errs = append(errs, s.worker.Stop(work))
		done()
	}
	s.stopWatch() // only now: this node holds deployments until here
	s.closeEngines()
	s.closeHeir() // what is left is on record
	errs = append(errs, s.hangUp(ctx))
	s.wait.Wait()
	if s.buckets != nil {
		errs = append(errs, s.buckets.Close())
	}
	if s.store != nil {
		if err := s.leave(ctx); err != nil { // others find out in a lease's time
			s.log.Warn("say that this node has stopped", "err", err)
		}
		errs = append(errs, s.store.Close())
	}
	if err := s.tracer.close(ctx); err != nil {
		s.log.Warn("the last traces were not sent", "err", err)
	}
	return errors.Join(errs...)
}

// hangUp answers the calls that are running, and no new ones.
func (s *Server) hangUp(ctx context.Context) error {
	var errs []error
	for _, h := range []*http.Server{s.http, s.localHTTP} {
		if h != nil {
			errs = append(errs, h.Shutdown(ctx))
		}
	}
	if s.http == nil { // the start has failed
		for _, l := range []net.Listener{s.listener, s.plain} {
			if l != nil {
				errs = append(errs, l.Close())
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Server) leave(ctx context.Context) error {
	if !s.store.Shared() {
		return nil
	}
	return s.store.Leave(ctx, s.node)
}

// ready reports whether calls should be sent to this server.
func (s *Server) ready(ctx context.Context) error {
	if s.stopping.Load() {
		return errors.New("the server is stopping")
	}
	return s.store.Ping(ctx)
}

// buckets is the built-in bucket store.
type buckets interface {
	Handler(*auth.Verifier, func(*http.Request, bucketstore.Call)) http.Handler
	Object(ctx context.Context, account, bucket, key string) (io.ReadCloser, int64, error)
	Close() error
}

// openBuckets keeps buckets in the data folder, or with the database if that
// is shared, so that each server has them.
func openBuckets(ctx context.Context, c Config, db *store.Store, log *slog.Logger) (buckets, error) {
	folder, options := filepath.Join(c.Data, "buckets"), bucketstore.Options{Logger: log}
	var b buckets
	var err error
	if db.Shared() {
		b, err = bucketstore.OpenShared(ctx, db, filepath.Join(folder, "reading"), options)
	} else {
		b, err = bucketstore.Open(folder, options)
	}
	if err != nil {
		return nil, err // not a nil of its type
	}
	return b, nil
}
