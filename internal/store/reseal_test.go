package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// sealerWith seals with the first of its keys, and opens with any.
func sealerWith(keys ...string) store.Sealer {
	return store.Sealer{
		Seal: func(text, name string) string { return keys[0] + "." + name + "/" + text },
		Open: func(sealed, name string) (string, error) {
			key, text, _ := strings.Cut(sealed, ".")
			text, ok := strings.CutPrefix(text, name+"/")
			if !ok || !slices.Contains(keys, key) {
				return "", errors.New("wrong key or name")
			}
			return text, nil
		},
		Stale: func(sealed string) bool { return !strings.HasPrefix(sealed, keys[0]+".") },
		Key:   func() string { return keys[0] },
	}
}

// What was handed in with a deployment opens without the key it was sealed with
// once all is sealed anew.
func TestWhatWasHandedInIsSealedAnew(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		s.SealWith(sealerWith("old"))
		err := s.Update(ctx, func(tx *store.Tx) error {
			return tx.InsertDeployments(ctx, proton.Deployment{ID: "d", RunID: "run", Goal: proton.GoalApply, Status: proton.InProgress, Ready: true})
		})
		if err := errors.Join(err, s.HandIn(ctx, "d", "ended well", nil)); err != nil {
			t.Fatal(err)
		}
		stale := func(want int) {
			t.Helper()
			if n, err := s.Stale(ctx, nil); n != want || err != nil {
				t.Errorf("%d are sealed with another key, %v; want %d", n, err, want)
			}
		}
		s.SealWith(sealerWith("new"))
		if done, err := s.Reseal(ctx, nil); done != (store.Resealed{Damaged: 1}) || err != nil {
			t.Errorf("without the old key: %+v, %v", done, err)
		}
		s.SealWith(sealerWith("new", "old"))
		stale(1)
		if done, err := s.Reseal(ctx, nil); done != (store.Resealed{Done: 1}) || err != nil {
			t.Errorf("%+v, %v", done, err)
		}
		stale(0)
		s.SealWith(sealerWith("new"))
		err = s.View(ctx, func(tx *store.Tx) error {
			d, _, err := tx.DeploymentByID(ctx, "d")
			if err != nil {
				return err
			}
			if got, err := s.Checkpoint(d); got != "ended well" || err != nil {
				t.Errorf("the checkpoint is %q, %v", got, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
