package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/hadronhq/hadron/internal/store"
)

// CopyDatabase copies a database into an empty one of the other engine and
// says of each table how many rows it had.
func CopyDatabase(ctx context.Context, from, to string, log *slog.Logger, say func(table string, rows int)) (err error) {
	source, err := store.Open(ctx, from, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := store.Open(ctx, to, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	copied, err := store.Copy(ctx, source, target)
	for _, c := range copied {
		say(c.Table, c.Rows)
	}
	return err
}
