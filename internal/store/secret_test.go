package store_test

import (
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"github.com/hadronhq/hadron/internal/store"
)

// However many ask at once for a secret that is not there yet, or that an older
// version has left open, they get the same, and it lies sealed afterwards.
func TestSecretsAreTheSameForAllWhoAskAndLieSealed(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, s *store.Store) {
		ctx, open := t.Context(), strings.Repeat("0af1", 16)
		if _, err := s.Remember(ctx, "left open", open); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"new": "", "left open": open} {
			got := make([]string, 8)
			var all sync.WaitGroup
			for n := range got {
				all.Go(func() {
					secret, err := s.Secret(ctx, name)
					if got[n] = hex.EncodeToString(secret); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			if want == "" {
				want = got[0]
			}
			for _, text := range got {
				if len(text) != 64 || text != want {
					t.Errorf("%s: %q, want %q", name, text, want)
				}
			}
			if kept, err := s.Kept(ctx, name); kept != name+"/"+want+"/sealed" || err != nil {
				t.Errorf("%s is kept as %q, %v", name, kept, err)
			}
		}
	})
}

func TestSecretsAreNotWrittenWithoutASealer(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, s *store.Store) {
		s.SealWith(store.Sealer{})
		_, err := s.Secret(t.Context(), "new")
		if err == nil || !strings.Contains(err.Error(), "nothing to seal secrets with") {
			t.Errorf("%v", err)
		}
		if kept, err := s.Kept(t.Context(), "new"); kept != "" || err != nil {
			t.Errorf("%q was written, %v", kept, err)
		}
	})
}
