package store

import (
	"context"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
)

var services = newTable("services", 3, func(s *proton.Service) []column {
	return []column{
		{"account", &s.Account}, {"region", &s.Region}, {"name", &s.Name},
		{"template_name", &s.TemplateName}, {"template_major", &s.TemplateMajor}, {"description", &s.Description},
		{"branch_name", &s.BranchName}, {"repository_connection_arn", &s.RepositoryConnectionARN},
		{"repository_id", &s.RepositoryID}, {"spec", &s.Spec},
		{"status", &s.Status}, {"status_message", &s.StatusMessage}, {"has_pipeline", (*flag)(&s.HasPipeline)},
		{"update_json", document{&s.Update}},
		{"created_at", (*instant)(&s.CreatedAt)}, {"last_modified_at", (*instant)(&s.LastModifiedAt)},
		{"request_hash", &s.Creation.RequestHash}, {"modified", (*flag)(&s.Creation.Modified)},
		{"revision", &s.Revision},
	}
}, func(s *proton.Service) *int64 { return &s.Revision })

var serviceInstances = newTable("service_instances", 4, func(i *proton.ServiceInstance) []column {
	return append([]column{
		{"account", &i.Account}, {"region", &i.Region}, {"service_name", &i.ServiceName}, {"name", &i.Name},
		{"environment_name", &i.EnvironmentName}, {"template_name", &i.TemplateName}, {"position", &i.Position},
		{"last_client_token", &i.LastClientToken}, {"revision", &i.Revision},
	}, deployableColumns(&i.Deployable)...)
}, func(i *proton.ServiceInstance) *int64 { return &i.Revision })

var pipelines = newTable("pipelines", 3, func(p *proton.Pipeline) []column {
	return append([]column{
		{"account", &p.Account}, {"region", &p.Region}, {"service_name", &p.ServiceName},
		{"template_name", &p.TemplateName}, {"revision", &p.Revision},
	}, deployableColumns(&p.Deployable)...)
}, func(p *proton.Pipeline) *int64 { return &p.Revision })

// Service reads a service. NotFound without it.
func (tx *Tx) Service(ctx context.Context, s proton.Scope, name string) (proton.Service, error) {
	service, ok, err := services.get(ctx, tx, s.Account, s.Region, name)
	if err == nil && !ok {
		err = proton.NoService(s, name)
	}
	return service, err
}

// Services lists services by name, from the one behind after.
func (tx *Tx) Services(ctx context.Context, s proton.Scope, after string, limit int) ([]proton.Service, error) {
	return services.list(ctx, tx, "WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?", s.Account, s.Region, after, limit)
}

// CountServices counts services in any state.
func (tx *Tx) CountServices(ctx context.Context, s proton.Scope) (int, error) {
	return tx.count(ctx, "services WHERE account = ? AND region = ?", s.Account, s.Region)
}

// InsertService writes all that a plan makes, and queues the deployments that
// are ready. Conflict if the name is taken.
func (tx *Tx) InsertService(ctx context.Context, plan proton.ServicePlan) error {
	if err := services.add(ctx, tx, plan.Service); err != nil {
		return err
	}
	for _, i := range plan.Instances {
		if err := serviceInstances.add(ctx, tx, i); err != nil {
			return err
		}
	}
	if plan.Pipeline != nil {
		if err := pipelines.add(ctx, tx, *plan.Pipeline); err != nil {
			return err
		}
	}
	return tx.InsertDeployments(ctx, plan.Deployments...)
}

// SaveService writes a service back. Conflict if it changed meanwhile.
func (tx *Tx) SaveService(ctx context.Context, s proton.Service) error {
	return services.save(ctx, tx, s)
}

// DeleteService removes a service with its tags. Its parts must be gone.
func (tx *Tx) DeleteService(ctx context.Context, s proton.Service) error {
	if err := tx.DeleteTags(ctx, s.ARN()); err != nil {
		return err
	}
	if err := tx.DeleteServiceSync(ctx, s.Scope, s.Name); err != nil {
		return err
	}
	return services.delete(ctx, tx, s.Account, s.Region, s.Name)
}

// ServiceInstance reads an instance. NotFound without it.
func (tx *Tx) ServiceInstance(ctx context.Context, s proton.Scope, service, name string) (proton.ServiceInstance, error) {
	i, ok, err := serviceInstances.get(ctx, tx, s.Account, s.Region, service, name)
	if err == nil && !ok {
		err = proton.NoServiceInstance(s, service, name)
	}
	return i, err
}

// InstancesOfService lists a service's instances in the order of its spec.
func (tx *Tx) InstancesOfService(ctx context.Context, s proton.Scope, service string) ([]proton.ServiceInstance, error) {
	return serviceInstances.list(ctx, tx, "WHERE account = ? AND region = ? AND service_name = ? ORDER BY position, name",
		s.Account, s.Region, service)
}

// InstancesInEnvironment lists the first limit instances deployed in an environment.
func (tx *Tx) InstancesInEnvironment(ctx context.Context, s proton.Scope, environment string, limit int) ([]proton.ServiceInstance, error) {
	return serviceInstances.list(ctx, tx, "WHERE account = ? AND region = ? AND environment_name = ? ORDER BY service_name, name LIMIT ?",
		s.Account, s.Region, environment, limit)
}

// InsertServiceInstance adds an instance. Conflict if the name is taken.
func (tx *Tx) InsertServiceInstance(ctx context.Context, i proton.ServiceInstance) error {
	return serviceInstances.add(ctx, tx, i)
}

// SaveServiceInstance writes an instance back. Conflict if it changed meanwhile.
func (tx *Tx) SaveServiceInstance(ctx context.Context, i proton.ServiceInstance) error {
	return serviceInstances.save(ctx, tx, i)
}

// DeleteServiceInstance removes an instance with its tags.
func (tx *Tx) DeleteServiceInstance(ctx context.Context, i proton.ServiceInstance) error {
	if err := tx.DeleteTags(ctx, i.ARN()); err != nil {
		return err
	}
	return serviceInstances.delete(ctx, tx, i.Account, i.Region, i.ServiceName, i.Name)
}

// Pipeline reads a service's pipeline; nil without one.
func (tx *Tx) Pipeline(ctx context.Context, s proton.Scope, service string) (*proton.Pipeline, error) {
	p, ok, err := pipelines.get(ctx, tx, s.Account, s.Region, service)
	if err != nil || !ok {
		return nil, err
	}
	return &p, nil
}

// SavePipeline writes a pipeline back. Conflict if it changed meanwhile.
func (tx *Tx) SavePipeline(ctx context.Context, p proton.Pipeline) error {
	return pipelines.save(ctx, tx, p)
}

// DeletePipeline removes a pipeline.
func (tx *Tx) DeletePipeline(ctx context.Context, p proton.Pipeline) error {
	return pipelines.delete(ctx, tx, p.Account, p.Region, p.ServiceName)
}

// InstanceOrder is a column that instances can be listed by.
type InstanceOrder string

const (
	ByServiceName     InstanceOrder = "service_name"
	ByName            InstanceOrder = "name"
	ByStatus          InstanceOrder = "status"
	ByTemplateName    InstanceOrder = "template_name"
	ByEnvironmentName InstanceOrder = "environment_name"
	ByLastAttempted   InstanceOrder = "last_attempted_at"
	ByCreated         InstanceOrder = "created_at"
)

// InstanceFilter selects instances. Of each non-empty list, one value must
// match; different fields must all match. Zero times do not restrict.
type InstanceFilter struct {
	Services, Names, Environments, Templates []string
	Statuses                                 []proton.DeploymentStatus
	Staleness                                []Staleness
	CreatedBefore, CreatedAfter              time.Time
	AttemptedBefore, AttemptedAfter          time.Time
}

// Staleness is how a deployed version stands to its template's recommended one.
type Staleness string

const (
	UpToDate    Staleness = "UP_TO_DATE"
	BehindMinor Staleness = "BEHIND_MINOR"
	BehindMajor Staleness = "BEHIND_MAJOR"
)

// stale is how each staleness reads over an instance i and its template t.
var stale = map[Staleness]string{
	BehindMajor: "(i.major > 0 AND t.recommended_major > i.major)",
	BehindMinor: "(i.major > 0 AND t.recommended_major = i.major AND t.recommended_minor > i.minor)",
	UpToDate:    "(i.major > 0 AND (t.recommended_major < i.major OR (t.recommended_major = i.major AND t.recommended_minor <= i.minor)))",
}

// InstancePosition is where a page of instances ended: the value of the column
// that orders them, unless that is a name, and the names that break ties.
type InstancePosition struct {
	Text    string
	Instant int64 // microseconds, of the columns that hold instants
	Service string
	Name    string
}

// bounds are the columns that an order compares, each once so that an index
// can serve it, and a position's values of them.
func (o InstanceOrder) bounds(p InstancePosition) (columns []string, values []any) {
	switch o {
	case ByServiceName:
		return []string{"service_name", "name"}, []any{p.Service, p.Name}
	case ByName:
		return []string{"name", "service_name"}, []any{p.Name, p.Service}
	case ByLastAttempted, ByCreated:
		return []string{string(o), "service_name", "name"}, []any{p.Instant, p.Service, p.Name}
	}
	return []string{string(o), "service_name", "name"}, []any{p.Text, p.Service, p.Name}
}

// ServiceInstances lists instances in an order, from behind a position (nil:
// from the start).
func (tx *Tx) ServiceInstances(ctx context.Context, s proton.Scope, f InstanceFilter, by InstanceOrder, descending bool, after *InstancePosition, limit int) ([]proton.ServiceInstance, error) {
	w := &where{}
	w.and("account = ?", s.Account)
	w.and("region = ?", s.Region)
	in(w, "service_name", f.Services)
	in(w, "name", f.Names)
	in(w, "environment_name", f.Environments)
	in(w, "template_name", f.Templates)
	in(w, "status", f.Statuses)
	if len(f.Staleness) > 0 {
		terms := make([]string, len(f.Staleness))
		for n, value := range f.Staleness {
			terms[n] = stale[value]
		}
		w.and(`EXISTS (SELECT 1 FROM service_instances i, templates t WHERE i.account = service_instances.account
			AND i.region = service_instances.region AND i.service_name = service_instances.service_name AND i.name = service_instances.name
			AND t.account = i.account AND t.region = i.region AND t.kind = 'SERVICE' AND t.name = i.template_name
			AND (` + strings.Join(terms, " OR ") + "))")
	}
	between(w, "created_at", f.CreatedAfter, f.CreatedBefore)
	between(w, "last_attempted_at", f.AttemptedAfter, f.AttemptedBefore)
	direction, compare := " ASC", " > "
	if descending {
		direction, compare = " DESC", " < "
	}
	columns, _ := by.bounds(InstancePosition{})
	if after != nil {
		_, values := by.bounds(*after)
		w.and("("+strings.Join(columns, ", ")+")"+compare+"(?"+strings.Repeat(", ?", len(values)-1)+")", values...)
	}
	order := " ORDER BY " + strings.Join(columns, direction+", ") + direction + " LIMIT ?"
	return serviceInstances.list(ctx, tx, w.clause()+order, append(w.args, limit)...)
}

// where gathers the conditions of a query.
type where struct {
	terms []string
	args  []any
}

func (w *where) and(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

func (w *where) clause() string { return "WHERE " + strings.Join(w.terms, " AND ") }

func in[T any](w *where, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for n, v := range values {
		args[n] = v
	}
	w.and(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

func between(w *where, column string, after, before time.Time) {
	if !after.IsZero() {
		w.and(column+" > ?", micros(after))
	}
	if !before.IsZero() {
		w.and(column+" < ?", micros(before))
	}
}

// PositionOf is where a page that is ordered by a column ends with instance i.
func PositionOf(i proton.ServiceInstance, by InstanceOrder) InstancePosition {
	position := InstancePosition{Service: i.ServiceName, Name: i.Name}
	switch by {
	case ByStatus:
		position.Text = string(i.Status)
	case ByTemplateName:
		position.Text = i.TemplateName
	case ByEnvironmentName:
		position.Text = i.EnvironmentName
	case ByLastAttempted:
		position.Instant = micros(i.LastAttemptedAt)
	case ByCreated:
		position.Instant = micros(i.CreatedAt)
	}
	return position
}
