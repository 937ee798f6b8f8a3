package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/hadronhq/hadron/bench/results"
)

// process builds the program as "make build" does, and measures its size, how
// soon a new data folder is ready, and what it holds in memory then.
func process(ctx context.Context, root string) ([]results.Row, error) {
	program := filepath.Join(root, "hadron")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/hadron")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil, err
	}
	var starts, memory []float64
	for n := range 5 {
		start, rss, err := startOnce(ctx, program, filepath.Join(root, fmt.Sprint("data-", n)))
		if err != nil {
			return nil, err
		}
		starts, memory = append(starts, start.Seconds()), append(memory, rss)
	}
	slices.Sort(starts)
	slices.Sort(memory)
	return []results.Row{
		row("cold start to /readyz, new data folder", starts[2], "s", "<=", 1),
		row("idle memory (RSS)", memory[2], "MB", "<=", 80),
		row("binary, stripped", float64(info.Size())/1e6, "MB", "<=", 60),
	}, nil
}

func startOnce(ctx context.Context, program, data string) (time.Duration, float64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.CommandContext(ctx, program, "serve", "--listen", address, "--data", data)
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() }()
	for {
		answer, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(begin) > 30*time.Second {
			return 0, 0, fmt.Errorf("not ready after %s: %w", time.Since(begin), err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	ready := time.Since(begin)
	time.Sleep(time.Second)
	rss, err := resident(cmd.Process.Pid)
	return ready, rss, err
}

// resident reads a process's memory, in MB.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	var kb float64
	_, after, _ := bytes.Cut(text, []byte("VmRSS:"))
	if _, err := fmt.Sscan(string(after), &kb); err != nil {
		return 0, fmt.Errorf("VmRSS of process %d: %w", pid, err)
	}
	return kb / 1e3, nil
}
