package gitsync

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/control"
)

// inside is the way to the control plane for calls from this process: held
// against the model like any other.
type inside struct{ plane *control.Plane }

// Send carries out a call.
func (t inside) Send(ctx context.Context, op *awsjson.Operation, body []byte) ([]byte, error) {
	in := op.Method.New()
	if err := awsjson.Decode(body, op.Input, in); err != nil {
		return nil, err
	}
	if err := awsjson.Validate(op.Input, in); err != nil {
		return nil, err
	}
	out, err := t.plane.Around(ctx, op, in, func(ctx context.Context) (any, error) { return op.Method.Invoke(ctx, t.plane, in) })
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// client calls as Proton's own role in the account of the repository; what it
// changes is no change by hand.
func (w *round) client(ctx context.Context) (*api.Client, context.Context) {
	s := w.repository.Scope
	ctx = auth.WithPrincipal(ctx, auth.Principal{
		AccountID: s.Account, Region: s.Region,
		ARN: "arn:aws:sts::" + s.Account + ":assumed-role/AWSServiceRoleForProtonSync/hadron",
	})
	return api.NewClient(inside{w.Plane}), control.BySync(ctx)
}

// isValidation reports whether a call was refused by the model.
func isValidation(err error) bool {
	_, ok := errors.AsType[*awsjson.Error](err)
	return ok
}
