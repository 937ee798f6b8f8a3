package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/store"
)

// Config is all that can be set about a server. Each field has a flag
// (--listen) and an environment variable (HADRON_LISTEN), and a key of the same
// name in the configuration file (listen). Flags win, then environment, then
// file.
type Config struct {
	// Listen is the address the server listens on: host:port. Anything but a
	// loopback address is reachable from other machines.
	Listen string `setting:"listen" default:"127.0.0.1:8080"`
	// Data is the folder for the database, buckets, work folders and the root
	// key. It is made if it is not there.
	Data string `setting:"data" default:"./hadron-data"`
	// Database is where state is kept: empty for a SQLite file in the data
	// folder, sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE, which many
	// servers can share. Other users of a machine can see flags: give a password
	// by environment, file or PGPASSFILE.
	Database string `setting:"database" secret:"true"`
	// MasterKeyFile is the file of the key that secrets in the database are sealed with:
	// 32 bytes in base64, and while it is rotated one more in each line. Without one, a key is made at first start and kept in
	// DATA/master.key. Servers that share a database need the same key.
	MasterKeyFile string `setting:"master-key-file"`
	// PublicURL is how others reach this server, as http://host:port; by
	// default the listen address. Commands that report outputs are given it, or
	// with TLS a plain address of this machine that needs no certificate.
	PublicURL string `setting:"public-url"`
	// TLSCert is a file with the certificate that the server speaks TLS with
	// (1.2 and 1.3, HTTP/1.1 and HTTP/2) and those that lead to its authority, in
	// PEM. It is read anew when it changes, and on SIGHUP; a new pair that cannot
	// be used is logged, and the old one stays. Without one the server speaks
	// plain HTTP.
	TLSCert string `setting:"tls-cert"`
	// TLSKey is the file with the private key of that certificate, in PEM.
	TLSKey string `setting:"tls-key"`
	// HSTSSeconds is for how long browsers that have been here are to come by TLS
	// alone, to any port of this host; 0 does not say so. It is sent with TLS only.
	HSTSSeconds int `setting:"hsts-seconds" default:"31536000"`
	// AccountID is the account of the root access key: 12 digits.
	AccountID string `setting:"account-id" default:"000000000000"`
	// RootAccessKeyID is the access key that may do everything in its account.
	// Without one, a key is made at first start and kept in DATA/credentials.
	RootAccessKeyID string `setting:"root-access-key-id"`
	// RootSecretAccessKey is the secret of that key. Other users of a machine
	// can see flags: give it by environment or file.
	RootSecretAccessKey string `setting:"root-secret-access-key" secret:"true"`
	// LogLevel is how much is logged: debug, info, warn or error.
	LogLevel string `setting:"log-level" default:"info"`
	// LogFormat is the form of log lines: text or json.
	LogFormat string `setting:"log-format" default:"text"`
	// OtlpEndpoint is the URL that traces are sent to, as OTLP over HTTP
	// (http/protobuf); /v1/traces is added to one without a path. Without it,
	// OpenTelemetry's own variables count (OTEL_EXPORTER_OTLP_ENDPOINT and its
	// like); without them none are made.
	OtlpEndpoint string `setting:"otlp-endpoint"`
	// OtlpHeaders are sent along with traces, as name=value pairs with commas
	// between them.
	OtlpHeaders string `setting:"otlp-headers" secret:"true"`
	// Concurrency is how many deployments this process works on at once.
	Concurrency int `setting:"concurrency" default:"100"`
	// WorkLimits are how many deployments this process works on at once with an
	// engine (cloudformation, opentofu, command, pull-request), as
	// opentofu=4,command=8. What has to wait for its engine keeps nobody else's
	// deployments waiting. Engines that are not named share what concurrency says.
	WorkLimits string `setting:"work-limits"`
	// RedeployInstances says when a service instance is deployed anew without a
	// call that asks for it: never, as on Proton, or components: when a component
	// is attached to it or detached, or its outputs change.
	RedeployInstances string `setting:"redeploy-instances" default:"never"`
	// StopGrace is for how many seconds a server that stops lets deployments go
	// on before it stops them too and leaves them to the next, or to another.
	StopGrace int `setting:"stop-grace" default:"5"`
	// PreviewTimeout is how many seconds a deployment waits for the preview of
	// what it will change before it goes on without; 0 makes no previews.
	PreviewTimeout int `setting:"preview-timeout" default:"30"`
	// StepAttempts is how often in a row the step of a deployment is tried that
	// can't be taken (the network is gone, a disk full), after 2, 4, 8 … up to 256
	// seconds, before the deployment fails: 8 are about four minutes.
	StepAttempts int `setting:"step-attempts" default:"8"`
	// StrictSpecs refuses specs with inputs that the template does not have, and
	// with keys that mean nothing, when they are given. By default, as on Proton,
	// they are accepted, not used, and named in the deployment's log.
	StrictSpecs bool `setting:"strict-specs" default:"false"`
	// ThrottleRate is how many calls a second each user or role may make, with a
	// burst of twice as many; more are answered ThrottlingException, which SDKs
	// wait and try again for. 0 does not limit.
	ThrottleRate int `setting:"throttle-rate" default:"0"`
	// AuditRetention is for how many days records of the audit log are kept; older
	// ones are removed from its beginning, and what is left can still be verified.
	// 0 keeps all. Export them first (hadron audit export).
	AuditRetention int `setting:"audit-retention" default:"0"`
	// GitPollInterval is how often, in seconds, linked repositories and open pull
	// requests are looked at; webhooks tell of changes at once.
	GitPollInterval int `setting:"git-poll-interval" default:"60"`
	// GitRepositoryLimit is how many bytes a repository that is synced may have.
	GitRepositoryLimit int `setting:"git-repository-limit" default:"262144000"`
	// PullRequestTimeout is how long, in seconds, a pull request of self-managed
	// provisioning may stay undecided, or merged without a report, before its
	// deployment fails; 0 is for ever, as it was with Proton.
	PullRequestTimeout int `setting:"pull-request-timeout" default:"0"`
	// ConfirmRemovals is whether removals by pull request wait until their end is
	// reported, too: true or false. By default their merge ends them, for the
	// automation that Proton published does not report removals.
	ConfirmRemovals bool `setting:"confirm-removals" default:"false"`
	// BundleLimits is a JSON object of limits of template bundles that differ
	// from Proton's, as {"bundleBytes": 10485760}; docs/templates.md lists them.
	BundleLimits string `setting:"bundle-limits"`
	// Tofu is the OpenTofu or Terraform program, a path or a name in PATH; by
	// default the first of tofu and terraform that is in PATH.
	Tofu string `setting:"tofu"`
	// CommandAssumeRole has commands run with the credentials of the codebuild
	// role that is given, assumed with STS: true or false. By default they have
	// the server's own, because that role mostly trusts the build service only.
	CommandAssumeRole bool `setting:"command-assume-role" default:"false"`
	// Sandbox says how what templates run (commands, OpenTofu) is kept from the
	// server's own files and processes: auto, where the machine allows
	// namespaces; require, or the server does not start; or off.
	Sandbox string `setting:"sandbox" default:"auto"`
	// RunMemoryLimit is how many bytes of memory each process of what templates
	// run (commands, OpenTofu, its providers) may have, 134217728 at least. 0 does
	// not limit: what a provider needs nobody knows beforehand. It needs the
	// sandbox; commands in containers have their runtime's own (container-options).
	RunMemoryLimit int `setting:"run-memory-limit" default:"0"`
	// RunFileLimit is how many bytes each file may have that what templates run
	// writes, 1048576 at least; 0 does not limit. OpenTofu unpacks providers, some
	// of which have several hundred megabytes. It needs the sandbox, and does not
	// hold for commands in containers.
	RunFileLimit int `setting:"run-file-limit" default:"0"`
	// ContainerRuntime has commands (Proton's CodeBuild method) run in containers
	// instead of on the server's machine: podman, docker, or another program that
	// is called as they are, in PATH or by its path.
	ContainerRuntime string `setting:"container-runtime"`
	// ContainerImage is the image of those containers for manifests that name one
	// of the build service's (aws/codebuild/...), which nobody else has; others
	// get what they name. It needs a shell, sh, and what the commands call.
	ContainerImage string `setting:"container-image"`
	// ContainerOptions are further options of the runtime's "run", separated by
	// spaces, such as --memory=512m --network=host.
	ContainerOptions string `setting:"container-options"`
	// CloudformationEndpoint is the base URL of CloudFormation, if not AWS's.
	CloudformationEndpoint string `setting:"cloudformation-endpoint"`
	// CloudformationBucket is a bucket of the server's own for rendered templates
	// that are larger than the 51,200 bytes of a request. Empty: one called
	// hadron-templates-ACCOUNT-REGION is made in the account of the stack.
	CloudformationBucket string `setting:"cloudformation-bucket"`
	// AWSSignIn admits callers who hold only credentials that AWS has issued: they
	// exchange a token of "aws eks get-token" with this name as --cluster-name for
	// a session of a role that trusts them. Empty: nobody is admitted so.
	AWSSignIn string `setting:"aws-sign-in"`
	// IdentityProviderCA is a file of certificate authorities, in PEM, that are
	// trusted besides the system's when identity providers (OpenID Connect) are
	// asked for their keys.
	IdentityProviderCA string `setting:"identity-provider-ca"`
	// SignInIssuer is the URL of an identity provider (OpenID Connect) at which
	// people can sign in to the console, beside access keys. It must be one of the
	// account's identity providers, for the client of sign-in-client-id
	// (docs/security.md). Empty: they cannot.
	SignInIssuer string `setting:"sign-in-issuer"`
	// SignInName is what the console calls that provider.
	SignInName string `setting:"sign-in-name" default:"single sign-on"`
	// SignInClientID is who the console is at that provider. It must let people
	// come back to PUBLIC-URL/console/sign-in/callback.
	SignInClientID string `setting:"sign-in-client-id"`
	// SignInClientSecret is the client's secret, if the provider wants one. Other
	// users of a machine can see flags: give it by environment or file.
	SignInClientSecret string `setting:"sign-in-client-secret" secret:"true"`
	// SignInScopes is what the provider is asked for besides openid.
	SignInScopes string `setting:"sign-in-scopes" default:"profile email"`
	// SignInRoles are names or ARNs of roles, with blanks between them. Who signs
	// in becomes the first that trusts them.
	SignInRoles string `setting:"sign-in-roles"`
	// StsEndpoint is the base URL of STS, if not AWS's.
	StsEndpoint string `setting:"sts-endpoint"`
	// S3Endpoint is the base URL of S3, if not AWS's. Template bundles of buckets
	// that the built-in store does not have are read there; without it they are
	// read from AWS if the server has AWS credentials. Templates too large for a
	// request to another CloudFormation than AWS's are put there as well.
	S3Endpoint string `setting:"s3-endpoint"`
	// SecretsmanagerEndpoint is the base URL of Secrets Manager, if not AWS's.
	SecretsmanagerEndpoint string `setting:"secretsmanager-endpoint"`
	// SsmEndpoint is the base URL of the Parameter Store, if not AWS's.
	SsmEndpoint string `setting:"ssm-endpoint"`
	// EventWebhook is a URL that every status change is POSTed to, in the shape
	// of Proton's events on EventBridge (docs/events.md).
	EventWebhook string `setting:"event-webhook" secret:"true"`
	// EventCloudevents is a URL that every status change is POSTed to as a
	// CloudEvent.
	EventCloudevents string `setting:"event-cloudevents" secret:"true"`
	// EventSecret is what POSTed events are signed with, as the Standard Webhooks
	// specification says: any text, or whsec_ and base64.
	EventSecret string `setting:"event-secret" secret:"true"`
	// EventFile is a file that every status change is appended to, one JSON
	// object in each line; - is standard output.
	EventFile string `setting:"event-file"`
	// EventBus is the name or ARN of an event bus of real EventBridge that status
	// changes are put on, with the server's own AWS identity.
	EventBus string `setting:"event-bus"`
	// EventbridgeEndpoint is the base URL of EventBridge, if not AWS's.
	EventbridgeEndpoint string `setting:"eventbridge-endpoint"`
	// QuotaTemplates is how many templates an account may have in a Region,
	// environment and service templates together.
	QuotaTemplates int `setting:"quota-templates" default:"1000"`
	// QuotaVersionsPerTemplate is how many versions a template may have.
	QuotaVersionsPerTemplate int `setting:"quota-versions-per-template" default:"1000"`
	// QuotaEnvironments is how many environments an account may have in a Region.
	QuotaEnvironments int `setting:"quota-environments" default:"1000"`
	// QuotaServices is how many services an account may have in a Region.
	QuotaServices int `setting:"quota-services" default:"1000"`
	// QuotaInstancesPerService is how many instances a service may have.
	QuotaInstancesPerService int `setting:"quota-instances-per-service" default:"20"`
	// QuotaComponents is how many components an account may have in a Region.
	QuotaComponents int `setting:"quota-components" default:"1000"`
	// QuotaAccountConnections is how many environment account connections an
	// environment account may have in a Region.
	QuotaAccountConnections int `setting:"quota-account-connections" default:"1000"`
}

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// Check refuses a configuration that cannot work, with all that is wrong.
func (c Config) Check() error {
	var errs []error
	fail := func(setting, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", setting, fmt.Sprintf(format, args...)))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		fail("listen", "%q is not host:port, as in 127.0.0.1:8080", c.Listen)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		fail("tls-cert", "must be set together with tls-key, or neither of them")
	}
	c.checkSignIn(fail)
	if c.HSTSSeconds < 0 {
		fail("hsts-seconds", "%d is negative", c.HSTSSeconds)
	}
	if c.Data == "" {
		fail("data", "must name a folder")
	}
	if c.Database != "" && !strings.HasPrefix(c.Database, "sqlite:") && !store.IsPostgres(c.Database) {
		fail("database", "must be empty, sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE")
	}
	for name, text := range map[string]string{
		"public-url": c.PublicURL, "cloudformation-endpoint": c.CloudformationEndpoint, "sts-endpoint": c.StsEndpoint,
		"s3-endpoint": c.S3Endpoint, "secretsmanager-endpoint": c.SecretsmanagerEndpoint, "ssm-endpoint": c.SsmEndpoint,
		"eventbridge-endpoint": c.EventbridgeEndpoint, "otlp-endpoint": c.OtlpEndpoint,
	} {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			fail(name, "%q is not a URL, as in https://hadron.example.com", text)
		}
	}
	if c.Sandbox != "auto" && c.Sandbox != "require" && c.Sandbox != "off" {
		fail("sandbox", "%q is not auto, require or off", c.Sandbox)
	}
	c.checkRunLimits(fail)
	if (c.ContainerRuntime == "") != (c.ContainerImage == "") {
		fail("container-runtime", "must be set together with container-image, or neither of them")
	} else if c.ContainerImage != "" {
		if err := command.CheckImage(c.ContainerImage); err != nil {
			fail("container-image", "%v", err)
		}
	}
	if c.ContainerOptions != "" && c.ContainerRuntime == "" {
		fail("container-options", "has no effect without container-runtime")
	}
	if !accountPattern.MatchString(c.AccountID) {
		fail("account-id", "%q is not 12 digits", c.AccountID)
	}
	if (c.RootAccessKeyID == "") != (c.RootSecretAccessKey == "") {
		fail("root-access-key-id", "must be set together with root-secret-access-key, or neither of them")
	}
	if c.RootAccessKeyID != "" && !keyPattern.MatchString(c.RootAccessKeyID) {
		fail("root-access-key-id", "must be 16 to 128 letters, digits and underscores")
	}
	if _, err := logLevel(c.LogLevel); err != nil {
		fail("log-level", "%q is not debug, info, warn or error", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		fail("log-format", "%q is not text or json", c.LogFormat)
	}
	if _, err := otlpHeaders(c.OtlpHeaders); err != nil {
		fail("otlp-headers", "%v", err)
	}
	if _, err := c.bundleLimits(); err != nil {
		fail("bundle-limits", "%v", err)
	}
	if _, err := c.eventTargets(nil); err != nil {
		errs = append(errs, err)
	}
	if c.Concurrency < 1 {
		fail("concurrency", "%d is not a positive number", c.Concurrency)
	}
	if _, err := c.workLimits(); err != nil {
		fail("work-limits", "%v", err)
	}
	if c.AuditRetention < 0 {
		fail("audit-retention", "%d is not a number of days", c.AuditRetention)
	}
	if c.GitPollInterval < 1 {
		fail("git-poll-interval", "%d is not a positive number of seconds", c.GitPollInterval)
	}
	if c.GitRepositoryLimit < 1 {
		fail("git-repository-limit", "%d is not a positive number of bytes", c.GitRepositoryLimit)
	}
	if c.PullRequestTimeout < 0 {
		fail("pull-request-timeout", "%d is negative", c.PullRequestTimeout)
	}
	if c.RedeployInstances != "never" && c.RedeployInstances != "components" {
		fail("redeploy-instances", "%q is not never or components", c.RedeployInstances)
	}
	if c.StopGrace < 0 {
		fail("stop-grace", "%d is negative", c.StopGrace)
	}
	if c.StepAttempts < 1 {
		fail("step-attempts", "%d is no number of attempts: give 1 or more", c.StepAttempts)
	}
	if c.PreviewTimeout < 0 {
		fail("preview-timeout", "%d is negative", c.PreviewTimeout)
	}
	if c.ThrottleRate < 0 {
		fail("throttle-rate", "%d is negative", c.ThrottleRate)
	}
	for name, n := range map[string]int{
		"quota-templates": c.QuotaTemplates, "quota-versions-per-template": c.QuotaVersionsPerTemplate,
		"quota-environments": c.QuotaEnvironments, "quota-services": c.QuotaServices, "quota-instances-per-service": c.QuotaInstancesPerService,
		"quota-components": c.QuotaComponents, "quota-account-connections": c.QuotaAccountConnections,
	} {
		if n < 0 {
			fail(name, "%d is negative", n)
		}
	}
	return errors.Join(errs...)
}

var keyPattern = regexp.MustCompile(`^\w{16,128}$`)

func (c Config) database() string {
	if c.Database != "" {
		return c.Database
	}
	return "sqlite:" + filepath.Join(c.Data, "hadron.db")
}

// bundleLimits are Proton's limits with the configured ones over them.
func (c Config) bundleLimits() (bundle.Limits, error) {
	l := bundle.DefaultLimits()
	if c.BundleLimits != "" {
		d := json.NewDecoder(strings.NewReader(c.BundleLimits))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil {
			return l, err
		}
	}
	return l, l.Check()
}

func (c Config) quotas() control.Quotas {
	return control.Quotas{
		Templates: c.QuotaTemplates, VersionsPerTemplate: c.QuotaVersionsPerTemplate, Environments: c.QuotaEnvironments,
		Services: c.QuotaServices, InstancesPerService: c.QuotaInstancesPerService,
		Components: c.QuotaComponents, AccountConnections: c.QuotaAccountConnections,
	}
}
