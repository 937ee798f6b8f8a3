package provision

import (
	"context"
	"errors"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/proton"
)

// Observer is told what a Provisioner does. Its methods must not wait.
type Observer interface {
	// Begins is called when a driver is asked for something (step, preview,
	// cancel), and what it answers with the result: ok; failed, if the run has
	// failed; or error, if the driver could not do what it was asked to.
	Begins(method engine.Method, what string) func(result string)
	// Ended is called once the end of a deployment is recorded.
	Ended(d proton.Deployment)
	// TookOver is called with how many deployments or jobs were taken from
	// workers that are gone.
	TookOver(what string, n int)
}

type unobserved struct{}

func (unobserved) Begins(engine.Method, string) func(string) { return func(string) {} }
func (unobserved) Ended(proton.Deployment)                   {}
func (unobserved) TookOver(string, int)                      {}

func resultOf(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

// step has a driver take a step.
func (p *Provisioner) step(ctx context.Context, driver engine.Driver, method engine.Method, run engine.Run, checkpoint string) (engine.Status, error) {
	return p.asked(ctx, run, method, "step", func(ctx context.Context) (engine.Status, error) { return driver.Step(ctx, run, checkpoint) })
}

// stopRun has a driver stop a run.
func (p *Provisioner) stopRun(ctx context.Context, driver engine.Driver, method engine.Method, run engine.Run, checkpoint string) (engine.Status, error) {
	return p.asked(ctx, run, method, "cancel", func(ctx context.Context) (engine.Status, error) { return driver.Cancel(ctx, run, checkpoint) })
}

func (p *Provisioner) asked(ctx context.Context, run engine.Run, method engine.Method, what string, ask func(context.Context) (engine.Status, error)) (status engine.Status, err error) {
	ctx, ended := p.begins(ctx, run, method, what)
	result := "error" // also if the driver panics
	defer func() { ended(result) }()
	status, err = ask(ctx)
	if result = resultOf(err); err == nil && status.Done && status.Failure != "" {
		result = "failed"
	}
	return status, err
}

// begins tells of what a driver is asked for: the observer, and the trace.
func (p *Provisioner) begins(ctx context.Context, run engine.Run, method engine.Method, what string) (context.Context, func(result string)) {
	observed := p.Observer.Begins(method, what)
	ctx, spanned := engine.Trace(ctx, what, "hadron.engine", string(method), "hadron.deployment", run.DeploymentID,
		"hadron.target", run.ResourceARN, "hadron.run", run.ID)
	return ctx, func(result string) {
		observed(result)
		if result == resultOf(nil) {
			spanned(nil)
		} else {
			spanned(errNotOK)
		}
	}
}

// errNotOK marks the span of what a driver did not do well.
var errNotOK = errors.New("not ok")
