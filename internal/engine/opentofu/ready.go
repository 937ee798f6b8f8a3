package opentofu

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// Ready makes what the next run will need, so that it does not have to wait for
// it, if there is a tool to run: the init that serves all folders which ask for
// nothing, and a supervisor. What is wrong with them the runs will say. Close
// ends the supervisor again.
func (d *Driver) Ready(ctx context.Context) {
	s := &session{Driver: d, override: overrideHTTP, needs: needsOf(nil)}
	if s.findTool() != nil {
		return
	}
	if !whole(filepath.Join(s.inits(), s.initKey(nil))) {
		d.initNothing(ctx)
	}
	d.spare.Refill()
}

// initNothing makes the init of a folder without files. The state that it asks
// for is nobody's: it asks a server that has none.
func (d *Driver) initNothing(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	empty := &http.Server{Handler: http.NotFoundHandler()}
	go empty.Serve(listener)
	defer empty.Close()
	own := *d
	own.URL, own.States, own.Credentials, own.Environment = "http://"+listener.Addr().String()+"/", noState{}, nil, nil
	own.Key = func(context.Context, engine.Run) (string, string, error) { return "nobody", "nobody", nil }
	return own.alone(ctx, engine.Run{Log: io.Discard}, overrideHTTP, func(*session) error { return nil })
}

// noState has no states; nothing but Pull is asked of it.
type noState struct{ States }

func (noState) Pull(context.Context, string) ([]byte, error) { return nil, nil }

// alone opens a folder for a run that is nobody else's, and removes it again.
func (d *Driver) alone(ctx context.Context, r engine.Run, override string, do func(*session) error) error {
	f, err := supervisor.Claim(ctx, filepath.Join(d.Root, "previews", uuid.NewString()), d.Grace)
	if err != nil {
		return err
	}
	defer f.Release()
	defer d.remove(f)
	s, err := d.open(ctx, f, r, override)
	defer s.close()
	if err != nil {
		return err
	}
	return do(s)
}
