package control

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// CreateUser makes a user with an access key whose permissions are an IAM
// policy document. The secret is answered once and can't be read again. Only
// the root key may create users of other accounts. Invalid, Conflict, Denied.
func (p *Plane) CreateUser(ctx context.Context, in *api.CreateUserInput) (*api.CreateUserOutput, error) {
	s := scopeOf(ctx)
	caller, _ := auth.PrincipalFrom(ctx)
	account := s.Account
	if in.AccountId != nil {
		account = *in.AccountId
	}
	arn := "arn:aws:iam::" + account + ":user/" + *in.Name
	if account != s.Account && caller.Policy != nil || !caller.May("iam:CreateUser", arn) {
		return nil, proton.Errorf(proton.Denied, "User: %s is not authorized to perform: iam:CreateUser on resource: %s", caller.ARN, arn)
	}
	if _, err := auth.ParsePolicy([]byte(*in.Policy)); err != nil {
		return nil, proton.Errorf(proton.Invalid, "The policy can't be used: %v", err)
	}
	id := "AKIA" + base32.StdEncoding.EncodeToString(random(10))
	secret := auth.Secret(base64.RawStdEncoding.EncodeToString(random(30)))
	key := store.AccessKey{ID: id, Account: account, UserName: *in.Name, Secret: p.Sealer.Seal(secret, id), Policy: *in.Policy, CreatedAt: p.now()}
	err := p.Store.Update(ctx, func(tx *store.Tx) error { return tx.InsertAccessKey(ctx, key) })
	if proton.KindOf(err) == proton.Conflict {
		err = proton.Errorf(proton.Conflict, "User %s already exists.", arn)
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateUserOutput{AccessKeyId: &id, SecretAccessKey: api.Ptr(string(secret)), Arn: &arn}, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
