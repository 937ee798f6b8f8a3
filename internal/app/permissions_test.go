package app

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/control"
)

// as is a client of a new user with a policy's statements.
func (f *fixture) as(t *testing.T, name, statements string) *api.Client {
	t.Helper()
	user := must(f.CreateUser(t.Context(), &api.CreateUserInput{
		Name: &name, Policy: p(`{"Version": "2012-10-17", "Statement": ` + statements + `}`),
	}))(t)
	return client(f.server.URL, *user.AccessKeyId, auth.Secret(*user.SecretAccessKey))
}

// refusal is how a call ended, as far as its permission goes: the action that
// was refused, or "" if none was.
func refusal(err error) string {
	if code(err) != "AccessDeniedException" {
		return ""
	}
	_, rest, _ := strings.Cut(err.Error(), "not authorized to perform: ")
	action, rest, _ := strings.Cut(rest, " on resource: ")
	resource, _, _ := strings.Cut(rest, " ")
	return action + " " + resource[strings.LastIndex(resource, ":")+1:]
}

func TestPoliciesMeanWhatTheyMeantOnProton(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	f.createEnvironment(t, "one")
	ctx := t.Context()
	must(f.CreateService(ctx, shop()))(t)
	f.waitService(t, api.ServiceStatusActive)
	must(f.TagResource(ctx, &api.TagResourceInput{ResourceArn: p(f.arn("service/shop")), Tags: []api.Tag{{Key: p("Team"), Value: p("red")}}}))(t)

	tag := func(key, value string) []api.Tag { return []api.Tag{{Key: &key, Value: &value}} }
	environment := func(role *string, tags []api.Tag) func(*api.Client) error {
		return func(c *api.Client) error {
			_, err := c.CreateEnvironment(ctx, &api.CreateEnvironmentInput{
				Name: p("other"), TemplateName: p("net"), TemplateMajorVersion: p("9"), Spec: p("proton: EnvironmentSpec\nspec: {}\n"),
				ProtonServiceRoleArn: role, Tags: tags,
			})
			return err
		}
	}
	updateService := func(c *api.Client) error {
		_, err := c.UpdateService(ctx, &api.UpdateServiceInput{Name: p("shop"), Description: p("x")})
		return err
	}
	updateEnvironment := func(c *api.Client) error {
		_, err := c.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: p("one"), DeploymentType: api.Ptr(api.DeploymentUpdateType("NONE")), Description: p("x")})
		return err
	}
	updatePipeline := func(c *api.Client) error {
		_, err := c.UpdateServicePipeline(ctx, &api.UpdateServicePipelineInput{ServiceName: p("shop"), DeploymentType: api.Ptr(api.DeploymentUpdateType("NONE")), Spec: p("x")})
		return err
	}
	createInstance := func(c *api.Client) error {
		_, err := c.CreateServiceInstance(ctx, &api.CreateServiceInstanceInput{ServiceName: p("shop"), Name: p("new"), Spec: p("x")})
		return err
	}
	getService := func(c *api.Client) error {
		_, err := c.GetService(ctx, &api.GetServiceInput{Name: p("shop")})
		return err
	}
	untag := func(c *api.Client) error {
		_, err := c.UntagResource(ctx, &api.UntagResourceInput{ResourceArn: p(f.arn("service/shop")), TagKeys: []string{"other"}})
		return err
	}
	getDeployment := func(c *api.Client) error {
		list := must(f.ListDeployments(ctx, &api.ListDeploymentsInput{ServiceName: p("shop"), ServiceInstanceName: p("prod")}))(t)
		_, err := c.GetDeployment(ctx, &api.GetDeploymentInput{Id: list.Deployments[0].Id})
		return err
	}
	connect := func(c *api.Client) error {
		in := shop()
		in.Name = p("shop2")
		in.TemplateName = p("nothing")
		_, err := c.CreateService(ctx, in)
		return err
	}
	const all = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	only := func(effect, action, resource, condition string) string {
		return fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q,"Condition":{%s}}`, effect, action, resource, condition)
	}
	template := func(kind, name string) string { return "arn:aws:proton:*:*:" + kind + "-template/" + name }
	for n, tt := range []struct {
		name, statements string
		call             func(*api.Client) error
		want             string // the action and resource refused
	}{
		{"a service of the template", only("Allow", "proton:*", "*", `"StringLikeIfExists":{"proton:ServiceTemplate":"`+template("service", "web")+`"}`), updateService, ""},
		{"a service of another template", only("Allow", "proton:*", "*", `"StringLikeIfExists":{"proton:ServiceTemplate":"`+template("service", "public")+`"}`), updateService, "proton:UpdateService service/shop"},
		{"what has no service template", only("Allow", "proton:*", "*", `"StringLikeIfExists":{"proton:ServiceTemplate":"`+template("service", "public")+`"}`), updateEnvironment, ""},
		{"a pipeline by its service's template", only("Allow", "proton:*", "*", `"StringLike":{"proton:ServiceTemplate":"`+template("service", "public")+`"}`), updatePipeline, "proton:UpdateServicePipeline service/shop"},
		{"a new instance by its service's template", only("Allow", "proton:*", "*", `"ArnLike":{"proton:ServiceTemplate":"`+template("service", "w*")+`"}`), createInstance, ""},
		{"an environment of the template", only("Allow", "proton:*", "*", `"ArnLike":{"proton:EnvironmentTemplate":"`+template("environment", "net")+`"}`), updateEnvironment, ""},
		{"an environment of another template", only("Allow", "proton:*", "*", `"ArnLike":{"proton:EnvironmentTemplate":"`+template("environment", "x")+`"}`), updateEnvironment, "proton:UpdateEnvironment environment/one"},
		{"a new environment of the template", only("Allow", "proton:*", "*", `"ArnLike":{"proton:EnvironmentTemplate":"`+template("environment", "net")+`"}`), environment(nil, nil), ""},
		{"a new environment of another template", `[` + all + `,` + only("Deny", "proton:CreateEnvironment", "*", `"ArnLike":{"proton:EnvironmentTemplate":"`+template("environment", "n*")+`"}`) + `]`, environment(nil, nil), "proton:CreateEnvironment environment/other"},
		{"a tag of the resource", only("Allow", "proton:*", "*", `"StringEquals":{"aws:ResourceTag/team":"red"}`), getService, ""},
		{"another tag of the resource", only("Allow", "proton:*", "*", `"StringEquals":{"aws:ResourceTag/team":"blue"}`), getService, "proton:GetService service/shop"},
		{"a tag that must be given is", only("Allow", "proton:*", "*", `"StringEquals":{"aws:RequestTag/team":"red"}`), environment(nil, tag("Team", "red")), ""},
		{"a tag that must be given is not", only("Allow", "proton:*", "*", `"StringEquals":{"aws:RequestTag/team":"red"}`), environment(nil, tag("team", "blue")), "proton:CreateEnvironment environment/other"},
		{"tags need TagResource", `{"Effect":"Allow","NotAction":"proton:TagResource","Resource":"*"}`, environment(nil, tag("team", "blue")), "proton:TagResource environment/other"},
		{"no tags need nothing", `{"Effect":"Allow","NotAction":"proton:TagResource","Resource":"*"}`, environment(nil, nil), ""},
		{"only keys that are allowed", only("Allow", "proton:*", "*", `"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}`), environment(nil, tag("stage", "x")), "proton:CreateEnvironment environment/other"},
		{"keys to remove", `[` + all + `,` + only("Deny", "proton:UntagResource", "*", `"ForAnyValue:StringEquals":{"aws:TagKeys":["other"]}`) + `]`, untag, "proton:UntagResource service/shop"},
		{"a role must be passed on", `{"Effect":"Allow","Action":"proton:*","Resource":"*"}`, environment(p("arn:aws:iam::111122223333:role/admin"), nil), "iam:PassRole role/admin"},
		{"a role may be passed to Proton", `[{"Effect":"Allow","Action":"proton:*","Resource":"*"},` + only("Allow", "iam:PassRole", "arn:aws:iam::*:role/admin", `"StringEquals":{"iam:PassedToService":"proton.amazonaws.com"}`) + `]`, environment(p("arn:aws:iam::111122223333:role/admin"), nil), ""},
		{"a role may be passed to others", `[{"Effect":"Allow","Action":"proton:*","Resource":"*"},` + only("Allow", "iam:PassRole", "*", `"StringEquals":{"iam:PassedToService":"ecs.amazonaws.com"}`) + `]`, environment(p("arn:aws:iam::111122223333:role/admin"), nil), "iam:PassRole role/admin"},
		{"a connection must be passed on", `{"Effect":"Allow","Action":"proton:*","Resource":"*"}`, connect, "codestar-connections:PassConnection connection/0f0e0d0c-1111-2222-3333-444455556666"},
		{"a deployment is read as its target", `{"Effect":"Allow","Action":["proton:GetDeployment"],"Resource":"*"}`, getDeployment, "proton:GetServiceInstance service/shop/service-instance/prod"},
		{"a Region", only("Allow", "proton:*", "*", `"StringEquals":{"aws:RequestedRegion":"us-east-1"}`), getService, "proton:GetService service/shop"},
		{"an address", only("Allow", "proton:*", "*", `"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}`), getService, ""},
		{"an address of others", only("Allow", "proton:*", "*", `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`), getService, "proton:GetService service/shop"},
		{"TLS", `[` + all + `,` + only("Deny", "*", "*", `"Bool":{"aws:SecureTransport":"false"}`) + `]`, getService, "proton:GetService service/shop"},
		{"the published pattern with two colons matches nothing", `{"Effect":"Allow","Action":"*","Resource":"arn:aws::proton:*:*:service/*"}`, getService, "proton:GetService service/shop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(f.as(t, fmt.Sprintf("user-%d", n), tt.statements))
			if got := refusal(err); got != tt.want {
				t.Errorf("refused %q, want %q: %v", got, tt.want, err)
			}
		})
	}
}

func TestListsShowWhatTheCallerMaySee(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := t.Context()
	var all []string
	for n := range 9 {
		name := fmt.Sprintf("%c-%d", "abc"[n%3], n)
		must(f.CreateServiceTemplate(ctx, &api.CreateServiceTemplateInput{Name: &name}))(t)
		all = append(all, name)
	}
	slices.Sort(all)
	pages := func(c *api.Client, size int64) (names []string, sizes []int) {
		in := &api.ListServiceTemplatesInput{MaxResults: &size}
		for {
			out := must(c.ListServiceTemplates(ctx, in))(t)
			for _, row := range out.Templates {
				names = append(names, *row.Name)
			}
			sizes = append(sizes, len(out.Templates))
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return names, sizes
			}
		}
	}
	const list = `{"Effect":"Allow","Action":"proton:List*","Resource":"*"}`
	for n, tt := range []struct {
		name, statements string
		want             []string
		sizes            []int
	}{
		{"all", `[` + list + `,{"Effect":"Allow","Action":"proton:Get*","Resource":"*"}]`, all, []int{2, 2, 2, 2, 1}},
		{"those of a pattern", `[` + list + `,{"Effect":"Allow","Action":"proton:Get*","Resource":"arn:aws:proton:*:*:service-template/b-*"}]`, []string{"b-1", "b-4", "b-7"}, []int{2, 1}},
		{"all but those denied", `[` + list + `,{"Effect":"Deny","Action":"proton:Get*","Resource":"*/a-*"}]`, append(slices.Clone(all[3:6]), all[6:]...), []int{2, 2, 2}},
		{"all, as on Proton, for who may list and no more", list, all, []int{2, 2, 2, 2, 1}},
		{"none", `[` + list + `,{"Effect":"Allow","Action":"proton:Get*","Resource":"*/x"}]`, nil, []int{0}},
	} {
		names, sizes := pages(f.as(t, fmt.Sprintf("lister-%d", n), tt.statements), 2)
		if diff := cmp.Diff(tt.want, names); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.sizes, sizes); diff != "" {
			t.Errorf("%s: sizes of pages: -want +got:\n%s", tt.name, diff)
		}
	}
}

// An operation that forgets to authorize would serve everybody.
func TestEveryOperationRefusesWhoMayDoNothing(t *testing.T) {
	t.Parallel()
	f := start(t)
	plane, err := control.New(t.Context(), control.Config{Store: f.server.store, Sealer: f.server.keys.sealer, Bundles: f.server.library(DefaultConfig())})
	if err != nil {
		t.Fatal(err)
	}
	ctx := auth.WithPrincipal(t.Context(), auth.Principal{
		AccountID: f.account, Region: region, ARN: "arn:aws:iam::" + f.account + ":user/nobody", Policy: auth.JoinPolicies(),
	})
	carriedOut := api.Implemented(plane)
	for n := range api.Operations {
		op := &api.Operations[n]
		if !slices.Contains(carriedOut, op.Name) || control.Unauthorized[op.Name] != "" {
			continue
		}
		in := op.Method.New()
		fill(reflect.ValueOf(in).Elem(), op.Input, f.account)
		_, err := plane.Around(ctx, op, in, func(ctx context.Context) (any, error) { return op.Method.Invoke(ctx, plane, in) })
		if e := control.MapError(err); e == nil || e.Code != "AccessDeniedException" {
			t.Errorf("%s answers %v to a caller who may do nothing", op.Name, err)
		}
	}
	for name, why := range control.Unauthorized {
		if !slices.Contains(carriedOut, name) || why == "" {
			t.Errorf("%s stands among the operations without a permission of their own, but is none", name)
		}
	}
}

// fill gives an input all its required members.
func fill(v reflect.Value, s *awsjson.Shape, account string) {
	for n, m := range s.Members {
		if !m.Required && !(s.Union && n == 0) {
			continue
		}
		field := v.Field(n)
		switch m.Shape.Kind {
		case awsjson.List:
			continue
		case awsjson.Structure:
			field.Set(reflect.New(field.Type().Elem()))
			fill(field.Elem(), m.Shape, account)
			continue
		}
		field.Set(reflect.New(field.Type().Elem()))
		switch {
		case field.Elem().Kind() != reflect.String:
		case len(m.Shape.Enum) > 0:
			field.Elem().SetString(m.Shape.Enum[0])
		case strings.HasSuffix(m.Name, "Arn"):
			field.Elem().SetString("arn:aws:proton:" + region + ":" + account + ":service/x")
		case strings.HasSuffix(strings.ToLower(m.Name), "id"):
			field.Elem().SetString("0f0e0d0c-1111-2222-3333-444455556666")
		default:
			field.Elem().SetString("x")
		}
	}
}
