package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

func (t *tool) deploymentCommand() *cobra.Command {
	return group("deployment", "Look into deployments", "Look into deployments of environments, service instances and pipelines.", t.logsCommand())
}

func (t *tool) logsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs DEPLOYMENT-ID",
		Short: "Print what a deployment's commands have printed",
		Long: `Print the log of a deployment: what its commands or tools have printed.

The id is the member lastAttemptedDeploymentId of an environment, a service
instance or a pipeline, and the member id of a deployment in ListDeployments.

` + credentialsHelp,
		Example: `  hadron deployment logs 0f5b3d1e-0000-4000-8000-000000000001
  hadron deployment logs --follow 0f5b3d1e-0000-4000-8000-000000000001
  hadron deployment logs --output json 0f5b3d1e-0000-4000-8000-000000000001`,
		Args: wants("DEPLOYMENT-ID"),
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
		l := &logReader{client: a.client(), id: args[0], print: func(e api.DeploymentLogEvent) error {
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
			return a.explain(l.follow(cmd.Context()))
		}
		_, err = l.read(cmd.Context())
		return a.explain(err)
	}
	return cmd
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
