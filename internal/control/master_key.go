package control

import (
	"context"

	"github.com/hadronhq/hadron/internal/api"
)

// MasterKeys are the keys that secrets in the database are sealed with, by
// their names.
type MasterKeys struct {
	Key              string   // that seals
	Others           []string // that only open
	SealedWithOthers int      // values and deployments
}

// GetMasterKeys names the master keys of the server that answers, and says how
// much is still sealed with another than the first. Denied.
func (p *Plane) GetMasterKeys(ctx context.Context, _ *api.GetMasterKeysInput) (*api.GetMasterKeysOutput, error) {
	if err := p.permit(ctx, "kms:DescribeKey", anyResource); err != nil {
		return nil, err
	}
	k, err := p.MasterKeys(ctx)
	if err != nil {
		return nil, err
	}
	return &api.GetMasterKeysOutput{KeyId: &k.Key, OtherKeyIds: append([]string{}, k.Others...), SealedWithOthers: api.Ptr(int64(k.SealedWithOthers))}, nil
}
