package control

import (
	"context"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Environment templates and service templates behave alike; what differs is
// their shapes and one flag's meaning.

// createTemplate adds a template, or answers the one that the same call made.
func (p *Plane) createTemplate(ctx context.Context, operation string, t proton.Template, tags []api.Tag) (proton.Template, error) {
	if err := p.authorize(ctx, operation, t.ARN()); err != nil {
		return t, err
	}
	if err := p.authorizeTags(ctx, tags, t.ARN()); err != nil {
		return t, err
	}
	if err := proton.CheckTags(fromTags(tags)); err != nil {
		return t, err
	}
	err := p.Store.Update(ctx, func(tx *store.Tx) error {
		existing, err := tx.Template(ctx, t.Scope, t.Kind, t.Name)
		if err == nil {
			err = proton.JudgeRepeat(existing.Creation, t.Creation.RequestHash, t.ARN(), false)
			t = existing
			return err
		}
		if !proton.IsNotFound(err) {
			return err
		}
		n, err := tx.CountTemplates(ctx, t.Scope)
		if err != nil {
			return err
		}
		if n >= p.Quotas.Templates {
			return proton.Errorf(proton.QuotaExceeded, "The maximum number of templates for this account has been reached.")
		}
		t.CreatedAt = p.now()
		t.LastModifiedAt = t.CreatedAt
		if err := tx.InsertTemplate(ctx, t); err != nil {
			return err
		}
		return tx.PutTags(ctx, t.ARN(), fromTags(tags))
	})
	return t, err
}

func (p *Plane) getTemplate(ctx context.Context, operation string, kind proton.TemplateKind, name string) (t proton.Template, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, s.TemplateARN(kind, name)); err != nil {
		return t, err
	}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		t, err = tx.Template(ctx, s, kind, name)
		return err
	})
	return t, err
}

func (p *Plane) listTemplates(ctx context.Context, operation string, kind proton.TemplateKind, token *string, maxResults *int64) (rows []proton.Template, next *string, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, anyResource); err != nil {
		return nil, nil, err
	}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		name := func(t proton.Template) string { return t.Name }
		read := strings.TrimSuffix(strings.Replace(operation, "List", "proton:Get", 1), "s")
		rows, next, err = listByName(p, s, operation, nil, token, maxResults,
			seenByName(ctx, p, tx, read, name, proton.Template.ARN, func(after string, limit int) ([]proton.Template, error) {
				return tx.Templates(ctx, s, kind, after, limit)
			}), name)
		return err
	})
	return rows, next, err
}

// updateTemplate changes what is given; nil leaves a value as it is.
func (p *Plane) updateTemplate(ctx context.Context, operation string, kind proton.TemplateKind, name string, displayName, description *string) (t proton.Template, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, s.TemplateARN(kind, name)); err != nil {
		return t, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if t, err = tx.Template(ctx, s, kind, name); err != nil {
			return err
		}
		if displayName != nil {
			t.DisplayName = *displayName
		}
		if description != nil {
			t.Description = *description
		}
		t.Creation.Modified = true
		t.LastModifiedAt = p.now()
		return tx.SaveTemplate(ctx, t)
	})
	return t, err
}

// deleteTemplate answers the template as it was; ok is false if there is none.
func (p *Plane) deleteTemplate(ctx context.Context, operation string, kind proton.TemplateKind, name string) (t proton.Template, ok bool, err error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, operation, s.TemplateARN(kind, name)); err != nil {
		return t, false, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if t, err = tx.Template(ctx, s, kind, name); err != nil {
			return err
		}
		versions, err := tx.TemplateVersions(ctx, s, kind, name, 0)
		if err != nil {
			return err
		}
		if len(versions) > 0 {
			return proton.Errorf(proton.Conflict, "Template %s can't be deleted because it has template versions.", t.ARN())
		}
		return tx.DeleteTemplate(ctx, t)
	})
	if proton.IsNotFound(err) {
		return t, false, nil
	}
	return t, err == nil, err
}

// CreateEnvironmentTemplate makes an environment template, which starts
// without versions. A repeat answers the existing one. Invalid, Conflict,
// QuotaExceeded.
func (p *Plane) CreateEnvironmentTemplate(ctx context.Context, in *api.CreateEnvironmentTemplateInput) (*api.CreateEnvironmentTemplateOutput, error) {
	request := *in
	request.Tags = nil
	t, err := p.createTemplate(ctx, "CreateEnvironmentTemplate", proton.Template{
		Scope: scopeOf(ctx), Kind: proton.EnvironmentTemplate, Name: *in.Name,
		DisplayName: api.Value(in.DisplayName), Description: api.Value(in.Description),
		EncryptionKey: api.Value(in.EncryptionKey), CustomerManaged: in.Provisioning != nil,
		Creation: proton.Creation{RequestHash: requestHash(request, in.Tags)},
	}, in.Tags)
	if err != nil {
		return nil, err
	}
	return &api.CreateEnvironmentTemplateOutput{EnvironmentTemplate: toEnvironmentTemplate(t)}, nil
}

// CreateServiceTemplate makes a service template. pipelineProvisioning is
// fixed for ever: CUSTOMER_MANAGED means that its services have no pipeline.
// A repeat answers the existing one. Invalid, Conflict, QuotaExceeded.
func (p *Plane) CreateServiceTemplate(ctx context.Context, in *api.CreateServiceTemplateInput) (*api.CreateServiceTemplateOutput, error) {
	request := *in
	request.Tags = nil
	t, err := p.createTemplate(ctx, "CreateServiceTemplate", proton.Template{
		Scope: scopeOf(ctx), Kind: proton.ServiceTemplate, Name: *in.Name,
		DisplayName: api.Value(in.DisplayName), Description: api.Value(in.Description),
		EncryptionKey: api.Value(in.EncryptionKey), CustomerManaged: in.PipelineProvisioning != nil,
		Creation: proton.Creation{RequestHash: requestHash(request, in.Tags)},
	}, in.Tags)
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceTemplateOutput{ServiceTemplate: toServiceTemplate(t)}, nil
}

// GetEnvironmentTemplate reads an environment template. NotFound.
func (p *Plane) GetEnvironmentTemplate(ctx context.Context, in *api.GetEnvironmentTemplateInput) (*api.GetEnvironmentTemplateOutput, error) {
	t, err := p.getTemplate(ctx, "GetEnvironmentTemplate", proton.EnvironmentTemplate, *in.Name)
	if err != nil {
		return nil, err
	}
	return &api.GetEnvironmentTemplateOutput{EnvironmentTemplate: toEnvironmentTemplate(t)}, nil
}

// GetServiceTemplate reads a service template. NotFound.
func (p *Plane) GetServiceTemplate(ctx context.Context, in *api.GetServiceTemplateInput) (*api.GetServiceTemplateOutput, error) {
	t, err := p.getTemplate(ctx, "GetServiceTemplate", proton.ServiceTemplate, *in.Name)
	if err != nil {
		return nil, err
	}
	return &api.GetServiceTemplateOutput{ServiceTemplate: toServiceTemplate(t)}, nil
}

// ListEnvironmentTemplates lists environment templates by name.
func (p *Plane) ListEnvironmentTemplates(ctx context.Context, in *api.ListEnvironmentTemplatesInput) (*api.ListEnvironmentTemplatesOutput, error) {
	rows, next, err := p.listTemplates(ctx, "ListEnvironmentTemplates", proton.EnvironmentTemplate, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &api.ListEnvironmentTemplatesOutput{Templates: toList(rows, toEnvironmentTemplateSummary), NextToken: next}, nil
}

// ListServiceTemplates lists service templates by name.
func (p *Plane) ListServiceTemplates(ctx context.Context, in *api.ListServiceTemplatesInput) (*api.ListServiceTemplatesOutput, error) {
	rows, next, err := p.listTemplates(ctx, "ListServiceTemplates", proton.ServiceTemplate, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &api.ListServiceTemplatesOutput{Templates: toList(rows, toServiceTemplateSummary), NextToken: next}, nil
}

// UpdateEnvironmentTemplate changes display name and description. NotFound.
func (p *Plane) UpdateEnvironmentTemplate(ctx context.Context, in *api.UpdateEnvironmentTemplateInput) (*api.UpdateEnvironmentTemplateOutput, error) {
	t, err := p.updateTemplate(ctx, "UpdateEnvironmentTemplate", proton.EnvironmentTemplate, *in.Name, in.DisplayName, in.Description)
	if err != nil {
		return nil, err
	}
	return &api.UpdateEnvironmentTemplateOutput{EnvironmentTemplate: toEnvironmentTemplate(t)}, nil
}

// UpdateServiceTemplate changes display name and description. NotFound.
func (p *Plane) UpdateServiceTemplate(ctx context.Context, in *api.UpdateServiceTemplateInput) (*api.UpdateServiceTemplateOutput, error) {
	t, err := p.updateTemplate(ctx, "UpdateServiceTemplate", proton.ServiceTemplate, *in.Name, in.DisplayName, in.Description)
	if err != nil {
		return nil, err
	}
	return &api.UpdateServiceTemplateOutput{ServiceTemplate: toServiceTemplate(t)}, nil
}

// DeleteEnvironmentTemplate removes a template that has no versions left; a
// missing one answers an empty object. Conflict.
func (p *Plane) DeleteEnvironmentTemplate(ctx context.Context, in *api.DeleteEnvironmentTemplateInput) (*api.DeleteEnvironmentTemplateOutput, error) {
	t, ok, err := p.deleteTemplate(ctx, "DeleteEnvironmentTemplate", proton.EnvironmentTemplate, *in.Name)
	if err != nil || !ok {
		return &api.DeleteEnvironmentTemplateOutput{}, err
	}
	return &api.DeleteEnvironmentTemplateOutput{EnvironmentTemplate: toEnvironmentTemplate(t)}, nil
}

// DeleteServiceTemplate removes a template that has no versions left; a
// missing one answers an empty object. Conflict.
func (p *Plane) DeleteServiceTemplate(ctx context.Context, in *api.DeleteServiceTemplateInput) (*api.DeleteServiceTemplateOutput, error) {
	t, ok, err := p.deleteTemplate(ctx, "DeleteServiceTemplate", proton.ServiceTemplate, *in.Name)
	if err != nil || !ok {
		return &api.DeleteServiceTemplateOutput{}, err
	}
	return &api.DeleteServiceTemplateOutput{ServiceTemplate: toServiceTemplate(t)}, nil
}
