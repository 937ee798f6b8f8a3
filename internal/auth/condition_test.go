package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	principal := Principal{
		AccountID: "123456789012", ARN: "arn:aws:iam::123456789012:user/ann", Region: "eu-west-1",
		SourceIP: netip.MustParseAddr("203.0.113.9"), Secure: true,
	}
	facts := map[string][]string{
		"aws:tagkeys":                {"team", "stage"},
		"aws:requesttag/team":        {"red"},
		"proton:environmenttemplate": {"arn:aws:proton:eu-west-1:123456789012:environment-template/public"},
		"app:count":                  {"10"},
		"app:star":                   {"a*b"},
	}
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	for condition, want := range map[string]bool{
		`"StringEquals":{"aws:username":"ann"}`:                                                     true,
		`"StringEquals":{"AWS:UserName":["bob","ann"]}`:                                             true,
		`"StringEquals":{"aws:username":"Ann"}`:                                                     false,
		`"StringEqualsIgnoreCase":{"aws:username":"ANN"}`:                                           true,
		`"StringEquals":{"aws:username":"a*"}`:                                                      false,
		`"StringLike":{"aws:username":"a*"}`:                                                        true,
		`"StringNotLike":{"aws:username":["b*","a*"]}`:                                              false,
		`"StringNotEquals":{"aws:username":["bob","eve"]}`:                                          true,
		`"StringNotEquals":{"aws:absent":"x"}`:                                                      true,
		`"StringEquals":{"aws:absent":"x"}`:                                                         false,
		`"StringEqualsIfExists":{"aws:absent":"x"}`:                                                 true,
		`"StringEqualsIfExists":{"aws:username":"x"}`:                                               false,
		`"StringEquals":{"aws:username":"ann"},"Bool":{"aws:SecureTransport":false}`:                false,
		`"Bool":{"aws:SecureTransport":"true"}`:                                                     true,
		`"Null":{"aws:absent":"true"}`:                                                              true,
		`"Null":{"aws:username":"true"}`:                                                            false,
		`"Null":{"aws:TokenIssueTime":false}`:                                                       false,
		`"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.0/24"]}`:                              true,
		`"IpAddress":{"aws:SourceIp":"203.0.113.8"}`:                                                false,
		`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`:                                          false,
		`"DateLessThan":{"aws:CurrentTime":"` + tomorrow + `"}`:                                     true,
		`"DateGreaterThan":{"aws:CurrentTime":"2020-01-01"}`:                                        true,
		`"DateGreaterThan":{"aws:EpochTime":"4102444800"}`:                                          false,
		`"NumericLessThanEquals":{"app:count":10}`:                                                  true,
		`"NumericGreaterThan":{"app:count":"10"}`:                                                   false,
		`"NumericLessThan":{"aws:username":"10"}`:                                                   false,
		`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}`:                                    true,
		`"ArnLike":{"aws:PrincipalArn":"arn:*"}`:                                                    false,
		`"ArnEquals":{"proton:EnvironmentTemplate":"arn:aws:proton:*:*:environment-template/pub*"}`: true,
		`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/b*"}`:                     true,
		`"StringEquals":{"aws:RequestedRegion":["us-east-1","eu-west-1"]}`:                          true,
		`"StringEquals":{"aws:PrincipalAccount":"123456789012","aws:PrincipalType":"User"}`:         true,
		`"StringEquals":{"aws:ResourceAccount":"123456789012"}`:                                     true,
		`"StringEquals":{"aws:RequestTag/Team":"red"}`:                                              true,
		`"ForAllValues:StringEquals":{"aws:TagKeys":["team","stage","owner"]}`:                      true,
		`"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}`:                                      false,
		`"ForAllValues:StringEquals":{"aws:absent":"x"}`:                                            true,
		`"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}`:                                       true,
		`"ForAnyValue:StringEquals":{"aws:TagKeys":["owner"]}`:                                      false,
		`"ForAnyValue:StringEquals":{"aws:absent":"x"}`:                                             false,
		`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team"]}`:                                    true,
		`"ForAllValues:StringNotEquals":{"aws:TagKeys":["team"]}`:                                   false,
		`"ForAnyValue:StringLikeIfExists":{"aws:absent":"x"}`:                                       true,
		`"StringEquals":{"aws:username":"${aws:username}"}`:                                         true,
		`"StringLike":{"aws:PrincipalArn":"*/${aws:username}"}`:                                     true,
		`"StringLike":{"aws:username":"${aws:absent}"}`:                                             false,
		`"StringEquals":{"aws:username":"${aws:absent, 'ann'}"}`:                                    true,
		`"StringLike":{"app:star":"a${*}b"}`:                                                        true,
		`"StringLike":{"aws:username":"a${*}n"}`:                                                    false,
		`"StringLike":{"aws:username":"${app:star}"}`:                                               false,
		`"BinaryEquals":{"app:star":"AAAA"}`:                                                        false,
	} {
		p, err := ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + condition + `}}}`))
		if err != nil {
			t.Errorf("%s: %v", condition, err)
			continue
		}
		who := principal
		who.Policy = p
		got := who.Decide(Request{
			Action: "proton:GetService", Resource: "arn:aws:proton:eu-west-1:123456789012:service/x",
			Facts: func(key string) []string { return facts[key] },
		})
		if got.Allowed != want {
			t.Errorf("%s: allowed %v, want %v", condition, got.Allowed, want)
		}
	}
}

func TestVariablesInResources(t *testing.T) {
	t.Parallel()
	text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::home/${aws:username}/*"}}`
	for _, tt := range []struct {
		name, document, user, resource string
		want                           bool
	}{
		{"the user's own", text, "ann", "arn:aws:s3:::home/ann/x", true},
		{"another's", text, "ann", "arn:aws:s3:::home/bob/x", false},
		{"a name is no pattern", text, "a*", "arn:aws:s3:::home/ann/x", false},
		{"who has no name has no home", text, "", "arn:aws:s3:::home//x", false},
		{"an older document has no variables", strings.Replace(text, "2012-10-17", "2008-10-17", 1), "ann", "arn:aws:s3:::home/ann/x", false},
	} {
		p, err := ParsePolicy([]byte(tt.document))
		if err != nil {
			t.Fatal(err)
		}
		who := Principal{ARN: "arn:aws:iam::123456789012:user/" + tt.user, Policy: p}
		if got := who.May("s3:GetObject", tt.resource); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestDecisionsSayWhatDecided(t *testing.T) {
	t.Parallel()
	own, err := ParsePolicy([]byte("{\"Version\":\"2012-10-17\",\"Statement\":[\n{\"Sid\":\"All\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},\n{\"Sid\":\"NoDelete\",\"Effect\":\"Deny\",\"Action\":\"proton:Delete*\",\"Resource\":\"*\"}]}"))
	if err != nil {
		t.Fatal(err)
	}
	session, err := ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"proton:Get*","Resource":"*"},{"Effect":"Deny","Action":"proton:GetService","Resource":"*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	who := Principal{ARN: "arn:aws:iam::123456789012:user/ann", Policy: own.Named("inline")}
	inSession := who
	inSession.Session = &Session{Policy: session}
	nobody := Principal{ARN: who.ARN, Policy: JoinPolicies()}
	for _, tt := range []struct {
		who          Principal
		action, want string
		statement    string
	}{
		{who, "proton:GetService", "", "statement 1 (All) of policy inline, line 2"},
		{who, "proton:DeleteService", "with an explicit deny in an identity-based policy", "statement 2 (NoDelete) of policy inline, line 3"},
		{nobody, "proton:GetService", "nothing", ""},
		{inSession, "proton:GetEnvironment", "", "statement 1, line 1"},
		{inSession, "proton:GetService", "with an explicit deny in a session policy", "statement 2, line 1"},
		{inSession, "proton:ListServices", "because no session policy allows the proton:ListServices action", ""},
		{inSession, "proton:DeleteService", "with an explicit deny in an identity-based policy", "statement 2 (NoDelete) of policy inline, line 3"},
	} {
		r := Request{Action: tt.action, Resource: "arn:x"}
		d := tt.who.Decide(r)
		statement := ""
		if d.Statement != nil {
			statement = d.Statement.String()
		}
		if d.Allowed != (tt.want == "") || statement != tt.statement {
			t.Errorf("%s: allowed %v by %q, want %q", tt.action, d.Allowed, statement, tt.statement)
		}
		if want := strings.TrimSuffix(fmt.Sprintf("User: %s is not authorized to perform: %s on resource: arn:x %s", tt.who.ARN, tt.action, tt.want), " nothing"); tt.want != "" && tt.who.Refusal(r, d) != want {
			t.Errorf("refusal %q, want %q", tt.who.Refusal(r, d), want)
		}
	}
}

func TestTrustPolicies(t *testing.T) {
	t.Parallel()
	ann := Principal{AccountID: "123456789012", ARN: "arn:aws:iam::123456789012:user/ann"}
	worker := Principal{
		AccountID: "123456789012", ARN: "arn:aws:sts::123456789012:assumed-role/worker/7",
		Session: &Session{Role: "arn:aws:iam::123456789012:role/worker"},
	}
	const condition = `,"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}`
	for _, tt := range []struct {
		name, principal, rest string
		who                   Principal
		want                  Trust
	}{
		{"the user", `{"AWS":"arn:aws:iam::123456789012:user/ann"}`, "", ann, TrustedByName},
		{"another user", `{"AWS":["arn:aws:iam::123456789012:user/bob"]}`, "", ann, Untrusted},
		{"the account", `{"AWS":"123456789012"}`, "", ann, TrustedByAccount},
		{"the account's root", `{"AWS":"arn:aws:iam::123456789012:root"}`, "", ann, TrustedByAccount},
		{"everyone", `"*"`, "", ann, TrustedByAccount},
		{"another account", `{"AWS":"210987654321"}`, "", ann, Untrusted},
		{"a session by its role", `{"AWS":"arn:aws:iam::123456789012:role/worker"}`, "", worker, TrustedByName},
		{"a condition that holds", `{"AWS":"123456789012"}`, condition, ann, TrustedByAccount},
		{"a condition that does not", `{"AWS":"123456789012"}`, strings.Replace(condition, "x1", "x2", 1), ann, Untrusted},
		{"a service", `{"Service":"proton.amazonaws.com"}`, "", ann, Untrusted},
	} {
		p, err := ParseTrustPolicy([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":` + tt.principal + tt.rest + `}}`))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		facts := func(key string) []string {
			if key == "sts:externalid" {
				return []string{"x1"}
			}
			return nil
		}
		if got := p.Trusts(tt.who, "sts:AssumeRole", facts); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		if p.Trusts(tt.who, "sts:AssumeRoleWithWebIdentity", facts) != Untrusted {
			t.Errorf("%s: trusted for an action that the policy does not name", tt.name)
		}
	}
	for document, want := range map[string]string{
		`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}`:                                              "Principal is missing",
		`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"ann"}}}`:                    "neither the ARN",
		`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::1:user/*"}}}`:  "wildcards",
		`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"User":"ann"}}}`:                   "there is no element User",
		`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"},"Resource":"arn:a:b"}}`: "there is no element Resource",
	} {
		if _, err := ParseTrustPolicy([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", document, err, want)
		}
	}
}

func TestManagedPolicies(t *testing.T) {
	t.Parallel()
	const account = ":123456789012:"
	decide := func(policy, action, resource string) bool {
		p, ok := ManagedPolicy(policy)
		if !ok {
			t.Fatalf("there is no policy %s", policy)
		}
		facts := func(key string) []string {
			if strings.HasSuffix(key, ":passedtoservice") {
				return []string{"proton.amazonaws.com"}
			}
			return nil
		}
		return Principal{Policy: p}.Decide(Request{Action: action, Resource: resource, Facts: facts}).Allowed
	}
	for _, tt := range []struct {
		policy, action string
		want           bool
	}{
		{"AWSProtonFullAccess", "proton:CreateEnvironmentTemplate", true},
		{"AWSProtonFullAccess", "iam:PassRole", true},
		{"AWSProtonFullAccess", "iam:CreateUser", false},
		{"AWSProtonDeveloperAccess", "proton:CreateService", true},
		{"AWSProtonDeveloperAccess", "proton:UpdateServicePipeline", true},
		{"AWSProtonDeveloperAccess", "proton:GetEnvironmentTemplateMajorVersion", true},
		{"AWSProtonDeveloperAccess", "proton:CreateServiceInstance", false},
		{"AWSProtonDeveloperAccess", "proton:CreateComponent", false},
		{"AWSProtonDeveloperAccess", "proton:GetDeployment", false},
		{"AWSProtonDeveloperAccess", "proton:UpdateServiceSyncConfig", false},
		{"AWSProtonDeveloperAccess", "proton:UpdateEnvironment", false},
		{"AWSProtonDeveloperAccess", "proton:CreateServiceTemplate", false},
		{"HadronDeveloperAccess", "proton:CreateServiceInstance", true},
		{"HadronDeveloperAccess", "proton:CreateComponent", true},
		{"HadronDeveloperAccess", "proton:GetDeployment", true},
		{"HadronDeveloperAccess", "proton:UpdateEnvironment", false},
		{"AWSProtonReadOnlyAccess", "proton:ListServices", true},
		{"AWSProtonReadOnlyAccess", "proton:UpdateService", false},
		{"HadronReadOnlyAccess", "proton:GetDeployment", true},
		{"AWSProtonCodeBuildProvisioningBasicAccess", "proton:NotifyResourceDeploymentStatusChange", true},
		{"AWSProtonCodeBuildProvisioningBasicAccess", "proton:GetService", false},
		{"AWSProtonSyncServiceRolePolicy", "proton:UpdateServiceTemplateVersion", true},
		{"AWSProtonSyncServiceRolePolicy", "proton:CreateService", false},
		{"AwsProtonServiceGitSyncServiceRolePolicy", "proton:CreateEnvironment", true},
		{"AwsProtonServiceGitSyncServiceRolePolicy", "proton:DeleteService", false},
		{"AWSProtonCodeBuildProvisioningServiceRolePolicy", "proton:GetService", false},
	} {
		if got := decide(tt.policy, tt.action, "arn:aws:proton:eu-west-1"+account+"service/x"); got != tt.want {
			t.Errorf("%s, %s: %v, want %v", tt.policy, tt.action, got, tt.want)
		}
		if got := decide("arn:aws:iam::aws:policy/service-role/"+tt.policy, tt.action, "arn:aws:proton:eu-west-1"+account+"service/x"); got != tt.want {
			t.Errorf("%s by its ARN, %s: %v, want %v", tt.policy, tt.action, got, tt.want)
		}
	}
	if got := len(ManagedPolicies()); got != 9 || !slices.IsSorted(ManagedPolicies()) {
		t.Errorf("%d policies: %v", got, ManagedPolicies())
	}
}

func FuzzPolicies(f *testing.F) {
	f.Add([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"proton:*","Resource":"arn:aws:s3:::${aws:username, 'x'}*","Condition":{"ForAllValues:ArnNotLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}}}`))
	f.Add([]byte(`{"Statement":[{"Effect":"Deny","NotAction":["a:?"],"NotResource":"*","Condition":{"NumericLessThan":{"aws:EpochTime":1e9},"IpAddress":{"aws:SourceIp":"::/0"},"Null":{"a:b":true}}}]}`))
	who := Principal{ARN: "arn:aws:iam::123456789012:user/ann", SourceIP: netip.MustParseAddr("::1")}
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := ParsePolicy(document)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "policy document, line ") {
				t.Errorf("the error names no place: %v", err)
			}
			return
		}
		who.Policy = p
		d := who.Decide(Request{Action: "proton:GetService", Resource: "arn:aws:proton:eu-west-1:123456789012:service/x"})
		if d.Allowed && d.Denied || d.Allowed && d.Statement == nil {
			t.Errorf("contradiction: %+v", d)
		}
		again, err := ParsePolicy([]byte(p.String()))
		if err != nil || len(again.statements) != len(p.statements) {
			t.Errorf("a policy that was read cannot be read again: %v", err)
		}
	})
}
