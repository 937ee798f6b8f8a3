package conformance

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hadronhq/hadron/internal/oidc/oidctest"
)

// writeFile puts text into a file of a folder and answers its path.
func writeFile(t *testing.T, folder, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate writes a new pair for 127.0.0.1, and answers it in PEM.
func certificate(t *testing.T, folder string, serial int64) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "hadron"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, folder, "tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	writeFile(t, folder, "tls.crt", text)
	return text
}

const whoAmI = `import boto3
print(boto3.client("sts").get_caller_identity()["Arn"])
print(len(boto3.client("proton").list_services()["services"]))
`

// Stock clients speak TLS to the server itself, and become a role with a token
// of an identity provider by their own means: a file and the role's ARN.
func TestClientsSpeakTLSAndBringTokens(t *testing.T) {
	t.Parallel()
	bin := clients(t)
	dir := t.TempDir()
	provider := oidctest.New(t)
	ca := certificate(t, dir, 1)
	bundle := writeFile(t, dir, "ca.pem", ca)
	address := freeAddress()
	var log bytes.Buffer
	server := exec.Command(binary, "serve", "--listen", address, "--data", filepath.Join(dir, "data"),
		"--tls-cert", filepath.Join(dir, "tls.crt"), "--tls-key", filepath.Join(dir, "tls.key"), "--identity-provider-ca", provider.CA())
	server.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "HADRON_ROOT_ACCESS_KEY_ID=" + rootKey, "HADRON_ROOT_SECRET_ACCESS_KEY=" + rootSecret}
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		if err := server.Wait(); err != nil {
			t.Errorf("hadron serve: %v\n%s", err, log.String())
		}
	})
	base := []string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "AWS_ENDPOINT_URL=https://" + address, "AWS_CA_BUNDLE=" + bundle, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "LANG=C.UTF-8",
	}
	root := append([]string{"AWS_ACCESS_KEY_ID=" + rootKey, "AWS_SECRET_ACCESS_KEY=" + rootSecret}, base...)
	output := func(env []string, name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	want := func(text string, env []string, name string, args ...string) {
		t.Helper()
		if out, err := output(env, name, args...); err != nil || !strings.Contains(out, text) {
			t.Errorf("%s %v: %v\n%s\nwant %s", filepath.Base(name), args, err, out, text)
		}
	}
	for n := 0; ; n++ {
		if _, err := output(root, binary, "user", "list"); err == nil {
			break
		} else if n == 300 {
			t.Fatal("the server was not ready in time")
		}
		time.Sleep(50 * time.Millisecond)
	}
	want("Made arn:aws:iam::000000000000:oidc-provider/"+provider.Host, root, binary, "identity-provider", "create", provider.URL, "--client-id", oidctest.Client)
	trust, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": map[string]any{"Federated": "arn:aws:iam::000000000000:oidc-provider/" + provider.Host},
		"Condition": map[string]any{"StringLike": map[string]any{provider.Host + ":sub": "repo:acme/*"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want("Made arn:aws:iam::000000000000:role/ci", root, binary, "role", "create", "ci", "--trust", writeFile(t, dir, "trust.json", trust), "--policy", "HadronReadOnlyAccess")

	token := func(name, subject string) []string {
		text := provider.Sign("RS256", provider.Claims(subject))
		return append([]string{
			"AWS_WEB_IDENTITY_TOKEN_FILE=" + writeFile(t, dir, "token", []byte(text)), "AWS_ROLE_ARN=arn:aws:iam::000000000000:role/ci", "AWS_ROLE_SESSION_NAME=" + name,
		}, base...)
	}
	job := token("build-7", "repo:acme/app:ref:refs/heads/main")
	const session = "arn:aws:sts::000000000000:assumed-role/ci/build-7"
	aws, python := filepath.Join(bin, "aws"), filepath.Join(bin, "python3")
	want(session, job, aws, "sts", "get-caller-identity")
	want(session+"\n0", job, python, "-c", whoAmI)
	want(`"services": []`, job, aws, "proton", "list-services", "--output", "json")

	second := append(ca, certificate(t, dir, 2)...)
	writeFile(t, dir, "ca.pem", second[len(ca):]) // what had the first certificate's trust is not trusted any more
	if err := server.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if _, err := output(root, binary, "user", "list"); err == nil {
			break
		} else if n == 300 {
			t.Fatal("the new certificate is not shown")
		}
		time.Sleep(50 * time.Millisecond)
	}
	want(session, job, aws, "sts", "get-caller-identity")

	out, err := output(token("build-8", "repo:evil/app:ref:refs/heads/main"), aws, "sts", "get-caller-identity")
	if err == nil || !strings.Contains(out, "(AccessDenied)") || !strings.Contains(out, "Not authorized to perform sts:AssumeRoleWithWebIdentity") {
		t.Errorf("another's token: %v\n%s", err, out)
	}
}
