package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
	"github.com/hadronhq/hadron/internal/provision"
	"github.com/hadronhq/hadron/internal/store"
)

// handIn is the kind of process that the heir of a server starts.
const handIn = "hand-in"

func init() { supervisor.Enter(handIn, handInLeft) }

// legacy is what a server leaves to its heir, which works for it with the same
// rights. It is never written to disk.
type legacy struct {
	Config  Config
	Node    string
	Dir     string // that paths are relative to
	Environ []string
}

const (
	// runsEnd is how long it may take until commands have been stopped whose
	// server is gone.
	runsEnd = 15 * time.Second
	// handInTime bounds all of a hand-in: later somebody else has taken over.
	handInTime = 30 * time.Second
)

// bequeath starts the heir of a server among many: should this one die, or stand
// still, others get to know what had ended here and was not recorded.
func (s *Server) bequeath(c Config) error {
	if !s.store.Shared() {
		return nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	heir, err := supervisor.Bequeath(handIn, legacy{c, s.node, dir, os.Environ()}, s.silence())
	if err == nil {
		s.closeHeir = heir.Close
	}
	return err
}

// handInLeft is the process that hands in what a server has left.
func handInLeft() error {
	var in supervisor.Inheritance
	var l legacy
	err := json.NewDecoder(os.Stdin).Decode(&in)
	if err == nil {
		err = json.Unmarshal(in.Left, &l)
	}
	if err == nil {
		err = os.Chdir(l.Dir)
	}
	if err != nil {
		return err
	}
	os.Clearenv()
	for _, pair := range l.Environ {
		name, value, _ := strings.Cut(pair, "=")
		os.Setenv(name, value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), handInTime)
	defer cancel()
	log := NewLogger(l.Config, os.Stderr)
	of := provision.Departed{Owner: l.Node, Gone: in.Dead, Wait: runsEnd}
	for {
		err := l.handIn(ctx, of, log)
		if err != nil {
			log.ErrorContext(ctx, "hand in what a server has left", "err", err)
		}
		if err == nil || ctx.Err() != nil {
			return nil
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func (l legacy) handIn(ctx context.Context, of provision.Departed, log *slog.Logger) (err error) {
	runs, err := commandRuns(l.Config)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, l.Config.database(), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	keys, err := loadMasterKeys(ctx, l.Config, db, log)
	if err != nil {
		return err
	}
	db.SealWith(keys.forStore())
	return provision.HandIn(ctx, db, runs, of, log)
}

// handInOwn does the same for the process that had this data folder before, whose
// heir may be gone too.
func (s *Server) handInOwn(ctx context.Context, c Config) {
	runs, err := commandRuns(c)
	if err == nil {
		err = provision.HandIn(ctx, s.store, runs, provision.Departed{Gone: true}, s.log)
	}
	if err != nil {
		s.log.Warn("hand in what this node has left", "err", err)
	}
}

// commandRuns are the runs whose end lies in the data folder alone.
func commandRuns(c Config) (*command.Driver, error) {
	return command.New(command.Driver{Root: filepath.Join(c.Data, workFolder)})
}

// workFolder is where commands run, in the data folder.
const workFolder = "work"
