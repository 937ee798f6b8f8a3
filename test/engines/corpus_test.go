package engines

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
)

// corpus is where the vendor's sample bundles are. They are not part of the
// project.
func corpus(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "bundles")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the vendor's samples are not here: shared/corpus/bundles beside the project")
	}
	return dir
}

const motoRegion = "us-east-1"

// onMoto are the vendor's environments, each with the services that moto can
// hold, without their pipelines: moto knows no serverless transform, no Cloud
// Map, no App Runner, and names image repositories as AWS would not.
var onMoto = map[string][]string{
	"vpc-env":     nil,
	"fargate-env": {"scheduled-fargate-svc", "worker-fargate-svc"},
	"ecs-ec2-env": {"scheduled-ecs-ec2-svc", "worker-ecs-ec2-svc"},
}

var (
	pipelineSection = regexp.MustCompile(`(?m)^pipeline:\n( .*\n)*`)
	pipelineType    = regexp.MustCompile(`(?m)^ *pipeline_input_type:.*\n`)
)

func TestSamplesOfTheVendorGoUpAreUpdatedAndComeDownOnMoto(t *testing.T) {
	t.Parallel()
	dir := corpus(t)
	s := serve(t, cloudFormation(plainMoto(t))...)
	s.Client = s.client(rootID, rootKey, motoRegion)
	ctx := t.Context()
	spec := func(kind, name string) string {
		return string(must(os.ReadFile(filepath.Join(dir, kind, name, "spec", "spec.yaml")))(t))
	}
	bundles := map[string]files{}
	for environment := range onMoto {
		bundles[environment] = folder(t, filepath.Join(dir, "environment-templates", environment, "v1"))
		s.environmentTemplate(environment, bundles[environment])
		s.createEnvironment(environment+"-prod", environment, "", func(in *api.CreateEnvironmentInput) {
			in.Spec = p(spec("environment-templates", environment))
		})
	}
	for environment, services := range onMoto {
		s.environmentEnds(environment+"-prod", api.DeploymentStatusSucceeded)
		for _, name := range services {
			bundle := folder(t, filepath.Join(dir, "service-templates", name, "v1"))
			maps.DeleteFunc(bundle, func(path, _ string) bool { return strings.HasPrefix(path, "pipeline_infrastructure/") })
			bundle["schema/schema.yaml"] = pipelineType.ReplaceAllString(bundle["schema/schema.yaml"], "")
			s.serviceTemplate(name, environment, bundle)
			in := shopInput(name, "", false)
			in.Name, in.Spec = &name, p(pipelineSection.ReplaceAllString(spec("service-templates", name), ""))
			must(s.CreateService(ctx, in))(t)
		}
	}
	for environment, services := range onMoto {
		for _, name := range services {
			s.serviceEnds(name, api.ServiceStatusActive)
		}
		const template = "infrastructure/cloudformation.yaml"
		bundles[environment][template] = strings.Replace(bundles[environment][template], "Resources:\n", "Resources:\n  More:\n    Type: AWS::SNS::Topic\n", 1)
		s.environmentTemplate(environment, bundles[environment])
		s.updateEnvironment(environment+"-prod", "")
	}
	for environment, services := range onMoto {
		s.environmentEnds(environment+"-prod", api.DeploymentStatusSucceeded)
		if log := s.environmentLog(environment + "-prod"); !strings.Contains(log, "UPDATE_COMPLETE") {
			t.Errorf("environment %s was not updated:\n%s", environment, log)
		}
		for _, name := range services { // all at once; then each is waited for
			must(s.DeleteService(ctx, &api.DeleteServiceInput{Name: &name}))(t)
		}
	}
	for environment, services := range onMoto {
		for _, name := range services {
			s.deleteService(name)
		}
		must(s.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: p(environment + "-prod")}))(t)
	}
	for environment := range onMoto {
		comesDown(t, s, environment+"-prod")
	}
}

// comesDown deletes an environment, more than once if need be: moto deletes
// networks before what is in them, and fails for that in the first tries.
func comesDown(t *testing.T, s *server, name string) {
	t.Helper()
	for range 5 {
		_, err := s.DeleteEnvironment(t.Context(), &api.DeleteEnvironmentInput{Name: &name})
		failed := false
		s.eventually("the deletion of environment "+name+" ends", func() bool {
			var out *api.GetEnvironmentOutput
			if out, err = s.GetEnvironment(t.Context(), &api.GetEnvironmentInput{Name: &name}); err != nil {
				return true
			}
			failed = *out.Environment.DeploymentStatus == api.DeploymentStatusDeleteFailed
			if failed {
				t.Logf("%s: %s", name, api.Value(out.Environment.DeploymentStatusMessage))
			}
			return failed
		})
		if !failed {
			if code(err) != "ResourceNotFoundException" {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("environment %s is still there", name)
}
