package control

import (
	"context"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// TagResource writes customer tags over those a resource has. Invalid, NotFound.
func (p *Plane) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	r, err := p.taggable(ctx, "TagResource", *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if err := proton.CheckTags(fromTags(in.Tags)); err != nil {
		return nil, err
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := lineage(ctx, tx, r); err != nil {
			return err
		}
		current, err := tx.Tags(ctx, r.ARN())
		if err != nil {
			return err
		}
		merged, err := proton.MergeTags(current, fromTags(in.Tags))
		if err != nil {
			return err
		}
		return tx.PutTags(ctx, r.ARN(), merged)
	})
	return &api.TagResourceOutput{}, err
}

// UntagResource removes customer tags; keys that are not there do not matter.
// Invalid, NotFound.
func (p *Plane) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	r, err := p.taggable(ctx, "UntagResource", *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		if err := proton.CheckTagKey(key); err != nil {
			return nil, err
		}
	}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := lineage(ctx, tx, r); err != nil {
			return err
		}
		return tx.RemoveTags(ctx, r.ARN(), in.TagKeys)
	})
	return &api.UntagResourceOutput{}, err
}

// maxTagsPerPage is how many elements the model allows in a list of tags. With
// the managed ones a resource can have more.
const maxTagsPerPage = 50

// ListTagsForResource lists managed tags, then customer tags by key. NotFound.
func (p *Plane) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	r, err := p.taggable(ctx, "ListTagsForResource", *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	var shown int
	if _, err := p.pagePosition(s, "ListTagsForResource", r.ARN(), in.NextToken, &shown); err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		l, err := lineage(ctx, tx, r)
		if err != nil {
			return err
		}
		customer, err := tx.Tags(ctx, r.ARN())
		if err != nil {
			return err
		}
		tags := customer
		if r.Type != proton.ResourceAccountConnection { // these alone have no managed tags
			tags = append(l.ManagedTags(), customer...)
		}
		tags = tags[min(shown, len(tags)):]
		size := min(pageSize(in.MaxResults), maxTagsPerPage)
		tags, out.NextToken, err = page(p, s, "ListTagsForResource", r.ARN(), tags, size, func(proton.Tag) any { return shown + size })
		out.Tags = toTags(tags)
		return err
	})
	return out, err
}

// taggable authorizes a tag operation and reads the ARN it is about.
func (p *Plane) taggable(ctx context.Context, operation, arn string) (proton.Resource, error) {
	if err := p.authorize(ctx, operation, proton.ARN(arn)); err != nil {
		return proton.Resource{}, err
	}
	r, err := proton.ParseARN(arn)
	if err != nil {
		return r, err
	}
	if r.Type == proton.ResourcePipeline || r.Type == proton.ResourceDeployment {
		return r, proton.Errorf(proton.Invalid, "Resource %s can't be tagged.", arn)
	}
	return r, p.sameScope(ctx, operation, r)
}

// sameScope refuses resources of other accounts and Regions.
func (p *Plane) sameScope(ctx context.Context, operation string, r proton.Resource) error {
	if r.Scope != scopeOf(ctx) {
		return denied(ctx, operation, r.ARN())
	}
	return nil
}

// lineage finds a taggable resource and what it belongs to. NotFound.
func lineage(ctx context.Context, tx *store.Tx, r proton.Resource) (proton.Lineage, error) {
	l := proton.Lineage{Scope: r.Scope}
	var err error
	switch r.Type {
	case proton.ResourceEnvironmentTemplate, proton.ResourceServiceTemplate:
		l.TemplateKind, l.Template = templateKind(r.Type), r.Name
		_, err = tx.Template(ctx, r.Scope, l.TemplateKind, r.Name)
	case proton.ResourceEnvironmentTemplateVersion, proton.ResourceServiceTemplateVersion:
		l.TemplateKind, l.Template = templateKind(r.Type), r.Name
		_, err = tx.TemplateVersion(ctx, r.Scope, l.TemplateKind, r.Name, r.Version)
	case proton.ResourceEnvironment:
		var e proton.Environment
		e, err = tx.Environment(ctx, r.Scope, r.Name)
		l.TemplateKind, l.Template, l.Environment = proton.EnvironmentTemplate, e.TemplateName, r.Name
	case proton.ResourceService:
		var service proton.Service
		service, err = tx.Service(ctx, r.Scope, r.Name)
		l.TemplateKind, l.Template, l.Service = proton.ServiceTemplate, service.TemplateName, r.Name
	case proton.ResourceServiceInstance:
		var i proton.ServiceInstance
		i, err = tx.ServiceInstance(ctx, r.Scope, r.Name, r.Child)
		l.TemplateKind, l.Template, l.Environment = proton.ServiceTemplate, i.TemplateName, i.EnvironmentName
		l.Service, l.Instance = r.Name, r.Child
	case proton.ResourceComponent:
		var c proton.Component
		c, err = tx.Component(ctx, r.Scope, r.Name)
		l.Environment, l.Service, l.Instance, l.Component = c.EnvironmentName, c.ServiceName, c.InstanceName, r.Name
	case proton.ResourceAccountConnection:
		var ok bool
		if _, ok, err = tx.AccountConnection(ctx, r.Name); err == nil && !ok {
			err = proton.Errorf(proton.NotFound, "")
		}
	case proton.ResourceRepository:
		provider, name, _ := strings.Cut(r.Name, ":")
		_, err = tx.Repository(ctx, r.Scope, strings.ToUpper(provider), name)
	default:
		err = proton.Errorf(proton.NotFound, "")
	}
	if proton.IsNotFound(err) {
		err = proton.Errorf(proton.NotFound, "The requested resource does not exist: %s", r.ARN())
	}
	return l, err
}

func templateKind(t proton.ResourceType) proton.TemplateKind {
	if t == proton.ResourceServiceTemplate || t == proton.ResourceServiceTemplateVersion {
		return proton.ServiceTemplate
	}
	return proton.EnvironmentTemplate
}
