package app

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// MasterKeyFile is where the master keys of a server are kept: one in each
// line, in base64. The first seals, the others only open.
func MasterKeyFile(data, configured string) string {
	return cmp.Or(configured, filepath.Join(data, "master.key"))
}

// MasterKeys are the keys of a file.
type MasterKeys [][]byte

// NewMasterKey makes a key.
func NewMasterKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key
}

func parseMasterKeys(file string, text []byte) (keys MasterKeys, err error) {
	for lines, n := bufio.NewScanner(bytes.NewReader(text)), 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d is damaged: %w", file, n, err)
		}
		if len(key) != 32 {
			return nil, fmt.Errorf("%s:%d: master key has %d bytes, want 32", file, n, len(key))
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no master key", file)
	}
	return keys, nil
}

// ReadMasterKeys reads the keys of a file.
func ReadMasterKeys(file string) (MasterKeys, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseMasterKeys(file, text)
}

// readMasterKey makes a Sealer of the keys of a file.
func readMasterKey(file string) (*auth.Sealer, error) {
	keys, err := ReadMasterKeys(file)
	if err != nil {
		return nil, err
	}
	return auth.NewSealer(keys...)
}

// Write puts the keys into a file, which a crash leaves whole.
func (k MasterKeys) Write(file string) error {
	var text strings.Builder
	for _, key := range k {
		text.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	}
	return writeFileAtomic(file, []byte(text.String()), 0o600)
}

// IDs name the keys.
func (k MasterKeys) IDs() (ids []string) {
	for _, key := range k {
		ids = append(ids, auth.MasterKeyID(key))
	}
	return ids
}

// masterKeys keeps a server's Sealer in step with the file of its keys.
type masterKeys struct {
	file   string
	store  *store.Store
	log    *slog.Logger
	sealer *auth.Sealer

	mu   sync.Mutex // over use
	text []byte     // of the file, as it was used last
}

// loadMasterKeys reads the master keys, or makes the first. Without the file a
// copy of the database tells nothing. Keys that do not open what the database's
// secrets were sealed with are refused: nodes would write what others cannot
// read.
func loadMasterKeys(ctx context.Context, c Config, db *store.Store, log *slog.Logger) (*masterKeys, error) {
	m := &masterKeys{file: MasterKeyFile(c.Data, c.MasterKeyFile), store: db, log: log}
	text, err := os.ReadFile(m.file)
	var keys MasterKeys
	fresh := errors.Is(err, fs.ErrNotExist) && c.MasterKeyFile == ""
	if fresh {
		keys = MasterKeys{NewMasterKey()}
	} else if err == nil {
		keys, err = parseMasterKeys(m.file, text)
	}
	if err != nil && !fresh {
		return nil, err
	}
	m.text = text
	if m.sealer, err = auth.NewSealer(keys...); err != nil {
		return nil, err
	}
	if err := m.check(ctx, m.sealer); err != nil {
		return nil, err
	}
	if fresh {
		if err := keys.Write(m.file); err != nil {
			return nil, err
		}
		m.text, err = os.ReadFile(m.file)
	}
	return m, err
}

const masterKeyCheck = "master-key-check"

// check opens what the first master key has sealed.
func (m *masterKeys) check(ctx context.Context, sealer *auth.Sealer) error {
	sealed, err := m.store.Remember(ctx, masterKeyCheck, sealer.Seal("hadron", masterKeyCheck))
	if err != nil {
		return err
	}
	if _, err = sealer.Open(sealed, masterKeyCheck); err != nil {
		return fmt.Errorf("%s is not the key that this database's secrets are sealed with: "+
			"copy master.key from the data folder that it was made in, or name it by --master-key-file: %w", m.file, err)
	}
	return nil
}

// forStore is what the store seals sensitive outputs with.
func (m *masterKeys) forStore() store.Sealer {
	return store.Sealer{
		Seal: func(text, name string) string { return m.sealer.Seal(auth.Secret(text), name) },
		Open: func(sealed, name string) (string, error) {
			text, err := m.sealer.Open(sealed, name)
			return string(text), err
		},
		Stale: m.sealer.Stale,
		Key:   func() string { return m.sealer.KeyIDs()[0] },
	}
}

// sealedColumns are all columns of the database that hold sealed values; what
// deployments hold the store knows itself.
var sealedColumns = []store.SealedColumn{
	{Table: "user_keys", Column: "secret", Of: []string{"id"}, Key: 1, Name: func(of []string) string { return of[0] }},
	{Table: "connections", Column: "token", Of: []string{"id"}, Key: 1, Name: func(of []string) string {
		return control.TokenName(proton.Connection{ID: of[0]})
	}},
	{Table: "connections", Column: "webhook_secret", Of: []string{"id"}, Key: 1, Name: func(of []string) string {
		return control.WebhookSecretName(proton.Connection{ID: of[0]})
	}},
	{Table: "tofu_state_versions", Column: "content", Of: []string{"state_id", "number"}, Key: 2, Name: func(of []string) string {
		return "tofu-state/" + of[0] + "/" + of[1]
	}},
	{Table: "audit_heads", Column: "seal", Of: []string{"account", "sequence", "hash"}, Key: 1, Name: func(of []string) string {
		return "audit head " + strings.Join(of, " ")
	}},
	{Table: "audit_heads", Column: "pruned_seal", Of: []string{"account", "pruned_sequence", "pruned_hash"}, Key: 1, Name: func(of []string) string {
		return "audit pruned " + strings.Join(of, " ")
	}},
	// all there is, but for the root key, which has its id beside it
	{Table: "meta", Column: "value", Of: []string{"name"}, Key: 1, Name: func(of []string) string { return of[0] }, Where: "name <> '" + rootKeyName + "'"},
}

// reseal seals anew what older keys have sealed. It may be cut off anywhere.
func (m *masterKeys) reseal(ctx context.Context) error {
	done, err := m.store.Reseal(ctx, sealedColumns)
	if err == nil {
		err = m.resealRootKey(ctx)
	}
	if err != nil {
		return err
	}
	if done.Damaged > 0 {
		m.log.Error("values in the database open with none of the master keys", "values", done.Damaged)
	}
	m.log.Info("all that can be opened is sealed with the first master key", "key", m.sealer.KeyIDs()[0], "sealed anew", done.Done)
	return nil
}

// resealRootKey seals the root key anew that servers share.
func (m *masterKeys) resealRootKey(ctx context.Context) error {
	kept, err := m.store.Kept(ctx, rootKeyName)
	id, sealed, _ := strings.Cut(kept, " ")
	if err != nil || kept == "" || !m.sealer.Stale(sealed) {
		return err
	}
	name := rootKeyName + " " + id
	secret, err := m.sealer.Open(sealed, name)
	if err != nil {
		return err
	}
	return m.store.Replace(ctx, rootKeyName, kept, id+" "+m.sealer.Seal(secret, name))
}

// stale counts what other keys than the first have sealed.
func (m *masterKeys) stale(ctx context.Context) (int, error) {
	n, err := m.store.Stale(ctx, sealedColumns)
	if err != nil {
		return 0, err
	}
	kept, err := m.store.Kept(ctx, rootKeyName)
	if _, sealed, _ := strings.Cut(kept, " "); kept != "" && m.sealer.Stale(sealed) {
		n++
	}
	return n, err
}

// status is what the API tells of the keys.
func (m *masterKeys) status(ctx context.Context) (control.MasterKeys, error) {
	ids := m.sealer.KeyIDs()
	n, err := m.stale(ctx)
	return control.MasterKeys{Key: ids[0], Others: ids[1:], SealedWithOthers: n}, err
}

// read takes up what is in the file now; true if it has changed.
func (m *masterKeys) read(ctx context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, err := os.ReadFile(m.file)
	if err != nil || bytes.Equal(text, m.text) {
		return false, err
	}
	keys, err := parseMasterKeys(m.file, text)
	if err != nil {
		return false, err
	}
	trial, err := auth.NewSealer(keys...)
	if err != nil {
		return false, err
	}
	if err := m.check(ctx, trial); err != nil {
		return false, err
	}
	m.text = text
	return true, m.sealer.Use(keys...)
}

// keep reads the keys anew when their file changes, and seals anew what has to
// be, until ctx ends.
func (m *masterKeys) keep(ctx context.Context) {
	pending, said := len(m.sealer.KeyIDs()) > 1, ""
	for tick := time.Tick(certificateEvery); ; {
		if pending {
			err := m.reseal(ctx)
			if pending = err != nil && ctx.Err() == nil; pending {
				m.log.Warn("secrets could not be sealed anew; it is tried again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		changed, err := m.read(ctx)
		if changed {
			m.log.Info("the master keys were read anew", "keys", m.sealer.KeyIDs())
			pending = true
		}
		now := ""
		if err != nil {
			if now = err.Error(); now != said {
				m.log.Error("the master keys cannot be read anew; those that are known stay in use", "err", err)
			}
		}
		said = now
	}
}

// Without answers the keys but for the named.
func (k MasterKeys) Without(ids ...string) (rest MasterKeys) {
	for _, key := range k {
		if !slices.Contains(ids, auth.MasterKeyID(key)) {
			rest = append(rest, key)
		}
	}
	return rest
}

// warnOfModes says what of the data folder others than the server's user may
// read or change.
func warnOfModes(c Config, log *slog.Logger) {
	for _, path := range []string{c.Data, MasterKeyFile(c.Data, c.MasterKeyFile), CredentialsFile(c.Data), filepath.Join(c.Data, "hadron.db")} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 == 0 || path == c.Data && info.Mode().Perm()&0o022 == 0 {
			continue // a folder that others may look into: its files are not theirs to read
		}
		log.Warn("others on this machine may read or change what is the server's: chmod go-rwx", "path", path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
}
