package store

import (
	"math"
	"sync"
	"time"
)

// shares says how soon an account's next deployment is worked on, by how many
// it has asked for of late: the update of a fleet waits behind the single
// deployments of others. Each process keeps its own count; it need not be exact.
type shares struct {
	mu       sync.Mutex
	accounts map[string]share
}

type share struct {
	asked float64 // halved every halfLife
	at    time.Time
}

const halfLife = 30 * time.Second

// priority counts a deployment and answers its job's priority, 1 (first) to 4.
func (s *shares) priority(account string, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts == nil || len(s.accounts) > 10000 {
		s.accounts = map[string]share{}
	}
	was := s.accounts[account]
	asked := was.asked*math.Exp2(-now.Sub(was.at).Seconds()/halfLife.Seconds()) + 1
	s.accounts[account] = share{asked, now}
	switch {
	case asked <= 20:
		return 1
	case asked <= 100:
		return 2
	case asked <= 500:
		return 3
	}
	return 4
}
