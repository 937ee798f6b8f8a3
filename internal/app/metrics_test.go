package app

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads the metrics as Prometheus does: a value for each name with its
// labels, of histograms the count.
func (f *fixture) scrape(t *testing.T) map[string]float64 {
	t.Helper()
	resp, err := http.Get(f.server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range []string{"shop", "environment/one", "arn:"} {
		if strings.Contains(string(text), resource) {
			t.Errorf("metrics name %q, which is not for everybody", resource)
		}
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for name, family := range families {
		for _, m := range family.Metric {
			values[name+labels(m)] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func labels(m *dto.Metric) string {
	var list []string
	for _, l := range m.Label {
		list = append(list, l.GetName()+"="+l.GetValue())
	}
	slices.Sort(list)
	return "{" + strings.Join(list, ",") + "}"
}

// shows waits until the metrics have these values: what is counted
// after an answer, or read from the database at most every two seconds.
func (f *fixture) shows(t *testing.T, want map[string]float64) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		var got float64
		var there bool
		eventually(t, name, func() bool {
			got, there = f.scrape(t)[name]
			return there && got == want[name]
		})
	}
}

func TestMetricsTellOfCallsEnginesQueuesAndLeases(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Concurrency = 7 })
	f.publish(t)
	f.createEnvironment(t, "one")
	hold := make(chan struct{})
	dev := f.arn("service/shop/service-instance/dev")
	f.engine.On(dev, enginetest.Script{Hold: hold, Fail: "no room"})
	must(f.CreateService(t.Context(), shop()))(t)
	if _, err := f.GetService(t.Context(), &api.GetServiceInput{Name: p("nothing")}); err == nil {
		t.Fatal("a service that is not there")
	}
	f.shows(t, map[string]float64{
		"hadron_api_calls_total{code=,operation=CreateService}":                        1,
		"hadron_api_calls_total{code=ResourceNotFoundException,operation=GetService}":  1,
		"hadron_api_call_seconds{operation=CreateService}":                             1,
		"hadron_engine_busy{engine=CODEBUILD}":                                         1,
		"hadron_leases_held{}":                                                         1,
		"hadron_leases_expired{}":                                                      0,
		"hadron_jobs_busy{kind=deploy}":                                                1,
		"hadron_jobs_limit{kind=deploy}":                                               7,
		"hadron_queue_jobs{kind=deploy,state=running}":                                 1,
		"hadron_queue_jobs{kind=deploy,state=waiting}":                                 0,
		"hadron_queue_oldest_seconds{kind=register-template-version,state=waiting}":    0,
		"hadron_database_up{}":                                                         1,
		"hadron_engine_seconds{engine=CODEBUILD,result=ok,what=step}":                  2,
		"hadron_deployments_ended_total{engine=CODEBUILD,goal=APPLY,status=SUCCEEDED}": 2,
		"hadron_api_calls_in_flight{}":                                                 0,
	})
	if _, ok := f.scrape(t)["hadron_takeovers_total{what=deployments}"]; !ok {
		t.Error("takeovers are not told before there is one")
	}
	if f.scrape(t)["hadron_queue_oldest_seconds{kind=deploy,state=running}"] <= 0 {
		t.Error("the deployment that is held has no age")
	}
	close(hold)
	f.waitService(t, api.ServiceStatusCreateFailed)
	f.shows(t, map[string]float64{
		"hadron_engine_seconds{engine=CODEBUILD,result=failed,what=step}":           1,
		"hadron_engine_busy{engine=CODEBUILD}":                                      0,
		"hadron_deployments_ended_total{engine=CODEBUILD,goal=APPLY,status=FAILED}": 1,
		"hadron_deployments_ended_total{engine=,goal=APPLY,status=FAILED}":          1, // the pipeline's, which never began
		"hadron_deployment_seconds{engine=CODEBUILD,goal=APPLY}":                    3,
		"hadron_leases_held{}": 0,
	})
}
