package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificateEvery is how often a certificate's files are looked at.
const certificateEvery = 2 * time.Second

// certificate is the one that the server shows, read anew when its files
// change. Connections that are open keep the one they began with.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]

	mu        sync.Mutex
	cert, key []byte // as they were read last
	bad       error  // why they cannot be used
}

// loadCertificate reads the certificate of a configuration; nil if it has none.
func loadCertificate(c Config, log *slog.Logger) (*certificate, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	k := &certificate{certFile: c.TLSCert, keyFile: c.TLSKey, log: log}
	return k, k.read()
}

// read takes what is in the files, if it is another than before and good.
func (k *certificate) read() error {
	cert, err := os.ReadFile(k.certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(k.keyFile)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if bytes.Equal(cert, k.cert) && bytes.Equal(key, k.key) {
		return k.bad
	}
	k.cert, k.key = cert, key
	k.bad = k.take()
	return k.bad
}

func (k *certificate) take() error {
	pair, err := tls.X509KeyPair(k.cert, k.key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", k.certFile, k.keyFile, err)
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("%s: the certificate ended on %s", k.certFile, pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	if k.current.Swap(&pair) != nil {
		k.log.Info("a new certificate is in use", "file", k.certFile, "subject", pair.Leaf.Subject.String(), "ends", pair.Leaf.NotAfter)
	}
	return nil
}

// watch looks at the files each time, until ctx ends. What cannot be used is
// said once, and the old certificate stays in use.
func (k *certificate) watch(ctx context.Context, each <-chan time.Time) {
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-each:
		}
		now := ""
		if err := k.read(); err != nil {
			now = err.Error()
			if now != said {
				k.refused(err)
			}
		}
		said = now
	}
}

func (k *certificate) refused(err error) {
	k.log.Error("the new certificate cannot be used; the old one stays in use", "err", err)
}

// config is TLS as the server speaks it.
func (k *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil },
	}
}

// ReloadCertificate reads the certificate's files at once.
func (s *Server) ReloadCertificate() error {
	if s.certificate == nil {
		return errors.New("the server has no certificate")
	}
	err := s.certificate.read()
	if err != nil {
		s.certificate.refused(err)
	}
	return err
}
