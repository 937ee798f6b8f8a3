package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// endedMark begins the checkpoint of a run that has ended; how it ended follows.
// A Step takes that instead of running the commands, on any machine.
const endedMark = "ended "

func (r result) checkpoint() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // it has only texts and numbers
	}
	return endedMark + string(text)
}

// ended reads how a run has ended from a checkpoint; nil if it does not say.
func ended(checkpoint string) (*result, error) {
	text, ok := strings.CutPrefix(checkpoint, endedMark)
	if !ok {
		return nil, nil
	}
	var r result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("the run's checkpoint: %w", err)
	}
	return &r, nil
}

// Left are the runs that have a folder here.
func (d *Driver) Left() ([]string, error) {
	entries, err := os.ReadDir(d.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && supervisor.CheckID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, err
}

// Ended waits until nothing of a run is going on any more whose server is gone,
// and says how it ended: as a checkpoint, empty if it did not come to its end.
// The log gets what had not been delivered of it.
func (d *Driver) Ended(ctx context.Context, id string, log io.Writer) (checkpoint string, err error) {
	for {
		locked, err := supervisor.TryLock(filepath.Join(d.Root, id), false)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil // forgotten meanwhile
		}
		if err != nil {
			return "", err
		}
		if locked != nil {
			f := &folder{locked}
			defer f.Release()
			if err := f.killLeft(); err != nil {
				return "", err
			}
			return f.ended(func() error {
				over := make(chan struct{})
				close(over)
				return f.deliver(log, over)
			})
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(supervisor.LockPoll):
		}
	}
}

// EndedAside says how a run has ended whose server is there but stands still:
// empty if it has not. The server delivers the log again when it goes on.
func (d *Driver) EndedAside(id string, log io.Writer) (checkpoint string, err error) {
	f := &folder{&supervisor.Folder{Dir: filepath.Join(d.Root, id)}}
	return f.ended(func() error { return f.copyRest(log) })
}

func (f *folder) ended(deliver func() error) (checkpoint string, err error) {
	res, err := f.result()
	if err != nil || res == nil {
		return "", err
	}
	return res.checkpoint(), deliver()
}
