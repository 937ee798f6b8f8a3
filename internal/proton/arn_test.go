package proton

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var scope = Scope{Account: "123456789012", Region: "eu-west-1"}

// arns are one ARN of each type, with what they name.
var arns = map[ARN]Resource{
	scope.TemplateARN(EnvironmentTemplate, "vpc"):                             {Type: ResourceEnvironmentTemplate, Name: "vpc"},
	scope.TemplateARN(ServiceTemplate, "web"):                                 {Type: ResourceServiceTemplate, Name: "web"},
	scope.TemplateVersionARN(EnvironmentTemplate, "vpc", Version{Major: 1}):   {Type: ResourceEnvironmentTemplateVersion, Name: "vpc", Version: Version{1, 0}},
	scope.TemplateVersionARN(ServiceTemplate, "web", Version{12, 34}):         {Type: ResourceServiceTemplateVersion, Name: "web", Version: Version{12, 34}},
	scope.EnvironmentARN("prod"):                                              {Type: ResourceEnvironment, Name: "prod"},
	scope.ServiceARN("shop"):                                                  {Type: ResourceService, Name: "shop"},
	scope.ServiceInstanceARN("shop", "shop-prod"):                             {Type: ResourceServiceInstance, Name: "shop", Child: "shop-prod"},
	scope.PipelineARN("shop"):                                                 {Type: ResourcePipeline, Name: "shop"},
	scope.ComponentARN("queue"):                                               {Type: ResourceComponent, Name: "queue"},
	scope.DeploymentARN("6b3f6b1e-0b7a-4f7c-9d6e-000000000001"):               {Type: ResourceDeployment, Name: "6b3f6b1e-0b7a-4f7c-9d6e-000000000001"},
	scope.RepositoryARN("GITHUB", "acme/app"):                                 {Type: ResourceRepository, Name: "github:acme/app"},
	"arn:aws:proton:eu-west-1:123456789012:environment-account-connection/c1": {Type: ResourceAccountConnection, Name: "c1"},
}

func TestARNsRoundTrip(t *testing.T) {
	t.Parallel()
	types := map[ResourceType]bool{}
	for arn, want := range arns {
		want.Scope = scope
		got, err := ParseARN(string(arn))
		if err != nil {
			t.Errorf("%s: %v", arn, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", arn, diff)
		}
		if back := got.ARN(); back != arn {
			t.Errorf("%s came back as %s", arn, back)
		}
		types[want.Type] = true
	}
	if len(types) != 12 {
		t.Errorf("%d resource types were tried, want all 12", len(types))
	}
}

func TestARNSpellings(t *testing.T) {
	t.Parallel()
	for got, want := range map[ARN]ARN{
		scope.TemplateVersionARN(ServiceTemplate, "web", Version{1, 2}): "arn:aws:proton:eu-west-1:123456789012:service-template/web:1.2",
		scope.ServiceInstanceARN("shop", "prod"):                        "arn:aws:proton:eu-west-1:123456789012:service/shop/service-instance/prod",
		scope.PipelineARN("shop"):                                       "arn:aws:proton:eu-west-1:123456789012:service/shop/pipeline",
		scope.RepositoryARN("GITHUB_ENTERPRISE", "acme/app"):            "arn:aws:proton:eu-west-1:123456789012:repository/github_enterprise:acme/app",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPipelineARNWithAnIDIsThePipeline(t *testing.T) {
	t.Parallel()
	got, err := ParseARN(string(scope.PipelineARN("shop")) + "/6b3f6b1e-0b7a-4f7c-9d6e-000000000001")
	if err != nil || got.ARN() != scope.PipelineARN("shop") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoARNOfProton(t *testing.T) {
	t.Parallel()
	const p = "arn:aws:proton:eu-west-1:123456789012:"
	for _, bad := range []string{
		"", "arn", "environment/prod", "arn:aws:s3:::bucket", "arn:aws:proton:eu-west-1:123456789012",
		"urn:aws:proton:eu-west-1:123456789012:environment/prod", "arn:aws:proton::123456789012:environment/prod",
		"arn:aws:proton:eu-west-1::environment/prod", "arn::proton:eu-west-1:123456789012:environment/prod",
		p, p + "environment", p + "environment/", p + "environment/a/b", p + "environment/a:b", p + "cluster/a",
		p + "service-template/", p + "service-template/:1.0", p + "service-template/a/b", p + "service-template/a:1",
		p + "service-template/a:0.1", p + "service-template/a:1.", p + "service-template/a:01.0", p + "service-template/a:+1.0",
		p + "service-template/a:1.-1", p + "service-template/a:1.0:2", p + "service-template/a:99999999999999999999.0",
		p + "service/", p + "service/a:b", p + "service//pipeline", p + "service/a/", p + "service/a/b", p + "service/a/service-instance",
		p + "service/a/service-instance/", p + "service/a/service-instance/b/c", p + "service/a/pipeline/", p + "service/a/pipeline/b/c",
		p + "repository/",
	} {
		if got, err := ParseARN(bad); KindOf(err) != Invalid || err == nil {
			t.Errorf("%q: got %+v, %v; want Invalid", bad, got, err)
		}
	}
}

func FuzzParseARN(f *testing.F) {
	for arn := range arns {
		f.Add(string(arn))
	}
	f.Add("arn:aws-cn:proton:cn-north-1:1:service/a/pipeline/b")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseARN(text)
		if err != nil {
			if KindOf(err) != Invalid || r != (Resource{}) {
				t.Fatalf("%q: %+v, %v", text, r, err)
			}
			return
		}
		again, err := ParseARN(string(r.ARN()))
		if err != nil || again != r {
			t.Fatalf("%q is %+v, whose ARN %s is %+v, %v", text, r, r.ARN(), again, err)
		}
	})
}

func TestVersionsOrderByNumber(t *testing.T) {
	t.Parallel()
	ordered := []Version{{}, {1, 0}, {1, 2}, {1, 10}, {2, 0}, {10, 0}}
	for a := range ordered {
		for b := range ordered {
			want := 0
			if a < b {
				want = -1
			} else if a > b {
				want = 1
			}
			if got := ordered[a].Compare(ordered[b]); got != want {
				t.Errorf("%s against %s = %d, want %d", ordered[a], ordered[b], got, want)
			}
		}
	}
	for _, v := range ordered[1:] {
		if got, ok := ParseVersion(v.String()); !ok || got != v {
			t.Errorf("%s reads back as %s, %t", v, got, ok)
		}
		if v.MajorString()+"."+v.MinorString() != v.String() {
			t.Errorf("halves of %s: %s and %s", v, v.MajorString(), v.MinorString())
		}
	}
}

func TestStackNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    Deployment
		want string
	}{
		{Deployment{TargetType: TargetEnvironment, EnvironmentName: "ecs-ec2-env-prod"}, "AWSProton-ecs-ec2-env-pro-cloudformation"},
		{Deployment{TargetType: TargetServiceInstance, EnvironmentName: "e", ServiceName: "worker-lambda-svc", InstanceName: "worker-lambda-svc-prod"}, "AWSProton-worker-lambda-s-worker-lambda-s-cloudformation"},
		{Deployment{TargetType: TargetPipeline, ServiceName: "my_shop"}, "AWSProton-my-shop-cloudformation"},
		{Deployment{TargetType: TargetComponent, EnvironmentName: "prod", ComponentName: "queue"}, "AWSProton-prod-queue-cloudformation"},
	} {
		if got := c.d.StackName(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.d.TargetType, got, c.want)
		}
	}
}
