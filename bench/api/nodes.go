package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hadronhq/hadron/bench/results"
)

// nodes measures so many servers in this process that share a PostgreSQL database on
// this machine: that of the URL or, if it is empty, one that is started for it
// and that waits for the disk.
func nodes(ctx context.Context, root, url string, many int, span time.Duration) ([]results.Row, error) {
	if url == "" {
		started, stop, err := startPostgres()
		if err != nil {
			return nil, fmt.Errorf("PostgreSQL (-postgres URL names one that is there): %w", err)
		}
		defer stop()
		url = started
	}
	steps := make(chan struct{}, 1_000_000)
	var gate sync.RWMutex
	driver := idle{func(string) { gate.RLock(); defer gate.RUnlock(); steps <- struct{}{} }}
	var all []*server
	for n := range many {
		data := filepath.Join(root, fmt.Sprint("node-", n))
		if n > 0 { // all need the first one's key
			if err := copyKey(filepath.Join(root, "node-0"), data); err != nil {
				return nil, err
			}
		}
		s, err := startOn(ctx, data, url, driver)
		if err != nil {
			return nil, err
		}
		defer s.Close(ctx)
		all = append(all, s)
	}
	if err := all[0].publish(ctx); err != nil {
		return nil, err
	}
	<-steps // the environment's
	latency, err := firstSteps(ctx, all[0], steps)
	if err != nil {
		return nil, err
	}
	latency.Name, latency.Goal = fmt.Sprintf("nodes: answer to the driver's first step, p99 of 200, PostgreSQL, %d nodes", many), &results.Goal{Is: "<=", Value: 250}
	c := spread{n: new(atomic.Int64)}
	for _, s := range all {
		c.callers = append(c.callers, caller{s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}, c.n})
	}
	rows := []results.Row{latency}
	read, err := c.measure(span, "GetService", func(int64) string { return `{"name":"first-1"}` })
	if err != nil {
		return nil, err
	}
	gate.Lock() // deployments wait, so that the calls alone are measured
	write, err := c.measure(span, "CreateService", newService)
	gate.Unlock()
	if err != nil {
		return nil, err
	}
	return append(append(rows, read...), write...), nil
}

// spread sends calls to several servers in turn.
type spread struct {
	callers []caller
	n       *atomic.Int64
}

// measure answers the rate and the 99th percentile of an operation.
func (s spread) measure(span time.Duration, operation string, body func(int64) string) ([]results.Row, error) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	var failed error
	begin := time.Now()
	for k := range clients {
		wait.Go(func() {
			var mine []time.Duration
			c := s.callers[k%len(s.callers)]
			for time.Since(begin) < 3*span {
				began := time.Now()
				if err := c.call(operation, body(s.n.Add(1))); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	wait.Wait()
	if failed != nil {
		return nil, failed
	}
	name := fmt.Sprintf("nodes: %s, %d callers, PostgreSQL, %d nodes, ", operation, clients, len(s.callers))
	rate := float64(len(took)) / time.Since(begin).Seconds()
	return []results.Row{{Name: name + "calls a second", Value: rate, Unit: "1/s"}, {Name: name + "p99", Value: p99(took), Unit: "ms"}}, nil
}

func copyKey(from, to string) error {
	key, err := os.ReadFile(filepath.Join(from, "master.key"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "master.key"), key, 0o600)
}

// startPostgres runs the project's private PostgreSQL, which ends with its input.
func startPostgres() (url string, stop func(), err error) {
	cmd := exec.Command("scripts/private-postgres.sh", "fsync=on", "full_page_writes=on", "shared_buffers=256MB")
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { input.Close(); _ = cmd.Wait() }
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		stop()
	}
	return strings.TrimSpace(line), stop, err
}
