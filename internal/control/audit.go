package control

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// The audit log has a record, in CloudTrail's shape, of every call that may
// change something and of every refusal. A call that changes something is
// recorded in the transaction that changes it; the record is linked into the
// account's chain of hashes shortly after.

// call is the operation that a context belongs to, with its input and what was
// decided about it.
type call struct {
	operation *awsjson.Operation
	in        any
	decisions []decision
	recorded  bool
}

// decision is one that a call's fate hung on.
type decision struct {
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Decision  string `json:"decision"`
	Policy    string `json:"policy,omitempty"`
	Statement string `json:"statement,omitempty"`
}

type callKey struct{}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

func (c *call) decided(r auth.Request, d auth.Decision) {
	if c == nil {
		return
	}
	text := decision{Action: r.Action, Resource: r.Resource, Decision: "implicitDeny"}
	switch {
	case d.Allowed:
		text.Decision = "allowed"
	case d.Denied:
		text.Decision = "explicitDeny"
	}
	if d.Statement != nil {
		text.Policy, text.Statement = d.Statement.Policy, fmt.Sprint(d.Statement.Number)
		if d.Statement.Sid != "" {
			text.Statement = d.Statement.Sid
		}
	}
	c.decisions = append(c.decisions, text)
}

// Around carries out a call of the API: what its authorization needs to know of
// it is in its context, and it is audited. It belongs around every operation,
// wherever it is called from. Throttled for a caller who calls too
// fast.
func (p *Plane) Around(ctx context.Context, op *awsjson.Operation, in any, next func(context.Context) (any, error)) (any, error) {
	if who, ok := auth.PrincipalFrom(ctx); ok && p.Throttled != nil && p.Throttled(who.ARN) {
		return nil, proton.Errorf(proton.Throttled, "Rate exceeded")
	}
	c := &call{operation: op, in: in}
	ctx = context.WithValue(ctx, callKey{}, c)
	if ReadOnly(op.Name) {
		out, err := next(ctx)
		if err := p.Store.Settled(); err != nil {
			return nil, err
		}
		if proton.KindOf(err) == proton.Denied && err != nil {
			p.auditAlone(ctx, c, err)
		}
		return out, err
	}
	out, err := next(store.BeforeCommit(ctx, func(ctx context.Context, tx *store.Tx) error {
		if c.recorded {
			return nil // of several transactions the first tells of the call
		}
		tx.After(func() { c.recorded = true })
		return p.Audit(ctx, tx, p.auditEvent(ctx, c, nil))
	}))
	if (err != nil || !c.recorded) && proton.KindOf(err) != proton.Throttled {
		p.auditAlone(ctx, c, err)
	}
	return out, err
}

// ReadOnly reports whether an operation changes nothing.
func ReadOnly(operation string) bool {
	for _, prefix := range []string{"Get", "List", "Explain", "Verify", "Preview", "Describe"} {
		if strings.HasPrefix(operation, prefix) {
			return true
		}
	}
	return false
}

// auditAlone records a call in a transaction of its own.
func (p *Plane) auditAlone(ctx context.Context, c *call, err error) {
	p.AuditAlone(ctx, p.auditEvent(ctx, c, err))
}

// auditTime is how long recording a call that has ended may take.
const auditTime = 10 * time.Second

// AuditAlone records what changed nothing in the database, such as a refusal.
func (p *Plane) AuditAlone(ctx context.Context, e AuditEvent) {
	own, cancel := context.WithTimeout(store.BeforeCommit(context.WithoutCancel(ctx), nil), auditTime)
	defer cancel()
	if err := p.Store.Update(own, func(tx *store.Tx) error { return p.Audit(own, tx, e) }); err != nil {
		p.Logger.LogAttrs(ctx, slog.LevelError, "a call could not be audited",
			slog.String("operation", e.Name), slog.String("request_id", e.RequestID), slog.Any("err", err))
	}
}

// AuditEvent is what is recorded of a call.
type AuditEvent struct {
	Principal  auth.Principal
	Source     string // the service, as proton.amazonaws.com
	Name       string // of the operation
	RequestID  string
	ReadOnly   bool
	Parameters any // without what is sensitive
	Answer     any
	Code       string // of the error; empty: success
	Message    string
	Resource   string
	Decisions  []decision
}

func (p *Plane) auditEvent(ctx context.Context, c *call, err error) AuditEvent {
	who, _ := auth.PrincipalFrom(ctx)
	e := AuditEvent{
		Principal: who, Source: "proton.amazonaws.com", Name: c.operation.Name, RequestID: awsjson.RequestID(ctx),
		ReadOnly: ReadOnly(c.operation.Name), Parameters: awsjson.Visible(c.operation.Input, c.in), Decisions: c.decisions,
	}
	if c.operation.Service == api.ServiceHadron {
		e.Source = "hadron.hadronhq.com"
	}
	if len(c.decisions) > 0 {
		e.Resource = c.decisions[0].Resource
	}
	if err == nil {
		return e
	}
	e.Code = "InternalServerException"
	if refused := MapError(err); refused != nil {
		e.Code = refused.Code
		if proton.KindOf(err) != proton.Invalid { // whose text may quote what is sensitive
			e.Message = refused.Message
		}
	}
	return e
}

// Audit records a call at the end of a transaction.
func (p *Plane) Audit(ctx context.Context, tx *store.Tx, e AuditEvent) error {
	at := p.now()
	id := p.newID()
	text, err := json.Marshal(e.record(at, id))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return tx.AddAudit(ctx, store.AuditRecord{
		ID: id, Account: e.Principal.AccountID, At: at, EventName: e.Name, PrincipalARN: e.Principal.IdentityARN(), ResourceARN: e.Resource,
		ErrorCode: e.Code, Record: string(text),
	})
}

// linkEvery is how long a record waits for its place in the chain at most.
const linkEvery = time.Second

// pruneEvery is how often records are looked for that are older than is kept.
const pruneEvery = time.Hour

// KeepAudit links what has been recorded, and prunes what is older than is kept,
// until ctx ends.
func (p *Plane) KeepAudit(ctx context.Context) {
	var pruned time.Time
	for tick := time.NewTicker(linkEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if err := p.linkAudit(ctx); err != nil && ctx.Err() == nil {
			p.Logger.WarnContext(ctx, "the audit log could not be linked; it is tried again", "err", err)
		}
		if p.AuditRetention <= 0 || time.Since(pruned) < pruneEvery {
			continue
		}
		pruned = time.Now()
		if err := p.pruneAudit(ctx); err != nil && ctx.Err() == nil {
			p.Logger.WarnContext(ctx, "the audit log could not be pruned; it is tried again", "err", err)
		}
	}
}

// pruneAudit removes the records of all accounts that are older than is kept.
func (p *Plane) pruneAudit(ctx context.Context) error {
	var accounts []string
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		accounts, err = tx.AuditedAccounts(ctx)
		return err
	})
	before := p.now().Add(-p.AuditRetention)
	for _, account := range accounts {
		for n := listBatch; n == listBatch && err == nil; {
			err = p.Store.Update(ctx, func(tx *store.Tx) (err error) {
				n, err = tx.PruneAudit(ctx, account, before, listBatch, p.sealPruned)
				return err
			})
		}
	}
	return err
}

// linkAudit links all records that wait.
func (p *Plane) linkAudit(ctx context.Context) error {
	for {
		waiting := false
		err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
			waiting, err = tx.AuditPending(ctx)
			return err
		})
		if err != nil || !waiting {
			return err
		}
		if err := p.Store.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.LinkAudit(ctx, listBatch, p.sealHead)
			return err
		}); err != nil {
			return err
		}
	}
}

func headName(h store.AuditHead) string {
	return fmt.Sprintf("audit head %s %d %s", h.Account, h.Sequence, h.Hash)
}

func (p *Plane) sealHead(h store.AuditHead) string { return p.Sealer.Seal("", headName(h)) }

// prunedName is not a head's: the seal of an old head must not serve to prune.
func prunedName(h store.AuditHead) string {
	return fmt.Sprintf("audit pruned %s %d %s", h.Account, h.Sequence, h.Hash)
}

func (p *Plane) sealPruned(h store.AuditHead) string { return p.Sealer.Seal("", prunedName(h)) }

// record is the event in the shape of CloudTrail's records.
func (e AuditEvent) record(at time.Time, id string) map[string]any {
	who := e.Principal
	r := map[string]any{
		"eventVersion": "1.11", "userIdentity": userIdentity(who), "eventTime": at.UTC().Format(time.RFC3339),
		"eventSource": e.Source, "eventName": e.Name, "awsRegion": who.Region, "sourceIPAddress": "",
		"userAgent": who.UserAgent, "requestParameters": e.Parameters, "responseElements": e.Answer,
		"requestID": e.RequestID, "eventID": id, "readOnly": e.ReadOnly, "eventType": "AwsApiCall",
		"managementEvent": true, "recipientAccountId": who.AccountID, "eventCategory": "Management",
	}
	if who.SourceIP.IsValid() {
		r["sourceIPAddress"] = who.SourceIP.Unmap().String()
	}
	if e.Code != "" {
		r["errorCode"] = e.Code
	}
	if e.Message != "" {
		r["errorMessage"] = e.Message
	}
	if e.Resource != "" && e.Resource != string(anyResource) {
		r["resources"] = []map[string]string{{"ARN": e.Resource, "accountId": who.AccountID}}
	}
	if len(e.Decisions) > 0 {
		r["additionalEventData"] = map[string]any{"authorization": e.Decisions}
	}
	return r
}

func userIdentity(who auth.Principal) map[string]any {
	identity := map[string]any{"type": who.Type(), "accountId": who.AccountID, "arn": who.ARN}
	if who.ARN == "" {
		return map[string]any{"type": "Unknown", "accessKeyId": who.AccessKeyID}
	}
	if who.Type() == "Account" {
		identity["type"] = "Root"
	}
	if who.Type() == "User" {
		identity["type"], identity["userName"] = "IAMUser", who.UserName()
	}
	if who.Provider != "" {
		identity["userName"], identity["identityProvider"] = who.UserName(), who.Provider
	}
	identity["principalId"] = who.ID()
	if who.AccessKeyID != "" {
		identity["accessKeyId"] = who.AccessKeyID
	}
	if s := who.Session; s != nil {
		role := auth.Principal{ARN: who.ARN, Session: s}
		id, _, _ := strings.Cut(role.ID(), ":")
		identity["sessionContext"] = map[string]any{
			"sessionIssuer": map[string]any{
				"type": "Role", "arn": s.Role, "accountId": who.AccountID, "principalId": id, "userName": s.Role[strings.LastIndex(s.Role, "/")+1:],
			},
			"attributes": map[string]any{"creationDate": s.IssuedAt.UTC().Format(time.RFC3339), "mfaAuthenticated": "false"},
		}
	}
	return identity
}

// lookupEvents is AWS's action for reading the audit log.
const lookupEvents = "cloudtrail:LookupEvents"

// ListAuditEvents lists what the audit log has recorded in the caller's
// account, newest first unless asked otherwise. Invalid, Denied.
func (p *Plane) ListAuditEvents(ctx context.Context, in *api.ListAuditEventsInput) (*api.ListAuditEventsOutput, error) {
	if err := p.permit(ctx, lookupEvents, anyResource); err != nil {
		return nil, err
	}
	if err := p.linkAudit(ctx); err != nil {
		return nil, err
	}
	s := proton.Scope{Account: scopeOf(ctx).Account}
	filter := store.AuditFilter{
		EventName: api.Value(in.EventName), PrincipalARN: api.Value(in.PrincipalArn),
		ResourceARN: api.Value(in.ResourceArn), ErrorCode: api.Value(in.ErrorCode),
	}
	if in.StartTime != nil {
		filter.From = in.StartTime.Time
	}
	if in.EndTime != nil {
		filter.To = in.EndTime.Time
	}
	oldestFirst := api.Value(in.OldestFirst)
	filters := []any{filter, oldestFirst}
	var after int64
	if _, err := p.pagePosition(s, "ListAuditEvents", filters, in.NextToken, &after); err != nil {
		return nil, err
	}
	out := &api.ListAuditEventsOutput{}
	err := p.Store.View(ctx, func(tx *store.Tx) error {
		size := pageSize(in.MaxResults)
		rows, err := tx.AuditRecords(ctx, s.Account, filter, oldestFirst, after, size+1)
		if err != nil {
			return err
		}
		rows, out.NextToken, err = page(p, s, "ListAuditEvents", filters, rows, size, func(r store.AuditRecord) any { return r.Sequence })
		out.Events = toList(rows, toAuditEvent)
		return err
	})
	return out, err
}

func toAuditEvent(r store.AuditRecord) api.AuditEvent {
	return api.AuditEvent{Sequence: &r.Sequence, Hash: &r.Hash, Record: &r.Record}
}

// VerifyAuditLog goes through the audit log of the caller's account and says
// whether it is whole: every record is there and as it was written, but for those
// that were pruned, being older than is kept. Denied.
func (p *Plane) VerifyAuditLog(ctx context.Context, _ *api.VerifyAuditLogInput) (*api.VerifyAuditLogOutput, error) {
	if err := p.permit(ctx, lookupEvents, anyResource); err != nil {
		return nil, err
	}
	if err := p.linkAudit(ctx); err != nil {
		return nil, err
	}
	account := scopeOf(ctx).Account
	var last store.AuditRecord
	var pruned store.AuditHead
	problem := ""
	err := p.Store.View(ctx, func(tx *store.Tx) (err error) {
		if pruned, err = tx.AuditPruned(ctx, account); err != nil {
			return err
		}
		if pruned.Sequence > 0 && p.sealBroken(pruned, prunedName(pruned)) {
			problem = "The log was not pruned by this server: its beginning is not sealed with the master key."
			return nil
		}
		last, problem, err = verifyChain(ctx, tx, account, pruned)
		if err != nil || problem != "" {
			return err
		}
		head, _, err := tx.AuditHead(ctx, account)
		switch {
		case err != nil:
			return err
		case head.Sequence != last.Sequence || head.Hash != last.Hash:
			problem = fmt.Sprintf("The log ends with record %d, but %d were written.", last.Sequence, head.Sequence)
		case head.Sequence > 0 && p.sealBroken(head, headName(head)):
			problem = "The log was not written by this server: its end is not sealed with the master key."
		}
		return nil
	})
	out := &api.VerifyAuditLogOutput{Records: &last.Sequence, Hash: text(last.Hash), Whole: api.Ptr(problem == ""), Problem: text(problem)}
	if pruned.Sequence > 0 {
		out.PrunedRecords, out.PrunedHash = &pruned.Sequence, &pruned.Hash
	}
	return out, err
}

func (p *Plane) sealBroken(h store.AuditHead, name string) bool {
	_, err := p.Sealer.Open(h.Seal, name)
	return err != nil
}

// verifyChain follows a chain, from behind what was pruned, to its last record, or
// to the first that is not as it was written.
func verifyChain(ctx context.Context, tx *store.Tx, account string, pruned store.AuditHead) (last store.AuditRecord, problem string, err error) {
	last.Sequence, last.Hash = pruned.Sequence, pruned.Hash
	for {
		rows, err := tx.AuditRecords(ctx, account, store.AuditFilter{}, true, last.Sequence, listBatch)
		if err != nil || len(rows) == 0 {
			return last, "", err
		}
		for _, r := range rows {
			switch {
			case r.Sequence != last.Sequence+1:
				return last, fmt.Sprintf("Record %d is missing.", last.Sequence+1), nil
			case r.Hash != store.AuditHash(last.Hash, account, r.Sequence, r.Record):
				return last, fmt.Sprintf("Record %d is not as it was written.", r.Sequence), nil
			}
			last = r
		}
	}
}
