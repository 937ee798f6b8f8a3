package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
)

// Sealer keeps secrets at rest: what it has sealed can only be opened with the
// same 32-byte key, and only as what it was sealed as.
type Sealer struct{ aead cipher.AEAD }

// NewSealer makes a Sealer of a 32-byte key.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("master key has %d bytes, want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &Sealer{aead}, err
}

// Seal encrypts a secret that belongs to name.
func (s *Sealer) Seal(secret Secret, name string) string {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce) // never fails
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(secret), []byte(name)))
}

// Open decrypts the secret that belongs to name.
func (s *Sealer) Open(sealed, name string) (Secret, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return "", errors.New("sealed secret is damaged")
	}
	n := s.aead.NonceSize()
	secret, err := s.aead.Open(nil, raw[:n], raw[n:], []byte(name))
	if err != nil {
		return "", fmt.Errorf("sealed secret of %s: wrong master key, or damaged: %w", name, err)
	}
	return Secret(secret), nil
}
