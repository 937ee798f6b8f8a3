package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/sandbox"
	"github.com/hadronhq/hadron/internal/store"
)

// Finding is what an examination says of one thing.
type Finding struct {
	Check   string `json:"check"`
	State   State  `json:"state"`
	Message string `json:"message"`
	// Why it is so, and the command or deed that helps; empty where all is well.
	Why  string `json:"why,omitempty"`
	Help string `json:"help,omitempty"`
}

// State says how bad a finding is.
type State string

const (
	Good    State = "ok"
	Notable State = "note"    // it works, and might work better
	Problem State = "problem" // somebody has to do something
)

// doctor examines an installation. It changes nothing.
type doctor struct {
	Config
	findings []Finding
	served   bool // a server runs
}

// Examine looks for what keeps an installation from working, whether its
// server runs or not. It reads what the configuration names and changes
// nothing.
func Examine(ctx context.Context, c Config) []Finding {
	d := &doctor{Config: c}
	d.folder()
	d.certificate()
	d.server(ctx)
	d.database(ctx)
	d.engines()
	return d.findings
}

func (d *doctor) good(check, format string, args ...any) {
	d.findings = append(d.findings, Finding{Check: check, State: Good, Message: fmt.Sprintf(format, args...)})
}

func (d *doctor) found(state State, check, message, why, help string) {
	d.findings = append(d.findings, Finding{check, state, message, why, help})
}

// leastSpace is how many bytes should be free where the data is.
const leastSpace = 1 << 30

// folder looks at the data folder: who may read it, and how full its disk is.
func (d *doctor) folder() {
	const check = "data folder"
	info, err := os.Stat(d.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.found(Notable, check, d.Data+" is not there", "no server was started with it yet, or with another --data", "hadron serve --data "+d.Data)
		return
	case err != nil:
		d.found(Problem, check, "cannot be looked at", err.Error(), "run this as the server's user")
		return
	case !info.IsDir():
		d.found(Problem, check, d.Data+" is not a folder", "", "name another by --data")
		return
	}
	closed := d.closed(check, d.Data, Notable, "others on this machine can see what is there, though not read it")
	for _, name := range []string{"master.key", "credentials", "hadron.db"} {
		closed = d.closed(check, filepath.Join(d.Data, name), Problem, "others on this machine can read what is secret there") && closed
	}
	free, err := freeSpace(d.Data)
	switch {
	case err == nil && free < leastSpace:
		d.found(Problem, check, fmt.Sprintf("%d MB are free where %s is", free>>20, d.Data), "a full disk stops every write", "df -h "+d.Data)
	case closed:
		d.good(check, "%s is its owner's alone", d.Data)
	}
}

// closed sees whether a file is its owner's alone.
func (d *doctor) closed(check, file string, state State, why string) bool {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return true
	}
	if info.Mode().Perm()&0o022 != 0 {
		state, why = Problem, "others on this machine can change it"
	}
	d.found(state, check, fmt.Sprintf("%s has mode %04o", file, info.Mode().Perm()), why, "chmod go-rwx "+file)
	return false
}

// soonEnds is how long before its end a certificate is complained about.
const soonEnds = 14 * 24 * time.Hour

func (d *doctor) certificate() {
	const check = "certificate"
	if d.TLSCert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(d.TLSCert, d.TLSKey)
	if err != nil {
		d.found(Problem, check, "cannot be used", err.Error(), "give --tls-cert and --tls-key files in PEM that belong together, which the server's user can read")
		return
	}
	left := time.Until(pair.Leaf.NotAfter)
	switch ends := pair.Leaf.NotAfter.UTC().Format(time.DateOnly); {
	case left < 0:
		d.found(Problem, check, d.TLSCert+" ended on "+ends, "clients refuse it", "put a new one in its place; a running server takes it up by itself")
	case left < soonEnds:
		d.found(Problem, check, fmt.Sprintf("%s ends on %s, in %d days", d.TLSCert, ends, int(left.Hours()/24)), "clients will refuse it", "put a new one in its place; a running server takes it up by itself")
	default:
		d.good(check, "%s is good until %s", d.TLSCert, ends)
	}
}

// server asks the server whether it is ready.
func (d *doctor) server(ctx context.Context) {
	const check = "server"
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	url := d.address()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		d.found(Problem, check, url+" is no address", err.Error(), "")
		return
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} // who it is does not matter here
	answer, err := client.Do(r)
	if d.served = err == nil || store.Served(d.Config.database()); err != nil && d.served {
		d.found(Notable, check, "no server answers at "+url+", though one holds the database", rootCause(err), "give its --listen, as it was given")
		return
	}
	if err != nil {
		d.found(Notable, check, "no server answers at "+url, rootCause(err), "hadron serve")
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		d.found(Problem, check, fmt.Sprintf("the server at %s is not ready: %s", url, answer.Status), "it stops just now, or its database does not answer", "look at its log")
		return
	}
	d.good(check, "%s is ready", url)
}

// address is where a server of this configuration listens on this machine.
func (d *doctor) address() string {
	scheme := "http://"
	if d.TLSCert != "" {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(d.Listen)
	if err != nil {
		return scheme + d.Listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + net.JoinHostPort(host, port)
}

// rootCause is the innermost of an error's errors, which is what has happened.
func rootCause(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

// engines looks for the programs that deployments are carried out with.
func (d *doctor) engines() {
	programs := []string{"tofu", "terraform"}
	if d.Tofu != "" {
		programs = []string{d.Tofu}
	}
	found := ""
	for _, name := range programs {
		found = cmp.Or(found, engine.FindProgram(os.Getenv("PATH"), name))
	}
	switch {
	case found != "":
		d.good("OpenTofu", "%s", found)
	case d.Tofu != "":
		d.found(Problem, "OpenTofu", d.Tofu+" cannot be run", "HADRON_TOFU or --tofu names it", "name the path of a tofu or terraform program")
	default:
		d.found(Notable, "OpenTofu", "neither tofu nor terraform is in PATH", "templates of Terraform files cannot be deployed by this machine", "install OpenTofu, or name it by --tofu")
	}
	if git, err := exec.LookPath("git"); err != nil {
		d.found(Notable, "git", "is not in PATH", "repositories cannot be synced, and no pull requests opened", "install git")
	} else {
		d.good("git", "%s", git)
	}
	why := sandbox.Available()
	switch {
	case d.Sandbox == "off":
		d.found(Notable, "sandbox", "is switched off", "what templates run can read the server's files", "--sandbox auto")
	case why == nil:
		d.good("sandbox", "what templates run is kept from the server's files")
	case d.Sandbox == "require" || d.runLimits() != (sandbox.Limits{}):
		d.found(Problem, "sandbox", "is required and cannot be had: the server does not start", why.Error(), "allow user namespaces on this machine (docs/security.md)")
	default:
		d.found(Notable, "sandbox", "cannot be had on this machine", why.Error(), "allow user namespaces on this machine (docs/security.md)")
	}
}

// masterKey reads the key that secrets are sealed with; nil if it can't.
func (d *doctor) masterKey() *auth.Sealer {
	const check = "master key"
	file := cmp.Or(d.MasterKeyFile, filepath.Join(d.Data, "master.key"))
	sealer, err := readMasterKey(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.found(Problem, check, file+" is not there", "what is sealed in the database (users' secrets, git credentials, OpenTofu's states) cannot be read, and the server refuses to start",
			"put the file back from a backup, or name it by --master-key-file")
	case err != nil:
		d.found(Problem, check, "cannot be used", err.Error(), "put the file back from a backup; it is 32 bytes in base64")
	}
	return sealer
}

// oneLine is text of the database in one line of bounded length.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "…"
	}
	return text
}
