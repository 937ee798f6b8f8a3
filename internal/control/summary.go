package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// GetResourcesSummary counts what an account has in a Region, what of it has
// failed, and what is behind its template's recommended version.
func (p *Plane) GetResourcesSummary(ctx context.Context, in *api.GetResourcesSummaryInput) (*api.GetResourcesSummaryOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetResourcesSummary", anyResource); err != nil {
		return nil, err
	}
	counts := &api.CountsSummary{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		environments, err := tx.CountTemplatesOf(ctx, s, proton.EnvironmentTemplate)
		if err != nil {
			return err
		}
		services, err := tx.CountTemplatesOf(ctx, s, proton.ServiceTemplate)
		if err != nil {
			return err
		}
		components, err := tx.ComponentCounts(ctx, s)
		if err != nil {
			return err
		}
		counts.Components = &api.ResourceCountsSummary{Total: &components.Total, Failed: &components.Failed}
		counts.EnvironmentTemplates = &api.ResourceCountsSummary{Total: &environments.Total}
		counts.ServiceTemplates = &api.ResourceCountsSummary{Total: &services.Total}
		for _, part := range []struct {
			into  **api.ResourceCountsSummary
			count func(context.Context, proton.Scope) (store.Counts, error)
		}{
			{&counts.Environments, tx.EnvironmentCounts}, {&counts.Services, tx.ServiceCounts},
			{&counts.ServiceInstances, tx.InstanceCounts}, {&counts.Pipelines, tx.PipelineCounts},
		} {
			c, err := part.count(ctx, s)
			if err != nil {
				return err
			}
			*part.into = &api.ResourceCountsSummary{
				Total: &c.Total, Failed: &c.Failed, UpToDate: &c.UpToDate, BehindMinor: &c.BehindMinor, BehindMajor: &c.BehindMajor,
			}
		}
		return nil
	})
	return &api.GetResourcesSummaryOutput{Counts: counts}, err
}
