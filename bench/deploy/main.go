// Command deploy measures what a deployment by Hadron costs over plain
// "tofu init && tofu apply" of the same folder with the same program: the first
// one of a template, and later ones.
//
//	go run ./bench/deploy [-rounds N] [-out FILE]
//
// The program is the one that HADRON_TOFU names, or the one of "make tools".
// FILE takes the rows as JSON; rows of other names that it holds already are
// kept. It changes nothing but FILE and a temporary folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hadronhq/hadron/bench/results"
)

func main() {
	rounds := flag.Int("rounds", 9, "how often each quick thing is measured; the median counts")
	out := flag.String("out", "", "file that takes the rows as JSON")
	flag.Parse()
	if err := run(context.Background(), *rounds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, out string) error {
	program := os.Getenv("HADRON_TOFU")
	if program == "" {
		program = filepath.Join(".tools", "opentofu", "tofu")
	}
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("skipped: deployments against plain OpenTofu, because %s is not there (make tools)\n", program)
		return nil
	}
	root, err := os.MkdirTemp("", "hadron-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	var rows []results.Row
	for k, f := range folders {
		m := measured{folder: f}
		for n := range max(rounds/f.slow, 3) | 1 { // odd, for the median
			if err := m.round(ctx, program, filepath.Join(root, fmt.Sprint(k, "-", n))); err != nil {
				return err
			}
		}
		rows = append(rows, m.rows()...)
	}
	results.Print(os.Stdout, rows)
	if out == "" {
		return nil
	}
	return results.Write(out, rows)
}

// measured are the times of all rounds of a folder, by hand and by Hadron.
type measured struct {
	folder       folder
	first, later [2][]time.Duration
}

// settle is what each deployment waits before it begins, so that what the one
// before has left to do is not in its time.
const settle = 200 * time.Millisecond

// round measures the first deployment of a template and two later ones,
// each right after the same by hand, so that both meet the same machine.
func (m *measured) round(ctx context.Context, program, dir string) error {
	hand, err := newHand(program, filepath.Join(dir, "hand"), m.folder)
	if err != nil {
		return err
	}
	server, err := newServer(ctx, program, filepath.Join(dir, "hadron"), m.folder)
	if err != nil {
		return err
	}
	defer server.close()
	for n := range 3 {
		times := &m.later
		if n == 0 {
			times = &m.first
		}
		for i, deploy := range []func(context.Context, int) error{hand.deploy, server.deploy} {
			time.Sleep(settle)
			begin := time.Now()
			if err := deploy(ctx, n); err != nil {
				return err
			}
			took := time.Since(begin)
			times[i] = append(times[i], took)
			server.quiet = took * 8 / 10 // of the time by hand, which is next to be beaten
		}
	}
	return nil
}

func (m *measured) rows() []results.Row {
	row := func(name string, times [2][]time.Duration, goal float64) results.Row {
		hand, ours := median(times[0]), median(times[1])
		return results.Row{
			Name: "deploy: " + name + m.folder.name + ", time of init and apply by hand", Value: ours / hand, Unit: "x",
			Reference: &results.Reference{Name: fmt.Sprintf("%.0f ms by hand, %.0f ms by Hadron", hand*1e3, ours*1e3), Value: 1},
			Goal:      &results.Goal{Is: "<=", Value: goal},
		}
	}
	return []results.Row{row("first deployment", m.first, 1.05), row("later deployment", m.later, m.folder.later)}
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return all[len(all)/2].Seconds()
}
