package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hadronhq/hadron/bench/results"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
)

const clients = 8 // callers at once

type keySet map[string]auth.Key

func (k keySet) Key(_ context.Context, id, _ string) (auth.Key, bool, error) {
	key, ok := k[id]
	return key, ok, nil
}

// bare verifies the signature and does one read, or one durable commit, as a
// handler written for that alone would: with SQLite's own flush of each commit.
type bare struct {
	verifier *auth.Verifier
	reader   *sql.DB
	writer   *sql.DB // one connection, as SQLite has one writer
	read     *sql.Stmt
	insert   *sql.Stmt
	writes   atomic.Int64
}

// newBare makes a database of one table with a row "first".
func newBare(file string, key auth.Key, id string) (*bare, error) {
	dsn := "file:" + file + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)"
	writer, err1 := sql.Open("sqlite", dsn)
	reader, err2 := sql.Open("sqlite", dsn)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader.SetMaxIdleConns(clients)
	b := &bare{verifier: &auth.Verifier{Keys: keySet{id: key}}, reader: reader, writer: writer}
	if _, err := writer.Exec("CREATE TABLE services (name TEXT PRIMARY KEY, spec TEXT NOT NULL); INSERT INTO services VALUES ('first', '')"); err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.read, err1 = reader.Prepare("SELECT name, spec FROM services WHERE name = ?")
	b.insert, err2 = writer.Prepare("INSERT INTO services VALUES (?, ?) RETURNING name, spec")
	return b, errors.Join(err1, err2)
}

func (b *bare) close() error { return errors.Join(b.reader.Close(), b.writer.Close()) }

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, err = b.verifier.Verify(r, body, "proton")
	}
	var row struct{ Name, Spec string }
	switch {
	case err != nil:
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetService"):
		err = b.read.QueryRowContext(r.Context(), "first").Scan(&row.Name, &row.Spec)
	default:
		err = b.insert.QueryRowContext(r.Context(), fmt.Sprintf("s%d", b.writes.Add(1)), serviceSpec).Scan(&row.Name, &row.Spec)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(row)
}

// caller sends signed calls, from many callers at once.
type caller struct {
	url, id string
	secret  auth.Secret
	client  *http.Client
	n       *atomic.Int64
}

func (c caller) call(operation, body string) error {
	return c.post("proton", "AwsProton20200720."+operation, "1.0", body)
}

// post calls an operation of a service that speaks a version of awsJson.
func (c caller) post(service, target, version, body string) error {
	r, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-"+version)
	r.Header.Set("X-Amz-Target", target)
	if err := auth.Sign(r, []byte(body), c.id, c.secret, "", region, service, time.Now()); err != nil {
		return err
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", target, answer.Status, text)
	}
	return err
}

// rate is how many calls a second are answered.
func (c caller) rate(span time.Duration, operation string, body func(n int64) string) (float64, error) {
	return c.each(span, func(n int64) error { return c.call(operation, body(n)) })
}

// each is how many times a second something is done, by all callers together.
func (c caller) each(span time.Duration, do func(n int64) error) (float64, error) {
	var wait sync.WaitGroup
	var done atomic.Int64
	failed := make(chan error, clients)
	begin := time.Now()
	for range clients {
		wait.Go(func() {
			for time.Since(begin) < span {
				if err := do(c.n.Add(1)); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}
	wait.Wait()
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(done.Load()) / time.Since(begin).Seconds(), nil
	}
}

const serviceSpec = "proton: ServiceSpec\ninstances:\n- name: dev\n  environment: one\n  spec: {size: 1}\n"

// newService is what CreateService is sent for the n-th service.
func newService(n int64) string {
	text, _ := json.Marshal(map[string]any{"name": fmt.Sprintf("s%d", n), "templateName": "web", "templateMajorVersion": "1", "spec": serviceSpec})
	return string(text)
}

func calls(ctx context.Context, data string, span time.Duration) ([]results.Row, error) {
	steps := make(chan struct{}, 1_000_000)
	var gate sync.RWMutex
	s, err := start(ctx, data, idle{func(string) { gate.RLock(); defer gate.RUnlock(); steps <- struct{}{} }})
	if err != nil {
		return nil, err
	}
	defer s.Close(ctx)
	if err := s.publish(ctx); err != nil {
		return nil, err
	}
	<-steps // the environment's
	latency, err := firstSteps(ctx, s, steps)
	if err != nil {
		return nil, err
	}
	b, err := newBare(data+"-bare.db", auth.Key{Secret: s.Root.SecretAccessKey, AccountID: "000000000000"}, s.Root.AccessKeyID)
	if err != nil {
		return nil, err
	}
	defer b.close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &http.Server{Handler: b}
	go func() { _ = h.Serve(l) }()
	defer h.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	sides := [2]caller{{"http://" + l.Addr().String(), s.Root.AccessKeyID, s.Root.SecretAccessKey, client, new(atomic.Int64)}}
	sides[1] = sides[0]
	sides[1].url = s.URL
	read, err := compare("read call (GetService), signed, calls a second", sides, span, "GetService", func(int64) string { return `{"name":"first-1"}` })
	if err != nil {
		return nil, err
	}
	gate.Lock() // deployments wait, so that the call alone is measured, and then all of them are worked off
	write, err := compare("write call (CreateService), durable, calls a second", sides, span, "CreateService", newService)
	before := time.Now()
	gate.Unlock()
	if err != nil {
		return nil, err
	}
	return append([]results.Row{read, write, latency}, row("deployments with a driver that does nothing", drained(steps, before), "1/s", ">=", 500)), nil
}

// drained is how many deployments a second reach their driver from begin on,
// until none has for a second.
func drained(steps chan struct{}, begin time.Time) float64 {
	n, last := 0, begin
	for {
		select {
		case <-steps:
			n, last = n+1, time.Now()
		case <-time.After(time.Second):
			return float64(max(n-100, 0)) / max(last.Sub(begin).Seconds(), 1e-3) // 100 had been claimed before
		}
	}
}

// compare measures both sides in turn; the median of three rounds counts.
func compare(name string, sides [2]caller, span time.Duration, operation string, body func(int64) string) (results.Row, error) {
	var rates [2][]float64
	for range 3 {
		for i, side := range sides {
			rate, err := side.rate(span, operation, body)
			if err != nil {
				return results.Row{}, err
			}
			rates[i] = append(rates[i], rate)
		}
	}
	slices.Sort(rates[0])
	slices.Sort(rates[1])
	r := row(name+", of a bare handler", rates[1][1]/rates[0][1], "x", ">=", 0.5)
	r.Reference = &results.Reference{Name: fmt.Sprintf("%.0f/s bare, %.0f/s Hadron, %d callers", rates[0][1], rates[1][1], clients), Value: 1}
	return r, nil
}

// firstSteps measures from a call's answer to its deployment's first step.
func firstSteps(ctx context.Context, s *server, steps chan struct{}) (results.Row, error) {
	var all []time.Duration
	for n := range 200 {
		_, err := s.CreateService(ctx, &api.CreateServiceInput{Name: p(fmt.Sprintf("first-%d", n)), TemplateName: p("web"), TemplateMajorVersion: p("1"), Spec: p(serviceSpec)})
		if err != nil {
			return results.Row{}, err
		}
		begin := time.Now()
		select {
		case <-steps:
			all = append(all, time.Since(begin))
		case <-time.After(10 * time.Second):
			return results.Row{}, fmt.Errorf("service first-%d was not deployed", n)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return row("answer to the driver's first step, p99 of 200, embedded", p99(all), "ms", "<=", 50), nil
}
