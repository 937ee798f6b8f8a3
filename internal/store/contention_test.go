package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
	"github.com/hadronhq/hadron/internal/store/postgrestest"
)

// BenchmarkConcurrentWrites has many writers add environments to one account
// through three nodes, each after counting them, as a quota makes calls do.
func BenchmarkConcurrentWrites(b *testing.B) {
	database := postgrestest.URL(b)
	var nodes []*store.Store
	for range 3 {
		nodes = append(nodes, open(b, database))
	}
	scope := proton.Scope{Account: "123456789012", Region: "eu-west-1"}
	var group sync.WaitGroup
	const writers = 24
	began := time.Now()
	for w := range writers {
		group.Go(func() {
			for n := range b.N/writers + 1 {
				err := nodes[w%3].Update(b.Context(), func(tx *store.Tx) error {
					if _, err := tx.CountEnvironments(b.Context(), scope); err != nil {
						return err
					}
					return tx.InsertEnvironment(b.Context(), proton.Environment{Scope: scope, Name: fmt.Sprintf("e-%d-%d", w, n)})
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(writers*(b.N/writers+1))/time.Since(began).Seconds(), "writes/s")
}
