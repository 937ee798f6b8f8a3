package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// Sealer keeps secrets at rest: what it has sealed can only be opened with the
// same 32-byte key, and only as what it was sealed as. It seals with the first
// of its keys, and each sealed value names its key, so that values of keys that
// it had before can be opened as long as it has them.
type Sealer struct{ ring atomic.Pointer[[]masterKey] }

type masterKey struct {
	id   string
	aead cipher.AEAD
}

// MasterKeyID names a key without telling it.
func MasterKeyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("hadron master key "), key...))
	return hex.EncodeToString(sum[:8])
}

// NewSealer makes a Sealer of 32-byte keys.
func NewSealer(keys ...[]byte) (*Sealer, error) {
	s := &Sealer{}
	return s, s.Use(keys...)
}

// Use gives the Sealer other keys.
func (s *Sealer) Use(keys ...[]byte) error {
	if len(keys) == 0 {
		return errors.New("there is no master key")
	}
	var ring []masterKey
	for _, key := range keys {
		if len(key) != 32 {
			return fmt.Errorf("master key has %d bytes, want 32", len(key))
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return err
		}
		ring = append(ring, masterKey{MasterKeyID(key), aead})
	}
	s.ring.Store(&ring)
	return nil
}

// KeyIDs name the keys, first the one that seals.
func (s *Sealer) KeyIDs() (ids []string) {
	for _, k := range *s.ring.Load() {
		ids = append(ids, k.id)
	}
	return ids
}

// Stale reports whether a value was sealed with another key than the one that
// seals now.
func (s *Sealer) Stale(sealed string) bool {
	id, _, named := strings.Cut(sealed, ".")
	return !named || id != (*s.ring.Load())[0].id
}

// Seal encrypts a secret that belongs to name.
func (s *Sealer) Seal(secret Secret, name string) string {
	k := (*s.ring.Load())[0]
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce) // never fails
	return k.id + "." + base64.StdEncoding.EncodeToString(k.aead.Seal(nonce, nonce, []byte(secret), []byte(name)))
}

// Open decrypts the secret that belongs to name.
func (s *Sealer) Open(sealed, name string) (Secret, error) {
	id, rest, named := strings.Cut(sealed, ".")
	if !named { // sealed before keys had names
		id, rest = "", sealed
	}
	raw, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return "", errors.New("sealed secret is damaged")
	}
	err = fmt.Errorf("sealed with master key %s, which this server does not have", id)
	for _, k := range *s.ring.Load() {
		if id != "" && id != k.id {
			continue
		}
		var secret Secret
		if secret, err = k.open(raw, name); err == nil {
			return secret, nil
		}
	}
	return "", err
}

func (k masterKey) open(raw []byte, name string) (Secret, error) {
	n := k.aead.NonceSize()
	if len(raw) < n {
		return "", errors.New("sealed secret is damaged")
	}
	secret, err := k.aead.Open(nil, raw[:n], raw[n:], []byte(name))
	if err != nil {
		return "", fmt.Errorf("sealed secret of %s: wrong master key, or damaged: %w", name, err)
	}
	return Secret(secret), nil
}
