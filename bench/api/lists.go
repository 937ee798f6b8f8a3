package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hadronhq/hadron/bench/results"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

const instancesEach = 10

// lists measures pages of lists through the API over many rows.
func lists(ctx context.Context, data string, services int) ([]results.Row, error) {
	if err := fill(ctx, data, services); err != nil {
		return nil, err
	}
	s, err := start(ctx, data, idle{func(string) {}})
	if err != nil {
		return nil, err
	}
	defer s.Close(ctx)
	pages := map[string]func(token *string) (*string, error){
		"services": func(token *string) (*string, error) {
			out, err := s.ListServices(ctx, &api.ListServicesInput{NextToken: token})
			if err != nil {
				return nil, err
			}
			return out.NextToken, nil
		},
		"environments": func(token *string) (*string, error) {
			out, err := s.ListEnvironments(ctx, &api.ListEnvironmentsInput{NextToken: token})
			if err != nil {
				return nil, err
			}
			return out.NextToken, nil
		},
		"service instances": func(token *string) (*string, error) {
			out, err := s.ListServiceInstances(ctx, &api.ListServiceInstancesInput{NextToken: token})
			if err != nil {
				return nil, err
			}
			return out.NextToken, nil
		},
	}
	size := fmt.Sprintf("%d environments, %d services, %d instances", services, services, services*instancesEach)
	var rows []results.Row
	for _, name := range []string{"environments", "services", "service instances"} {
		slowest, ratio, err := walk(pages[name])
		if err != nil {
			return nil, err
		}
		rows = append(rows, row("list of "+name+", p99 of its pages ("+size+")", slowest, "ms", "<=", 50),
			row("list of "+name+", last page against the first ("+size+")", ratio, "x", "<=", 1.2))
	}
	return rows, nil
}

// walk reads a list to its end, and then its first and its last full page in turn.
func walk(page func(*string) (*string, error)) (slowest, ratio float64, err error) {
	var all []time.Duration
	var last, token *string
	timed := func(token *string) (time.Duration, *string, error) {
		begin := time.Now()
		next, err := page(token)
		return time.Since(begin), next, err
	}
	for {
		took, next, err := timed(token)
		if err != nil {
			return 0, 0, err
		}
		all = append(all, took)
		if next == nil {
			break
		}
		last, token = next, next
	}
	var ends [2][]time.Duration
	for range 51 {
		for i, token := range []*string{nil, last} {
			took, _, err := timed(token)
			if err != nil {
				return 0, 0, err
			}
			ends[i] = append(ends[i], took)
		}
	}
	all = slices.Concat(all, ends[0], ends[1])
	slices.Sort(ends[0])
	slices.Sort(ends[1])
	return p99(all), ends[1][25].Seconds() / ends[0][25].Seconds(), nil
}

// fill makes what was deployed and is at rest.
func fill(ctx context.Context, data string, services int) error {
	db, err := store.Open(ctx, "sqlite:"+data+"/hadron.db", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer db.Close()
	for from := 0; from < services; from += 500 {
		err := db.Update(ctx, func(tx *store.Tx) error {
			for n := from; n < min(from+500, services); n++ {
				if err := fillOne(ctx, tx, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fillOne(ctx context.Context, tx *store.Tx, n int) error {
	scope, at := proton.Scope{Account: "000000000000", Region: region}, time.Unix(1_790_000_000+int64(n), 0).UTC()
	rest := proton.Deployable{Status: proton.Succeeded, Version: proton.Version{Major: 1}, Spec: serviceSpec, CreatedAt: at, LastAttemptedAt: at, LastSucceededAt: at}
	environment := proton.Environment{Scope: scope, Name: fmt.Sprintf("environment-%06d", n), TemplateName: "net", Deployable: rest}
	if err := tx.InsertEnvironment(ctx, environment); err != nil {
		return err
	}
	plan := proton.ServicePlan{Service: proton.Service{Scope: scope, Name: fmt.Sprintf("service-%06d", n), TemplateName: "web", Status: proton.ServiceActive, Spec: serviceSpec}}
	for k := range instancesEach {
		plan.Instances = append(plan.Instances, proton.ServiceInstance{Scope: scope, ServiceName: plan.Service.Name, Name: fmt.Sprintf("i%03d", k),
			EnvironmentName: environment.Name, TemplateName: "web", Deployable: rest})
	}
	return tx.InsertService(ctx, plan)
}
