package command

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/supervisor"
)

// commands is the kind of the driver's supervisors.
const commands = "commands"

func init() { supervisor.Enter(commands, superviseCommands) }

// overseer runs one shell session and outlives the server by a moment.
type overseer struct {
	order
	folder *folder
	redact *engine.Redactor
	shell  *supervisor.Children
}

// hurry is the longest grace when the server is dead: another one may be about
// to start the same run.
const hurry = time.Second

func superviseCommands() error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	var o order
	dec, err := supervisor.Orders(&o)
	if err != nil {
		return err
	}
	s := &overseer{
		order: o, folder: &folder{&supervisor.Folder{Dir: o.Dir}}, redact: engine.NewRedactor(o.Secrets...),
	}
	stop := make(chan time.Duration, 2) // the grace left to the commands
	go watchServer(io.MultiReader(dec.Buffered(), os.Stdin), o, stop)
	go func() {
		<-signals
		stop <- o.Grace
	}()

	file, err := os.OpenFile(s.folder.Path("log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	log := engine.NewLog(file, s.redact, o.Limits)
	output, drained, err := s.start(log)
	if err != nil {
		return err
	}
	res := s.watch(stop, log)
	if s.Container != nil {
		if err := s.folder.clearPlace(); err != nil {
			return err // whoever has the run next does it, before anything else
		}
	}
	// What still holds the other end could keep the log open for ever.
	output.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	<-drained
	if res == nil {
		return log.Close()
	}
	s.addOutputs(res)
	if res.Failure != "" {
		log.Note("[hadron] " + res.Failure)
		if limits := s.Box.Limits.Note(); limits != "" {
			log.Note("[hadron] " + limits)
		}
	}
	log.Close()
	res.Finished = time.Now().UTC()
	if _, err = s.folder.keep(*res); engine.NoRoom(err) {
		_, err = s.makeRoom(*res)
	}
	return err
}

// makeRoom keeps a result for which the commands have left no room: their own
// files go first, which nobody needs any more.
func (s *overseer) makeRoom(res result) (*result, error) {
	if err := engine.RemoveFolder(s.folder.Path("job")); err != nil {
		return nil, err
	}
	if res.Failure != "" {
		res.Failure += "; the disk of the server's work folders was full"
	}
	return s.folder.keep(res)
}

// watchServer asks for a stop when the server says so, is gone, or stands
// still.
func watchServer(r io.Reader, o order, stop chan<- time.Duration) {
	words := make(chan string)
	go func() {
		defer close(words)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			words <- lines.Text()
		}
	}()
	for {
		var silence <-chan time.Time
		if o.Silence > 0 {
			silence = time.After(o.Silence)
		}
		select {
		case word, alive := <-words:
			if word == "stop" {
				stop <- o.Grace
				return
			}
			if alive {
				continue
			}
		case <-silence:
		}
		stop <- min(o.Grace, hurry)
		return
	}
}

// start starts the shell. It returns the reading end of its output and a channel
// that is closed when all of that is in the log.
func (s *overseer) start(log io.Writer) (*os.File, <-chan struct{}, error) {
	program := supervisor.Program{Argv: []string{s.Shell, s.Session}, Dir: s.folder.Path("job", "src"), Env: s.Environment, Box: s.Box, Input: s.Input}
	if strings.HasSuffix(s.Shell, "/bash") {
		program.Argv = []string{s.Shell, "--noprofile", "--norc", s.Session}
	}
	if c := s.Container; c != nil {
		program.Argv, program.Env = append([]string{c.Runtime}, c.Arguments...), c.Environment
	}
	shell, output, err := program.Start()
	if err != nil {
		return nil, nil, err
	}
	s.shell = shell
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(log, output)
	}()
	return output, drained, nil
}

// watch waits for the end and sees to it that nothing of the run is left. It
// returns no result if the run was stopped before its end.
func (s *overseer) watch(stop <-chan time.Duration, log *engine.Log) *result {
	timer := time.NewTimer(s.Timeout)
	defer timer.Stop()
	select {
	case ws := <-s.shell.Exited:
		res := s.ended(ws, log)
		s.shell.Clear(s.Grace, stop)
		return &res
	case <-timer.C:
		command, _ := s.at()
		s.shell.Clear(s.Grace, stop)
		return &result{Command: command, Exit: -1, Failure: s.redact.String(fmt.Sprintf(
			"CodeBuild build %s failed: command \"%s\" was still running at the time-out of %s", s.BuildID, s.name(command), s.Timeout))}
	case grace := <-stop:
		return s.stopped(grace, stop, log)
	}
}

// settling is how long a session that is told to stop may go on while nothing
// that it has started runs: commands that are done are not run again because
// the note of their end was still to be made.
const settling = time.Second

// stopped stops the session. It returns no result unless all commands came to
// their end before they were reached.
func (s *overseer) stopped(grace time.Duration, stop <-chan time.Duration, log *engine.Log) *result {
	began := time.Now()
	if s.Container == nil { // whose processes are not to be seen here
		s.shell.Settle(min(settling, grace*4/5), func() bool { return s.folder.Has("at") })
	}
	select {
	case ws := <-s.shell.Exited:
		res := s.ended(ws, log)
		s.shell.Clear(grace-time.Since(began), stop)
		return &res
	default:
	}
	s.shell.Clear(grace-time.Since(began), stop)
	if last, whole := s.at(); whole {
		return &result{Command: last}
	}
	return nil
}

// at returns the number of the command that runs or ran last, and whether the
// session has come to its end.
func (s *overseer) at() (int, bool) {
	text, _ := os.ReadFile(s.folder.Path("at"))
	if string(text) == "end" {
		return len(s.Commands), true
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > len(s.Commands) {
		return 1, false
	}
	return n, false
}

// name returns a command short enough for a message.
func (s *overseer) name(command int) string { return head(s.Commands[command-1], 300) }

// ended words the end of the shell.
func (s *overseer) ended(ws syscall.WaitStatus, log *engine.Log) result {
	command, whole := s.at()
	res := result{Command: command, Exit: ws.ExitStatus()}
	how := ""
	switch {
	case s.Container != nil && res.Exit != 0 && !s.folder.Has("at"):
		res.Failure = engine.Clean(fmt.Sprintf("CodeBuild build %s failed: its container could not be started: %s exited with %d", s.BuildID, s.Container.Runtime, res.Exit))
		return res
	case ws.Signaled():
		how = fmt.Sprintf("was killed by a signal (%s)", ws.Signal())
	case res.Exit != 0:
		how = fmt.Sprintf("exited with %d", res.Exit)
	case !whole && command < len(s.Commands):
		// A command such as "exit 0" or "exec something": all that ran went well.
		log.Note(fmt.Sprintf("[hadron] command %d of %d ended the session with exit 0: the commands after it do not run", command, len(s.Commands)))
	}
	if how != "" {
		text := fmt.Sprintf("CodeBuild build %s failed: command \"%s\" %s", s.BuildID, s.name(command), how)
		res.Failure = engine.Clean(s.redact.String(text))
	}
	return res
}

// addOutputs reads the outputs file, if all went well.
func (s *overseer) addOutputs(res *result) {
	if res.Failure != "" {
		return
	}
	outputs, err := readOutputs(s.folder.Path("job", "src"))
	if err != nil {
		res.Failure = engine.Clean(s.redact.String(fmt.Sprintf("CodeBuild build %s failed: %v", s.BuildID, err)))
	}
	for i, o := range outputs {
		outputs[i].Sensitive = o.Sensitive || s.redact.String(o.Value) != o.Value
	}
	res.Outputs = outputs
}
