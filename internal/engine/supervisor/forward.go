package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// forward passes a program's connections on to the server, until it is cut. The
// program then meets a server that is gone, which it can cope with, and not one
// that stands still and never answers.
//
// It does without package net, for which a supervisor would start later.
type forward struct {
	to       unix.SockaddrInet4
	port     int
	listener *os.File

	mu   sync.Mutex
	open map[*os.File]bool // nil once it is cut
}

// newForward listens on a port of this machine for connections to an address in
// the form of 127.0.0.1:8080.
func newForward(address string) (*forward, error) {
	f := &forward{open: map[*os.File]bool{}}
	a := &f.to.Addr
	if _, err := fmt.Sscanf(address, "%d.%d.%d.%d:%d", &a[0], &a[1], &a[2], &a[3], &f.to.Port); err != nil {
		return nil, fmt.Errorf("forward to %q: must be an IPv4 address and a port", address)
	}
	fd, err := socket()
	if err != nil {
		return nil, err
	}
	f.listener = os.NewFile(uintptr(fd), "listener")
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		f.listener.Close()
		return nil, fmt.Errorf("forward to %s: %w", address, err)
	}
	if own, err := unix.Getsockname(fd); err == nil {
		f.port = own.(*unix.SockaddrInet4).Port
	}
	go f.accept()
	return f, nil
}

// socket returns a socket that Go's poller takes.
func socket() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
		err = unix.SetNonblock(fd, true)
	}
	return fd, err
}

// through rewrites the URLs of the address in variables.
func (f *forward) through(address string, env []string) []string {
	own := fmt.Sprintf("http://127.0.0.1:%d/", f.port)
	rewritten := make([]string, len(env))
	for n, pair := range env {
		rewritten[n] = strings.ReplaceAll(pair, "http://"+address+"/", own)
	}
	return rewritten
}

func (f *forward) accept() {
	listener, err := f.listener.SyscallConn()
	for err == nil {
		fd := -1
		var failed error
		err = listener.Read(func(l uintptr) bool { // ends with an error when the listener is closed
			syscall.ForkLock.RLock()
			fd, _, failed = unix.Accept(int(l))
			if failed == nil {
				unix.CloseOnExec(fd)
				failed = unix.SetNonblock(fd, true)
			}
			syscall.ForkLock.RUnlock()
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err == nil && failed == nil {
			go f.serve(os.NewFile(uintptr(fd), "program"))
		}
	}
}

func (f *forward) serve(program *os.File) {
	fd, err := socket()
	if err != nil {
		program.Close()
		return
	}
	to := f.to // which Connect writes to
	if err = unix.Connect(fd, &to); errors.Is(err, unix.EINPROGRESS) {
		err = nil // the first write waits
	}
	server := os.NewFile(uintptr(fd), "server")
	if !f.keep(program, server) || err != nil {
		f.drop(program, server)
		return
	}
	go func() {
		io.Copy(server, program)
		f.drop(program, server)
	}()
	io.Copy(program, server)
	f.drop(program, server)
}

func (f *forward) keep(ends ...*os.File) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, end := range ends {
		if f.open != nil {
			f.open[end] = true
		}
	}
	return f.open != nil
}

func (f *forward) drop(ends ...*os.File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, end := range ends {
		end.Close()
		delete(f.open, end)
	}
}

// cut ends all connections, and refuses others.
func (f *forward) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listener.Close()
	for end := range f.open {
		end.Close()
	}
	f.open = nil
}
