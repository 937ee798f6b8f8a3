package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Stock is how much Fill puts into a store.
type Stock struct {
	Templates    int // of each kind; published up to 2.1
	Environments int
	Services     int
	Instances    int // of each service; the service has a pipeline too
	Components   int // detached ones in the environments
	// Deployments that each service's first instance has behind it.
	Deployments int
}

const stockSpec = "proton: ServiceSpec\ninstances:\n- name: i000\n  environment: environment-00000\n  spec: {port: 80, image: registry.example.com/shop:1}\n"

// Fill puts into a scope what a large installation has, deployed at versions
// from 1.0 to 2.1, a few of it failed. Nothing of it is queued.
func Fill(ctx context.Context, s *store.Store, scope proton.Scope, n Stock) error {
	for _, kind := range []struct {
		n    int
		make func(context.Context, *store.Tx, proton.Scope, int, Stock) error
	}{{n.Templates, fillTemplate}, {n.Environments, fillEnvironment}, {n.Services, fillService}, {n.Components, fillComponent}} {
		for from := 0; from < kind.n; from += 500 { // not all in one transaction
			if err := s.Update(ctx, func(tx *store.Tx) error {
				for i := from; i < min(from+500, kind.n); i++ {
					if err := kind.make(ctx, tx, scope, i, n); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

func stockTemplate(kind proton.TemplateKind, i int, n Stock) string {
	return fmt.Sprintf("template-%04d", i%max(1, n.Templates))
}

func stockDeployable(i int) proton.Deployable {
	at := time.Unix(1_790_000_000+int64(i), 0).UTC()
	d := proton.Deployable{Status: proton.Succeeded, Version: proton.Version{Major: 1 + int64(i%2), Minor: int64(i/2) % 2}, Spec: stockSpec,
		CreatedAt: at, LastAttemptedAt: at, LastSucceededAt: at}
	if i%50 == 0 {
		d.Status, d.StatusMessage = proton.Failed, "no room"
	}
	return d
}

func fillTemplate(ctx context.Context, tx *store.Tx, s proton.Scope, i int, n Stock) error {
	for _, kind := range []proton.TemplateKind{proton.EnvironmentTemplate, proton.ServiceTemplate} {
		if err := tx.InsertTemplate(ctx, proton.Template{Scope: s, Kind: kind, Name: stockTemplate(kind, i, n), Recommended: proton.Version{Major: 2, Minor: 1}}); err != nil {
			return err
		}
	}
	return nil
}

func stockEnvironment(i int, n Stock) string {
	return fmt.Sprintf("environment-%05d", i%max(1, n.Environments))
}

func fillEnvironment(ctx context.Context, tx *store.Tx, s proton.Scope, i int, n Stock) error {
	return tx.InsertEnvironment(ctx, proton.Environment{Scope: s, Name: stockEnvironment(i, n),
		TemplateName: stockTemplate(proton.EnvironmentTemplate, i, n), Deployable: stockDeployable(i)})
}

func fillService(ctx context.Context, tx *store.Tx, s proton.Scope, i int, n Stock) error {
	plan := proton.ServicePlan{Service: proton.Service{Scope: s, Name: fmt.Sprintf("service-%06d", i),
		TemplateName: stockTemplate(proton.ServiceTemplate, i, n), Status: proton.ServiceActive, HasPipeline: true, Spec: stockSpec}}
	for k := range n.Instances {
		plan.Instances = append(plan.Instances, proton.ServiceInstance{Scope: s, ServiceName: plan.Service.Name, Name: fmt.Sprintf("i%03d", k),
			EnvironmentName: stockEnvironment(i*n.Instances+k, n), TemplateName: plan.Service.TemplateName, Deployable: stockDeployable(i + k)})
	}
	plan.Pipeline = &proton.Pipeline{Scope: s, ServiceName: plan.Service.Name, TemplateName: plan.Service.TemplateName, Deployable: stockDeployable(i)}
	for k := range n.Deployments {
		at := time.Unix(1_790_000_000+int64(i*n.Deployments+k), 0).UTC()
		plan.Deployments = append(plan.Deployments, proton.Deployment{
			Scope: s, ID: fmt.Sprintf("%08d-%04d", i, k), TargetType: proton.TargetServiceInstance, ServiceName: plan.Service.Name, InstanceName: "i000",
			EnvironmentName: stockEnvironment(i*n.Instances, n), Goal: proton.GoalApply, Status: proton.Succeeded, CreatedAt: at, LastModifiedAt: at, CompletedAt: at,
			Target: proton.State{Version: proton.Version{Major: 1}, Spec: stockSpec}, Outputs: []proton.Output{{Key: "URL", Value: "https://example.com"}},
		})
	}
	return tx.InsertService(ctx, plan)
}

func fillComponent(ctx context.Context, tx *store.Tx, s proton.Scope, i int, n Stock) error {
	c := proton.Component{Scope: s, Name: fmt.Sprintf("component-%06d", i), EnvironmentName: stockEnvironment(i, n), TemplateFile: stockSpec, Deployable: stockDeployable(i)}
	c.Version, c.Spec = proton.Version{}, ""
	return tx.InsertComponent(ctx, c)
}
