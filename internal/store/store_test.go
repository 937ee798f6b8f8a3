package store

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hadronhq/hadron/internal/proton"
)

func TestServiceRoundTrip(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "x.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.UnixMicro(1795422600214000).UTC()
	scope := proton.Scope{Account: "1", Region: "r"}
	n := 0
	newID := func() string { n++; return string(rune('a' + n)) }
	env := proton.Environment{Scope: scope, Name: "e", TemplateName: "et", ProvisioningRepository: &proton.ProvisioningRepository{Name: "x"}}
	v := proton.TemplateVersion{Scope: scope, Kind: proton.ServiceTemplate, TemplateName: "t", Version: proton.Version{Major: 1}, Compatible: []proton.CompatibleTemplate{{Name: "et", Major: 1}}}
	env.LastSucceededDeploymentID = "x"
	env.Version.Major = 1
	plan, err := proton.PlanService(proton.ServiceRequest{Service: proton.Service{Scope: scope, Name: "s", TemplateName: "t", HasPipeline: true}, Version: v, Instances: []proton.WantedInstance{{"i", "e"}}}, map[string]proton.Environment{"e": env}, newID, now)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err = s.Update(ctx, func(tx *Tx) error {
			if err := tx.InsertEnvironment(ctx, env); err != nil {
				return err
			}
			return tx.InsertService(ctx, plan)
		})
		t.Log(err, proton.KindOf(err))
	}
	err = s.View(ctx, func(tx *Tx) error {
		e, err := tx.Environment(ctx, scope, "e")
		if err != nil {
			return err
		}
		if d := cmp.Diff(env, e); d != "" {
			t.Error(d)
		}
		got, err := tx.InstancesOfService(ctx, scope, "s")
		if err != nil {
			return err
		}
		if d := cmp.Diff(plan.Instances, got); d != "" {
			t.Error(d)
		}
		ds, err := tx.Deployments(ctx, scope, DeploymentFilter{Service: "s"}, nil, 10)
		if err != nil {
			return err
		}
		if d := cmp.Diff(plan.Deployments[1], ds[0]); d != "" {
			t.Error(d)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
