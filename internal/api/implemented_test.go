package api_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hadronhq/hadron/internal/api"
)

// full has methods on the pointer and on the value; core, one level down, has another.
type full struct{ core }

type core struct{ api.Unimplemented }

func (*core) GetServiceInstance(context.Context, *api.GetServiceInstanceInput) (*api.GetServiceInstanceOutput, error) {
	return nil, context.Canceled
}

func (f *full) GetService(context.Context, *api.GetServiceInput) (*api.GetServiceOutput, error) {
	return nil, nil
}

func (f full) GetEnvironment(ctx context.Context, in *api.GetEnvironmentInput) (*api.GetEnvironmentOutput, error) {
	return new(api.GetEnvironmentOutput), ctx.Err()
}

func (f *full) ListDeploymentLogEvents(context.Context, *api.ListDeploymentLogEventsInput) (*api.ListDeploymentLogEventsOutput, error) {
	return &api.ListDeploymentLogEventsOutput{Events: []api.DeploymentLogEvent{}}, nil
}

// outer inherits everything through one more level.
type outer struct{ *full }

func (o outer) DeleteService(context.Context, *api.DeleteServiceInput) (*api.DeleteServiceOutput, error) {
	return nil, nil
}

func TestImplementedListsWhatIsNotInherited(t *testing.T) {
	t.Parallel()
	own := []string{"GetEnvironment", "GetService", "GetServiceInstance", "ListDeploymentLogEvents"}
	for _, c := range []struct {
		name string
		impl any
		want []string
	}{
		{"nothing", api.Unimplemented{}, nil},
		{"nothing, embedded", struct{ api.Unimplemented }{}, nil},
		{"nothing, behind a pointer", &struct{ *api.Unimplemented }{}, nil},
		{"own methods", &full{}, own},
		{"a level further", outer{&full{}}, append([]string{"DeleteService"}, own...)},
		{"a pointer a level further", &outer{&full{}}, append([]string{"DeleteService"}, own...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, api.Implemented(c.impl)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	var _ api.Proton = (*full)(nil)
	if got := len(api.Implemented((*api.Client)(nil))); got != len(api.Operations) {
		t.Errorf("the client implements %d of %d operations", got, len(api.Operations))
	}
}
