package crash

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// proxy is the way to a database, which can be cut or go dead.
type proxy struct {
	listener net.Listener
	network  string
	address  string

	mu   sync.Mutex
	held *sync.Cond
	dead bool // takes everything and passes on nothing
	open map[net.Conn]bool
}

// newProxy listens for connections to a PostgreSQL server and answers the URL to
// reach it by.
func newProxy(t *testing.T, database string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	p := &proxy{network: "tcp", address: u.Host, open: map[net.Conn]bool{}}
	p.held = sync.NewCond(&p.mu)
	if dir := query.Get("host"); strings.HasPrefix(dir, "/") {
		p.network, p.address = "unix", dir+"/.s.PGSQL.5432"
	}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.listener.Close()
		p.set(false)
		p.cut()
	})
	go func() {
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	query.Del("host")
	query.Set("sslmode", "disable")
	u.Host, u.RawQuery = p.listener.Addr().String(), query.Encode()
	return p, u.String()
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial(p.network, p.address)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	p.mu.Unlock()
	go p.pass(server, client)
	p.pass(client, server)
}

func (p *proxy) pass(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.dead {
			p.held.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range []net.Conn{to, from} {
		conn.Close()
		delete(p.open, conn)
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		conn.Close()
	}
}

// set makes the way dead: nothing comes through, and nobody is told; or ends that.
func (p *proxy) set(dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = dead
	p.held.Broadcast()
}
