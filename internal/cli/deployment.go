package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

func (t *tool) deploymentCommand() *cobra.Command {
	return group("deployment", "Look into deployments, try them again, go back", "Look into deployments of environments, service instances and pipelines, and into what they would change.",
		t.showCommand(), t.logsCommand(), t.previewCommand(), t.filesCommand(), t.retryCommand(), t.rollbackCommand())
}

func (t *tool) logsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs DEPLOYMENT",
		Short: "Print what a deployment's commands have printed",
		Long: `Print the log of a deployment: what its commands or tools have printed.

With --follow it goes on until the deployment has ended, says how on standard
error, and exits with 1 if that is not success.

` + deploymentHelp + credentialsHelp,
		Example: `  hadron deployment logs 0f5b3d1e-0000-4000-8000-000000000001
  hadron deployment logs --follow environment/dev
  hadron deployment logs --output json 0f5b3d1e-0000-4000-8000-000000000001`,
		Args: wants("DEPLOYMENT"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	follow := cmd.Flags().BoolP("follow", "f", false, "go on until the deployment has ended")
	times := cmd.Flags().Bool("timestamps", false, "begin each line with its time")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		id, err := deploymentID(cmd.Context(), a.client(), args[0])
		if err != nil {
			return a.explain(err)
		}
		l := &logReader{client: a.client(), id: id, print: func(e api.DeploymentLogEvent) error {
			switch {
			case output.json():
				return t.writeLine(e)
			case *times:
				fmt.Fprintf(t.stdout, "%s  %s\n", api.Value(e.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z"), api.Value(e.Message))
			default:
				fmt.Fprintln(t.stdout, api.Value(e.Message))
			}
			return nil
		}}
		if *follow {
			if err := l.follow(cmd.Context()); err != nil {
				return a.explain(err)
			}
			return a.explain(t.sayEnd(cmd.Context(), a.client(), id))
		}
		_, err = l.read(cmd.Context())
		return a.explain(err)
	}
	return cmd
}

// sayEnd says how a deployment has ended. The error is for one that did not succeed.
func (t *tool) sayEnd(ctx context.Context, client *api.Client, id string) error {
	out, err := client.GetDeploymentDetails(ctx, &api.GetDeploymentDetailsInput{DeploymentId: &id})
	if err != nil {
		return err
	}
	d := out.Details
	p := &page{w: t.stderr, color: t.color}
	fmt.Fprintf(p.w, "%s %s %s\n", p.sign(api.Value(d.Status)), resourcePath(api.Value(d.ResourceArn)), statusWords[api.Value(d.Status)])
	if s := api.Value(d.Status); s == "SUCCEEDED" || s == "DELETE_COMPLETE" {
		return nil
	}
	p.wrapped("  ", api.Value(d.StatusReason))
	p.next(d.NextSteps)
	return quietError{errors.New("the deployment did not succeed")}
}

// logReader prints a deployment's log events, each once.
type logReader struct {
	client *api.Client
	id     string
	print  func(api.DeploymentLogEvent) error
	token  *string // of what was not read yet
}

// read prints what there is and was not printed before. It reports whether the
// deployment has ended, so that nothing can follow.
func (l *logReader) read(ctx context.Context) (ended bool, err error) {
	for {
		page, err := l.client.ListDeploymentLogEvents(ctx, &api.ListDeploymentLogEventsInput{DeploymentId: &l.id, NextToken: l.token})
		if err != nil {
			return false, err
		}
		for _, e := range page.Events {
			if err := l.print(e); err != nil {
				return false, err
			}
		}
		if page.NextToken == nil {
			return true, nil
		}
		if l.token = page.NextToken; len(page.Events) == 0 {
			return false, nil
		}
	}
}

// follow reads until the deployment has ended.
func (l *logReader) follow(ctx context.Context) error {
	for {
		ended, err := l.read(ctx)
		if err != nil || ended {
			return err
		}
		select {
		case <-ctx.Done():
			return quietError{context.Cause(ctx)}
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// tail prints the last lines of a deployment's log.
func tail(ctx context.Context, client *api.Client, id string, lines int, w io.Writer) error {
	var last []string
	l := &logReader{client: client, id: id, print: func(e api.DeploymentLogEvent) error {
		last = append(last, api.Value(e.Message))
		last = last[max(0, len(last)-lines):]
		return nil
	}}
	_, err := l.read(ctx)
	for _, line := range last {
		fmt.Fprintln(w, "    "+line)
	}
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
