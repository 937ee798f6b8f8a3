package gittest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// SSH is an SSH server that does what sshd does for git: it runs git's own
// programs for who has one key.
type SSH struct {
	URL  string
	Key  string // the private one that is let in
	root string
	t    testing.TB
	stop func()
}

// SSH serves the repositories at an address, or a free one if it is empty.
// Without an SSH client the test is skipped, in CI it fails.
func (s *Server) SSH(t testing.TB, address string) *SSH {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	key, public := NewKey(t)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
		if string(offered.Marshal()) != string(public.Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	host, _ := NewKey(t)
	signer, err := ssh.ParsePrivateKey([]byte(host))
	if err != nil {
		t.Fatal(err)
	}
	config.AddHostKey(signer)
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	served := &SSH{URL: "ssh://git@" + listener.Addr().String(), Key: key, root: s.Root, t: t, stop: func() { listener.Close() }}
	t.Cleanup(served.stop)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go served.connection(c, config)
		}
	}()
	return served
}

// Address is where it listens.
func (s *SSH) Address() string { return strings.TrimPrefix(s.URL, "ssh://git@") }

// Stop takes it away.
func (s *SSH) Stop() { s.stop() }

// NewKey makes a private key, as a file has it, and its public one.
func NewKey(t testing.TB) (string, ssh.PublicKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), public
}

func (s *SSH) connection(c net.Conn, config *ssh.ServerConfig) {
	defer c.Close()
	_, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return // the client was not let in, or left
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go s.session(channel, requests)
	}
}

// session runs the one program that is asked for.
func (s *SSH) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			r.Reply(r.Type == "env", nil)
			continue
		}
		r.Reply(true, nil)
		program, folder, _ := strings.Cut(string(r.Payload[4:]), " ")
		code := s.run(channel, strings.TrimPrefix(program, "git-"), strings.Trim(folder, "'"))
		channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(code)))
		return
	}
}

func (s *SSH) run(channel ssh.Channel, program, folder string) int {
	if program != "upload-pack" && program != "receive-pack" {
		return 126
	}
	cmd := exec.CommandContext(context.WithoutCancel(s.t.Context()), "git", program, filepath.Join(s.root, filepath.Clean("/"+folder)))
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME="+s.root)
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return 127
	}
	go func() {
		defer in.Close()
		buffer := make([]byte, 32<<10)
		for {
			n, err := channel.Read(buffer)
			if n > 0 {
				if _, err := in.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	_ = cmd.Wait() // its exit is told
	return cmd.ProcessState.ExitCode()
}
