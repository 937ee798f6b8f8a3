package control

import (
	"context"
	"reflect"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// anyResource stands for operations that are not about one resource.
const anyResource proton.ARN = "*"

// authorize refuses a caller who may not carry out an operation on a resource.
// Denied.
func (p *Plane) authorize(ctx context.Context, operation string, resource proton.ARN) error {
	return p.permit(ctx, "proton:"+operation, resource)
}

// permit is authorize for operations with the action of another service.
func (p *Plane) permit(ctx context.Context, action string, resource proton.ARN) error {
	if _, ok := auth.PrincipalFrom(ctx); !ok {
		return proton.Errorf(proton.Denied, "The request has no principal.")
	}
	return p.allow(ctx, nil, action, resource)
}

// allow refuses a caller who may not do what an operation needs besides its
// own action. Denied.
func (p *Plane) allow(ctx context.Context, tx *store.Tx, action string, resource proton.ARN, also ...string) error {
	d, r, err := p.decide(ctx, tx, action, resource, also...)
	if err == nil {
		callFrom(ctx).decided(r, d)
	}
	if err != nil || d.Allowed {
		return err
	}
	caller, _ := auth.PrincipalFrom(ctx)
	return proton.Errorf(proton.Denied, "%s", caller.Refusal(r, d))
}

// decide judges an action of the caller. With a transaction, facts are read in
// it. The pairs of also are facts that only the operation knows.
func (p *Plane) decide(ctx context.Context, tx *store.Tx, action string, resource proton.ARN, also ...string) (auth.Decision, auth.Request, error) {
	caller, _ := auth.PrincipalFrom(ctx)
	f := &facts{plane: p, ctx: ctx, tx: tx, resource: resource, also: also}
	r := auth.Request{Action: action, Resource: string(resource), Facts: f.answer}
	d := caller.Decide(r)
	return d, r, f.err // a fact that cannot be read allows nothing
}

// denied is the refusal of what belongs to another account or Region.
func denied(ctx context.Context, operation string, resource proton.ARN) error {
	caller, _ := auth.PrincipalFrom(ctx)
	return proton.Errorf(proton.Denied, "User: %s is not authorized to perform: proton:%s on resource: %s", caller.ARN, operation, resource)
}

// authorizeTags refuses a caller who may not put tags on what a create call
// makes; a call without tags needs no such permission.
func (p *Plane) authorizeTags(ctx context.Context, tags []api.Tag, resource proton.ARN) error {
	if len(tags) == 0 {
		return nil
	}
	return p.allow(ctx, nil, "proton:TagResource", resource)
}

// authorizeRoles refuses a caller who hands in a role that they may not pass
// on: else whoever may register a role could act as any that Hadron may assume.
func (p *Plane) authorizeRoles(ctx context.Context, roles ...*string) error {
	for _, role := range roles {
		if api.Value(role) == "" {
			continue
		}
		if err := p.allow(ctx, nil, "iam:PassRole", proton.ARN(*role), "iam:passedtoservice", "proton.amazonaws.com"); err != nil {
			return err
		}
	}
	return nil
}

// authorizeConnection does the same for connections to code repositories. AWS
// has given the service that keeps them a second name.
func (p *Plane) authorizeConnection(ctx context.Context, connection *string) (err error) {
	if api.Value(connection) == "" {
		return nil
	}
	for _, service := range []string{"codeconnections", "codestar-connections"} {
		err = p.allow(ctx, nil, service+":PassConnection", proton.ARN(*connection), service+":passedtoservice", "proton.amazonaws.com")
		if proton.KindOf(err) != proton.Denied || err == nil {
			return err
		}
	}
	return err
}

// authorizeTarget refuses a caller who may not read what a deployment deploys.
func (p *Plane) authorizeTarget(ctx context.Context, tx *store.Tx, d proton.Deployment) error {
	action, arn := targetRead(d)
	return p.allow(ctx, tx, action, arn)
}

// targetRead is the action that reads a deployment's target, and on what.
func targetRead(d proton.Deployment) (action string, arn proton.ARN) {
	switch d.TargetType {
	case proton.TargetEnvironment:
		return "proton:GetEnvironment", d.TargetARN()
	case proton.TargetServiceInstance:
		return "proton:GetServiceInstance", d.TargetARN()
	case proton.TargetPipeline: // these belong to their service
		return "proton:GetService", d.ServiceARN(d.ServiceName)
	}
	return "proton:GetComponent", d.TargetARN()
}

// sees reports whether a list shows a resource to the caller: they may read it,
// or, as on Proton, nothing that is said of them speaks of reading such things.
func (p *Plane) sees(ctx context.Context, tx *store.Tx, action string, arn proton.ARN) (bool, error) {
	d, _, err := p.decide(ctx, tx, action, arn)
	if err != nil || d.Allowed || d.Denied {
		return d.Allowed, err
	}
	caller, _ := auth.PrincipalFrom(ctx)
	return !caller.Grants(action), nil
}

// listBatch is how many rows are read at once to find those a caller may see.
const listBatch = 500

// seen reads rows that the caller may see: as many as are asked for, as long
// as there are any. The pages of a list are then as long as without a filter.
func seen[T, P any](ctx context.Context, read func(after P, limit int) ([]T, error),
	position func(T) P, sees func(T) (bool, error)) func(after P, limit int) ([]T, error) {
	if caller, _ := auth.PrincipalFrom(ctx); caller.Policy == nil && caller.Session == nil {
		return read
	}
	return func(after P, limit int) ([]T, error) {
		shown := []T{}
		for {
			rows, err := read(after, listBatch)
			if err != nil {
				return nil, err
			}
			for _, row := range rows {
				ok, err := sees(row)
				if err != nil {
					return nil, err
				}
				if ok {
					shown = append(shown, row)
				}
				if len(shown) == limit {
					return shown, nil
				}
			}
			if len(rows) < listBatch {
				return shown, nil
			}
			after = position(rows[len(rows)-1])
		}
	}
}

// seenByName is seen for what is listed by name and read with one action.
func seenByName[T any](ctx context.Context, p *Plane, tx *store.Tx, action string, name func(T) string, arn func(T) proton.ARN,
	read func(after string, limit int) ([]T, error)) func(after string, limit int) ([]T, error) {
	return seen(ctx, read, name, func(row T) (bool, error) { return p.sees(ctx, tx, action, arn(row)) })
}

// facts answers what the conditions of policies ask about a call and about the
// resource it is for. What is in the database is read when it is asked for.
type facts struct {
	plane    *Plane
	ctx      context.Context // the facts live as long as one decision
	tx       *store.Tx
	resource proton.ARN
	also     []string // key, value, key, value …
	lineage  *proton.Lineage
	tags     []proton.Tag
	err      error
}

func (f *facts) answer(key string) []string {
	for n := 0; n+1 < len(f.also); n += 2 {
		if f.also[n] == key {
			return []string{f.also[n+1]}
		}
	}
	c := callFrom(f.ctx)
	if c == nil {
		c = &call{}
	}
	switch prefix, name, _ := strings.Cut(key, "/"); prefix {
	case "aws:requesttag":
		return tagValues(requestTags(c.in), name)
	case "aws:tagkeys":
		return tagKeys(c.in)
	case "aws:resourcetag", "proton:resourcetag":
		f.load()
		return tagValues(f.tags, name)
	case "proton:environmenttemplate":
		return f.template(c, proton.EnvironmentTemplate, "CreateEnvironment")
	case "proton:servicetemplate":
		return f.template(c, proton.ServiceTemplate, "CreateService")
	case "proton:environment":
		if f.load(); f.lineage != nil && f.lineage.Environment != "" {
			return []string{string(f.lineage.EnvironmentARN(f.lineage.Environment))}
		}
	}
	return nil
}

// template is the ARN of the template that a resource is, or will be, made from.
func (f *facts) template(c *call, kind proton.TemplateKind, create string) []string {
	if c.operation != nil && c.operation.Name == create {
		if name := stringMember(c.in, "TemplateName"); name != "" {
			return []string{string(scopeOf(f.ctx).TemplateARN(kind, name))}
		}
	}
	if f.load(); f.lineage == nil || f.lineage.TemplateKind != kind || f.lineage.Template == "" {
		return nil
	}
	return []string{string(f.lineage.TemplateARN(kind, f.lineage.Template))}
}

// load reads what the resource belongs to, and its tags, once.
func (f *facts) load() {
	if f.lineage != nil || f.err != nil {
		return
	}
	f.lineage = &proton.Lineage{}
	r, err := proton.ParseARN(string(f.resource))
	if err != nil {
		return // "*", or nothing of ours
	}
	if f.tx != nil {
		f.err = f.read(f.tx, r)
		return
	}
	f.err = f.plane.Store.View(f.ctx, func(tx *store.Tx) error { return f.read(tx, r) })
}

func (f *facts) read(tx *store.Tx, r proton.Resource) error {
	l, err := lineage(f.ctx, tx, r)
	if proton.IsNotFound(err) && r.Child != "" || r.Type == proton.ResourcePipeline {
		// What is not there yet, and a pipeline, is judged by its service.
		r = proton.Resource{Scope: r.Scope, Type: proton.ResourceService, Name: r.Name}
		l, err = lineage(f.ctx, tx, r)
	}
	if proton.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	f.lineage = &l
	customer, err := tx.Tags(f.ctx, r.ARN())
	if r.Type != proton.ResourceAccountConnection {
		f.tags = l.ManagedTags()
	}
	f.tags = append(f.tags, customer...)
	return err
}

// tagValues finds a tag by its key in lower case, as conditions ask for it.
func tagValues(tags []proton.Tag, key string) []string {
	for _, t := range tags {
		if strings.EqualFold(t.Key, key) {
			return []string{t.Value}
		}
	}
	return nil
}

// requestTags are the tags that a call's input has, whichever call it is.
func requestTags(in any) []proton.Tag {
	if v, ok := inputMember(in, "Tags"); ok {
		if tags, ok := v.Interface().([]api.Tag); ok {
			return fromTags(tags)
		}
	}
	return nil
}

func tagKeys(in any) []string {
	if v, ok := inputMember(in, "TagKeys"); ok {
		keys, _ := v.Interface().([]string)
		return keys
	}
	var keys []string
	for _, t := range requestTags(in) {
		keys = append(keys, t.Key)
	}
	return keys
}

func stringMember(in any, name string) string {
	if v, ok := inputMember(in, name); ok {
		text, _ := v.Interface().(*string)
		return api.Value(text)
	}
	return ""
}

func inputMember(in any, name string) (reflect.Value, bool) {
	v := reflect.ValueOf(in)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return v, false
	}
	v = v.Elem().FieldByName(name)
	return v, v.IsValid()
}

// Unauthorized are the operations that need no permission of their own, with
// the reason. A test fails when any other serves a caller who may do nothing.
var Unauthorized = map[string]string{}
