package app

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxLimits is how many principals are remembered before idle ones are forgotten.
const maxLimits = 10_000

// throttle limits each principal's calls; nil if nothing is limited.
func throttle(perSecond int) func(principal string) bool {
	if perSecond == 0 {
		return nil
	}
	var mu sync.Mutex
	limits := map[string]*rate.Limiter{}
	burst := 2 * perSecond
	var swept time.Time
	return func(principal string) bool {
		mu.Lock()
		defer mu.Unlock()
		l := limits[principal]
		if l == nil {
			if now := time.Now(); len(limits) >= maxLimits && now.Sub(swept) > time.Second {
				forgetIdle(limits, burst)
				swept = now
			}
			l = rate.NewLimiter(rate.Limit(perSecond), burst)
			limits[principal] = l
		}
		return !l.Allow()
	}
}

// forgetIdle drops limits that hold nobody back: a new one would allow the same.
func forgetIdle(limits map[string]*rate.Limiter, burst int) {
	for principal, l := range limits {
		if l.Tokens() >= float64(burst) {
			delete(limits, principal)
		}
	}
}
