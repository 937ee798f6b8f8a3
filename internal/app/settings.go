package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
)

// A setting is a field of Config with its names.
type setting struct {
	name   string // of the flag and of the key in the file
	env    string
	value  reflect.Value
	secret bool
}

func settings(c *Config) []setting {
	v := reflect.ValueOf(c).Elem()
	var list []setting
	for n := range v.NumField() {
		tag := v.Type().Field(n).Tag
		name := tag.Get("setting")
		list = append(list, setting{
			name: name, env: "HADRON_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")),
			value: v.Field(n), secret: tag.Get("secret") != "",
		})
	}
	return list
}

func (s setting) set(text string) error {
	switch s.value.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is not true or false", text)
		}
		s.value.SetBool(text == "true")
		return nil
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		s.value.SetInt(int64(n))
		return nil
	}
	s.value.SetString(text)
	return nil
}

// DefaultConfig is a configuration with nothing set.
func DefaultConfig() Config {
	var c Config
	t := reflect.TypeFor[Config]()
	for n, s := range settings(&c) {
		if text, ok := t.Field(n).Tag.Lookup("default"); ok {
			if err := s.set(text); err != nil {
				panic(fmt.Sprintf("app: default of %s: %v", s.name, err))
			}
		}
	}
	return c
}

// usage is what --help says of each flag.
var usage = map[string]string{
	"listen":                      "address to listen on, host:port",
	"data":                        "folder for the database, buckets, work folders and the root key",
	"database":                    "sqlite:PATH or postgres://… instead of a file in the data folder",
	"master-key-file":             "key that secrets in the database are sealed with (default: DATA/master.key)",
	"stop-grace":                  "seconds that deployments may go on when the server is stopped",
	"public-url":                  "how others reach this server (default: the listen address)",
	"tls-cert":                    "file with the certificate to speak TLS with, PEM; read anew when it changes",
	"tls-key":                     "file with its private key, PEM",
	"hsts-seconds":                "for how long browsers are to come by TLS alone; 0 does not say so",
	"account-id":                  "account of the root access key, 12 digits",
	"root-access-key-id":          "root access key (default: made at first start)",
	"root-secret-access-key":      "its secret; better given by HADRON_ROOT_SECRET_ACCESS_KEY",
	"log-level":                   "debug, info, warn or error",
	"log-format":                  "text or json",
	"otlp-endpoint":               "URL that traces are sent to, as OTLP over HTTP (default: OpenTelemetry's own variables)",
	"otlp-headers":                "name=value pairs sent along with traces",
	"concurrency":                 "how many deployments to work on at once",
	"work-limits":                 "how many deployments to work on at once with an engine, as opentofu=4,command=8",
	"redeploy-instances":          "never, or components: when what an instance sees of a component changes",
	"preview-timeout":             "seconds a deployment waits for the preview of what it will change; 0 makes none",
	"step-attempts":               "how often a step of a deployment is tried that can't be taken, before it fails",
	"strict-specs":                "refuse specs with inputs that the template does not have, and with unknown keys",
	"throttle-rate":               "calls a second that each user or role may make; 0 does not limit",
	"git-poll-interval":           "seconds between looks at linked repositories and open pull requests",
	"git-repository-limit":        "bytes that a synced repository may have",
	"pull-request-timeout":        "seconds until a deployment fails whose pull request is undecided or unreported; 0 is never",
	"confirm-removals":            "have removals by pull request wait for a report, too, not only for the merge",
	"bundle-limits":               "JSON object of limits of template bundles, as {\"bundleBytes\": 10485760}",
	"tofu":                        "OpenTofu or Terraform program (default: tofu, then terraform, in PATH)",
	"aws-sign-in":                 "admit callers by AWS's word for who they are; the name their token is for",
	"identity-provider-ca":        "file of authorities to trust when identity providers are asked for their keys",
	"container-runtime":           "run commands in containers of podman, docker or the like",
	"container-image":             "image of those containers, where a manifest names one of the build service's",
	"container-options":           "further options of the container runtime's run, separated by spaces",
	"sign-in-issuer":              "URL of an identity provider at which people can sign in to the console",
	"sign-in-name":                "what the console calls it",
	"sign-in-client-id":           "who the console is at that provider",
	"sign-in-client-secret":       "its secret there; better given by HADRON_SIGN_IN_CLIENT_SECRET",
	"sign-in-scopes":              "what the provider is asked for besides openid",
	"sign-in-roles":               "roles that people become who sign in: the first that trusts them",
	"audit-retention":             "days for which records of the audit log are kept; 0 is for ever",
	"sandbox":                     "keep what templates run from the server's files: auto, require or off",
	"run-memory-limit":            "bytes of memory that each process of what templates run may have; 0 does not limit",
	"run-file-limit":              "bytes that each file may have which what templates run writes; 0 does not limit",
	"command-assume-role":         "run commands with the codebuild role that is given, assumed with STS",
	"cloudformation-endpoint":     "base URL of CloudFormation, if not AWS's",
	"cloudformation-bucket":       "bucket for CloudFormation templates above 51,200 bytes (default: one made in the account of the stack)",
	"sts-endpoint":                "base URL of STS, if not AWS's",
	"s3-endpoint":                 "base URL of S3, if not AWS's: bundles of unknown buckets are read there",
	"secretsmanager-endpoint":     "base URL of Secrets Manager, if not AWS's",
	"ssm-endpoint":                "base URL of the Parameter Store, if not AWS's",
	"event-webhook":               "URL that every status change is POSTed to, as Proton's events were",
	"event-cloudevents":           "URL that every status change is POSTed to as a CloudEvent",
	"event-secret":                "signs what is POSTed; better given by HADRON_EVENT_SECRET",
	"event-file":                  "file that every status change is appended to, a JSON object a line; - is standard output",
	"event-bus":                   "name or ARN of an event bus of EventBridge that status changes are put on",
	"eventbridge-endpoint":        "base URL of EventBridge, if not AWS's",
	"quota-templates":             "templates an account may have in a Region",
	"quota-versions-per-template": "versions a template may have",
	"quota-environments":          "environments an account may have in a Region",
	"quota-services":              "services an account may have in a Region",
	"quota-instances-per-service": "instances a service may have",
	"quota-components":            "components an account may have in a Region",
	"quota-account-connections":   "account connections an environment account may have",
}

// AddFlags adds a flag for each of the named settings, or for all without names.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	c := DefaultConfig()
	for _, s := range settings(&c) {
		if len(names) > 0 && !contains(names, s.name) {
			continue
		}
		text := usage[s.name] + " [" + s.env + "]"
		switch s.value.Kind() {
		case reflect.Bool:
			flags.Bool(s.name, s.value.Bool(), text)
		case reflect.Int:
			flags.Int(s.name, int(s.value.Int()), text)
		default:
			flags.String(s.name, s.value.String(), text)
		}
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// LoadConfig reads the configuration: flags win, then environment, then the
// file (empty: none). The error names everything that is wrong.
func LoadConfig(flags *pflag.FlagSet, lookupEnv func(string) (string, bool), file string) (Config, error) {
	c := DefaultConfig()
	fromFile, err := readFile(file)
	if err != nil {
		return c, err
	}
	var errs []error
	otlp, err := standardOTLP(lookupEnv)
	if err != nil {
		errs = append(errs, err)
	}
	for _, s := range settings(&c) {
		from, text, ok := "OTEL_EXPORTER_OTLP_…", "", false
		if text, ok = otlp[s.name]; ok && c.OtlpEndpoint != "" && c.OtlpEndpoint != otlp["otlp-endpoint"] {
			ok = false // those headers are for another collector
		}
		if value, found := fromFile[s.name]; found {
			from, text, ok = "file "+file+": "+s.name, value, true
			delete(fromFile, s.name)
		}
		if value, found := lookupEnv(s.env); found && value != "" {
			from, text, ok = s.env, value, true
		}
		if flag := flags.Lookup(s.name); flag != nil && flag.Changed {
			from, text, ok = "--"+s.name, flag.Value.String(), true
		}
		if !ok {
			continue
		}
		if err := s.set(text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", from, err))
		}
	}
	for name := range fromFile {
		errs = append(errs, fmt.Errorf("file %s: there is no setting %q", file, name))
	}
	return c, errors.Join(append(errs, c.Check())...)
}

// readFile reads a YAML file of settings; scalars keep their text.
func readFile(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration file %s does not exist", file)
	}
	if err != nil {
		return nil, err
	}
	var node map[string]yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", file, err)
	}
	values := map[string]string{}
	for name, n := range node {
		if n.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("configuration file %s:%d: %s must be a single value", file, n.Line, name)
		}
		values[name] = n.Value
	}
	return values, nil
}
