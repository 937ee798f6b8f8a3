package control

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// UpdateService changes a service's description and, by a spec, the list of its
// instances: those that are not listed any more are removed, new ones are
// added, then the pipeline is deployed again. What remains may not be edited.
// Invalid, NotFound, Conflict, QuotaExceeded.
func (p *Plane) UpdateService(ctx context.Context, in *api.UpdateServiceInput) (*api.UpdateServiceOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "UpdateService", s.ServiceARN(*in.Name)); err != nil {
		return nil, err
	}
	facts, err := p.serviceFacts(ctx, s, *in.Name)
	if err != nil {
		return nil, err
	}
	var u instanceChanges
	if in.Spec != nil {
		if u, err = p.checkServiceUpdate(ctx, facts, *in.Spec); err != nil {
			return nil, err
		}
	}
	out := &api.UpdateServiceOutput{}
	err = p.Store.Update(ctx, func(tx *store.Tx) error {
		service, err := tx.Service(ctx, s, *in.Name)
		if err != nil {
			return err
		}
		if service.Revision != facts.service.Revision {
			return proton.Errorf(proton.Conflict, "Service %s was changed by another request. Try again.", service.ARN())
		}
		if in.Description != nil || in.Spec != nil {
			pipeline, err := tx.Pipeline(ctx, s, *in.Name)
			if err == nil {
				err = proton.RefuseServiceUpdate(service, pipeline)
			}
			if err != nil {
				return err
			}
		}
		if in.Description != nil {
			service.Description, service.LastModifiedAt, service.Creation.Modified = *in.Description, p.now(), true
		}
		if u.empty() {
			out.Service = toService(service)
			if in.Description == nil {
				return nil
			}
			return tx.SaveService(ctx, service)
		}
		service, err = p.beginServiceUpdate(ctx, tx, service, u)
		out.Service = toService(service)
		if err != nil {
			return err
		}
		return p.blockForUpdate(ctx, tx, service, u)
	})
	return out, err
}

// blockForUpdate holds up the sync of what an update changes: a removal that of
// the whole service, which would else make the instances anew.
func (p *Plane) blockForUpdate(ctx context.Context, tx *store.Tx, service proton.Service, u instanceChanges) error {
	if len(u.removed) > 0 {
		reason := "Service instances were deleted by hand: " + strings.Join(u.removed, ", ") + "."
		return p.block(ctx, tx, service.Scope, service.Name, "", "", reason)
	}
	for _, added := range u.added {
		if err := p.block(ctx, tx, service.Scope, service.Name, added.Name, "", "The service instance was created by hand."); err != nil {
			return err
		}
	}
	return nil
}

// serviceFacts is a service with all its parts.
type serviceFacts struct {
	service   proton.Service
	template  proton.Template
	versions  []proton.TemplateVersion
	instances []proton.ServiceInstance
	pipeline  *proton.Pipeline
}

func (p *Plane) serviceFacts(ctx context.Context, s proton.Scope, name string) (f serviceFacts, err error) {
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		if f.service, err = tx.Service(ctx, s, name); err != nil {
			return err
		}
		if f.template, err = tx.Template(ctx, s, proton.ServiceTemplate, f.service.TemplateName); err != nil {
			return err
		}
		if f.versions, err = tx.TemplateVersions(ctx, s, proton.ServiceTemplate, f.service.TemplateName, 0); err != nil {
			return err
		}
		if f.instances, err = tx.InstancesOfService(ctx, s, name); err != nil {
			return err
		}
		f.pipeline, err = tx.Pipeline(ctx, s, name)
		return err
	})
	return f, err
}

// instanceChanges is what a new spec changes about a service's instances.
type instanceChanges struct {
	spec    string
	added   []proton.AddedInstance
	removed []string
}

func (u instanceChanges) empty() bool { return len(u.added) == 0 && len(u.removed) == 0 }

// checkServiceUpdate holds a new spec against the service as it is.
func (p *Plane) checkServiceUpdate(ctx context.Context, f serviceFacts, spec string) (instanceChanges, error) {
	u := instanceChanges{}
	asked, err := bundle.ParseServiceSpec(spec, p.strictness()...)
	if err != nil {
		return u, invalidSpec(err)
	}
	if err := noCurrentValuesAdded(f, asked); err != nil {
		return u, err
	}
	if u.spec, err = bundle.ResolveServiceSpec(spec, f.service.Spec); err != nil {
		return u, invalidSpec(err)
	}
	parsed, err := bundle.ParseServiceSpec(u.spec)
	if err != nil {
		return u, invalidSpec(err)
	}
	if len(parsed.Instances) == 0 {
		return u, proton.Errorf(proton.Invalid, "A service must keep at least one service instance; to remove it use DeleteService.")
	}
	for _, i := range f.instances {
		entry, kept := parsed.Instance(i.Name)
		if !kept {
			u.removed = append(u.removed, i.Name)
			continue
		}
		if i.Status == proton.DeleteFailed {
			return u, proton.Errorf(proton.Conflict, "Service instance %s is being deleted: it can't be kept.", i.ARN())
		}
		if err := p.checkUnedited(ctx, f, i, entry, parsed); err != nil {
			return u, err
		}
	}
	if err := p.checkPipelineUnedited(ctx, f, parsed); err != nil {
		return u, err
	}
	return u, p.addInstances(ctx, f, parsed, &u)
}

// noCurrentValuesAdded refuses current values of instances that are only added.
func noCurrentValuesAdded(f serviceFacts, asked *bundle.ServiceSpec) error {
	var paths []string
	for _, entry := range asked.Instances {
		if !slices.ContainsFunc(f.instances, func(i proton.ServiceInstance) bool { return i.Name == entry.Name }) {
			paths = append(paths, entry.CurrentValues()...)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return noCurrentValue(paths)
}

func edited(name string) error {
	return proton.Errorf(proton.Invalid, "Existing service instances and the pipeline can't be edited with UpdateService: %s", name)
}

// checkUnedited refuses a spec that changes an instance that remains, compared
// with what was last deployed.
func (p *Plane) checkUnedited(ctx context.Context, f serviceFacts, i proton.ServiceInstance, entry bundle.InstanceSpec, parsed *bundle.ServiceSpec) error {
	if entry.Environment != i.EnvironmentName {
		return edited(i.Name)
	}
	b, err := p.bundleOf(ctx, f, i.CurrentVersion())
	if err != nil {
		return err
	}
	current, err := p.currentSpec(ctx, i.Scope, i.Deployable)
	if err != nil {
		return err
	}
	was, err := bundle.ParseServiceSpec(current)
	if err != nil {
		return err
	}
	before, _, err := b.InstanceInputs(was, i.Name)
	if err != nil {
		return invalidSpec(err)
	}
	after, _, err := b.InstanceInputs(parsed, i.Name, p.strictness()...)
	if err != nil {
		return invalidSpec(err)
	}
	if !sameInputs(before, after) {
		return edited(i.Name)
	}
	return nil
}

func (p *Plane) checkPipelineUnedited(ctx context.Context, f serviceFacts, parsed *bundle.ServiceSpec) error {
	if f.pipeline == nil {
		if parsed.HasPipelineSection {
			return edited("pipeline")
		}
		return nil
	}
	b, err := p.bundleOf(ctx, f, f.pipeline.CurrentVersion())
	if err != nil {
		return err
	}
	was, err := bundle.ParseServiceSpec(f.service.Spec)
	if err != nil {
		return err
	}
	before, _, err := b.PipelineInputs(was)
	if err != nil {
		return invalidSpec(err)
	}
	after, _, err := b.PipelineInputs(parsed, p.strictness()...)
	if err != nil {
		return invalidSpec(err)
	}
	if !sameInputs(before, after) {
		return edited("pipeline")
	}
	return nil
}

// sameInputs compares inputs with their defaults filled in.
func sameInputs(a, b bundle.Inputs) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func (p *Plane) bundleOf(ctx context.Context, f serviceFacts, v proton.Version) (*bundle.Bundle, error) {
	for _, version := range f.versions {
		if version.Version == v {
			return p.Bundles.Bundle(ctx, version.BundleDigest)
		}
	}
	return nil, proton.NoTemplateVersion(f.service.Scope, proton.ServiceTemplate, f.service.TemplateName, v.String())
}

// addInstances finds the instances that a new spec adds, and their version.
func (p *Plane) addInstances(ctx context.Context, f serviceFacts, parsed *bundle.ServiceSpec, u *instanceChanges) error {
	var v proton.TemplateVersion
	for _, entry := range parsed.Instances {
		if slices.ContainsFunc(f.instances, func(i proton.ServiceInstance) bool { return i.Name == entry.Name }) {
			continue
		}
		var err error
		if v.Version.IsZero() {
			if v, err = f.versionForAdded(); err != nil {
				return err
			}
		}
		b, err := p.Bundles.Bundle(ctx, v.BundleDigest)
		if err != nil {
			return err
		}
		if _, _, err := b.InstanceInputs(parsed, entry.Name, p.strictness()...); err != nil {
			return invalidSpec(err)
		}
		if err := p.checkInstanceMethod(ctx, v, entry.Environment); err != nil {
			return err
		}
		u.added = append(u.added, proton.AddedInstance{
			WantedInstance: proton.WantedInstance{Name: entry.Name, EnvironmentName: entry.Environment}, Version: v,
		})
	}
	return nil
}

// versionForAdded is the recommended minor of the service's major version, or
// while nothing of it is published the version that its parts run.
func (f serviceFacts) versionForAdded() (proton.TemplateVersion, error) {
	want := proton.Version{Major: f.service.TemplateMajor, Minor: proton.RecommendMinor(f.versions, f.service.TemplateMajor)}
	if want.Minor < 0 {
		switch {
		case len(f.instances) > 0:
			want = f.instances[len(f.instances)-1].CurrentVersion()
		case f.pipeline != nil:
			want = f.pipeline.CurrentVersion()
		}
	}
	for _, v := range f.versions {
		if v.Version == want {
			return v, nil
		}
	}
	return proton.TemplateVersion{}, proton.Errorf(proton.Invalid, "No published version of template %s is available.", f.template.Name)
}

// beginServiceUpdate writes an update with the deployments it starts.
func (p *Plane) beginServiceUpdate(ctx context.Context, tx *store.Tx, service proton.Service, u instanceChanges) (proton.Service, error) {
	s := service.Scope
	instances, err := tx.InstancesOfService(ctx, s, service.Name)
	if err != nil {
		return service, err
	}
	pipeline, err := tx.Pipeline(ctx, s, service.Name)
	if err != nil {
		return service, err
	}
	if err := readyForPipeline(ctx, tx, pipeline); err != nil {
		return service, err
	}
	environments := map[string]proton.Environment{}
	for _, a := range u.added {
		if err := recheckVersion(ctx, tx, a.Version); err != nil {
			return service, err
		}
		if environments[a.EnvironmentName], err = tx.Environment(ctx, s, a.EnvironmentName); err != nil {
			return service, err
		}
	}
	removed := slices.DeleteFunc(slices.Clone(instances), func(i proton.ServiceInstance) bool { return !slices.Contains(u.removed, i.Name) })
	if err := refuseAttached(ctx, tx, service, removed); err != nil {
		return service, err
	}
	plan, err := proton.PlanServiceUpdate(service, instances, pipeline, u.spec, u.added, u.removed, environments, p.newID, p.now())
	if err != nil {
		return service, err
	}
	if err := p.roomForInstances(len(instances) + len(u.added) - len(u.removed)); err != nil {
		return service, err
	}
	if err := tx.SaveService(ctx, plan.Service); err != nil {
		return service, err
	}
	for _, i := range plan.Added {
		if err := tx.InsertServiceInstance(ctx, i); err != nil {
			return service, err
		}
		if err := inheritTags(ctx, tx, service.ARN(), i.ARN(), nil); err != nil {
			return service, err
		}
	}
	for _, i := range plan.Removed {
		if err := tx.SaveServiceInstance(ctx, i); err != nil {
			return service, err
		}
	}
	if plan.Pipeline != nil {
		if err := tx.SavePipeline(ctx, *plan.Pipeline); err != nil {
			return service, err
		}
	}
	return plan.Service, tx.InsertDeployments(ctx, plan.Deployments...)
}
