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
		{"a list", `{"Effect":"Allow","Action":["a:b","proton:Get*"],"Resource":["arn:aws:s3:::x","*"]}`, "proton:GetService", arn, true},
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
	statement := func(elements string) string {
		return "{\"Version\":\"2012-10-17\",\n\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},\n{" + elements + "}]}"
	}
	const rest = `"Effect":"Allow","Action":"*","Resource":"*"`
	for document, want := range map[string]string{
		statement(rest + `,"Principal":"*"`):                                         "line 3, /Statement/1: Principal",
		statement(`"Effect":"Permit","Action":"*","Resource":"*"`):                   `line 3, /Statement/1/Effect: the effect is "Permit"`,
		statement(`"Effect":"Allow","Resource":"*"`):                                 "Action or NotAction",
		statement(`"Effect":"Allow","Action":"a:b","NotAction":"a:c","Resource":""`): "Action or NotAction",
		statement(`"Effect":"Allow","Action":"*"`):                                   "Resource or NotResource",
		statement(`"Effect":"Allow","Action":7,"Resource":"*"`):                      "/Statement/1/Action: must be a string or a list of strings",
		statement(`"Effect":"Allow","Action":["a:b","GetService"],"Resource":"*"`):   "/Statement/1/Action/1: \"GetService\" is not an action",
		statement(`"Effect":"Allow","Action":[],"Resource":"*"`):                     "an empty list",
		statement(`"Effect":"Allow","Action":"*","Resource":"service/x"`):            "/Statement/1/Resource: \"service/x\" is not a resource",
		statement(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:x"`): "closing brace",
		statement(`"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${user}"`): "not a policy variable",
		statement(rest + `,"Condition":[]`):                                          "must be an object of operators",
		statement(rest + `,"Condition":{"StringIs":{"aws:username":"a"}}`):           `/Statement/1/Condition/StringIs: there is no condition operator "StringIs"`,
		statement(rest + `,"Condition":{"NullIfExists":{"aws:username":"true"}}`):    "NullIfExists",
		statement(rest + `,"Condition":{"ForSome:StringLike":{"aws:username":"a"}}`): "ForSome",
		statement(rest + `,"Condition":{"StringLike":{"username":"a"}}`):             `"username" is not a condition key`,
		statement(rest + `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0"}}`):     "/Statement/1/Condition/IpAddress/aws:SourceIp",
		statement(rest + `,"Condition":{"DateLessThan":{"aws:CurrentTime":"soon"}}`): "not an instant",
		statement(rest + `,"Condition":{"Bool":{"aws:SecureTransport":["true",1]}}`): "aws:SecureTransport/1",
		statement(rest + `,"Effect":"Deny"`):                                         "/Statement/1/Effect: given twice",
		statement(rest + `,"Resources":"*"`):                                         "there is no element Resources",
		statement(rest + `,"Sid":null`):                                              "null has no meaning",
		statement(rest) + "x":                                                        "line 3: not JSON",
		"{\n\n":                                                                      "line 3: not JSON: it ends too early",
		strings.Repeat("[", 1000):                                                    "nested more than",
		`{"Version":"1999","Statement":[]}`:                                          `/Version: the version is "1999"`,
		`{"Statement":[]}`:                                                           "/Statement: there must be a statement",
		`{}`:                                                                         "Statement is missing",
		`[]`:                                                                         "must be an object",
	} {
		if _, err := ParsePolicy([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", document, err, want)
		}
	}
}
