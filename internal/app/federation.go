package app

import (
	"crypto/x509"
	"fmt"
	"os"

	"github.com/hadronhq/hadron/internal/oidc"
	"github.com/hadronhq/hadron/internal/sts"
)

// newTokenVerifier makes what holds identity providers' tokens against their
// keys.
func newTokenVerifier(c Config) (*oidc.Verifier, error) {
	roots, err := identityRoots(c.IdentityProviderCA)
	if err != nil {
		return nil, fmt.Errorf("identity-provider-ca: %w", err)
	}
	return &oidc.Verifier{Client: oidc.NewClient(roots)}, nil
}

// identityRoots are the system's authorities and those of a file; nil without
// one: the system's.
func identityRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return roots, nil
}

// identities proves who holds tokens that others have issued.
func (s *Server) identities() *sts.Providers {
	p := &sts.Providers{Store: s.store, Verifier: s.tokens, Logger: s.log}
	if s.config.AWSSignIn != "" {
		p.AWS = &sts.AWSIdentities{Audience: s.config.AWSSignIn, Endpoint: s.config.StsEndpoint}
	}
	return p
}
