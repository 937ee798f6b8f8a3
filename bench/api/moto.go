package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hadronhq/hadron/bench/results"
)

// moto measures what users of an emulator know: moto's server, in memory and
// without signatures, on calls like ours of a service that it has. It makes
// parameters as we make services, reads one, and lists a page of them.
func moto(ctx context.Context, python string, span time.Duration) (rates map[string]float64, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(ctx, python, "-m", "moto.server", "-p", port)
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	c := motoCaller{caller{"http://" + address, "AKIAMOTOMOTOMOTOMOTO", "secret", &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}, new(atomic.Int64)}}
	ready := time.Now().Add(time.Minute)
	for c.put(0) != nil {
		if time.Now().After(ready) {
			return nil, fmt.Errorf("moto does not answer on %s", address)
		}
		time.Sleep(100 * time.Millisecond)
	}
	rates = map[string]float64{}
	for name, do := range map[string]func(int64) error{
		"create": c.put,
		"get":    func(int64) error { return c.send("GetParameter", `{"Name":"/s0"}`) },
		"list":   func(int64) error { return c.send("DescribeParameters", `{"MaxResults":50}`) },
	} {
		if rates[name], err = c.each(span, do); err != nil {
			return nil, err
		}
	}
	return rates, nil
}

type motoCaller struct{ caller }

func (c motoCaller) put(n int64) error {
	return c.send("PutParameter", fmt.Sprintf(`{"Name":"/s%d","Type":"String","Value":%q,"Overwrite":true}`, n, serviceSpec))
}

func (c motoCaller) send(operation, body string) error {
	return c.post("ssm", "AmazonSSM."+operation, "1.1", body)
}

// besideMoto compares this server's calls with moto's of the same run; none if
// moto is not installed.
func besideMoto(ctx context.Context, data string, span time.Duration) ([]results.Row, error) {
	python, err := exec.Command("scripts/setup-moto.sh").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "moto cannot be installed; it is left out:", err)
		return nil, nil
	}
	theirs, err := moto(ctx, strings.TrimSpace(string(python)), span)
	if err != nil {
		return nil, err
	}
	var gate sync.RWMutex
	s, err := start(ctx, data, idle{func(string) { gate.RLock(); defer gate.RUnlock() }})
	if err != nil {
		return nil, err
	}
	defer s.Close(ctx)
	if err := s.publish(ctx); err != nil {
		return nil, err
	}
	gate.Lock() // nothing follows moto's calls, so what follows ours waits
	defer gate.Unlock()
	c := caller{s.URL, s.Root.AccessKeyID, s.Root.SecretAccessKey, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}, new(atomic.Int64)}
	var rows []results.Row
	for _, each := range []struct {
		name, ours, theirs string
		body               func(int64) string
	}{
		{"create", "CreateService", "PutParameter", newService},
		{"get", "GetService", "GetParameter", func(int64) string { return `{"name":"s1"}` }},
		{"list", "ListServices", "DescribeParameters", func(int64) string { return `{"maxResults":50}` }},
	} {
		rate, err := c.rate(span, each.ours, each.body)
		if err != nil {
			return nil, err
		}
		rows = append(rows, results.Row{
			Name: fmt.Sprintf("moto: %s (%s, signed, durable) of moto's %s (in memory), calls a second", each.name, each.ours, each.theirs), Value: rate / theirs[each.name], Unit: "x",
			Reference: &results.Reference{Name: fmt.Sprintf("%.0f/s moto, %.0f/s Hadron, %d callers", theirs[each.name], rate, clients), Value: 1},
		})
	}
	return rows, nil
}
