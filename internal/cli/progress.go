package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hadronhq/hadron/internal/api"
)

// pollEvery is how often the quickstart looks at what it waits for.
const pollEvery = 100 * time.Millisecond

// deployable is the state of something that is being deployed.
type deployable struct {
	what       string
	status     *api.DeploymentStatus
	message    *string
	deployment *string
}

// progress shows what goes on: a line for each thing, redrawn on a terminal
// while it goes on, else written when its status changes.
type progress struct {
	out    io.Writer
	redraw bool
	color  bool
	drawn  int // lines that are redrawn
	frame  int
	seen   map[string]api.DeploymentStatus
	began  time.Time // of what is waited for now
	took   map[string]time.Duration
}

func newProgress(t *tool) *progress {
	return &progress{
		out: t.stdout, redraw: t.terminal, color: t.color,
		seen: map[string]api.DeploymentStatus{}, took: map[string]time.Duration{},
	}
}

// there says that something needs no work, done that it is finished.
func (p *progress) there(what, how string) { p.line("·", "2", what, how) }
func (p *progress) done(what, how string)  { p.line("✓", "32", what, how) }

func (p *progress) line(sign, color, what, how string) {
	if p.color {
		sign = "\x1b[" + color + "m" + sign + "\x1b[0m"
	}
	clear := ""
	if p.redraw {
		clear = "\x1b[K"
	}
	fmt.Fprintf(p.out, "  %s %-36s %s%s\n", sign, what, how, clear)
}

// show shows the state of all that is waited for.
func (p *progress) show(list []deployable) {
	if p.redraw && p.drawn > 0 {
		fmt.Fprintf(p.out, "\x1b[%dA", p.drawn)
	}
	for _, d := range list {
		status := api.Value(d.status)
		before, known := p.seen[d.what]
		changed := !known || before != status
		p.seen[d.what] = status
		if changed && status != api.DeploymentStatusInProgress {
			p.took[d.what] = time.Since(p.began)
		}
		if p.redraw || changed {
			p.state(d.what, status)
		}
	}
	p.drawn = len(list)
	p.frame++
}

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

func (p *progress) state(what string, status api.DeploymentStatus) {
	switch status {
	case api.DeploymentStatusInProgress:
		sign, how := "…", "deploying"
		if p.redraw {
			sign = string(spinner[p.frame%len(spinner)])
			how = fmt.Sprintf("deploying, %.1f s", time.Since(p.began).Seconds())
		}
		p.line(sign, "36", what, how)
	case api.DeploymentStatusSucceeded:
		p.line("✓", "32", what, fmt.Sprintf("deployed after %.1f s", p.took[what].Seconds()))
	default:
		p.line("✗", "31", what, string(status))
	}
}

// wait shows progress until a waiter has decided. What failed is explained, and
// ends with an error that says so.
func (q *quickstart) wait(ctx context.Context, waiter func(context.Context) error, state func(context.Context) ([]deployable, error)) error {
	decided := make(chan error, 1)
	go func() { decided <- waiter(ctx) }()
	q.began, q.drawn = time.Now(), 0
	if list, err := state(ctx); err == nil {
		q.show(list)
	}
	for {
		select {
		case err := <-decided:
			list, stateErr := state(ctx)
			if stateErr != nil {
				return errors.Join(err, stateErr)
			}
			q.show(list)
			if err != nil {
				q.explainFailures(ctx, list)
			}
			return err
		case <-time.After(pollEvery):
			list, err := state(ctx)
			if err == nil {
				q.show(list)
			}
		}
	}
}

// logTail is how many lines of a failed deployment's log are shown.
const logTail = 15

func (q *quickstart) explainFailures(ctx context.Context, list []deployable) {
	for _, d := range list {
		if s := api.Value(d.status); s == api.DeploymentStatusSucceeded || s == api.DeploymentStatusInProgress {
			continue
		}
		fmt.Fprintf(q.stderr, "\n%s: %s: %s\n", d.what, api.Value(d.status), api.Value(d.message))
		if d.deployment == nil {
			continue
		}
		if err := tail(ctx, q.client, *d.deployment, logTail, q.stderr); err != nil {
			fmt.Fprintf(q.stderr, "    (its log cannot be read: %v)\n", err)
		}
	}
}
