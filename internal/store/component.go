package store

import (
	"context"

	"github.com/hadronhq/hadron/internal/proton"
)

var components = newTable("components", 3, func(c *proton.Component) []column {
	return append([]column{
		{"account", &c.Account}, {"region", &c.Region}, {"name", &c.Name},
		{"environment_name", &c.EnvironmentName}, {"description", &c.Description},
		{"service_name", &c.ServiceName}, {"instance_name", &c.InstanceName},
		{"wanted_service_name", &c.Wanted.ServiceName}, {"wanted_instance_name", &c.Wanted.InstanceName},
		{"service_spec", &c.ServiceSpec}, {"template_file", &c.TemplateFile}, {"manifest", &c.Manifest},
		{"last_client_token", &c.LastClientToken}, {"last_modified_at", (*instant)(&c.LastModifiedAt)},
		{"revision", &c.Revision},
	}, deployableColumns(&c.Deployable)...)
}, func(c *proton.Component) *int64 { return &c.Revision }).counted("'', 0, 0, status").announced(3, (*proton.Component).ARN).long("service_spec", "template_file", "manifest", "spec")

// Component reads a component. NotFound without it.
func (tx *Tx) Component(ctx context.Context, s proton.Scope, name string) (proton.Component, error) {
	c, ok, err := components.get(ctx, tx, s.Account, s.Region, name)
	if err == nil && !ok {
		err = proton.NoComponent(s, name)
	}
	return c, err
}

// ComponentFilter selects components; empty fields do not restrict.
type ComponentFilter struct {
	Environment string
	Service     string // attached to any of its instances
	Instance    string // of Service
}

// Components lists components by name, from the one behind after, without
// their texts.
func (tx *Tx) Components(ctx context.Context, s proton.Scope, f ComponentFilter, after string, limit int) ([]proton.Component, error) {
	w := &where{}
	w.and("account = ?", s.Account)
	w.and("region = ?", s.Region)
	w.equal([2]string{"service_name", f.Service}, [2]string{"environment_name", f.Environment}, [2]string{"instance_name", f.Instance})
	w.and("name > ?", after)
	return components.listBriefly(ctx, tx, w.clause()+" ORDER BY name LIMIT ?", append(w.args, limit)...)
}

// AttachedComponents reads the components that are attached to instances of a
// service, or that a running deployment attaches or detaches; by instance. One
// is attached to an instance at most.
func (tx *Tx) AttachedComponents(ctx context.Context, s proton.Scope, service string) (map[string]proton.Component, error) {
	attached := map[string]proton.Component{}
	for _, by := range []struct {
		column   string
		instance func(proton.Component) string
	}{
		{"wanted_service_name", func(c proton.Component) string { return c.Wanted.InstanceName }},
		{"service_name", func(c proton.Component) string { return c.InstanceName }},
	} {
		rows, err := components.list(ctx, tx, "WHERE account = ? AND region = ? AND "+by.column+" = ?", s.Account, s.Region, service)
		if err != nil {
			return nil, err
		}
		for _, c := range rows {
			attached[by.instance(c)] = c
		}
	}
	return attached, nil
}

// AttachedComponent reads the one component that is attached to an instance,
// or that a running deployment attaches or detaches; nil without one.
func (tx *Tx) AttachedComponent(ctx context.Context, s proton.Scope, service, instance string) (*proton.Component, error) {
	attached, err := tx.AttachedComponents(ctx, s, service)
	if c, ok := attached[instance]; ok {
		return &c, err
	}
	return nil, err
}

// CountComponents counts components in any state.
func (tx *Tx) CountComponents(ctx context.Context, s proton.Scope) (int, error) {
	return tx.total(ctx, s, components.name)
}

// InsertComponent adds a component. Conflict if the name is taken.
func (tx *Tx) InsertComponent(ctx context.Context, c proton.Component) error {
	return components.add(ctx, tx, c)
}

// SaveComponent writes a component back. Conflict if it changed meanwhile.
func (tx *Tx) SaveComponent(ctx context.Context, c proton.Component) error {
	return components.save(ctx, tx, c)
}

// DeleteComponent removes a component with its tags.
func (tx *Tx) DeleteComponent(ctx context.Context, c proton.Component) error {
	if err := tx.DeleteTags(ctx, c.ARN()); err != nil {
		return err
	}
	return components.delete(ctx, tx, c.Account, c.Region, c.Name)
}
