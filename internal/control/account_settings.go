package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// GetAccountSettings reads an account's settings, empty if never set.
func (p *Plane) GetAccountSettings(ctx context.Context, in *api.GetAccountSettingsInput) (*api.GetAccountSettingsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetAccountSettings", anyResource); err != nil {
		return nil, err
	}
	out := &api.GetAccountSettingsOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		settings, err := tx.AccountSettings(ctx, s)
		out.AccountSettings = toAccountSettings(settings)
		return err
	})
	return out, err
}

// UpdateAccountSettings changes what is given; an empty role removes it. Invalid.
func (p *Plane) UpdateAccountSettings(ctx context.Context, in *api.UpdateAccountSettingsInput) (*api.UpdateAccountSettingsOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "UpdateAccountSettings", anyResource); err != nil {
		return nil, err
	}
	if err := p.authorizeRoles(ctx, in.PipelineServiceRoleArn, in.PipelineCodebuildRoleArn); err != nil {
		return nil, err
	}
	remove := api.Value(in.DeletePipelineProvisioningRepository)
	repository := fromRepositoryBranch(in.PipelineProvisioningRepository)
	if remove && repository != nil {
		return nil, proton.Errorf(proton.Invalid, "pipelineProvisioningRepository and deletePipelineProvisioningRepository can't be specified together.")
	}
	out := &api.UpdateAccountSettingsOutput{}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		settings, err := tx.AccountSettings(ctx, s)
		if err != nil {
			return err
		}
		if in.PipelineServiceRoleArn != nil {
			settings.PipelineServiceRoleARN = *in.PipelineServiceRoleArn
		}
		if in.PipelineCodebuildRoleArn != nil {
			settings.PipelineCodebuildRoleARN = *in.PipelineCodebuildRoleArn
		}
		if remove {
			settings.PipelineRepository = nil
		}
		if repository != nil {
			if _, err := linked(ctx, tx, s, repository.Provider, repository.Name); err != nil {
				return err
			}
			settings.PipelineRepository = repository
		}
		out.AccountSettings = toAccountSettings(settings)
		return tx.SaveAccountSettings(ctx, settings)
	})
	return out, err
}
