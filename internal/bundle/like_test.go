package bundle

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// The bundles that are known from public repositories, by the short names of
// those: CF, TF and OLD are the CloudFormation, Terraform and first sample
// templates, CB the CodeBuild examples, SAAS the tenant provisioning sample, WS
// and PU the workshops. Each is registered from its own files where they lie
// beside the project (TestRealBundles...), and each thing that is odd about one
// is here in a case of testdata, or a test, of our own.
var oddities = []struct {
	rows, oddity string
	golden       string // of testdata, registered unless refused
	refused      bool
	test         string // or a test of this package
}{
	{rows: "CF, TF component-templates/s3-bucket-component", oddity: "no schema, no expressions, unquoted file name", test: "TestComponentsThatAreOnlyText"},
	{rows: "CF ecs-ec2-env, fargate-env, vpc-env, services of service-templates/", oddity: "conditions, CamelCase inputs, component filters, flow lists with expressions", test: "TestRealBundlesRegisterHoweverTheyWereArchived"},
	{rows: "CF lambda-multi-svc/lambda-env; OLD lambda-multi-svc/environment; WS multi-svc-env", oddity: "a property both required and defaulted; serverless transform", golden: "like-serverless-environment"},
	{rows: "CF, OLD lambda-multi-svc/service-crud, service-data-processing; CF apigw, scheduled and worker lambda", oddity: "optional input with is defined; dict literal indexed by an output, tojson, safe; unknown key in the spec", golden: "like-serverless-service"},
	{rows: "CF, OLD loadbalanced-fargate-svc; public-private microservices, public", oddity: "truncate with and without leeway on a concatenation; required", golden: "like-truncate-service"},
	{rows: "CF, OLD environments and private services of the microservices", oddity: "variables only", golden: "cloudformation-service"},
	{rows: "CF service-templates/load-balanced-fargate-svc", oddity: "component outputs through Proton's filters, on a continuation line", golden: "component-namespace-attached"},
	{rows: "CF service-templates/load-balanced-fargate-svc", oddity: "the same with nothing attached", golden: "component-namespace"},
	{rows: "TF environment-templates/*, lambda-vpc/sample-vpc-environment-template; WS the same", oddity: "every .tf beside the manifest", golden: "terraform-environment-folder"},
	{rows: "TF lambda-vpc/sample-lambda-function-template; WS the same", oddity: "no pipeline; five inputs neither required nor defaulted; a program at the root", golden: "like-terraform-service"},
	{rows: "TF service-templates/load-balanced-fargate-svc, scheduled-lambda-svc and the other services", oddity: "ten .tf files, the quota; can() on the default component; patterns with ^$|", golden: "like-terraform-ten-files"},
	{rows: "none", oddity: "eleven .tf files", golden: "like-terraform-eleven-files", refused: true},
	{rows: "OLD all", oddity: "archives wrapped in one folder or two, without v1", golden: "like-truncate-service"},
	{rows: "CB cdk-vpc-ecs-cluster, cdk-vpc-eks-cluster, cdk-ecs-fargate-service-ci-pipeline; SAAS all", oddity: "21 files in a directory, lock files beyond 200 KB", test: "TestCommandsMayHaveManyAndLargeFiles"},
	{rows: "CB cdk-ecs-fargate-service; SAAS ecs-fargate-service, serverless-service", oddity: "boolean with a text as default; length bounds on a number; array without default in the pipeline; empty texts; instances: []", golden: "like-tenant-service"},
	{rows: "CB pulumi vpc-ecs-cluster, ecs-fargate-load-balanced-service; pulumi/manifest.yaml, cdk/manifest.yaml", oddity: "comments in command lists, placeholders in variables, secrets_manager, one boolean input", golden: "like-command-environment"},
	{rows: "CB tf-vpc-ecs-cluster, tf-ecs-fargate-lb-service, tf-lambda-apigw-service and those with pipelines", oddity: "versions that look like numbers; a committed proton-inputs.json; project_properties.ConcurrentBuildLimit", golden: "codebuild-service"},
	{rows: "SAAS tenant-env-template", oddity: "the bundle directly at the root", golden: "project-properties"},
	{rows: "WS lb-fargate-service", oddity: "set with tuple unpacking, split, trim, set inside an if; trailing blanks behind a default", golden: "like-split-service"},
	{rows: "PU environment-vpc", oddity: "the manifest in template/, not infrastructure/", golden: "manifest-elsewhere", refused: true},
}

func TestEveryOddityOfRealBundlesHasACase(t *testing.T) {
	t.Parallel()
	tests := testSources(t)
	for _, o := range oddities {
		if o.test != "" {
			if !strings.Contains(tests, "\nfunc "+o.test+"(") {
				t.Errorf("%s (%s): there is no %s", o.rows, o.oddity, o.test)
			}
			continue
		}
		text, err := os.ReadFile(filepath.Join("testdata", o.golden+".txtar"))
		if err != nil {
			t.Errorf("%s (%s): %v", o.rows, o.oddity, err)
			continue
		}
		if refused := bytes.Contains(text, []byte("\n-- want/problems --\n")); refused != o.refused {
			t.Errorf("%s (%s): refused %v, want %v", o.rows, o.oddity, refused, o.refused)
		}
	}
}

func testSources(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("*_test.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no tests (%v)", err)
	}
	var all strings.Builder
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// Each case that registers does so however its archive was made.
func TestOurBundlesRegisterHoweverTheyWereArchived(t *testing.T) {
	t.Parallel()
	for _, o := range oddities {
		if o.golden == "" || o.refused {
			continue
		}
		in, err := txtar.ParseFile(filepath.Join("testdata", o.golden+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		want := Want{CustomerManaged: strings.Contains(strings.SplitN(string(in.Comment), "\n", 2)[0], "customer-managed")}
		if strings.HasPrefix(string(in.Comment), "service") {
			want.Kind = ServiceTemplate
		}
		for _, prefix := range []string{"", "./", "wrapped/", "wrapped/twice/", "/"} {
			var entries []entry
			for _, f := range in.Files {
				if !strings.HasPrefix(f.Name, "want/") && f.Name != "spec.yaml" {
					entries = append(entries, entry{name: prefix + f.Name, content: string(f.Data)})
				}
			}
			if _, _, err := Register(tarGz(t, entries...), want, DefaultLimits()); err != nil {
				t.Errorf("%s below %q: %v", o.golden, prefix, err)
			}
		}
	}
}

func TestComponentsThatAreOnlyText(t *testing.T) {
	t.Parallel()
	const text = "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n"
	for manifest, source := range map[string]string{jinjaManifest: text, hclManifest: "resource \"aws_s3_bucket\" \"b\" {}\n"} {
		c, err := ParseComponent(manifest, source)
		if err != nil || len(c.Warnings) > 0 {
			t.Fatalf("%v, %v", c, err)
		}
		r, err := c.Render(t.Context(), componentData(false))
		if err != nil || !bytes.HasSuffix(r.Files[0].Content, []byte(strings.TrimSuffix(source, "\n"))) && !bytes.HasSuffix(r.Files[0].Content, []byte(source)) {
			t.Errorf("%v: %s", err, r.Files[0].Content)
		}
	}
}

// Neither the ten files nor the 200 KB of templates hold for what commands use.
func TestCommandsMayHaveManyAndLargeFiles(t *testing.T) {
	t.Parallel()
	lock := make([]byte, 375<<10)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(lock)
	entries := append(minimal(), entry{name: "infrastructure/package-lock.json", content: string(lock)})
	for i := range 21 {
		entries = append(entries, entry{name: fmt.Sprintf("infrastructure/lib/deep/f%d.ts", i), content: "{{ not a template"})
	}
	b, warnings, err := Register(tarGz(t, entries...), Want{}, DefaultLimits())
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, warnings %v", err, warnings)
	}
	r, err := b.Render(t.Context(), Infrastructure, Data{Environment: &EnvironmentData{Name: "dev"}})
	if err != nil || len(r.Files) != 21+4 {
		t.Errorf("%d files, %v", len(r.Files), err)
	}
	many := entries[:2:2]
	many = append(many, entry{name: "infrastructure/big.bin", content: strings.Repeat(string(lock), 15)})
	if _, _, err := Register(tarGz(t, many...), Want{}, DefaultLimits()); err == nil || !strings.Contains(err.Error(), "the archive has ") {
		t.Errorf("more than 5 MB: %v", err)
	}
}
