package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	"github.com/hadronhq/hadron/test/conformance/wire"
)

var (
	walkTime = flag.Duration("walk", 15*time.Second, "how long the random walk goes on")
	walkSeed = flag.Uint64("walk-seed", 1, "where the random walk begins")
)

// action is one step of a walk: a call, or the end of an engine's run.
type action struct {
	Op          string
	Kind        string            `json:",omitempty"` // of the template: e or s
	Template    string            `json:",omitempty"`
	Name        string            `json:",omitempty"`
	Child       string            `json:",omitempty"`
	Environment string            `json:",omitempty"`
	Type        string            `json:",omitempty"`
	Major       int               `json:",omitempty"` // 0: not given
	Minor       int               // -1: not given
	Compat      []string          `json:",omitempty"`
	Bad         bool              `json:",omitempty"` // there is no such bundle
	Instances   map[string]string `json:",omitempty"`
	Attach      string            `json:",omitempty"` // of a component: "shop/a", - for nothing, empty: as it is
}

func (a action) String() string {
	text, _ := json.Marshal(a)
	return string(text)
}

// What is random about names is little, so that calls meet.
var (
	walkTemplates    = map[string][]string{"e": {"net", "lan"}, "s": {"web", "job"}}
	walkEnvironments = []string{"dev", "prod"}
	walkServices     = []string{"shop", "blog"}
	walkInstances    = []string{"a", "b", "c"}
	walkComponents   = []string{"queue", "table"}
)

// walkStart makes what most calls need.
var walkStart = []action{
	{Op: "CreateTemplate", Kind: "e", Template: "net"}, {Op: "CreateVersion", Kind: "e", Template: "net"},
	{Op: "PublishVersion", Kind: "e", Template: "net", Major: 1},
	{Op: "CreateTemplate", Kind: "s", Template: "web"}, {Op: "CreateVersion", Kind: "s", Template: "web", Compat: []string{"net:1"}},
	{Op: "PublishVersion", Kind: "s", Template: "web", Major: 1},
	{Op: "CreateTemplate", Kind: "s", Template: "job"}, {Op: "CreateVersion", Kind: "s", Template: "job", Compat: []string{"net:1"}},
	{Op: "PublishVersion", Kind: "s", Template: "job", Major: 1},
	{Op: "CreateEnvironment", Name: "dev", Template: "net", Major: 1, Minor: -1}, {Op: "Finish", Name: "environment/dev"},
	{Op: "CreateService", Name: "shop", Template: "web", Major: 1, Minor: -1, Instances: map[string]string{"a": "dev", "b": "dev"}},
	{Op: "Finish", Name: "service/shop/service-instance/a"}, {Op: "Finish", Name: "service/shop/service-instance/b"}, {Op: "Finish", Name: "service/shop/pipeline"},
}

// randomAction is anything that might be asked for next. Ends of runs and what
// makes things are more frequent than what removes them.
func randomAction(r *rand.Rand, w *world) action {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	if r.IntN(10) < 3 {
		return randomBeside(r, w)
	}
	if runs := slices.Sorted(maps.Keys(w.runs)); len(runs) > 0 && r.IntN(10) < 3 {
		return action{Op: "Finish", Name: pick(runs...)}
	}
	a := action{Op: pick(
		"CreateTemplate", "UpdateTemplate", "DeleteTemplate", "CreateVersion", "PublishVersion", "PublishVersion", "DeleteVersion",
		"CreateEnvironment", "CreateEnvironment", "UpdateEnvironment", "UpdateEnvironment", "DeleteEnvironment", "CancelEnvironment",
		"CreateService", "CreateService", "CreateService", "UpdateService", "UpdateService", "UpdateService", "DescribeService", "DeleteService",
		"CreateInstance", "UpdateInstance", "UpdateInstance", "CancelInstance", "UpdatePipeline", "CancelPipeline",
	), Minor: -1}
	if strings.HasPrefix(a.Op, "Delete") && r.IntN(3) > 0 {
		a.Op = pick("UpdateInstance", "UpdateInstance", "CreateInstance")
	}
	a.Kind = pick("e", "s")
	if strings.Contains(a.Op, "Environment") {
		a.Kind = "e"
	} else if !strings.HasSuffix(a.Op, "Template") && !strings.HasSuffix(a.Op, "Version") {
		a.Kind = "s"
	}
	a.Template = pick(walkTemplates[a.Kind]...)
	version := func(sometimes int) {
		if r.IntN(10) < sometimes {
			a.Major = 1 + r.IntN(3)
		}
		if r.IntN(10) < 4 {
			a.Minor = r.IntN(3)
		}
	}
	instances := func() {
		a.Instances = map[string]string{}
		for _, name := range walkInstances {
			if r.IntN(2) == 0 {
				a.Instances[name] = pick("dev", "dev", "dev", "prod")
			}
		}
	}
	a.Type = pick("NONE", "CURRENT_VERSION", "CURRENT_VERSION", "MINOR_VERSION", "MAJOR_VERSION")
	switch a.Op {
	case "CreateVersion":
		a.Bad = r.IntN(6) == 0
		if t := w.templates[a.Kind+"/"+a.Template]; t != nil && t.lastMajor > 2 || r.IntN(2) == 0 {
			a.Major = 1 + r.IntN(3)
		}
		if a.Kind == "s" {
			a.Compat = []string{pick("net:1", "net:1", "net:2", "lan:1")}
		}
	case "PublishVersion", "DeleteVersion":
		a.Major, a.Minor = 1+r.IntN(3), r.IntN(3)
	case "CreateEnvironment":
		a.Name = pick(walkEnvironments...)
		version(0)
		a.Major = 1 + r.IntN(2)
	case "UpdateEnvironment", "DeleteEnvironment", "CancelEnvironment":
		a.Name = pick(walkEnvironments...)
		version(2)
	case "CreateService":
		instances()
		version(0)
		a.Major = 1 + r.IntN(2)
		fallthrough
	case "DescribeService", "DeleteService":
		a.Name = pick(walkServices...)
	case "UpdateService":
		a.Name = pick(walkServices...)
		instances()
	default:
		a.Name, a.Child, a.Environment = pick(walkServices...), pick(walkInstances...), pick(walkEnvironments...)
		version(2)
	}
	if r.IntN(5) > 0 {
		a.meet(pick, w)
	}
	if !strings.HasPrefix(a.Op, "Update") || a.Op == "UpdateService" || a.Op == "UpdateTemplate" {
		a.Type = ""
	}
	return a
}

// meet makes an action be about something that there is, or that may come to be.
func (a *action) meet(pick func(...string) string, w *world) {
	about := func(name *string, there []string) {
		if len(there) > 0 && !slices.Contains(there, *name) {
			*name = pick(there...)
		}
	}
	if strings.HasPrefix(a.Op, "Update") && (a.Type == "NONE" || a.Type == "CURRENT_VERSION") {
		a.Major, a.Minor = 0, -1 // they take none
	}
	switch a.Op {
	case "UpdateEnvironment", "DeleteEnvironment", "CancelEnvironment":
		about(&a.Name, slices.Sorted(maps.Keys(w.environments)))
	case "UpdateService", "DescribeService", "DeleteService", "CreateInstance", "UpdatePipeline", "CancelPipeline":
		about(&a.Name, slices.Sorted(maps.Keys(w.services)))
	case "UpdateInstance", "CancelInstance":
		instance := a.Name + "/" + a.Child
		about(&instance, w.instances())
		for _, c := range w.components {
			if _, _, attached := strings.Cut(c.attached, "/"); attached && a.Type != "NONE" {
				instance = c.attached
			}
		}
		a.Name, a.Child, _ = strings.Cut(instance, "/")
	case "CreateEnvironment", "CreateService":
		if w.templates[a.Kind+"/"+a.Template] == nil || !w.templates[a.Kind+"/"+a.Template].has(a.Major) {
			a.Template, a.Major = map[string]string{"e": "net", "s": "web"}[a.Kind], 1
		}
	case "PublishVersion", "DeleteVersion":
		if t := w.templates[a.Kind+"/"+a.Template]; t != nil {
			version := fmt.Sprintf("%d.%d", a.Major, a.Minor)
			var there []string
			for v := range t.versions {
				there = append(there, v.String())
			}
			slices.Sort(there)
			about(&version, there)
			_, _ = fmt.Sscanf(version, "%d.%d", &a.Major, &a.Minor)
		}
	}
}

// walker takes the same steps on a server and in the model.
type walker struct {
	*api.Client
	engine *enginetest.Scripted
	prefix string // of ARNs
	seed   uint64
	world  *world
	holds  map[string]chan struct{}
	runs   map[string]uint64 // how many a resource has had
	wait   time.Duration     // until the server must show what the model says
	done   map[string]int    // accepted and refused calls
	asked  []string          // ids of account connections, in the order of their making
	tags   int               // they are compared after so many steps
}

// A walk of thousands of random calls, legal and illegal, with engines that
// fail at random, agrees with the reference model in every answer and in
// everything that can be read afterwards.
func TestRandomWalk(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t) // for the bundles, in the usual Region
	f.put(t, "/templates/job.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml": strings.Replace(serviceSchema, "  pipeline_input_type: Pipe\n", "", 1), "instance_infrastructure/manifest.yaml": manifest,
	}))
	model, err := wire.LoadModel("../..")
	if err != nil {
		t.Fatal(err)
	}
	record := wire.NewRecord()
	front := httptest.NewServer(wire.NewProxy(model, record, strings.TrimPrefix(f.server.URL, "http://")))
	defer front.Close()
	deadline := time.Now().Add(*walkTime)
	steps, walks, done := 0, 0, map[string]int{}
	for ; time.Now().Before(deadline); walks++ {
		seed := *walkSeed + uint64(walks)
		r := rand.New(rand.NewPCG(seed, 0))
		w := newWalker(t, f, front.URL, seed, fmt.Sprintf("eu-walk-%d", walks))
		taken, problem := w.walk(t.Context(), func(n int) (action, bool) {
			if n < len(walkStart) {
				return walkStart[n], true
			}
			return randomAction(r, w.world), n < 300 && time.Now().Before(deadline)
		})
		w.release()
		steps += len(taken)
		for what, n := range w.done {
			done[what] += n
		}
		if problem != "" {
			taken, problem = shrink(t, f, front.URL, seed, taken, problem)
			t.Fatalf("-walk-seed %d disagrees after:\n%s\n%s", seed, listActions(taken), problem)
		}
	}
	if problems := record.Problems(); len(problems) > 0 {
		t.Errorf("answers outside the model:\n%s", strings.Join(problems, "\n"))
	}
	t.Logf("%d steps in %d walks: %v", steps, walks, done)
	if steps < 100 || done["accepted"] < steps/10 {
		t.Errorf("only %d steps: %v", steps, done)
	}
}

func listActions(actions []action) string {
	var b strings.Builder
	for _, a := range actions {
		fmt.Fprintln(&b, a)
	}
	return b.String()
}

// shrink leaves out of a walk what is not needed for a disagreement.
func shrink(t *testing.T, f *fixture, url string, seed uint64, actions []action, problem string) ([]action, string) {
	deadline, tries := time.Now().Add(time.Minute), 0
	for size := len(actions) / 2; size > 0; {
		smaller := false
		for from := 0; from < len(actions) && time.Now().Before(deadline); from += size {
			fewer := slices.Concat(actions[:from], actions[min(from+size, len(actions)):])
			tries++
			w := newWalker(t, f, url, seed, fmt.Sprintf("eu-shrink-%d", tries))
			w.wait, w.tags = 3*time.Second, 1
			taken, p := w.walk(t.Context(), func(n int) (action, bool) {
				if n == len(fewer) {
					return action{}, false
				}
				return fewer[n], true
			})
			w.release()
			if p != "" {
				actions, problem, smaller = taken, p, true
				break
			}
		}
		if !smaller {
			size /= 2
		}
		size = min(size, len(actions))
	}
	return actions, problem
}

func newWalker(t *testing.T, f *fixture, url string, seed uint64, region string) *walker {
	t.Helper()
	client := api.NewClient(&awsjson.HTTP{Endpoint: url, Sign: func(r *http.Request, body []byte) error {
		return auth.Sign(r, body, f.server.Root.AccessKeyID, f.server.Root.SecretAccessKey, "", region, "proton", time.Now())
	}})
	w := &walker{
		Client: client, engine: f.engine, prefix: "arn:aws:proton:" + region + ":" + f.account + ":", seed: seed, world: newWorld(),
		holds: map[string]chan struct{}{}, runs: map[string]uint64{}, wait: 15 * time.Second, done: map[string]int{}, tags: 8,
	}
	for _, name := range walkComponents {
		w.script("component/" + name)
	}
	for _, name := range walkEnvironments {
		w.script("environment/" + name)
	}
	for _, service := range walkServices {
		w.script("service/" + service + "/pipeline")
		for _, name := range walkInstances {
			w.script("service/" + service + "/service-instance/" + name)
		}
	}
	return w
}

// script says how the next run for a resource goes: it waits, and then fails
// or succeeds.
func (w *walker) script(arn string) {
	w.runs[arn]++
	s := enginetest.Script{Hold: make(chan struct{}), Fail: w.failure(arn)}
	hold := make(chan struct{})
	s.Hold, w.holds[arn] = hold, hold
	w.engine.On(w.prefix+arn, s)
}

// failure is why a resource's newest run fails; empty if it succeeds.
func (w *walker) failure(arn string) string {
	h := fnv.New64a()
	fmt.Fprintln(h, w.seed, arn, w.runs[arn])
	if h.Sum64()%4 == 0 {
		return "no luck"
	}
	return ""
}

// release lets everything end that still waits.
func (w *walker) release() {
	for _, hold := range w.holds {
		close(hold)
	}
}

// walk takes steps until there are no more, or until model and server
// disagree; it answers how.
func (w *walker) walk(ctx context.Context, next func(n int) (action, bool)) (taken []action, problem string) {
	for {
		a, more := next(len(taken))
		if !more {
			return taken, ""
		}
		taken = append(taken, a)
		problem = w.step(ctx, a)
		w.world.forget()
		if problem == "" {
			problem = w.compare(ctx)
		}
		if problem == "" && len(taken)%w.tags == 0 {
			problem = w.compareTags(ctx)
		}
		if problem != "" {
			return taken, problem
		}
	}
}

func (w *walker) step(ctx context.Context, a action) string {
	if a.Op == "Finish" {
		w.finish(a.Name)
		return ""
	}
	allowed, effect := w.world.do(a)
	if arn := a.cancels(); len(allowed) == 0 && w.world.runs[arn] {
		w.script(arn) // what follows may begin before the call is answered
	}
	got := fine
	if err := w.call(ctx, a); err != nil {
		e, ok := errors.AsType[*awsjson.Error](err)
		if !ok {
			return err.Error()
		}
		got = e.Code
		if !slices.Contains(allowed, got) {
			return fmt.Sprintf("refused with %v; allowed: %q", err, allowed)
		}
		w.done[got]++
		return ""
	}
	if len(allowed) > 0 && !slices.Contains(allowed, fine) {
		return fmt.Sprintf("not refused; want one of %q", allowed)
	}
	w.done["accepted"]++
	effect()
	return ""
}

func (w *walker) finish(arn string) {
	if !w.world.runs[arn] {
		return
	}
	hold, how := w.holds[arn], ""
	if w.failure(arn) != "" {
		how = "FAILED"
	}
	w.script(arn)
	close(hold)
	w.world.end(arn, how)
}

// cancels is the resource whose deployment an action cancels.
func (a action) cancels() string {
	switch a.Op {
	case "CancelEnvironment":
		return "environment/" + a.Name
	case "CancelInstance":
		return "service/" + a.Name + "/service-instance/" + a.Child
	case "CancelPipeline":
		return "service/" + a.Name + "/pipeline"
	case "CancelComponent":
		return "component/" + a.Name
	}
	return ""
}

func number(n int, none int) *string {
	if n == none {
		return nil
	}
	return api.Ptr(fmt.Sprint(n))
}

func specOf(instances map[string]string) *string {
	var items []string
	for _, name := range slices.Sorted(maps.Keys(instances)) {
		items = append(items, fmt.Sprintf("{name: %s, environment: %s, spec: {port: 80}}", name, instances[name]))
	}
	return api.Ptr("proton: ServiceSpec\ninstances: [" + strings.Join(items, ", ") + "]\n")
}

// call makes an action's call.
func (w *walker) call(ctx context.Context, a action) (err error) {
	major, minor := number(a.Major, 0), number(a.Minor, -1)
	switch a.Op {
	case "CreateEnvironment":
		_, err = w.CreateEnvironment(ctx, &api.CreateEnvironmentInput{Name: &a.Name, TemplateName: &a.Template, TemplateMajorVersion: major,
			TemplateMinorVersion: minor, ComponentRoleArn: p(componentRole), Spec: p("proton: EnvironmentSpec\nspec: {}\n")})
	case "UpdateEnvironment":
		_, err = w.UpdateEnvironment(ctx, &api.UpdateEnvironmentInput{Name: &a.Name, DeploymentType: api.Ptr(api.DeploymentUpdateType(a.Type)),
			TemplateMajorVersion: major, TemplateMinorVersion: minor})
	case "DeleteEnvironment":
		_, err = w.DeleteEnvironment(ctx, &api.DeleteEnvironmentInput{Name: &a.Name})
	case "CancelEnvironment":
		_, err = w.CancelEnvironmentDeployment(ctx, &api.CancelEnvironmentDeploymentInput{EnvironmentName: &a.Name})
	case "CreateService":
		in := &api.CreateServiceInput{Name: &a.Name, TemplateName: &a.Template, TemplateMajorVersion: major, TemplateMinorVersion: minor, Spec: specOf(a.Instances)}
		if a.Template == "web" {
			in.RepositoryConnectionArn, in.RepositoryId, in.BranchName = p(connection), p("acme/shop"), p("main")
		}
		_, err = w.CreateService(ctx, in)
	case "UpdateService":
		_, err = w.UpdateService(ctx, &api.UpdateServiceInput{Name: &a.Name, Spec: specOf(a.Instances)})
	case "DescribeService":
		_, err = w.UpdateService(ctx, &api.UpdateServiceInput{Name: &a.Name, Description: p("changed")})
	case "DeleteService":
		_, err = w.DeleteService(ctx, &api.DeleteServiceInput{Name: &a.Name})
	case "CreateInstance":
		_, err = w.CreateServiceInstance(ctx, &api.CreateServiceInstanceInput{ServiceName: &a.Name, Name: &a.Child, TemplateMajorVersion: major,
			TemplateMinorVersion: minor, Spec: specOf(map[string]string{a.Child: a.Environment})})
	case "UpdateInstance":
		_, err = w.UpdateServiceInstance(ctx, &api.UpdateServiceInstanceInput{ServiceName: &a.Name, Name: &a.Child,
			DeploymentType: api.Ptr(api.DeploymentUpdateType(a.Type)), TemplateMajorVersion: major, TemplateMinorVersion: minor})
	case "CancelInstance":
		_, err = w.CancelServiceInstanceDeployment(ctx, &api.CancelServiceInstanceDeploymentInput{ServiceName: &a.Name, ServiceInstanceName: &a.Child})
	case "UpdatePipeline":
		_, err = w.UpdateServicePipeline(ctx, &api.UpdateServicePipelineInput{ServiceName: &a.Name, Spec: specOf(nil),
			DeploymentType: api.Ptr(api.DeploymentUpdateType(a.Type)), TemplateMajorVersion: major, TemplateMinorVersion: minor})
	case "CancelPipeline":
		_, err = w.CancelServicePipelineDeployment(ctx, &api.CancelServicePipelineDeploymentInput{ServiceName: &a.Name})
	default:
		if call, ok := besides[a.Op]; ok {
			return call(ctx, w, a)
		}
		return w.callTemplate(ctx, a, major, minor)
	}
	return err
}

// callTemplate makes the calls about templates and their versions.
func (w *walker) callTemplate(ctx context.Context, a action, major, minor *string) (err error) {
	name, published := &a.Template, api.Ptr(api.TemplateVersionStatusPublished)
	source := s3(map[string]string{"e": "net.tar.gz", "s": a.Template + ".tar.gz"}[a.Kind])
	if a.Bad {
		source = s3("nothing.tar.gz")
	}
	switch a.Op + " " + a.Kind {
	case "CreateTemplate e":
		_, err = w.CreateEnvironmentTemplate(ctx, &api.CreateEnvironmentTemplateInput{Name: name})
	case "UpdateTemplate e":
		_, err = w.UpdateEnvironmentTemplate(ctx, &api.UpdateEnvironmentTemplateInput{Name: name, Description: p("changed")})
	case "DeleteTemplate e":
		_, err = w.DeleteEnvironmentTemplate(ctx, &api.DeleteEnvironmentTemplateInput{Name: name})
	case "CreateVersion e":
		_, err = w.CreateEnvironmentTemplateVersion(ctx, &api.CreateEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: major, Source: source})
	case "PublishVersion e":
		_, err = w.UpdateEnvironmentTemplateVersion(ctx, &api.UpdateEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: major, MinorVersion: minor, Status: published})
	case "DeleteVersion e":
		_, err = w.DeleteEnvironmentTemplateVersion(ctx, &api.DeleteEnvironmentTemplateVersionInput{TemplateName: name, MajorVersion: major, MinorVersion: minor})
	case "CreateTemplate s":
		in := &api.CreateServiceTemplateInput{Name: name}
		if a.Template == "job" {
			in.PipelineProvisioning = api.Ptr(api.ProvisioningCustomerManaged)
		}
		_, err = w.CreateServiceTemplate(ctx, in)
	case "UpdateTemplate s":
		_, err = w.UpdateServiceTemplate(ctx, &api.UpdateServiceTemplateInput{Name: name, Description: p("changed")})
	case "DeleteTemplate s":
		_, err = w.DeleteServiceTemplate(ctx, &api.DeleteServiceTemplateInput{Name: name})
	case "CreateVersion s":
		in := &api.CreateServiceTemplateVersionInput{TemplateName: name, MajorVersion: major, Source: source}
		if a.Template == "web" {
			in.SupportedComponentSources = []api.ServiceTemplateSupportedComponentSourceType{"DIRECTLY_DEFINED"}
		}
		for _, c := range a.Compat {
			environment, major, _ := strings.Cut(c, ":")
			in.CompatibleEnvironmentTemplates = append(in.CompatibleEnvironmentTemplates, api.CompatibleEnvironmentTemplateInput{TemplateName: &environment, MajorVersion: &major})
		}
		_, err = w.CreateServiceTemplateVersion(ctx, in)
	case "PublishVersion s":
		_, err = w.UpdateServiceTemplateVersion(ctx, &api.UpdateServiceTemplateVersionInput{TemplateName: name, MajorVersion: major, MinorVersion: minor, Status: published})
	case "DeleteVersion s":
		_, err = w.DeleteServiceTemplateVersion(ctx, &api.DeleteServiceTemplateVersionInput{TemplateName: name, MajorVersion: major, MinorVersion: minor})
	default:
		panic("nobody knows how to do " + a.String())
	}
	return err
}

// compare waits until everything that can be read is as the model says.
func (w *walker) compare(ctx context.Context) string {
	want := w.world.lines()
	for deadline := time.Now().Add(w.wait); ; time.Sleep(3 * time.Millisecond) {
		got, err := w.lines(ctx)
		if err != nil {
			return err.Error()
		}
		diff := cmp.Diff(want, got)
		if diff == "" || time.Now().After(deadline) {
			return diff
		}
	}
}

func versionText(major, minor *string) string {
	if major == nil && minor == nil {
		return ver{}.String()
	}
	return api.Value(major) + "." + api.Value(minor)
}

// lines is everything that can be read from the server.
func (w *walker) lines(ctx context.Context) ([]string, error) {
	var lines []string
	add := func(parts ...any) { lines = append(lines, strings.TrimSuffix(fmt.Sprintln(parts...), "\n")) }
	environmentTemplates, err1 := w.ListEnvironmentTemplates(ctx, &api.ListEnvironmentTemplatesInput{})
	serviceTemplates, err2 := w.ListServiceTemplates(ctx, &api.ListServiceTemplatesInput{})
	environments, err3 := w.ListEnvironments(ctx, &api.ListEnvironmentsInput{})
	services, err4 := w.ListServices(ctx, &api.ListServicesInput{})
	instances, err5 := w.ListServiceInstances(ctx, &api.ListServiceInstancesInput{})
	counts, err6 := w.GetResourcesSummary(ctx, &api.GetResourcesSummaryInput{})
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return nil, err
	}
	for _, t := range environmentTemplates.Templates {
		add("template e/"+*t.Name, "recommends", api.Value(t.RecommendedVersion))
		for major := range 4 {
			out, err := w.ListEnvironmentTemplateVersions(ctx, &api.ListEnvironmentTemplateVersionsInput{TemplateName: t.Name, MajorVersion: number(major+1, 0)})
			if err != nil {
				return nil, err
			}
			for _, v := range out.TemplateVersions {
				add("version e/"+*t.Name, versionText(v.MajorVersion, v.MinorVersion), *v.Status)
			}
		}
	}
	for _, t := range serviceTemplates.Templates {
		add("template s/"+*t.Name, "recommends", api.Value(t.RecommendedVersion))
		for major := range 4 {
			out, err := w.ListServiceTemplateVersions(ctx, &api.ListServiceTemplateVersionsInput{TemplateName: t.Name, MajorVersion: number(major+1, 0)})
			if err != nil {
				return nil, err
			}
			for _, v := range out.TemplateVersions {
				add("version s/"+*t.Name, versionText(v.MajorVersion, v.MinorVersion), *v.Status)
			}
		}
	}
	for _, e := range environments.Environments {
		add("environment", *e.Name, *e.TemplateName, *e.DeploymentStatus, versionText(e.TemplateMajorVersion, e.TemplateMinorVersion))
	}
	for _, s := range services.Services {
		add("service", *s.Name, *s.TemplateName, *s.Status)
		out, err := w.GetService(ctx, &api.GetServiceInput{Name: s.Name})
		if e, ok := errors.AsType[*awsjson.Error](err); ok && e.Code == notFound {
			continue // it has gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		if pipeline := out.Service.Pipeline; pipeline != nil {
			add("pipeline", *s.Name, *pipeline.DeploymentStatus, versionText(pipeline.TemplateMajorVersion, pipeline.TemplateMinorVersion))
		}
	}
	for _, i := range instances.ServiceInstances {
		add("instance", *i.ServiceName+"/"+*i.Name, *i.EnvironmentName, *i.DeploymentStatus, versionText(i.TemplateMajorVersion, i.TemplateMinorVersion))
	}
	if err := w.linesBeside(ctx, add); err != nil {
		return nil, err
	}
	add("count of components", *counts.Counts.Components.Total, *counts.Counts.Components.Failed)
	for name, c := range map[string]*api.ResourceCountsSummary{
		"environments": counts.Counts.Environments, "services": counts.Counts.Services,
		"instances": counts.Counts.ServiceInstances, "pipelines": counts.Counts.Pipelines,
	} {
		add("count of", name, *c.Total, *c.Failed, *c.UpToDate, *c.BehindMinor, *c.BehindMajor)
	}
	add("runs", w.engine.Holding()) // before one can be told how to end it must have begun
	slices.Sort(lines)
	return lines, nil
}

// lines is what the model says can be read.
func (w *world) lines() []string {
	var lines []string
	add := func(parts ...any) { lines = append(lines, strings.TrimSuffix(fmt.Sprintln(parts...), "\n")) }
	for name, t := range w.templates {
		recommended := ""
		if v := t.recommended(0); v != (ver{}) {
			recommended = v.String()
		}
		add("template", name, "recommends", recommended)
		for v, x := range t.versions {
			if v.major <= 4 {
				add("version", name, v, x.status)
			}
		}
	}
	var environments, services, instances, pipelines tally
	for name, e := range w.environments {
		add("environment", name, e.template, e.status, e.shown())
		environments.count(e.status, w.stale("e", e.template, &e.deployed))
	}
	for name, s := range w.services {
		add("service", name, s.template, s.status)
		worst := 0
		for child, i := range s.instances {
			add("instance", name+"/"+child, i.environment, i.status, i.shown())
			stale := w.stale("s", s.template, &i.deployed)
			instances.count(i.status, stale)
			worst = max(worst, stale)
		}
		if s.pipeline != nil {
			add("pipeline", name, s.pipeline.status, s.pipeline.shown())
			stale := w.stale("s", s.template, s.pipeline)
			pipelines.count(s.pipeline.status, stale)
			worst = max(worst, stale)
		}
		services.count(s.status, worst)
	}
	for name, t := range map[string]tally{"environments": environments, "services": services, "instances": instances, "pipelines": pipelines} {
		add("count of", name, t.total, t.failed, t.stale[1], t.stale[2], t.stale[3])
	}
	w.linesBeside(add)
	add("runs", len(w.runs))
	slices.Sort(lines)
	return lines
}

type tally struct {
	total, failed int
	stale         [4]int
}

func (t *tally) count(status string, stale int) {
	t.total++
	if strings.HasSuffix(status, "FAILED") || strings.HasSuffix(status, "FAILED_CLEANUP_COMPLETE") {
		t.failed++
	}
	t.stale[stale]++
}

// stale is 0 for nothing deployed, 1 up to date, 2 behind in the minor, 3 in
// the major version.
func (w *world) stale(kind, template string, d *deployed) int {
	recommended := w.templates[kind+"/"+template].recommended(0)
	switch {
	case d.version == (ver{}):
		return 0
	case recommended.major > d.version.major:
		return 3
	case recommended.major == d.version.major && recommended.minor > d.version.minor:
		return 2
	}
	return 1
}
