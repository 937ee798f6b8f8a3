package sts

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// AWSIdentities admits callers who hold only credentials that AWS has issued.
// Their token is a GetCallerIdentity request that they have signed in advance,
// in the form of "aws eks get-token": this server sends it to AWS, which says
// who signed it, and never sees a secret. The audience is signed along, so that
// a token for one service opens no other.
type AWSIdentities struct {
	Audience string // what the token is for, as given to --cluster-name
	Endpoint string // of STS; empty: AWS's
	Client   *http.Client
}

const (
	awsTokenPrefix = "k8s-aws-v1."
	audienceHeader = "X-K8s-Aws-Id"
	// awsProvider is how trust policies name AWS under Federated.
	awsProvider = "sts.amazonaws.com"
	maxToken    = 8 << 10
	maxAnswer   = 64 << 10
	askTime     = 10 * time.Second
)

var awsHost = regexp.MustCompile(`^sts(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?$`)

func badToken(format string, args ...any) error {
	return &TokenError{"InvalidIdentityToken", fmt.Sprintf(format, args...)}
}

// Identify has AWS say who has signed a token.
func (a *AWSIdentities) Identify(ctx context.Context, _, token string) (Identity, error) {
	ask, err := a.request(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	res, err := a.client().Do(ask)
	if err != nil {
		return Identity{}, &TokenError{"IDPCommunicationError", "AWS's token service could not be reached."}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil || res.StatusCode >= 500 {
		return Identity{}, &TokenError{"IDPCommunicationError", "AWS's token service did not answer."}
	}
	var answer struct {
		XMLName xml.Name `xml:"GetCallerIdentityResponse"`
		ARN     string   `xml:"GetCallerIdentityResult>Arn"`
		UserID  string   `xml:"GetCallerIdentityResult>UserId"`
		Account string   `xml:"GetCallerIdentityResult>Account"`
	}
	if err := xml.Unmarshal(text, &answer); err != nil || res.StatusCode != http.StatusOK || answer.ARN == "" {
		return Identity{}, badToken("AWS does not recognize the signature of the token: it may have expired.")
	}
	return Identity{
		Provider: awsProvider, Subject: answer.ARN, Audience: a.Audience,
		Facts: map[string][]string{
			"aws:principalarn": {answer.ARN}, "aws:userid": {answer.UserID}, "aws:principalaccount": {answer.Account},
			"sts.amazonaws.com:sub": {answer.ARN}, "sts.amazonaws.com:aud": {a.Audience},
		},
	}, nil
}

// client follows no redirect: the request is for AWS alone.
func (a *AWSIdentities) client() *http.Client {
	if a.Client != nil {
		return a.Client
	}
	return &http.Client{Timeout: askTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// request is the signed request that a token holds, if it asks AWS who its
// signer is, and nothing else.
func (a *AWSIdentities) request(ctx context.Context, token string) (*http.Request, error) {
	encoded, ok := strings.CutPrefix(token, awsTokenPrefix)
	if !ok || len(token) > maxToken {
		return nil, badToken("The token is not one of AWS's: it must begin with %s, as that of \"aws eks get-token\" does.", awsTokenPrefix)
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil {
		return nil, badToken("The token is damaged: what follows %s is not base64.", awsTokenPrefix)
	}
	u, err := url.Parse(string(text))
	if err != nil {
		return nil, badToken("The token does not hold a URL.")
	}
	if err := a.checkURL(u); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, badToken("The token does not hold a URL.")
	}
	r.Header.Set(audienceHeader, a.Audience)
	r.Header.Set("Accept", "application/xml")
	return r, nil
}

// checkURL refuses whatever is not a question to STS that binds the audience.
func (a *AWSIdentities) checkURL(u *url.URL) error {
	scheme, host := "https", u.Host
	known := awsHost.MatchString(host)
	if a.Endpoint != "" {
		own, err := url.Parse(a.Endpoint)
		if err != nil {
			return err
		}
		scheme, known = own.Scheme, host == own.Host
	}
	if u.Scheme != scheme || !known || u.User != nil || u.Fragment != "" || u.Path != "/" && u.Path != "" {
		return badToken("The token is not for AWS's token service.")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return badToken("The token does not hold a URL.")
	}
	for name, values := range query {
		if len(values) != 1 || !strings.HasPrefix(name, "X-Amz-") && name != "Action" && name != "Version" {
			return badToken("The token asks for more than who signed it: %.60q.", name)
		}
	}
	signed := ";" + strings.ToLower(query.Get("X-Amz-SignedHeaders")) + ";"
	switch {
	case query.Get("Action") != "GetCallerIdentity":
		return badToken("The token does not ask who signed it.")
	case !strings.Contains(signed, ";"+strings.ToLower(audienceHeader)+";"):
		return badToken("The token does not say what it is for: %s must be signed.", audienceHeader)
	}
	return nil
}
