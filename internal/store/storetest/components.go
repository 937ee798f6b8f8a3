package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

func componentsByWhereTheyAre(t *testing.T, d db) {
	attachment := func(service, instance string) proton.Attachment {
		return proton.Attachment{ServiceName: service, InstanceName: instance}
	}
	stays, none := attachment("shop", "prod"), proton.Attachment{}
	d.update(func(c context.Context, x *store.Tx) (err error) {
		for _, component := range []proton.Component{
			{Name: "stays", EnvironmentName: "prod", Attachment: stays, Wanted: stays},
			{Name: "leaves", EnvironmentName: "prod", Attachment: attachment("shop", "test"), Wanted: none},
			{Name: "comes", EnvironmentName: "dev", Attachment: none, Wanted: attachment("shop", "dev")},
			{Name: "else", EnvironmentName: "dev", Attachment: attachment("cart", "dev"), Wanted: attachment("cart", "dev")},
			{Name: "alone", EnvironmentName: "dev"},
		} {
			component.Scope = scope
			err = errors.Join(err, x.InsertComponent(c, component))
		}
		return errors.Join(err, x.InsertComponent(c, proton.Component{Scope: other, Name: "far", EnvironmentName: "prod", Attachment: stays, Wanted: stays}))
	})
	for _, c := range []struct {
		name   string
		filter store.ComponentFilter
		after  string
		limit  int
		want   []string
	}{
		{"all", store.ComponentFilter{}, "", 9, []string{"alone", "comes", "else", "leaves", "stays"}},
		{"a page", store.ComponentFilter{}, "comes", 2, []string{"else", "leaves"}},
		{"environment", store.ComponentFilter{Environment: "dev"}, "", 9, []string{"alone", "comes", "else"}},
		{"service", store.ComponentFilter{Service: "shop"}, "", 9, []string{"leaves", "stays"}},
		{"instance", store.ComponentFilter{Service: "shop", Instance: "test"}, "", 9, []string{"leaves"}},
		{"both", store.ComponentFilter{Environment: "dev", Service: "cart"}, "", 9, []string{"else"}},
		{"neither", store.ComponentFilter{Environment: "prod", Service: "cart"}, "", 9, []string{}},
	} {
		got := view(d, func(ctx context.Context, x *store.Tx) ([]proton.Component, error) {
			return x.Components(ctx, scope, c.filter, c.after, c.limit)
		})
		d.same(c.name, c.want, names(got, func(c proton.Component) string { return c.Name }))
	}
	attached := view(d, func(c context.Context, x *store.Tx) (map[string]proton.Component, error) {
		return x.AttachedComponents(c, scope, "shop")
	})
	d.same("attached to the service", []string{"dev", "prod", "test"}, slices.Sorted(maps.Keys(attached)))
	for instance, want := range map[string]string{"prod": "stays", "test": "leaves", "dev": "comes", "other": ""} {
		one := view(d, func(c context.Context, x *store.Tx) (*proton.Component, error) {
			return x.AttachedComponent(c, scope, "shop", instance)
		})
		got := ""
		if one != nil {
			got = one.Name
		}
		d.same("attached to "+instance, want, got)
	}
	d.same("count", 5, view(d, func(c context.Context, x *store.Tx) (int, error) { return x.CountComponents(c, scope) }))
}
