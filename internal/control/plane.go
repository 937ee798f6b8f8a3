// Package control is the control plane: what each operation of the API does.
//
// Plane has one method for each operation. A method authorizes, finds what the
// call refers to, lets the domain decide, and writes the decision, with the
// jobs that carry it out, in one transaction; nothing outside the database
// happens inside one. There are no controllers: Plane implements the generated
// interfaces, and shape.go maps the domain to the wire.
//
// It never talks to an engine, renders a template or waits for a deployment;
// that is package provision's part.
package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Quotas bound what an account may have in a Region.
type Quotas struct {
	Templates           int // environment and service templates together
	VersionsPerTemplate int
	Environments        int
	Services            int
	InstancesPerService int
	Components          int
	AccountConnections  int // of an environment account
}

// Config is what a Plane is made of.
type Config struct {
	Store   *store.Store
	Bundles *bundle.Library
	Quotas  Quotas
	// StrictSpecs refuses specs with inputs that the template does not have.
	StrictSpecs bool
	// Methods are the provisioning methods that this server has engines for.
	Methods map[string]bool
	// Cancelled is called once the cancel of a deployment is recorded; nil:
	// workers see it at their next heartbeat.
	Cancelled func(deployment string)
	// Throttled reports whether a principal is calling too fast; nil: never.
	Throttled func(principal string) bool
	// Preview reads what a deployment would be carried out with, in the
	// transaction that has planned it and will be undone. The function that it
	// answers is called after that: it says what the deployment would change, and
	// what its engine would be given; it changes nothing.
	Preview func(context.Context, *store.Tx, proton.Deployment) (func(context.Context) (proton.Record, error), error)
	Sealer  *auth.Sealer // keeps users' secrets
	// MasterKeys says which keys the Sealer has, and what is sealed with which.
	MasterKeys func(context.Context) (MasterKeys, error)
	// AuditRetention is for how long records of the audit log are kept; 0: for ever.
	AuditRetention time.Duration
	URL            string // how others reach this server, without a slash at the end
	// CheckToken refuses credentials that a kind of git server can't use, with
	// the reason; nil: none are.
	CheckToken func(kind proton.ConnectionKind, token auth.Secret) error
	Logger     *slog.Logger
}

// Plane carries out the operations. It is safe for concurrent use.
type Plane struct {
	api.Unimplemented
	Config
	tokenKey []byte // signs page tokens
	now      func() time.Time
	newID    func() string
}

var (
	_ api.Proton = (*Plane)(nil)
	_ api.Hadron = (*Plane)(nil)
)

// New makes a Plane.
func New(ctx context.Context, c Config) (*Plane, error) {
	key, err := c.Store.Secret(ctx, "page-token-key")
	if err != nil {
		return nil, fmt.Errorf("page token key: %w", err)
	}
	return &Plane{Config: c, tokenKey: key, now: wireNow, newID: uuid.NewString}, nil
}

// strictness is how a spec that a caller gives is held against its schema. What
// is stored already is never held so: it was accepted once.
func (p *Plane) strictness() []bundle.Option {
	if p.StrictSpecs {
		return []bundle.Option{bundle.Strict}
	}
	return nil
}

// wireNow is the time in the wire's precision, so that what a caller reads is
// exactly what is stored and compared.
func wireNow() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// scopeOf is the account and Region a request works in.
func scopeOf(ctx context.Context) proton.Scope {
	p, _ := auth.PrincipalFrom(ctx)
	return proton.Scope{Account: p.AccountID, Region: p.Region}
}

// MapError gives a refusal its exception. Nil for what is not a refusal.
func MapError(err error) *awsjson.Error {
	code := ""
	switch proton.KindOf(err) {
	case proton.Invalid:
		code = "ValidationException"
	case proton.NotFound:
		code = "ResourceNotFoundException"
	case proton.Conflict:
		code = "ConflictException"
	case proton.QuotaExceeded:
		code = "ServiceQuotaExceededException"
	case proton.Denied:
		code = "AccessDeniedException"
	case proton.Throttled:
		code = "ThrottlingException"
	default:
		return nil
	}
	message := err.Error()
	if refusal, ok := asRefusal(err); ok {
		message = refusal.Message
	}
	return &awsjson.Error{Code: code, Message: message, Cause: err}
}

// requestHash identifies a request by all it says. Tags count in any order.
func requestHash(request any, tags []api.Tag) string {
	text, err := json.Marshal(request)
	if err != nil {
		panic(fmt.Sprintf("control: a request that was decoded cannot be encoded: %v", err))
	}
	sorted, err := proton.MergeTags(nil, fromTags(tags))
	if err == nil {
		text = fmt.Appendf(text, "%q", sorted)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
