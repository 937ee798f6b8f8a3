package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/awsjson"
)

func operation(t testing.TB, name string) *awsjson.Operation {
	t.Helper()
	for i := range api.Operations {
		if api.Operations[i].Name == name {
			return &api.Operations[i]
		}
	}
	t.Fatalf("there is no operation %s", name)
	return nil
}

// The decoder and the validator pair member i of a shape with field i of its struct.
func TestStructsHaveTheFieldsOfTheirShapesInOrder(t *testing.T) {
	t.Parallel()
	seen := make(map[*awsjson.Shape]bool)
	for _, op := range api.Operations {
		checkStruct(t, op.Input, reflect.TypeOf(op.Method.New()).Elem(), seen)
		checkStruct(t, op.Output, reflect.TypeOf(op.Method.NewOutput()).Elem(), seen)
	}
	if len(seen) < 200 {
		t.Errorf("only %d structures are reachable", len(seen))
	}
}

func checkStruct(t *testing.T, s *awsjson.Shape, typ reflect.Type, seen map[*awsjson.Shape]bool) {
	if seen[s] {
		return
	}
	seen[s] = true
	if typ.Name() != s.Name || typ.NumField() != len(s.Members) {
		t.Errorf("%s has %d fields, shape %s %d members", typ, typ.NumField(), s.Name, len(s.Members))
		return
	}
	for i, m := range s.Members {
		f := typ.Field(i)
		if f.Tag.Get("json") != m.Name+",omitzero" || !strings.EqualFold(f.Name, m.Name) {
			t.Errorf("%s.%s `%s` does not stand for member %s", typ, f.Name, f.Tag, m.Name)
		}
		inner, shape := f.Type, m.Shape
		if kind := map[bool]reflect.Kind{true: reflect.Slice, false: reflect.Pointer}[shape.Kind == awsjson.List]; inner.Kind() != kind {
			t.Errorf("%s.%s is a %s", typ, f.Name, inner)
			continue
		}
		inner = inner.Elem()
		if shape.Kind == awsjson.List {
			shape = shape.Element
		}
		switch {
		case shape.Kind == awsjson.Structure:
			checkStruct(t, shape, inner, seen)
		case shape.Enum != nil && inner.Name() != shape.Name:
			t.Errorf("%s.%s is no %s", typ, f.Name, shape.Name)
		}
	}
}

func TestAll87OperationsOfProtonAreThere(t *testing.T) {
	t.Parallel()
	count, idempotent := 0, 0
	for _, op := range api.Operations {
		if op.Service != api.ServiceProton {
			continue
		}
		count++
		if op.Idempotent {
			idempotent++
		}
		for _, e := range []string{api.ValidationException, api.AccessDeniedException, api.ThrottlingException, api.InternalServerException} {
			if !strings.Contains(strings.Join(op.Errors, " "), e) {
				t.Errorf("%s does not list %s", op.Name, e)
			}
		}
	}
	if count != 87 || idempotent != 29 {
		t.Errorf("%d operations, %d of them idempotent; want 87 and 29", count, idempotent)
	}
	if n := reflect.TypeFor[api.Proton]().NumMethod(); n != 87 {
		t.Errorf("the interface has %d methods", n)
	}
}

func TestOpenOperationsAnswerUnknownOperation(t *testing.T) {
	t.Parallel()
	client := api.NewClient(&awsjson.InProcess{Handler: awsjson.NewHandler(api.Operations, api.Unimplemented{}, awsjson.Config{})})
	_, err := client.ListServices(t.Context(), &api.ListServicesInput{})
	e, ok := errors.AsType[*awsjson.Error](err)
	if !ok || e.Code != "UnknownOperationException" || e.Status != http.StatusBadRequest || e.Namespace != "com.amazon.coral.service" {
		t.Errorf("got %v", err)
	}
	// Bad input is refused first, so a client learns about it all the same.
	_, err = client.ListDeploymentLogEvents(t.Context(), &api.ListDeploymentLogEventsInput{})
	if e, ok := errors.AsType[*awsjson.Error](err); !ok || e.Code != api.ValidationException || e.Namespace != "com.hadronhq.hadron.v20261123" {
		t.Errorf("got %v", err)
	}
}

func TestConstraintsOfTheModel(t *testing.T) {
	t.Parallel()
	const (
		instance = "arn:aws:proton:us-east-1:123456789012:service/%s/service-instance/%s"
		name     = `^[0-9A-Za-z]+[0-9A-Za-z_\-]*$`
	)
	long := fmt.Sprintf(instance, strings.Repeat("s", 100), strings.Repeat("i", 100))
	for _, c := range []struct {
		name, operation, body string
		want                  []string // parts of the message, in order; none for no error
	}{
		{"long resource ARN", "TagResource", `{"resourceArn":"` + long + `","tags":[{"key":"a","value":""}]}`, nil},
		{"too long resource ARN", "ListTagsForResource", `{"resourceArn":"` + long + strings.Repeat("x", 2000) + `"}`, []string{"less than or equal to 2048"}},
		{"other ARNs stay at 200", "CreateEnvironmentTemplate", `{"name":"a","encryptionKey":"` + long + `"}`, []string{"less than or equal to 200"}},
		{"pipeline ARN", "NotifyResourceDeploymentStatusChange", `{"resourceArn":"arn:aws:proton:eu-west-1:123456789012:service/a/pipeline","status":"SUCCEEDED","outputs":[{"key":"a","valueString":"b"}]}`, nil},
		{"element form", "UntagResource", `{"resourceArn":"` + long + `","tagKeys":["x",""]}`, []string{"1 validation error detected: Value '[x, ]' at 'tagKeys' failed to satisfy constraint: " +
			"Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"}},
		{"list of structures", "TagResource", `{"resourceArn":"` + long + `","tags":[{"key":"","value":"v"}]}`, []string{"Value '' at 'tags.1.member.key'"}},
		{"name", "GetService", `{"name":"-a"}`, []string{"1 validation error detected: Value '-a' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: " + name}},
		{"name with a newline", "GetService", `{"name":"a\n"}`, []string{"Value 'a\n' at 'name'"}},
		{"all of CreateService", "CreateService", `{"spec":"","description":"` + strings.Repeat("d", 501) + `","templateMajorVersion":"01"}`, []string{
			"5 validation errors detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 500",
			"Value null at 'name'", "Value at 'spec' failed", "Value '01' at 'templateMajorVersion'", "Value null at 'templateName'"}},
		{"repository name matches whole", "GetRepository", `{"name":"x acme/app","provider":"GITHUB"}`, nil},
		{"repository name without an owner", "GetRepository", `{"name":"app","provider":"GITHUB"}`, []string{"[A-Za-z0-9_.-].*/[A-Za-z0-9_.-].*"}},
		{"empty role clears", "UpdateAccountSettings", `{"pipelineServiceRoleArn":""}`, nil},
		{"role", "UpdateAccountSettings", `{"pipelineServiceRoleArn":"arn:aws:iam::1:role/x"}`, []string{"Value 'arn:aws:iam::1:role/x' at 'pipelineServiceRoleArn'"}},
		{"source union", "CreateServiceTemplateVersion", `{"templateName":"a","compatibleEnvironmentTemplates":[{"templateName":"e","majorVersion":"1"}],"source":{}}`,
			[]string{"1 validation error detected: Value at 'source' failed"}},
		{"no compatible environments", "CreateServiceTemplateVersion", `{"templateName":"a","compatibleEnvironmentTemplates":[],"source":{"s3":{"bucket":"bbb","key":"k"}}}`,
			[]string{"Value '[]' at 'compatibleEnvironmentTemplates' failed to satisfy constraint: Member must have length greater than or equal to 1"}},
		{"page size", "ListServices", `{"maxResults":0}`, []string{"Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1"}},
		{"log page size", "ListDeploymentLogEvents", `{"deploymentId":"01234567-89ab-cdef-0123-456789abcdef","maxResults":1001}`, []string{"less than or equal to 1000"}},
		{"enum", "UpdateEnvironment", `{"name":"a","deploymentType":"ALL"}`, []string{"enum value set: [NONE, CURRENT_VERSION, MINOR_VERSION, MAJOR_VERSION]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			op := operation(t, c.operation)
			in := op.Method.New()
			if err := awsjson.Decode([]byte(c.body), op.Input, in); err != nil {
				t.Fatal(err)
			}
			err := awsjson.Validate(op.Input, in)
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			rest := fmt.Sprint(err)
			for _, part := range c.want {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Errorf("%v\nlacks, in this order: %s", err, part)
				}
				rest = after
			}
		})
	}
}

// A body of a megabyte must not keep a processor busy with patterns.
func TestHugeValuesAreRefusedQuickly(t *testing.T) {
	t.Parallel()
	op := operation(t, "UpdateAccountSettings")
	role := "arn:aws:iam::123456789012:role/" + strings.Repeat("a/", 1<<19)
	began := time.Now()
	err := awsjson.Validate(op.Input, &api.UpdateAccountSettingsInput{PipelineServiceRoleArn: &role})
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %s", took)
	}
	if err == nil {
		t.Error("accepted")
	}
}

// static answers two operations from memory.
type static struct {
	api.Unimplemented
	service *api.Service
}

func (s static) CreateService(context.Context, *api.CreateServiceInput) (*api.CreateServiceOutput, error) {
	return &api.CreateServiceOutput{Service: s.service}, nil
}

func (s static) GetService(context.Context, *api.GetServiceInput) (*api.GetServiceOutput, error) {
	return &api.GetServiceOutput{Service: s.service}, nil
}

func newStatic() static {
	at := &awsjson.Timestamp{Time: time.UnixMilli(1605152585405)}
	return static{service: &api.Service{
		Name: api.Ptr("simple-svc"), Arn: api.Ptr("arn:aws:proton:us-east-1:123456789012:service/simple-svc"),
		TemplateName: api.Ptr("fargate-service"), Status: api.Ptr(api.ServiceStatusActive), CreatedAt: at, LastModifiedAt: at,
		BranchName: api.Ptr("mainline"), RepositoryId: api.Ptr("acme/app"), Spec: api.Ptr(strings.Repeat("key: value\n", 40)),
		Pipeline: &api.ServicePipeline{Arn: api.Ptr("arn:aws:proton:us-east-1:123456789012:service/simple-svc/pipeline"),
			CreatedAt: at, LastDeploymentAttemptedAt: at, LastDeploymentSucceededAt: at, DeploymentStatus: api.Ptr(api.DeploymentStatusSucceeded),
			TemplateName: api.Ptr("fargate-service"), TemplateMajorVersion: api.Ptr("1"), TemplateMinorVersion: api.Ptr("0")},
	}}
}

func TestClientRoundTrip(t *testing.T) {
	t.Parallel()
	impl := newStatic()
	client := api.NewClient(&awsjson.InProcess{Handler: awsjson.NewHandler(api.Operations, impl, awsjson.Config{})})
	out, err := client.GetService(t.Context(), &api.GetServiceInput{Name: api.Ptr("simple-svc")})
	if err != nil {
		t.Fatal(err)
	}
	got, want := out.Service, impl.service
	if *got.Status != api.ServiceStatusActive || got.CreatedAt.UnixMilli() != want.CreatedAt.UnixMilli() || *got.Pipeline.Arn != *want.Pipeline.Arn || got.Description != nil {
		t.Errorf("got %+v", got)
	}
	if err := client.WaitUntilServiceCreated(t.Context(), &api.GetServiceInput{Name: api.Ptr("simple-svc")}); err != nil {
		t.Error(err)
	}
	if err := client.WaitUntilServicePipelineDeployed(t.Context(), &api.GetServiceInput{Name: api.Ptr("simple-svc")}); err != nil {
		t.Error(err)
	}
}

func BenchmarkCall(b *testing.B) {
	h := awsjson.NewHandler(api.Operations, newStatic(), awsjson.Config{})
	for operation, body := range map[string]string{
		"GetService": `{"name":"simple-svc"}`,
		"CreateService": `{"name":"simple-svc","templateName":"fargate-service","templateMajorVersion":"1","description":"a service",
			"branchName":"mainline","repositoryId":"acme/app","repositoryConnectionArn":"arn:aws:codestar-connections:us-east-1:123456789012:connection/0123",
			"spec":"` + strings.Repeat(`key: value\n`, 40) + `","tags":[{"key":"team","value":"red"},{"key":"stage","value":"beta"}]}`,
	} {
		b.Run(operation, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
				r.Header.Set("X-Amz-Target", "AwsProton20200720."+operation)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

func BenchmarkDecodeAndValidate(b *testing.B) {
	op := operation(b, "CreateService")
	body := []byte(`{"name":"simple-svc","templateName":"fargate-service","templateMajorVersion":"1","spec":"` +
		strings.Repeat(`key: value\n`, 40) + `","tags":[{"key":"team","value":"red"},{"key":"stage","value":"beta"}]}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		in := op.Method.New()
		if err := awsjson.Decode(body, op.Input, in); err != nil {
			b.Fatal(err)
		}
		if err := awsjson.Validate(op.Input, in); err != nil {
			b.Fatal(err)
		}
	}
}
