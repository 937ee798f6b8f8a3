package command

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// folder is what is kept of one run, beside what a supervisor.Folder has:
//
//	log         its output, cleaned
//	delivered   how many bytes of log the caller has got
//	at          number of the command that runs, then "end"
//	container   what the commands run in, while there may be one
//	job/        src (where commands start), home, tmp, bin, commands
type folder struct{ *supervisor.Folder }

func claim(f *supervisor.Folder, err error) (*folder, error) { return &folder{f}, err }

// killLeft ends what a killed supervisor has left. An error means that something
// of the run may still be going on.
func (f *folder) killLeft() error {
	supervisor.KillMarked(sourceVariable, f.Path("job", "src"))
	return f.clearPlace()
}

// fresh removes what an earlier try has left, processes too, and makes the job
// folder anew. It reports whether there was an earlier try.
func (f *folder) fresh() (again bool, err error) {
	if again = f.Has("job"); again {
		if err := f.killLeft(); err != nil {
			return again, err
		}
	}
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return again, err
	}
	for _, e := range entries {
		if e.Name() == "lock" || e.Name() == "cancelled" {
			continue
		}
		if err := engine.RemoveFolder(f.Path(e.Name())); err != nil {
			return again, err
		}
	}
	for _, sub := range []string{"src", "home", "tmp", "bin", "commands"} {
		if err := os.MkdirAll(f.Path("job", sub), 0o700); err != nil {
			return again, err
		}
	}
	return again, nil
}

// result is how the commands of a run ended, written by the supervisor.
type result struct {
	Failure  string          `json:"failure,omitempty"` // empty: all went well
	Outputs  []engine.Output `json:"outputs,omitempty"` // from the outputs file
	Exit     int             `json:"exit"`
	Command  int             `json:"command"` // number of the last command that ran, from 1
	Finished time.Time       `json:"finished"`
}

// result reads what the supervisor has written, nil if nothing.
func (f *folder) result() (*result, error) {
	var res result
	if ended, err := f.Result(&res); err != nil || !ended {
		return nil, err
	}
	return &res, nil
}

// keep stores how a run ended, and returns it.
func (f *folder) keep(res result) (*result, error) { return &res, f.Keep(res) }

// deliver hands the log to w from where it was handed on last, line by line,
// until ended is closed and all is delivered. A crash in between repeats a few
// lines at most.
func (f *folder) deliver(w io.Writer, ended <-chan struct{}) error {
	file, err := os.OpenFile(f.Path("log"), os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	offset := f.delivered()
	buf := make([]byte, 64<<10) // longer than any line
	for {
		last := false
		select {
		case <-ended:
			last = true
		default:
		}
		n, err := file.ReadAt(buf, offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		taken := writeLines(w, buf[:n])
		if taken > 0 {
			offset += int64(taken)
			if err := writeOffset(f.Path("delivered"), offset); err != nil && !engine.NoRoom(err) {
				return err
			}
			continue
		}
		if last {
			return nil
		}
		select {
		case <-ended:
		case <-time.After(supervisor.LockPoll):
		}
	}
}

// delivered is how much of the log was handed on.
func (f *folder) delivered() (offset int64) {
	if text, err := os.ReadFile(f.Path("delivered")); err == nil {
		offset, _ = strconv.ParseInt(string(text), 10, 64)
	}
	return offset
}

// copyRest hands on the rest of the log as if it had not.
func (f *folder) copyRest(w io.Writer) error {
	file, err := os.Open(f.Path("log"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(f.delivered(), io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}

func writeOffset(name string, offset int64) error {
	// It only ever gets longer, so overwriting in place is never half a number
	// of another length; no sync: a repeated line does no harm.
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(strconv.FormatInt(offset, 10)), 0)
	return errors.Join(err, file.Close())
}

func writeLines(w io.Writer, p []byte) int {
	taken := 0
	for line := range strings.Lines(string(p)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		io.WriteString(w, line)
		taken += len(line)
	}
	return taken
}
