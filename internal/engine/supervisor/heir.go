package supervisor

import (
	"encoding/json"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// heirs is the kind of the process that outlives a server for one task.
const heirs = "heir"

func init() { Enter(heirs, inherit) }

// Inheritance is what the kind of process gets to read that an heir starts.
type Inheritance struct {
	Dead bool // the server is gone; else it stands still
	Left json.RawMessage
}

// will is what an heir is told first. Anything after it is a sign of life.
type will struct {
	Kind    string
	Left    json.RawMessage
	Silence time.Duration
}

// Heir is the server's end of its heir.
type Heir struct{ process *Process }

// Bequeath starts a process that waits for this one's end, and then starts a
// kind of process that gets what is left to it. It does so, too, when this one
// has given no sign of life for a while. It has no files of the server's, holds
// what it is told in memory only, and takes 3 MB.
func Bequeath(kind string, left any, silence time.Duration) (*Heir, error) {
	text, err := json.Marshal(left)
	if err != nil {
		return nil, err
	}
	p, err := launch(heirs, nil, os.Stderr)
	if err != nil {
		return nil, err
	}
	h := &Heir{p}
	signs := json.NewEncoder(p.Orders)
	if err := signs.Encode(will{kind, text, silence}); err != nil {
		h.Close()
		return nil, err
	}
	go func() {
		for signs.Encode(struct{}{}) == nil { // until it is closed
			time.Sleep(silence / 5)
		}
	}()
	return h, nil
}

// Close ends the heir: nothing is left to it.
func (h *Heir) Close() {
	h.process.Process.Kill()
	h.process.Orders.Close()
	h.process.Wait()
}

// inherit is the heir. What stops the server, and all that came of it, does not
// stop this: it ends by itself.
func inherit() error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	signs := json.NewDecoder(os.Stdin)
	var w will
	if signs.Decode(&w) != nil {
		return errUnused
	}
	alive := make(chan struct{})
	go func() {
		defer close(alive)
		for signs.Decode(&struct{}{}) == nil {
			alive <- struct{}{}
		}
	}()
	silence := time.NewTimer(w.Silence)
	for {
		select {
		case _, ok := <-alive:
			if !ok {
				return w.carryOut(true)
			}
			silence.Reset(w.Silence)
		case <-silence.C: // once: it is not set again before the next sign
			if err := w.carryOut(false); err != nil {
				os.Stderr.WriteString(err.Error() + "\n")
			}
		}
	}
}

func (w will) carryOut(dead bool) error {
	p, err := launch(w.Kind, nil, os.Stderr)
	if err != nil {
		return err
	}
	defer p.Orders.Close()
	if err := json.NewEncoder(p.Orders).Encode(Inheritance{dead, w.Left}); err != nil {
		p.Process.Kill()
	}
	return p.Wait()
}
