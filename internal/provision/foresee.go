package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

const (
	// Bounds of what is kept of a deployment's files, in bytes.
	maxFileKept  = 256 << 10
	maxFilesKept = 2 << 20
	// Bounds of a preview that is kept.
	maxDetails = 1000
	maxDetail  = 16 << 10
)

// errLate ends a preview that takes too long.
var errLate = errors.New("the preview took too long")

// foresee records what was rendered and what it will change. A preview that
// can't be made holds nothing up: the timeline says why there is none. The only
// error is the end of ctx.
func (p *Provisioner) foresee(ctx context.Context, d proton.Deployment, driver engine.Driver, method engine.Method, run *engine.Run, j *journal) error {
	var before proton.Record
	if d.Attempt > 1 {
		err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
			before, err = tx.Record(ctx, d.ID, false)
			return err
		})
		if err != nil {
			p.Logger.WarnContext(ctx, "read what is kept of a deployment", "deployment", d.ID, "err", err)
		}
	}
	redact := engine.NewRedactor(run.Secrets...)
	files := shown(run.Files, redact)
	j.note(func(r *proton.Record) { r.Method, r.Files, r.Preview = string(method), files, before.Preview })
	j.reached(proton.MilestoneRendered, engine.Count(len(files), "file"))
	if before.Preview != nil || d.Checkpoint != "" {
		return nil
	}
	planned := func(c engine.Changes) { p.previewed(j, c, redact) }
	if planner, ok := driver.(engine.Planner); ok && planner.Plans() {
		run.Planned = planned
		return nil
	}
	if p.PreviewTime <= 0 {
		return nil
	}
	changes, err := p.preview(ctx, driver, method, *run, p.PreviewTime)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		j.reached(proton.MilestoneNotPreviewed, presentable(d, err.Error()))
		return nil
	}
	planned(changes)
	return nil
}

// preview asks a driver what a run would change, for a bounded time.
func (p *Provisioner) preview(ctx context.Context, driver engine.Driver, method engine.Method, run engine.Run, limit time.Duration) (_ engine.Changes, err error) {
	ctx, ended := p.begins(ctx, run, method, "preview")
	defer func() { ended(resultOf(err)) }()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLate)
	defer cancel()
	run.Log = io.Discard
	changes, err := driver.Preview(ctx, run)
	if err != nil && errors.Is(context.Cause(ctx), errLate) {
		err = fmt.Errorf("%w: more than %s", errLate, limit)
	}
	return changes, err
}

func (p *Provisioner) previewed(j *journal, c engine.Changes, redact *engine.Redactor) {
	preview := kept(c, redact, p.now())
	j.note(func(r *proton.Record) { r.Preview = &preview })
	j.reached(proton.MilestonePreviewed, preview.Summary)
}

// kept is a preview as it is stored and shown: bounded, clean, without secrets.
func kept(c engine.Changes, redact *engine.Redactor, now time.Time) proton.Preview {
	v := proton.Preview{Summary: engine.CleanText(redact.String(c.Summary)), At: now}
	for n, text := range c.Details {
		if n == maxDetails {
			v.Details = append(v.Details, fmt.Sprintf("[%d more left out]", len(c.Details)-n))
			break
		}
		if len(text) > maxDetail {
			text = text[:maxDetail] + fmt.Sprintf("… [%d bytes left out]", len(text)-maxDetail)
		}
		v.Details = append(v.Details, engine.CleanText(redact.String(text)))
	}
	return v
}

// shown are a run's files as they may be kept and shown.
func shown(files []engine.File, redact *engine.Redactor) []proton.RenderedFile {
	list := make([]proton.RenderedFile, 0, len(files))
	total := 0
	for _, f := range files {
		s := proton.RenderedFile{Path: f.Path, Size: int64(len(f.Content))}
		switch {
		case !utf8.Valid(f.Content):
			s.Note = "not text"
		case len(f.Content) > maxFileKept || total+len(f.Content) > maxFilesKept:
			s.Note = "too long to be kept"
		default:
			total += len(f.Content)
			s.Content = redact.String(string(f.Content))
		}
		list = append(list, s)
	}
	return list
}

// secrets are the values that a deployment's files may have and nobody may see:
// the sensitive outputs of what it is built on.
func secrets(in *proton.Inputs) []string {
	var list []string
	add := func(outputs []proton.Output) {
		for _, o := range outputs {
			if o.Sensitive {
				list = append(list, o.Value)
			}
		}
	}
	if in == nil {
		return nil
	}
	if in.Environment != nil {
		add(in.Environment.Outputs)
	}
	if in.Component != nil {
		add(in.Component.Outputs)
	}
	for _, i := range in.Instances {
		add(i.Outputs)
		add(i.Environment.Outputs)
	}
	return list
}

// presentable is an error's text as people may see it.
func presentable(d proton.Deployment, text string) string {
	return engine.CleanText(engine.NewRedactor(secrets(d.Inputs)...).String(text))
}

// previewsAtOnce is how many previews that callers asked for run at a time.
const previewsAtOnce = 4

// Preview reads, in the transaction that has planned a deployment and will be
// undone, what the deployment would be carried out with. The function that it
// answers is for after that: it renders the deployment and says what it would
// change. What can't be rendered or previewed is refused with the reason.
func (p *Provisioner) Preview(ctx context.Context, tx *store.Tx, d proton.Deployment) (func(context.Context) (proton.Record, error), error) {
	if err := gather(ctx, tx, &d); err != nil {
		return nil, err
	}
	if d.Inputs == nil {
		return func(context.Context) (proton.Record, error) {
			return proton.Record{Preview: &proton.Preview{Summary: "nothing was ever provisioned, so nothing would be removed", At: p.now()}}, nil
		}, nil
	}
	r, err := rolesOf(ctx, tx, d)
	return func(ctx context.Context) (proton.Record, error) { return p.previewPlanned(ctx, d, r) }, err
}

func (p *Provisioner) previewPlanned(ctx context.Context, d proton.Deployment, as roles) (proton.Record, error) {
	select {
	case p.previews <- struct{}{}:
		defer func() { <-p.previews }()
	case <-ctx.Done():
		return proton.Record{}, context.Cause(ctx)
	}
	run, method, err := p.runAs(ctx, d, as, io.Discard)
	if err == nil {
		redact := engine.NewRedactor(run.Secrets...)
		r := proton.Record{Method: string(method), Files: shown(run.Files, redact)}
		var changes engine.Changes
		if changes, err = p.preview(ctx, p.Engines[method], method, run, callerPreview); err == nil {
			v := kept(changes, redact, p.now())
			r.Preview = &v
			return r, nil
		}
	}
	if ctx.Err() != nil {
		return proton.Record{}, context.Cause(ctx)
	}
	return proton.Record{}, &proton.Error{Kind: proton.Invalid, Message: "No preview could be made: " + presentable(d, err.Error()), Err: err}
}

// callerPreview is how long a preview that a caller asked for may take.
const callerPreview = 10 * time.Minute
