package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// GetServiceInstance reads a service instance. NotFound.
func (p *Plane) GetServiceInstance(ctx context.Context, in *api.GetServiceInstanceInput) (*api.GetServiceInstanceOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "GetServiceInstance", s.ServiceInstanceARN(*in.ServiceName, *in.Name)); err != nil {
		return nil, err
	}
	out := &api.GetServiceInstanceOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		i, err := tx.ServiceInstance(ctx, s, *in.ServiceName, *in.Name)
		out.ServiceInstance = toServiceInstance(i)
		return err
	})
	return out, err
}

// instanceOrders are the columns that ListServiceInstances can sort by.
var instanceOrders = map[api.ListServiceInstancesSortBy]store.InstanceOrder{
	"name":                      store.ByName,
	"deploymentStatus":          store.ByStatus,
	"templateName":              store.ByTemplateName,
	"serviceName":               store.ByServiceName,
	"environmentName":           store.ByEnvironmentName,
	"lastDeploymentAttemptedAt": store.ByLastAttempted,
	"createdAt":                 store.ByCreated,
}

// ListServiceInstances lists instances: of one service, filtered and sorted
// as asked. NotFound for an unknown service, Invalid for a bad filter.
func (p *Plane) ListServiceInstances(ctx context.Context, in *api.ListServiceInstancesInput) (*api.ListServiceInstancesOutput, error) {
	s := scopeOf(ctx)
	if err := p.authorize(ctx, "ListServiceInstances", anyResource); err != nil {
		return nil, err
	}
	filter, err := instanceFilter(in)
	if err != nil {
		return nil, err
	}
	by := store.ByServiceName
	if in.SortBy != nil {
		by = instanceOrders[*in.SortBy]
	}
	descending := in.SortOrder != nil && *in.SortOrder == api.SortOrderDescending
	filters := []any{filter, by, descending}
	var position store.InstancePosition
	paged, err := p.pagePosition(s, "ListServiceInstances", filters, in.NextToken, &position)
	if err != nil {
		return nil, err
	}
	after := &position
	if !paged {
		after = nil
	}
	out := &api.ListServiceInstancesOutput{}
	err = p.Store.View(ctx, func(tx *store.Tx) error {
		if in.ServiceName != nil {
			if _, err := tx.Service(ctx, s, *in.ServiceName); err != nil {
				return err
			}
		}
		size := pageSize(in.MaxResults)
		var rest *store.InstancePosition
		read := seen(ctx, func(after *store.InstancePosition, limit int) (rows []proton.ServiceInstance, err error) {
			rows, rest, err = tx.ServiceInstances(ctx, s, filter, by, descending, after, limit)
			return rows, err
		}, func(i proton.ServiceInstance) *store.InstancePosition {
			return api.Ptr(store.PositionOf(i, by))
		}, func(i proton.ServiceInstance) (bool, error) {
			return p.sees(ctx, tx, "proton:GetServiceInstance", i.ARN())
		})
		rows, err := read(after, size+1)
		if err != nil {
			return err
		}
		if len(rows) <= size && rest != nil { // a short page: there may be more further on
			out.NextToken, err = p.tokenAt(s, "ListServiceInstances", filters, rest)
		} else {
			rows, out.NextToken, err = page(p, s, "ListServiceInstances", filters, rows, size, func(i proton.ServiceInstance) any {
				return store.PositionOf(i, by)
			})
		}
		out.ServiceInstances = toList(rows, toServiceInstanceSummary)
		return err
	})
	return out, err
}

// instanceFilter reads the filters: values of the same key are alternatives,
// different keys must all match.
func instanceFilter(in *api.ListServiceInstancesInput) (store.InstanceFilter, error) {
	var f store.InstanceFilter
	for _, item := range in.Filters {
		if item.Key == nil || item.Value == nil {
			return f, proton.Errorf(proton.Invalid, "Each filter needs a key and a value.")
		}
		if err := addFilter(&f, *item.Key, *item.Value); err != nil {
			return f, err
		}
	}
	if in.ServiceName != nil {
		// Both restrict: a service that the filters do not name matches nothing.
		if len(f.Services) > 0 && !slices.Contains(f.Services, *in.ServiceName) {
			f.Names = []string{""}
		}
		f.Services = []string{*in.ServiceName}
	}
	return f, nil
}

func addFilter(f *store.InstanceFilter, key api.ListServiceInstancesFilterBy, value string) (err error) {
	switch key {
	case "name":
		f.Names = append(f.Names, value)
	case "templateName":
		f.Templates = append(f.Templates, value)
	case "serviceName":
		f.Services = append(f.Services, value)
	case "environmentName":
		f.Environments = append(f.Environments, value)
	case "deploymentStatus":
		if !slices.Contains(proton.DeploymentStatuses, proton.DeploymentStatus(value)) {
			return invalidFilter()
		}
		f.Statuses = append(f.Statuses, proton.DeploymentStatus(value))
	case "deployedTemplateVersionStatus":
		switch s := store.Staleness(value); s {
		case store.UpToDate, store.BehindMinor, store.BehindMajor:
			f.Staleness = append(f.Staleness, s)
		default:
			return invalidFilter()
		}
	case "createdAtBefore":
		err = widen(&f.CreatedBefore, value, time.Time.After)
	case "createdAtAfter":
		err = widen(&f.CreatedAfter, value, time.Time.Before)
	case "lastDeploymentAttemptedAtBefore":
		err = widen(&f.AttemptedBefore, value, time.Time.After)
	case "lastDeploymentAttemptedAtAfter":
		err = widen(&f.AttemptedAfter, value, time.Time.Before)
	}
	return err
}

// widen sets a bound of time, or moves it if the value lets more through: bounds
// given more than once are alternatives, as other values are.
func widen(bound *time.Time, value string, wider func(t, than time.Time) bool) error {
	t, err := filterTime(value)
	if err == nil && (bound.IsZero() || wider(t, *bound)) {
		*bound = t
	}
	return err
}

// filterTime reads an instant in UTC, with or without a fraction of a second.
func filterTime(value string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil || !strings.HasSuffix(value, "Z") {
		return t, invalidFilter()
	}
	return t, nil
}

func invalidFilter() error { return proton.Errorf(proton.Invalid, "Invalid filter value.") }
