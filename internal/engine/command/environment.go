package command

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/engine"
)

// SecretSource is where a secret variable's reference points to.
type SecretSource string

const (
	SecretsManager SecretSource = "secrets manager"
	ParameterStore SecretSource = "parameter store"
)

// job is what the commands of a run start with.
type job struct {
	environment map[string]string
	secrets     []string // values to cut out of the log
	notes       []string // lines for the log
	container   *placed  // nil: the commands run in none
}

// failure is an error that ends the run, worded for the person who deployed.
type failure string

func (f failure) Error() string { return string(f) }

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// sourceVariable marks all processes of a run.
const sourceVariable = "CODEBUILD_SRC_DIR"

// prepare gathers a run's variables. Later ones win: what is kept of the
// server's own, region, credentials, endpoints, the manifest's variables and
// secrets, and last what identifies the run. An error is a failure if the run
// can never work like this.
func (d *Driver) prepare(ctx context.Context, f *folder, r engine.Run) (job, error) {
	env := engine.Environment(d.Environ, f.Path("job", "home"), f.Path("job", "tmp"))
	if d.Path != "" {
		env["PATH"] = d.Path
	}
	j := job{environment: env, secrets: slices.Clone(r.Secrets)}
	env["AWS_REGION"], env["AWS_DEFAULT_REGION"] = r.Region, r.Region
	if err := d.addIdentity(ctx, r, &j); err != nil {
		return j, err
	}
	maps.Copy(env, r.Build.Variables)
	if err := d.addSecrets(ctx, r, &j); err != nil {
		return j, err
	}
	maps.Copy(env, identity(f, r))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !variableName.MatchString(name) {
			return j, failure(fmt.Sprintf("environment variable %q: a name must begin with a letter or \"_\" and go on with letters, digits and \"_\"", name))
		}
		if strings.ContainsRune(env[name], 0) {
			return j, failure(fmt.Sprintf("environment variable %q: the value must not contain a NUL character", name))
		}
	}
	env["PATH"] = f.Path("job", "bin") + ":" + env["PATH"]
	return j, nil
}

// addIdentity adds credentials and endpoints.
func (d *Driver) addIdentity(ctx context.Context, r engine.Run, j *job) error {
	var credentials map[string]string
	if d.Credentials != nil {
		var err error
		if credentials, err = d.Credentials(ctx, r); err != nil {
			return classify("credentials for the commands", err)
		}
	}
	if len(credentials) == 0 {
		j.notes = append(j.notes, "no AWS credentials are configured: the commands run without any")
	}
	for name, value := range credentials {
		j.environment[name] = value
		switch name {
		case "AWS_ACCESS_KEY_ID", "AWS_CREDENTIAL_EXPIRATION", "AWS_REGION", "AWS_DEFAULT_REGION":
		default:
			j.secrets = append(j.secrets, value)
		}
	}
	if d.Key != nil {
		id, secret, err := d.Key(ctx, r)
		if err != nil {
			return classify("access key for the commands", err)
		}
		j.environment["HADRON_ACCESS_KEY_ID"], j.environment["HADRON_SECRET_ACCESS_KEY"] = id, secret
		j.secrets = append(j.secrets, secret)
	}
	if d.Environment != nil {
		more, err := d.Environment(ctx, r)
		if err != nil {
			return classify("environment of the commands", err)
		}
		maps.Copy(j.environment, more)
	}
	return nil
}

func (d *Driver) addSecrets(ctx context.Context, r engine.Run, j *job) error {
	for _, group := range []struct {
		source     SecretSource
		references map[string]string
	}{{SecretsManager, r.Build.SecretsManager}, {ParameterStore, r.Build.ParameterStore}} {
		for _, name := range slices.Sorted(maps.Keys(group.references)) {
			reference := group.references[name]
			what := fmt.Sprintf("variable %s: %s reference %q", name, group.source, reference)
			if d.Secret == nil {
				return failure(what + " cannot be resolved: this server has no access to secrets configured")
			}
			value, err := d.Secret(ctx, r, group.source, reference)
			if err != nil {
				return classify(what, err)
			}
			j.environment[name] = value
			j.secrets = append(j.secrets, value)
		}
	}
	return nil
}

// classify tells what is worth repeating from what fails the run.
func classify(what string, err error) error {
	if engine.Transient(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return failure(fmt.Sprintf("%s: %v", what, err))
}

func identity(f *folder, r engine.Run) map[string]string {
	env := map[string]string{
		"RESOURCE_ARN":               r.ResourceARN,
		"STACK_NAME":                 r.StackName,
		"CODEBUILD_CI":               "true",
		sourceVariable:               f.Path("job", "src"),
		"CODEBUILD_BUILD_ID":         buildID(r),
		"CODEBUILD_BUILD_ARN":        fmt.Sprintf("arn:aws:codebuild:%s:%s:build/%s", r.Region, r.AccountID, buildID(r)),
		"CODEBUILD_INITIATOR":        "hadron",
		"CODEBUILD_START_TIME":       strconv.FormatInt(time.Now().UnixMilli(), 10),
		"CODEBUILD_BUILD_SUCCEEDING": "1",
	}
	if r.Build.Image != "" {
		env["CODEBUILD_BUILD_IMAGE"] = r.Build.Image
	}
	return env
}

// buildID has the shape of the build service's ids, project:uuid.
func buildID(r engine.Run) string { return "hadron:" + r.ID }
