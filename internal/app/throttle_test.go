package app

import (
	"fmt"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
	"golang.org/x/time/rate"
)

func TestEachPrincipalIsThrottledAlone(t *testing.T) {
	t.Parallel()
	throttled := throttle(1)
	for _, want := range []bool{false, false, true, true} { // a burst of two
		if got := throttled("ann"); got != want {
			t.Errorf("ann throttled: %t, want %t", got, want)
		}
	}
	if throttled("bob") {
		t.Error("bob waits for ann's calls")
	}
	limits := map[string]*rate.Limiter{"idle": rate.NewLimiter(1, 2), "busy": rate.NewLimiter(1, 2)}
	limits["busy"].Allow()
	if forgetIdle(limits, 2); len(limits) != 1 || limits["busy"] == nil {
		t.Errorf("remembered: %v", limits)
	}
	if throttle(0) != nil {
		t.Error("a rate of 0 limits")
	}
}

// A call counts once, however much it needs permission for.
func TestCallWithTagsCountsOnce(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.ThrottleRate = 1 })
	for n := range 2 {
		name := fmt.Sprint("template", n)
		if _, err := f.CreateServiceTemplate(t.Context(), &api.CreateServiceTemplateInput{Name: &name, Tags: []api.Tag{{Key: p("a"), Value: p("b")}}}); err != nil {
			t.Errorf("call %d: %v", n+1, err)
		}
	}
}
