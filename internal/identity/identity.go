// Package identity is who the server is at AWS: its own credentials, and those
// of roles that it assumes with STS.
//
// Its own credentials are found where every AWS tool finds them: environment,
// profiles, the role of the machine. They are read again every minute, so that
// renewed ones are taken up without a restart. The package asks no metadata
// service outside of AWS, and never takes an access key of this server, which
// its environment may name for clients, for one of AWS's. It also words what
// AWS answers, for all who use its credentials.
package identity

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// Config is what a Source is made of. The zero Config is real AWS.
type Config struct {
	STSEndpoint string // base URL of STS; empty: AWS's own for the region
	// Own are the server's credentials; nil: those of the AWS default chain.
	Own aws.CredentialsProvider
	// Ours reports whether an access key is one of this server's own; nil: none is.
	Ours func(accessKeyID string) bool
}

var traced = []func(*middleware.Stack) error{Traced}

// Source gives credentials. It is safe for concurrent use.
type Source struct {
	sts  *string
	own  *aws.CredentialsCache
	mu   sync.Mutex
	each map[assumed]*aws.CredentialsCache
}

type assumed struct{ region, role string }

// New makes a Source. It asks nobody yet.
func New(c Config) *Source {
	if c.Own == nil {
		c.Own = &chain{ours: c.Ours}
	}
	return &Source{sts: Endpoint(c.STSEndpoint), own: aws.NewCredentialsCache(c.Own), each: map[assumed]*aws.CredentialsCache{}}
}

// ErrNone says that the server has no credentials of its own.
var ErrNone = errors.New("the server has no AWS credentials: give it AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile, or run it where its machine has a role")

// Credentials are those of a role in a region, or without a role the server's
// own. They are kept and renewed before they end.
func (s *Source) Credentials(region, role string) aws.CredentialsProvider {
	if role == "" {
		return s.own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := assumed{region, role}
	if s.each[id] == nil {
		client := sts.New(sts.Options{Region: region, Credentials: s.own, BaseEndpoint: s.sts, HTTPClient: HTTPClient(), Retryer: Retryer(0), APIOptions: traced})
		assume := stscreds.NewAssumeRoleProvider(client, role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = "hadron" })
		s.each[id] = aws.NewCredentialsCache(assume, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
	}
	return s.each[id]
}

// Account is the AWS account of a role, or without a role that of the server's
// own credentials.
func (s *Source) Account(ctx context.Context, region, role string) (string, error) {
	if parts := strings.Split(role, ":"); len(parts) > 5 && parts[4] != "" {
		return parts[4], nil
	}
	client := sts.New(sts.Options{Region: region, Credentials: s.Credentials(region, role), BaseEndpoint: s.sts, HTTPClient: HTTPClient(), Retryer: Retryer(0), APIOptions: traced})
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Account), nil
}

// Configured reports whether the server has credentials of its own.
func (s *Source) Configured(ctx context.Context) bool {
	_, err := s.own.Retrieve(ctx)
	return err == nil
}

// Variables are the environment variables that give AWS tools the credentials
// of a role, or without a role the server's own; none if it has none.
func (s *Source) Variables(ctx context.Context, region, role string) (map[string]string, error) {
	c, err := s.Credentials(region, role).Retrieve(ctx)
	if errors.Is(err, ErrNone) && role == "" {
		return nil, nil
	}
	if err != nil {
		return nil, Explain(err, role)
	}
	v := map[string]string{"AWS_ACCESS_KEY_ID": c.AccessKeyID, "AWS_SECRET_ACCESS_KEY": c.SecretAccessKey}
	if c.SessionToken != "" {
		v["AWS_SESSION_TOKEN"] = c.SessionToken
	}
	return v, nil
}

// chain is the AWS default chain, read anew each time.
type chain struct {
	ours  func(string) bool
	mu    sync.Mutex
	empty time.Time // when it had nothing
}

const (
	// freshFor is how long credentials without an end are kept.
	freshFor = time.Minute
	// emptyFor is for how long it is not looked again for credentials that were
	// not there, which takes as long as much of a deployment.
	emptyFor = 2 * time.Second
)

// Retrieve implements aws.CredentialsProvider.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.empty) < emptyFor {
		return aws.Credentials{}, ErrNone
	}
	found, err := c.look(ctx)
	if errors.Is(err, ErrNone) {
		c.empty = time.Now()
	}
	return found, err
}

func (c *chain) look(ctx context.Context) (aws.Credentials, error) {
	metadata := imds.ClientDisabled
	if onEC2() {
		metadata = imds.ClientDefaultEnableState
	}
	found, err := config.LoadDefaultConfig(ctx, config.WithEC2IMDSClientEnableState(metadata))
	if err != nil {
		return aws.Credentials{}, err
	}
	creds, err := found.Credentials.Retrieve(ctx)
	if op := innermost(err); op != nil && op.Service() == "ec2imds" && metadata == imds.ClientDisabled {
		err = ErrNone // the last link of the chain
	}
	if err == nil && c.ours != nil && c.ours(creds.AccessKeyID) {
		err = ErrNone
	}
	if err != nil {
		return aws.Credentials{}, err
	}
	if !creds.CanExpire {
		creds.CanExpire, creds.Expires = true, time.Now().Add(freshFor)
	}
	return creds, nil
}

// onEC2 reports whether this machine has AWS's metadata service. Asking it
// elsewhere takes seconds to fail.
func onEC2() bool {
	if os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT") != "" {
		return true
	}
	for file, begin := range map[string]string{"/sys/class/dmi/id/sys_vendor": "Amazon EC2", "/sys/hypervisor/uuid": "ec2"} {
		if text, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(text), begin) {
			return true
		}
	}
	return false
}

const (
	requestTime = time.Minute
	attempts    = 5
)

// HTTPClient is the client for requests to AWS.
func HTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(requestTime)
}

// Retryer repeats requests that passing trouble has failed, with pauses up to
// longest; zero: the default of 20 s.
func Retryer(longest time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		if longest > 0 {
			o.MaxBackoff = min(longest, retry.DefaultMaxBackoff)
		}
	})
}

// Endpoint is a base URL as clients take it; empty is AWS's own.
func Endpoint(url string) *string {
	if url == "" {
		return nil
	}
	return &url
}

// RegionOf is the Region that an ARN names; otherwise for other names.
func RegionOf(name, otherwise string) string {
	if parts := strings.Split(name, ":"); len(parts) > 4 && parts[0] == "arn" && parts[3] != "" {
		return parts[3]
	}
	return otherwise
}
