// Command api measures calls and deployments of a server in this process, and
// the built program's start, against a bare handler in the same run.
//
//	go run ./bench/api [-part NAME] [-time D] [-services N] [-out FILE]
//
// FILE takes the rows as JSON; rows of other names that it holds already are
// kept. It changes nothing but FILE and a temporary folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/hadronhq/hadron/bench/results"
)

func main() {
	span := flag.Duration("time", 2*time.Second, "how long each side of calls is measured, in each of three rounds")
	services := flag.Int("services", 2000, "services of the data set whose lists are measured, with ten instances each")
	out := flag.String("out", "", "file that takes the rows as JSON")
	profile := flag.String("profile", "", "file that takes a CPU profile of the calls, without the other parts")
	part := flag.String("part", "", "measure only this part: process, calls, lists, nodes or moto")
	postgres := flag.String("postgres", "", "PostgreSQL for the part of many nodes, an empty database (default: one that is started for it)")
	many := flag.Int("nodes", 3, "how many servers share it")
	flag.Parse()
	ctx := context.Background()
	measure := func(ctx context.Context, span time.Duration, services int, out string) error {
		return run(ctx, span, services, out, *part, *postgres, *many)
	}
	if *profile != "" {
		measure = profiled(*profile)
	}
	if err := measure(ctx, *span, *services, *out); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, span time.Duration, services int, out, only, postgres string, many int) error {
	root, err := os.MkdirTemp("", "hadron-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	var rows []results.Row
	for _, part := range []struct {
		name    string
		measure func() ([]results.Row, error)
	}{
		{"process", func() ([]results.Row, error) { return process(ctx, root) }},
		{"calls", func() ([]results.Row, error) { return calls(ctx, filepath.Join(root, "calls"), span) }},
		{"lists", func() ([]results.Row, error) { return lists(ctx, filepath.Join(root, "lists"), services) }},
		{"nodes", func() ([]results.Row, error) { return nodes(ctx, root, postgres, many, span) }},
		{"moto", func() ([]results.Row, error) { return besideMoto(ctx, filepath.Join(root, "moto"), span) }},
	} {
		if only != "" && only != part.name {
			continue
		}
		more, err := part.measure()
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	results.Print(os.Stdout, rows)
	if out == "" {
		return nil
	}
	return results.Write(out, rows)
}

// profiled measures the calls alone and writes a CPU profile of it.
func profiled(file string) func(context.Context, time.Duration, int, string) error {
	return func(ctx context.Context, span time.Duration, _ int, _ string) error {
		root, err := os.MkdirTemp("", "hadron-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(root)
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
		rows, err := calls(ctx, filepath.Join(root, "calls"), span)
		results.Print(os.Stdout, rows)
		return err
	}
}

func row(name string, value float64, unit, is string, goal float64) results.Row {
	return results.Row{Name: "api: " + name, Value: value, Unit: unit, Goal: &results.Goal{Is: is, Value: goal}}
}

// p99 is in milliseconds.
func p99(all []time.Duration) float64 {
	slices.Sort(all)
	return all[(len(all)-1)*99/100].Seconds() * 1e3
}
