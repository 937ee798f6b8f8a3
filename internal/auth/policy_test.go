package auth

import (
	"strings"
	"testing"
)

func TestPolicyDecides(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:proton:eu-west-1:123456789012:service/billing"
	tests := []struct {
		name, statements, action, resource string
		want                               bool
	}{
		{"nothing allows", `{"Effect":"Allow","Action":"proton:ListServices","Resource":"*"}`, "proton:GetService", arn, false},
		{"one action", `{"Effect":"Allow","Action":"proton:GetService","Resource":"*"}`, "proton:GetService", arn, true},
		{"actions ignore case", `{"Effect":"Allow","Action":"PROTON:getservice","Resource":"*"}`, "proton:GetService", arn, true},
		{"resources do not", `{"Effect":"Allow","Action":"*","Resource":"arn:aws:proton:*:*:service/Billing"}`, "proton:GetService", arn, false},
		{"a star in the middle", `{"Effect":"Allow","Action":"proton:*Service","Resource":"arn:aws:proton:*:*:service/b*g"}`, "proton:GetService", arn, true},
		{"a question mark", `{"Effect":"Allow","Action":"proton:?etService","Resource":"*"}`, "proton:GetService", arn, true},
		{"a question mark is one", `{"Effect":"Allow","Action":"proton:?GetService","Resource":"*"}`, "proton:GetService", arn, false},
		{"a list", `{"Effect":"Allow","Action":["a:b","proton:Get*"],"Resource":["x","*"]}`, "proton:GetService", arn, true},
		{"denial wins", `[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"proton:Get*","Resource":"*"}]`, "proton:GetService", arn, false},
		{"denial of another", `[{"Effect":"Deny","Action":"proton:Delete*","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"}]`, "proton:GetService", arn, true},
		{"NotAction", `{"Effect":"Allow","NotAction":"proton:Delete*","Resource":"*"}`, "proton:GetService", arn, true},
		{"NotAction named", `{"Effect":"Allow","NotAction":"proton:Get*","Resource":"*"}`, "proton:GetService", arn, false},
		{"NotResource", `{"Effect":"Allow","Action":"*","NotResource":"*/billing"}`, "proton:GetService", arn, false},
		{"deny NotResource", `[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","NotResource":"*/billing"}]`, "proton:GetService", arn, true},
		{"bucket and objects differ", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`, "s3:ListBucket", "arn:aws:s3:::b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":` + tt.statements + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := (Principal{Policy: p}).May(tt.action, tt.resource); got != tt.want {
				t.Errorf("May is %v, want %v", got, tt.want)
			}
		})
	}
	if !(Principal{}).May("any:thing", "*") {
		t.Error("the root of an account may not do everything")
	}
}

func TestPoliciesThatAreRefused(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"a":"b"}}}}`: "Condition is not supported",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*/${aws:username}"}}`:                "policy variables",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}}`:                "Principal",
		`{"Version":"2012-10-17","Statement":{"Effect":"Permit","Action":"*","Resource":"*"}}`:                               `Effect is "Permit"`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*"}}`:                                             "Action or NotAction",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a","NotAction":"b","Resource":"*"}}`:                "Action or NotAction",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*"}}`:                                               "Resource or NotResource",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":7,"Resource":"*"}}`:                                  "string or a list of strings",
		`{"Version":"1999","Statement":[]}`: `Version is "1999"`,
		`[]`:                                "policy document",
	} {
		if _, err := ParsePolicy([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", document, err, want)
		}
	}
}
