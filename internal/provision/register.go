package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/jobs"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// registered is what a registration found.
type registered struct {
	digest   string
	archive  []byte
	bundle   *bundle.Bundle
	warnings []bundle.Problem
}

// register reads a template version's bundle, checks it and stores it. It may
// be repeated: until the one transaction at its end nothing shows.
func (p *Provisioner) register(ctx context.Context, j jobs.Job) (jobs.Next, error) {
	var v proton.TemplateVersion
	var t proton.Template
	found := false
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if v, found, err = tx.TemplateVersionByID(ctx, j.Key); err != nil || !found {
			return err
		}
		t, err = tx.Template(ctx, v.Scope, v.Kind, v.TemplateName)
		return err
	})
	if err != nil {
		return jobs.Done(), err
	}
	if !found || v.Status != proton.RegistrationInProgress || v.Attempt != j.Generation {
		return jobs.Done(), nil
	}
	r, problem, err := p.check(ctx, t, v)
	if err != nil {
		return jobs.Done(), fmt.Errorf("register %s: %w", v.ARN(), err)
	}
	return jobs.Done(), p.record(ctx, v, r, problem)
}

// check makes all checks of a registration. A problem is worded for the
// author; an error means that the checks could not be made.
func (p *Provisioner) check(ctx context.Context, t proton.Template, v proton.TemplateVersion) (r registered, problem, err error) {
	r.archive, problem, err = p.fetch(ctx, v)
	if problem != nil || err != nil {
		return r, problem, err
	}
	want := bundle.Want{Kind: bundle.EnvironmentTemplate, CustomerManaged: t.CustomerManaged}
	if v.Kind == proton.ServiceTemplate {
		want.Kind = bundle.ServiceTemplate
	}
	r.bundle, r.warnings, problem = bundle.Register(r.archive, want, p.Bundles.Limits())
	if problem != nil {
		return r, problem, nil
	}
	sum := sha256.Sum256(r.archive)
	r.digest = "sha256:" + hex.EncodeToString(sum[:])
	offered, known, err := p.offered(ctx, v)
	if err != nil {
		return r, nil, err
	}
	if known {
		r.warnings = append(r.warnings, r.bundle.UnofferedOutputs(offered)...)
	}
	previous, err := p.previous(ctx, v)
	if err != nil || previous == nil {
		return r, nil, err
	}
	return r, bundle.Compatible(previous, r.bundle), nil
}

// fetch reads the archive, at most one byte more than a bundle may have.
func (p *Provisioner) fetch(ctx context.Context, v proton.TemplateVersion) (archive []byte, problem, err error) {
	if v.SourceBucket == "" { // synced from a repository, which has been read
		err = p.Store.View(ctx, func(tx *store.Tx) error {
			archive, err = tx.Bundle(ctx, v.BundleDigest)
			return err
		})
		return archive, nil, err
	}
	object, _, err := p.Objects.Object(ctx, v.Account, v.SourceBucket, v.SourceKey)
	if unreadable, ok := errors.AsType[*UnreadableError](err); ok {
		return nil, unreadable, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer object.Close()
	archive, err = io.ReadAll(io.LimitReader(object, p.Bundles.Limits().Archive+1))
	return archive, nil, err
}

// UnreadableError is what an Objects answers for an object that is not there
// or may not be read: no later try will find it.
type UnreadableError struct{ Message string }

func (e *UnreadableError) Error() string { return e.Message }

// previous is the bundle of the last registered minor before v; nil without one.
func (p *Provisioner) previous(ctx context.Context, v proton.TemplateVersion) (*bundle.Bundle, error) {
	digest := ""
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		versions, err := tx.TemplateVersions(ctx, v.Scope, v.Kind, v.TemplateName, v.Major)
		for _, other := range versions {
			if other.Status.Deployable() && other.Minor < v.Minor {
				digest = other.BundleDigest
			}
		}
		return err
	})
	if err != nil || digest == "" {
		return nil, err
	}
	return p.Bundles.Bundle(ctx, digest)
}

// offered are the outputs that environments of all compatible templates have;
// known is false if no bundle of one tells.
func (p *Provisioner) offered(ctx context.Context, v proton.TemplateVersion) (offered []string, known bool, err error) {
	for _, c := range v.Compatible {
		v.Kind, v.TemplateName, v.Version = proton.EnvironmentTemplate, c.Name, proton.Version{Major: c.Major, Minor: math.MaxInt64}
		b, err := p.previous(ctx, v)
		if err != nil {
			return nil, false, err
		}
		if b == nil {
			continue
		}
		names, tells := b.OutputNames()
		switch {
		case tells && !known:
			offered, known = slices.Clone(names), true
		case tells:
			offered = slices.DeleteFunc(offered, func(name string) bool { return !slices.Contains(names, name) })
		}
	}
	return offered, known, nil
}

// record writes how a registration ended, if it is still going on.
func (p *Provisioner) record(ctx context.Context, v proton.TemplateVersion, r registered, problem error) error {
	return p.Store.Update(ctx, func(tx *store.Tx) error {
		now, found, err := tx.TemplateVersionByID(ctx, v.ID)
		if err != nil {
			return err
		}
		if !found || now.Attempt != v.Attempt {
			return tx.CompleteJob(ctx)
		}
		event := proton.RegistrationSucceeded
		if problem != nil {
			event = proton.RegistrationRefused
			now.StatusMessage = problem.Error()
		}
		if now.Status, err = now.Status.On(event); err != nil {
			return err
		}
		now.LastModifiedAt = p.now()
		if problem == nil {
			keep(&now, r)
			if err := tx.InsertBundle(ctx, r.digest, r.archive, now.LastModifiedAt); err != nil {
				return err
			}
		}
		if err := tx.SaveTemplateVersion(ctx, now); err != nil {
			return err
		}
		if err := p.endSync(ctx, tx, now); err != nil {
			return err
		}
		return tx.CompleteJob(ctx)
	})
}

// endSync carries the end of a registration over to the sync that asked for
// it, if one did, and lets those go on that waited for it.
func (p *Provisioner) endSync(ctx context.Context, tx *store.Tx, v proton.TemplateVersion) error {
	status, event, text := proton.SyncSucceeded, proton.EventRegistrationSucceeded, "Registered "+v.Version.String()
	if v.Status == proton.RegistrationFailed {
		status, event, text = proton.SyncFailed, proton.EventRegistrationFailed, v.StatusMessage
	}
	key := proton.TemplateStateKey(v.Kind, v.TemplateName, v.Major)
	err := tx.EndSyncAttempt(ctx, v.Scope, proton.SubjectTemplate, key, proton.EventRegistrationStarted, string(v.ARN()), status, event, text, p.now())
	if err != nil {
		return err
	}
	return tx.WakeSync(ctx, v.Scope, proton.TemplateSyncConfig{Kind: v.Kind, TemplateName: v.TemplateName}.Owner())
}

// keep carries over to a version what its bundle says.
func keep(v *proton.TemplateVersion, r registered) {
	v.Schema, v.BundleDigest = r.bundle.SchemaText(), r.digest
	part := bundle.Infrastructure
	if v.Kind == proton.ServiceTemplate {
		part = bundle.InstanceInfrastructure
	}
	v.Methods.Infrastructure, _ = r.bundle.Method(part)
	v.Methods.Pipeline, _ = r.bundle.Method(bundle.PipelineInfrastructure)
	for _, w := range r.warnings {
		v.Warnings = append(v.Warnings, w.String())
	}
}
