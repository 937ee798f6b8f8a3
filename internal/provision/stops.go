package provision

import "sync"

// stops are the deployments that this process works on, with what stops each.
// The zero value has none.
type stops struct {
	mu  sync.Mutex
	all map[string]func()
}

// add notes what stops a deployment until the returned function is called.
func (s *stops) add(deployment string, stop func()) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]func(){}
	}
	s.all[deployment] = stop
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, deployment)
	}
}

// Stop stops at once what this process does for a deployment whose cancel is
// recorded. Another process sees that at its next heartbeat.
func (p *Provisioner) Stop(deployment string) {
	p.stops.mu.Lock()
	stop := p.stops.all[deployment]
	p.stops.mu.Unlock()
	if stop != nil {
		stop()
	}
}
