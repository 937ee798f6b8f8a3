package store

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// doorbell tells the other processes of a shared database that there is work.
// It is a bell and not a message: a ring that is lost delays work until the
// next poll, and loses nothing. So it is rung after the commit, and many
// commits in quick succession ring once.
type doorbell struct {
	db      *sql.DB
	channel string
	wake    func()
	log     *slog.Logger

	rung  chan struct{}
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// ringPause is the least time between two rings of one process.
const ringPause = 5 * time.Millisecond

// newDoorbell begins to ring, and to listen for others' rings, of which it
// calls wake.
func newDoorbell(ctx context.Context, db *sql.DB, config *pgx.ConnConfig, wake func(), log *slog.Logger) (*doorbell, error) {
	b := &doorbell{db: db, wake: wake, log: log, rung: make(chan struct{}, 1)}
	var schema string
	if err := db.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return nil, err
	}
	b.channel = "hadron_work_" + schema
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.ended.Go(func() { b.ringing(life) })
	b.ended.Go(func() { b.listening(life, config) })
	return b, nil
}

// ring never blocks. A nil doorbell does not ring.
func (b *doorbell) ring() {
	if b == nil {
		return
	}
	select {
	case b.rung <- struct{}{}:
	default: // a ring that is still to come covers this one
	}
}

func (b *doorbell) ringing(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			select {
			case <-b.rung: // what this process leaves to others
				b.notify(ctx)
			default:
			}
			return
		case <-b.rung:
		}
		b.notify(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(ringPause):
		}
	}
}

// notify rings, also when the doorbell is being closed.
func (b *doorbell) notify(ctx context.Context) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := b.db.ExecContext(bounded, "SELECT pg_notify($1, '')", b.channel); err != nil {
		b.log.DebugContext(ctx, "other nodes were not told of new work; they will poll", "err", err)
	}
}

// listening wakes this process's workers at every ring, over lost connections.
func (b *doorbell) listening(ctx context.Context, config *pgx.ConnConfig) {
	for ctx.Err() == nil {
		if err := b.listen(ctx, config); err != nil && ctx.Err() == nil {
			b.log.DebugContext(ctx, "the connection that waits for new work was lost", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (b *doorbell) listen(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{b.channel}.Sanitize()); err != nil {
		return err
	}
	b.wake() // what was rung while nobody listened
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		b.wake()
	}
}

func (b *doorbell) close() {
	b.stop()
	b.ended.Wait()
}
