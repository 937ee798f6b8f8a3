package auth

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// SessionKeyPrefix begins the ids of temporary access keys.
const SessionKeyPrefix = "ASIA"

// Grant is what temporary credentials are issued for. It travels inside their
// session token, sealed: nothing of them is stored.
type Grant struct {
	Secret      string    `json:"s"`
	AccountID   string    `json:"a"`
	RoleName    string    `json:"r"`
	SessionName string    `json:"n"`
	IssuedAt    time.Time `json:"i"`
	Expires     time.Time `json:"e"`
	Policy      string    `json:"p,omitempty"` // narrows what the role may do
	Managed     []string  `json:"m,omitempty"`
}

// RoleARN is the ARN of the role that the session is of.
func (g Grant) RoleARN() string { return "arn:aws:iam::" + g.AccountID + ":role/" + g.RoleName }

// ARN is the ARN of the session.
func (g Grant) ARN() string {
	return "arn:aws:sts::" + g.AccountID + ":assumed-role/" + g.RoleName + "/" + g.SessionName
}

// SealGrant makes the session token that belongs to a temporary access key.
func (s *Sealer) SealGrant(g Grant, accessKeyID string) (string, error) {
	text, err := json.Marshal(g)
	if err != nil {
		return "", err
	}
	return s.Seal(Secret(text), sessionName(accessKeyID)), nil
}

// OpenGrant reads a session token; false if it was not made for the key, or
// not by this server.
func (s *Sealer) OpenGrant(token, accessKeyID string) (Grant, bool) {
	var g Grant
	text, err := s.Open(token, sessionName(accessKeyID))
	if err != nil || json.Unmarshal([]byte(text), &g) != nil {
		return Grant{}, false
	}
	return g, true
}

func sessionName(accessKeyID string) string { return "session " + accessKeyID }

// maxPolicy is how long a policy document may be.
const maxPolicy = 20480

// ReadPolicies reads what a principal may do: a document, which may be empty,
// and built-in policies by name. Without any of them nothing is allowed.
func ReadPolicies(document string, managed []string) (*Policy, error) {
	var all []*Policy
	if len(document) > maxPolicy {
		return nil, errors.New("policy document: too long")
	}
	if strings.TrimSpace(document) != "" {
		p, err := ParsePolicy([]byte(document))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	for _, name := range managed {
		p, ok := ManagedPolicy(name)
		if !ok {
			return nil, errors.New("there is no built-in policy " + name + "; there are " + strings.Join(ManagedPolicies(), ", "))
		}
		all = append(all, p)
	}
	return JoinPolicies(all...), nil
}
