package command

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
)

const supervisorMarker = "HADRON_COMMAND_SUPERVISOR"

// SuperviseIfAsked turns the process into a supervisor, and ends it when that
// is done, if a Driver started it as one; else it returns at once. Programs
// that use a Driver call it first in main, and their tests in TestMain.
func SuperviseIfAsked() {
	sandbox.EnterIfAsked()
	if os.Getenv(supervisorMarker) == "" {
		return
	}
	if err := superviseCommands(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	// Not os.Exit: the server waits, and the race detector of a test binary
	// would let it wait for a second more.
	syscall.Exit(0)
}

// supervisor runs one shell session and outlives the server by a moment.
type supervisor struct {
	order
	folder *folder
	redact *engine.Redactor
	shell  int                     // pid, also its process group and session
	exited chan syscall.WaitStatus // the shell's end
	empty  chan struct{}           // closed when no child is left, after the shell's end
}

// hurry is the longest grace when the server is dead: another one may be about
// to start the same run.
const hurry = time.Second

func superviseCommands() error {
	// The shell is told to die with the thread that started it: keep to it.
	runtime.LockOSThread()
	unix.CloseOnExec(3) // the lock
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := adoptOrphans(); err != nil {
		return err
	}
	var o order
	dec := json.NewDecoder(os.Stdin)
	if err := dec.Decode(&o); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	s := &supervisor{
		order: o, folder: &folder{dir: o.Dir}, redact: engine.NewRedactor(o.Secrets...),
		exited: make(chan syscall.WaitStatus, 1), empty: make(chan struct{}),
	}
	stop := make(chan time.Duration, 2) // the grace left to the commands
	go watchServer(io.MultiReader(dec.Buffered(), os.Stdin), o, stop)
	go func() {
		<-signals
		stop <- o.Grace
	}()

	file, err := os.OpenFile(s.folder.path("log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	log := engine.NewLog(file, s.redact, o.Limits)
	output, drained, err := s.start(log)
	if err != nil {
		return err
	}
	res := s.watch(stop, log)
	// What still holds the other end could keep the log open for ever.
	output.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	<-drained
	if res == nil {
		return log.Close()
	}
	s.addOutputs(res)
	if res.Failure != "" {
		log.Note("[hadron] " + res.Failure)
	}
	log.Close()
	res.Finished = time.Now().UTC()
	_, err = s.folder.keep(*res)
	return err
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

// start starts the shell, without terminal or input, in a session of its own.
// It returns the reading end of its output and a channel that is closed when
// all of that is in the log.
func (s *supervisor) start(log io.Writer) (*os.File, <-chan struct{}, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer write.Close()
	argv := []string{s.Shell, s.Session}
	if strings.HasSuffix(s.Shell, "/bash") {
		argv = []string{s.Shell, "--noprofile", "--norc", s.Session}
	}
	process, err := s.Box.Start(s.Shell, argv, &os.ProcAttr{
		Dir: s.folder.path("job", "src"), Env: s.Environment,
		Files: []*os.File{null, write, write}, Sys: shellAttributes(),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start the shell: %w", err)
	}
	s.shell = process.Pid
	go s.reap()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(log, read)
	}()
	return read, drained, nil
}

// reap waits for every child: the shell, and orphans that came to us.
func (s *supervisor) reap() {
	over := false
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil: // ECHILD: none left, and none can come
			if !over {
				s.exited <- ws
			}
			close(s.empty)
			return
		case pid == s.shell && (ws.Exited() || ws.Signaled()):
			over = true
			s.exited <- ws
		}
	}
}

// watch waits for the end and sees to it that nothing of the run is left. It
// returns no result if the run was stopped.
func (s *supervisor) watch(stop <-chan time.Duration, log *engine.Log) *result {
	timer := time.NewTimer(s.Timeout)
	defer timer.Stop()
	select {
	case ws := <-s.exited:
		res := s.ended(ws, log)
		s.clear(s.Grace, stop)
		return &res
	case <-timer.C:
		command, _ := s.at()
		s.clear(s.Grace, stop)
		return &result{Command: command, Exit: -1, Failure: s.redact.String(fmt.Sprintf(
			"CodeBuild build %s failed: command \"%s\" was still running at the time-out of %s", s.BuildID, s.name(command), s.Timeout))}
	case grace := <-stop:
		s.clear(grace, stop)
		return nil
	}
}

// clear ends all processes of the run: kindly, and after the grace, or when
// the server dies meanwhile, by force.
func (s *supervisor) clear(grace time.Duration, stop <-chan time.Duration) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	s.signal(syscall.SIGTERM)
	for waiting := true; waiting && !s.gone(); {
		select {
		case <-s.empty:
			waiting = !s.gone() // a group can outlive our children where orphans are not adopted
			time.Sleep(5 * time.Millisecond)
		case less := <-stop:
			timer.Reset(min(less, hurry))
		case <-timer.C:
			waiting = false
		}
	}
	for end := time.Now().Add(10 * time.Second); !s.gone() && time.Now().Before(end); {
		s.signal(syscall.SIGKILL)
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *supervisor) signal(sig syscall.Signal) {
	syscall.Kill(-s.shell, sig)
	for _, pid := range descendants(os.Getpid()) {
		syscall.Kill(pid, sig)
	}
}

func (s *supervisor) gone() bool {
	select {
	case <-s.empty:
		return syscall.Kill(-s.shell, 0) == syscall.ESRCH
	default:
		return false
	}
}

// at returns the number of the command that runs or ran last, and whether the
// session has come to its end.
func (s *supervisor) at() (int, bool) {
	text, _ := os.ReadFile(s.folder.path("at"))
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
func (s *supervisor) name(command int) string { return head(s.Commands[command-1], 300) }

// ended words the end of the shell.
func (s *supervisor) ended(ws syscall.WaitStatus, log *engine.Log) result {
	command, whole := s.at()
	res := result{Command: command, Exit: ws.ExitStatus()}
	how := ""
	switch {
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
func (s *supervisor) addOutputs(res *result) {
	if res.Failure != "" {
		return
	}
	outputs, err := readOutputs(s.folder.path("job", "src"))
	if err != nil {
		res.Failure = engine.Clean(s.redact.String(fmt.Sprintf("CodeBuild build %s failed: %v", s.BuildID, err)))
	}
	for i, o := range outputs {
		outputs[i].Sensitive = o.Sensitive || s.redact.String(o.Value) != o.Value
	}
	res.Outputs = outputs
}
