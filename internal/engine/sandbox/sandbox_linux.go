package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// unshared adds the namespaces to what a process is started with.
func unshared(sys *syscall.SysProcAttr) *syscall.SysProcAttr {
	boxed := syscall.SysProcAttr{}
	if sys != nil {
		boxed = *sys
	}
	boxed.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC
	boxed.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
	boxed.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	return &boxed
}

// A process that was started to become a program in a box does so as soon as
// this package is initialized, long before main, and before most of this binary
// is initialized for nothing.
func init() {
	if os.Getenv(marker) == "" {
		return
	}
	// Capabilities belong to a thread: the one that gives them up must be the
	// one that becomes the program.
	runtime.LockOSThread()
	const orderFile = 3 // after those of the program
	syscall.CloseOnExec(orderFile)
	var o order
	if json.NewDecoder(os.NewFile(orderFile, "order")).Decode(&o) != nil {
		syscall.Exit(0) // nobody needs it any more
	}
	if err := o.carryOut(); err != nil {
		fmt.Fprintln(os.Stderr, "[hadron] the sandbox could not be built:", err)
	}
	syscall.Exit(126)
}

func (o order) carryOut() error {
	if err := o.mount(); err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	// Giving up capabilities has ended the promise to die with the server.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != o.Server {
		return errors.New("the server is gone")
	}
	if err := os.Chdir(o.Dir); err != nil { // not earlier: the folder may have been covered
		return err
	}
	if err := o.Limits.set(); err != nil { // last: they hold for this process too
		return err
	}
	return fmt.Errorf("%s: %w", o.Argv[0], syscall.Exec(o.Argv[0], o.Argv, o.Env))
}

// mount covers what is hidden and puts back what is not.
func (b Box) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("own mounts: %w", err)
	}
	var back []uncovered
	for n, path := range slices.Concat(b.Keep, b.Show) {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("keep %s: %w", path, err)
		}
		back = append(back, uncovered{path, fd, n >= len(b.Keep)})
	}
	for _, path := range b.Hide {
		if err := hide(path, back); err != nil {
			return fmt.Errorf("hide %s: %w", path, err)
		}
	}
	return nil
}

// uncovered is a folder below hidden ones that is put back.
type uncovered struct {
	path     string
	fd       int // what is there before anything is hidden
	readOnly bool
}

func hide(path string, back []uncovered) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return unix.Mount(os.DevNull, path, "", unix.MS_BIND, "")
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=64k"); err != nil {
		return err
	}
	for _, u := range back {
		if u.path != path && !strings.HasPrefix(u.path, path+string(filepath.Separator)) {
			continue
		}
		if err := u.putBack(); err != nil {
			return fmt.Errorf("put back %s: %w", u.path, err)
		}
	}
	return unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

func (u uncovered) putBack() error {
	if err := os.MkdirAll(u.path, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", u.fd), u.path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil || !u.readOnly {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(u.path, &st); err != nil {
		return err
	}
	// What restricts the mount already must be said again: only the machine's
	// own root may take it away.
	restricted := uintptr(st.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	return unix.Mount("", u.path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|restricted, "")
}

// dropCapabilities gives up what would let the program undo the box, also
// what programs with the set-user-id bit would give back.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const noRootLocked = 1<<0 | 1<<1 // SECBIT_NOROOT and its lock: being root gives no capabilities
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRootLocked, 0, 0, 0); err != nil {
		return fmt.Errorf("secure bits: %w", err)
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("capability %d: %w", c, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

// set has the limits hold for this process and all that it starts, for good.
// Memory is counted as RLIMIT_DATA does since Linux 4.7: what a program has
// reserved and cannot write to, as Go and Java do by the gigabyte, is free. Nobody
// needs the core files of what has crashed, which hold its secrets.
func (l Limits) set() error {
	limits := map[int]int64{unix.RLIMIT_CORE: 0}
	if l.Memory > 0 {
		limits[unix.RLIMIT_DATA] = l.Memory
	}
	if l.File > 0 {
		limits[unix.RLIMIT_FSIZE] = l.File
	}
	for which, most := range limits {
		var now unix.Rlimit
		err := unix.Getrlimit(which, &now)
		if err == nil {
			most := min(uint64(most), now.Max) // which only the machine's own root may raise
			err = unix.Setrlimit(which, &unix.Rlimit{Cur: most, Max: most})
		}
		if err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	return nil
}

// Available reports why programs cannot be boxed on this machine; nil if they can.
func Available() error {
	dir, err := os.MkdirTemp("", "hadron-sandbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := exists("/bin/true", "/usr/bin/true", "/bin/sh")
	if err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	// The thread that starts the probe must live as long as it does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	var p *os.Process
	box, err := Prepare([]*os.File{null, write, write}, nil)
	if err == nil {
		p, err = box.Start(Box{Hide: []string{dir}}, []string{program, "-c", ":"}, "/", []string{"PATH=/usr/bin:/bin"})
	}
	write.Close()
	if err != nil {
		return fmt.Errorf("the kernel allows no namespaces: %w", err)
	}
	said := make([]byte, 500)
	n, _ := read.Read(said)
	state, err := p.Wait()
	if err == nil && !state.Success() {
		err = errors.New(strings.TrimSpace(string(said[:n])))
	}
	return err
}

func exists(programs ...string) (string, error) {
	for _, p := range programs {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("none of %s is there", strings.Join(programs, ", "))
}
