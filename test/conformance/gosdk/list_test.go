package gosdk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/proton"
)

// listing is one list operation: a page of names.
type listing func(maxResults *int64, token *string) (names []string, next *string, err error)

// Every list comes in pages that together are the whole in its order, and a
// token only continues the list that it came from.
func TestListsInPages(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	nothing := steps{provision: []string{"true"}}
	bundle := environmentBundle(t, nothing)
	c.environmentTemplate(t, "vpc", bundle)
	for n := range 4 {
		c.environmentTemplateVersion(t, "vpc", map[bool]string{true: "", false: "1"}[n == 0], bundle) // 2.0, 1.1, 1.2, 1.3
	}
	c.serviceTemplate(t, "plain", false, instanceBundle(t, nothing), "vpc")
	for _, name := range []string{"delta", "Alpha", "charlie", "bravo"} {
		c.environment(t, name, "vpc")
		must(t)(c.CreateEnvironmentTemplateWithContext(c.ctx, &proton.CreateEnvironmentTemplateInput{Name: aws.String("et-" + name)}))
		must(t)(c.CreateServiceTemplateWithContext(c.ctx, &proton.CreateServiceTemplateInput{Name: aws.String("st-" + name)}))
		must(t)(c.CreateServiceWithContext(c.ctx, &proton.CreateServiceInput{
			Name: aws.String("s-" + name), TemplateName: aws.String("plain"), TemplateMajorVersion: aws.String("1"), Spec: aws.String(instances(name, "two", "one")),
		}))
	}
	lists := c.listings()
	tokens := map[string]string{}
	for name, test := range lists {
		whole, next, err := test.list(nil, nil)
		if err != nil || next != nil {
			t.Errorf("%s: %v, token %v", name, err, next)
		}
		if test.want != nil {
			diff(t, name, test.want, whole)
		}
		if len(whole) < 4 {
			t.Errorf("%s: only %v", name, whole)
		}
		for _, size := range []int64{1, 2, 3, 100} {
			var paged []string
			var token *string
			for {
				names, next, err := test.list(&size, token)
				if err != nil {
					t.Fatalf("%s, %d a page: %v", name, size, err)
				}
				if int64(len(names)) > size {
					t.Errorf("%s: %d names on a page of %d", name, len(names), size)
				}
				paged = append(paged, names...)
				if next == nil {
					break
				}
				token, tokens[name] = next, *next
			}
			diff(t, fmt.Sprintf("%s, %d a page", name, size), whole, paged)
		}
	}
	for name, test := range lists {
		for from, token := range tokens {
			if from == name {
				token = "QUJD" + token
			}
			_, _, err := test.list(nil, &token)
			refused(t, name+" with a token of "+from, err, "ValidationException", "Invalid nextToken.")
		}
	}
	_, _, err := lists["services"].list(nil, aws.String("not base64!"))
	if code(err) != "ValidationException" || !strings.Contains(err.Error(), "'nextToken' failed to satisfy constraint") {
		t.Errorf("a token with forbidden characters: %v", err)
	}
	var all []string
	if err := c.ListServicesPagesWithContext(c.ctx, &proton.ListServicesInput{MaxResults: aws.Int64(3)}, func(page *proton.ListServicesOutput, last bool) bool {
		for _, s := range page.Services {
			all = append(all, *s.Name)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	diff(t, "the SDK's paginator", lists["services"].want, all)
}

type listCase struct {
	list listing
	want []string // nil: any order that is stable
}

func (c *client) listings() map[string]listCase {
	byName := func(prefix string, more ...string) []string {
		return append([]string{prefix + "Alpha", prefix + "bravo", prefix + "charlie", prefix + "delta"}, more...)
	}
	return map[string]listCase{
		"environment templates": {func(n *int64, token *string) (names []string, next *string, err error) {
			out, err := c.ListEnvironmentTemplatesWithContext(c.ctx, &proton.ListEnvironmentTemplatesInput{MaxResults: n, NextToken: token})
			for _, x := range out.Templates {
				names = append(names, *x.Name)
			}
			return names, out.NextToken, err
		}, byName("et-", "vpc")},
		"service templates": {func(n *int64, token *string) (names []string, next *string, err error) {
			out, err := c.ListServiceTemplatesWithContext(c.ctx, &proton.ListServiceTemplatesInput{MaxResults: n, NextToken: token})
			for _, x := range out.Templates {
				names = append(names, *x.Name)
			}
			return names, out.NextToken, err
		}, append([]string{"plain"}, byName("st-")...)},
		"minors of a major": {c.versions(aws.String("1")), []string{"1.3", "1.2", "1.1", "1.0"}},
		"environments": {func(n *int64, token *string) (names []string, next *string, err error) {
			out, err := c.ListEnvironmentsWithContext(c.ctx, &proton.ListEnvironmentsInput{MaxResults: n, NextToken: token})
			for _, x := range out.Environments {
				names = append(names, *x.Name)
			}
			return names, out.NextToken, err
		}, byName("")},
		"environments of a template": {func(n *int64, token *string) (names []string, next *string, err error) {
			out, err := c.ListEnvironmentsWithContext(c.ctx, &proton.ListEnvironmentsInput{MaxResults: n, NextToken: token,
				EnvironmentTemplates: []*proton.EnvironmentTemplateFilter{{TemplateName: aws.String("vpc"), MajorVersion: aws.String("1")}}})
			for _, x := range out.Environments {
				names = append(names, *x.Name)
			}
			return names, out.NextToken, err
		}, byName("")},
		"services": {func(n *int64, token *string) (names []string, next *string, err error) {
			out, err := c.ListServicesWithContext(c.ctx, &proton.ListServicesInput{MaxResults: n, NextToken: token})
			for _, x := range out.Services {
				names = append(names, *x.Name)
			}
			return names, out.NextToken, err
		}, byName("s-")},
		"service instances": {c.serviceInstances(&proton.ListServiceInstancesInput{}), []string{
			"s-Alpha/one", "s-Alpha/two", "s-bravo/one", "s-bravo/two", "s-charlie/one", "s-charlie/two", "s-delta/one", "s-delta/two",
		}},
		"service instances, descending": {c.serviceInstances(&proton.ListServiceInstancesInput{SortOrder: aws.String("DESCENDING")}), []string{
			"s-delta/two", "s-delta/one", "s-charlie/two", "s-charlie/one", "s-bravo/two", "s-bravo/one", "s-Alpha/two", "s-Alpha/one",
		}},
		"service instances by environment": {c.serviceInstances(&proton.ListServiceInstancesInput{SortBy: aws.String("environmentName")}), []string{
			"s-Alpha/one", "s-Alpha/two", "s-bravo/one", "s-bravo/two", "s-charlie/one", "s-charlie/two", "s-delta/one", "s-delta/two",
		}},
		"service instances of two environments": {c.serviceInstances(&proton.ListServiceInstancesInput{
			Filters: []*proton.ListServiceInstancesFilter{
				{Key: aws.String("environmentName"), Value: aws.String("bravo")}, {Key: aws.String("environmentName"), Value: aws.String("delta")},
				{Key: aws.String("createdAtAfter"), Value: aws.String("2020-01-01T00:00:00Z")},
			},
		}), []string{"s-bravo/one", "s-bravo/two", "s-delta/one", "s-delta/two"}},
		"deployments": {func(n *int64, token *string) (names []string, next *string, err error) {
			out, err := c.ListDeploymentsWithContext(c.ctx, &proton.ListDeploymentsInput{MaxResults: n, NextToken: token})
			for _, x := range out.Deployments {
				names = append(names, *x.Id)
			}
			return names, out.NextToken, err
		}, nil},
	}
}

func (c *client) versions(major *string) listing {
	return func(n *int64, token *string) (names []string, next *string, err error) {
		out, err := c.ListEnvironmentTemplateVersionsWithContext(c.ctx, &proton.ListEnvironmentTemplateVersionsInput{
			TemplateName: aws.String("vpc"), MajorVersion: major, MaxResults: n, NextToken: token,
		})
		for _, x := range out.TemplateVersions {
			names = append(names, *x.MajorVersion+"."+*x.MinorVersion)
		}
		return names, out.NextToken, err
	}
}

func (c *client) serviceInstances(in *proton.ListServiceInstancesInput) listing {
	return func(n *int64, token *string) (names []string, next *string, err error) {
		page := *in
		page.MaxResults, page.NextToken = n, token
		out, err := c.ListServiceInstancesWithContext(c.ctx, &page)
		for _, x := range out.ServiceInstances {
			names = append(names, *x.ServiceName+"/"+*x.Name)
		}
		return names, out.NextToken, err
	}
}

// A list without a major has one row for each: what is recommended of it.
func TestListOfMajors(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	bundle := environmentBundle(t, steps{provision: []string{"true"}})
	c.environmentTemplate(t, "vpc", bundle)
	c.environmentTemplateVersion(t, "vpc", "1", bundle)
	for n := range 10 {
		if major, _ := c.environmentTemplateVersion(t, "vpc", "", bundle); major != fmt.Sprint(n+2) {
			t.Fatalf("major %s", major)
		}
	}
	out, err := c.CreateEnvironmentTemplateVersionWithContext(c.ctx, &proton.CreateEnvironmentTemplateVersionInput{
		TemplateName: aws.String("vpc"), MajorVersion: aws.String("2"), Source: c.upload(t, "vpc.tar.gz", bundle),
	})
	if err != nil || *out.EnvironmentTemplateVersion.MinorVersion != "1" {
		t.Fatal(out, err)
	}
	names, _, err := c.versions(nil)(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "majors", []string{"11.0", "10.0", "9.0", "8.0", "7.0", "6.0", "5.0", "4.0", "3.0", "2.0", "1.1"}, names)
	if names, _, err = c.versions(aws.String("77"))(nil, nil); err != nil || len(names) != 0 {
		t.Errorf("a major that is not there: %v, %v", names, err)
	}
	_, err = c.ListServiceTemplateVersionsWithContext(c.ctx, &proton.ListServiceTemplateVersionsInput{TemplateName: aws.String("nope")})
	refused(t, "template that is not there", err, "ResourceNotFoundException", "The requested service template does not exist: "+c.arn("service-template/nope"))
}

// Tags are written over, removed and listed, managed ones first; and they are
// kept from harm.
func TestTags(t *testing.T) {
	t.Parallel()
	c := landscape(t)
	arn := c.arn("environment/dev")
	managed := [][2]string{{"aws:proton:account", account}, {"aws:proton:template", c.arn("environment-template/vpc")}, {"aws:proton:environment", arn}}
	tag := func(pairs ...string) error {
		in := &proton.TagResourceInput{ResourceArn: &arn}
		for n := 0; n < len(pairs); n += 2 {
			in.Tags = append(in.Tags, &proton.Tag{Key: &pairs[n], Value: &pairs[n+1]})
		}
		_, err := c.TagResourceWithContext(c.ctx, in)
		return err
	}
	untag := func(keys ...string) error {
		_, err := c.UntagResourceWithContext(c.ctx, &proton.UntagResourceInput{ResourceArn: &arn, TagKeys: aws.StringSlice(keys)})
		return err
	}
	for _, err := range []error{tag("b", "1", "a", ""), tag("b", "2", "c", "ü ñ"), untag("c", "never-there"), untag("c")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	diff(t, "tags", append(managed, [2]string{"a", ""}, [2]string{"b", "2"}), c.tags(t, arn))
	for what, err := range map[string]error{
		"reserved": tag("aws:proton:account", "0"), "reserved, other case": tag("Aws:x", "y"), "remove managed": untag("aws:proton:template"),
		"characters": tag("a", "<b>"), "twice": tag("x", "1", "x", "2"),
	} {
		if code(err) != "ValidationException" {
			t.Errorf("%s: %v", what, err)
		}
	}
	var many []string
	for n := range 49 {
		many = append(many, fmt.Sprintf("k%02d", n), "v")
	}
	if err := tag(many...); code(err) != "ValidationException" {
		t.Errorf("51 tags: %v", err)
	}
	if err := tag(many[2:]...); err != nil {
		t.Errorf("50 tags: %v", err)
	}
	var paged int
	if err := c.ListTagsForResourcePagesWithContext(c.ctx, &proton.ListTagsForResourceInput{ResourceArn: &arn, MaxResults: aws.Int64(20)},
		func(page *proton.ListTagsForResourceOutput, last bool) bool {
			paged += len(page.Tags)
			return true
		}); err != nil || paged != 53 {
		t.Errorf("%d tags in pages, %v; want 53", paged, err)
	}
	for what, test := range map[string]struct{ arn, code, message string }{
		"missing": {c.arn("service/nope"), "ResourceNotFoundException", "The requested resource does not exist: " + c.arn("service/nope")},
		"missing version": {c.arn("service-template/web:1.9"), "ResourceNotFoundException",
			"The requested resource does not exist: " + c.arn("service-template/web:1.9")},
		"pipeline": {c.arn("service/orders/pipeline"), "ValidationException", "Resource " + c.arn("service/orders/pipeline") + " can't be tagged."},
	} {
		_, err := c.ListTagsForResourceWithContext(c.ctx, &proton.ListTagsForResourceInput{ResourceArn: &test.arn})
		refused(t, what, err, test.code, test.message)
	}
	if _, err := c.ListTagsForResourceWithContext(c.ctx, &proton.ListTagsForResourceInput{
		ResourceArn: aws.String(strings.Replace(arn, account, "999999999999", 1)),
	}); code(err) != "AccessDeniedException" {
		t.Errorf("another account's: %v", err)
	}
}

// Account settings start empty; what is given stays, and an empty role removes it.
func TestAccountSettings(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	want := &proton.AccountSettings{}
	check := func() {
		t.Helper()
		out, err := c.GetAccountSettingsWithContext(c.ctx, &proton.GetAccountSettingsInput{})
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "settings", want, out.AccountSettings)
	}
	check()
	role, other := aws.String("arn:aws:iam::111122223333:role/pipeline"), aws.String("arn:aws:iam::111122223333:role/build")
	for _, step := range []struct {
		in   proton.UpdateAccountSettingsInput
		want proton.AccountSettings
	}{
		{proton.UpdateAccountSettingsInput{PipelineServiceRoleArn: role}, proton.AccountSettings{PipelineServiceRoleArn: role}},
		{proton.UpdateAccountSettingsInput{PipelineCodebuildRoleArn: other}, proton.AccountSettings{PipelineServiceRoleArn: role, PipelineCodebuildRoleArn: other}},
		{proton.UpdateAccountSettingsInput{PipelineServiceRoleArn: aws.String("")}, proton.AccountSettings{PipelineCodebuildRoleArn: other}},
		{proton.UpdateAccountSettingsInput{DeletePipelineProvisioningRepository: aws.Bool(true)}, proton.AccountSettings{PipelineCodebuildRoleArn: other}},
	} {
		out, err := c.UpdateAccountSettingsWithContext(c.ctx, &step.in)
		if err != nil {
			t.Fatal(err)
		}
		want = &step.want
		diff(t, "answer", want, out.AccountSettings)
		check()
	}
	if _, err := c.UpdateAccountSettingsWithContext(c.ctx, &proton.UpdateAccountSettingsInput{
		PipelineProvisioningRepository: &proton.RepositoryBranchInput_{Provider: aws.String("GITHUB"), Name: aws.String("acme/infra"), Branch: aws.String("main")},
	}); code(err) != "ValidationException" {
		t.Errorf("a repository that is not linked: %v", err)
	}
	if _, err := c.UpdateAccountSettingsWithContext(c.ctx, &proton.UpdateAccountSettingsInput{PipelineServiceRoleArn: aws.String("role")}); code(err) != "ValidationException" {
		t.Errorf("no ARN: %v", err)
	}
	check()
}

// Outputs are never paged, and belong to one deployment of one resource.
func TestOutputsOfOtherDeployments(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	c.environmentTemplate(t, "vpc", environmentBundle(t, steps{provision: []string{environmentOutputs}}))
	c.environment(t, "dev", "vpc")
	c.environment(t, "prod", "vpc")
	prod, err := c.GetEnvironmentWithContext(c.ctx, &proton.GetEnvironmentInput{Name: aws.String("prod")})
	if err != nil {
		t.Fatal(err)
	}
	id := prod.Environment.LastSucceededDeploymentId
	own, err := c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: aws.String("prod"), DeploymentId: id})
	if err != nil || len(own.Outputs) != 2 || own.NextToken != nil {
		t.Errorf("by deployment: %v, %v", own, err)
	}
	_, err = c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: aws.String("dev"), DeploymentId: id})
	refused(t, "another's deployment", err, "ResourceNotFoundException", "The requested deployment does not exist: "+*id)
	_, err = c.ListEnvironmentOutputsWithContext(c.ctx, &proton.ListEnvironmentOutputsInput{EnvironmentName: aws.String("dev"), NextToken: aws.String("QUJD")})
	if code(err) != "ValidationException" || !strings.Contains(err.Error(), "Member must have length less than or equal to 0") {
		t.Errorf("with a token: %v", err)
	}
	_, err = c.GetDeploymentWithContext(c.ctx, &proton.GetDeploymentInput{Id: id, EnvironmentName: aws.String("dev")})
	refused(t, "name that does not match", err, "ResourceNotFoundException", "The requested deployment does not exist: "+*id)
	_, err = c.NotifyResourceDeploymentStatusChangeWithContext(c.ctx, &proton.NotifyResourceDeploymentStatusChangeInput{
		ResourceArn: prod.Environment.Arn, Status: aws.String("FAILED"),
	})
	if code(err) != "ConflictException" {
		t.Errorf("a report without a running deployment: %v", err)
	}
}
