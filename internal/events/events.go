// Package events tells the world of status changes, in the shape that AWS
// Proton's events had on EventBridge: to webhooks, as EventBridge's envelope or
// as CloudEvents, to a file, or to a real event bus.
//
// What is to be told lies in the database since the transaction that made the
// change, and is deleted once its target has taken it: every event is delivered
// at least once, those of one resource in order. Consumers know a repeat by its
// id. The package makes no events and decides nothing about resources.
package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// Envelope is an event as EventBridge delivers it to the targets of a rule.
type Envelope struct {
	Version    string   `json:"version"` // of the envelope: "0"
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"` // ISO 8601, UTC, seconds
	Region     string   `json:"region"`
	Resources  []string `json:"resources"` // one ARN
	Detail     Detail   `json:"detail"`

	at time.Time
	of proton.Resource
}

// Detail says what has changed. All members are strings; which of them there
// are depends on the resource.
type Detail struct {
	ID             string `json:"id,omitempty"`
	Name           string `json:"name,omitempty"`
	ServiceName    string `json:"serviceName,omitempty"`
	MajorVersion   string `json:"majorVersion,omitempty"`
	MinorVersion   string `json:"minorVersion,omitempty"`
	Status         string `json:"status"`
	PreviousStatus string `json:"previousStatus,omitempty"` // not of what is new
}

// source is who events are from, as rules match it.
const source = "aws.proton"

// NewEnvelope writes a status change as an event.
func NewEnvelope(e store.Event) (Envelope, error) {
	r, err := proton.ParseARN(string(e.Resource))
	if err != nil {
		return Envelope{}, fmt.Errorf("event %s: %w", e.ID, err)
	}
	return Envelope{
		Version: "0", ID: e.ID, DetailType: "AWS Proton " + titles(string(r.Type)) + " Status Change", Source: source,
		Account: r.Scope.Account, Time: e.At.UTC().Format(time.RFC3339), Region: r.Scope.Region,
		Resources: []string{string(e.Resource)}, Detail: detail(r, e), at: e.At, of: r,
	}, nil
}

func detail(r proton.Resource, e store.Event) Detail {
	d := Detail{Status: e.Status, PreviousStatus: e.Previous}
	switch r.Type {
	case proton.ResourceDeployment, proton.ResourceAccountConnection:
		d.ID = r.Name
	case proton.ResourcePipeline:
		d.ServiceName = r.Name
	case proton.ResourceServiceInstance:
		d.ServiceName, d.Name = r.Name, r.Child
	case proton.ResourceEnvironmentTemplateVersion, proton.ResourceServiceTemplateVersion:
		d.Name = r.Name
		d.MajorVersion, d.MinorVersion = strconv.FormatInt(r.Version.Major, 10), strconv.FormatInt(r.Version.Minor, 10)
	default:
		d.Name = r.Name
	}
	return d
}

// titles writes each word with a capital.
func titles(words string) string {
	list := strings.Fields(words)
	for n, word := range list {
		list[n] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(list, " ")
}

// cloudEvent is an event in the JSON format of CloudEvents 1.0. Its type is
// aws.proton.service-instance.status-change and the like; account and region
// are extension attributes.
type cloudEvent struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Account         string `json:"awsaccount"`
	Region          string `json:"awsregion"`
	Data            Detail `json:"data"`
}

func (e Envelope) cloudEvent() ([]byte, error) {
	kind := strings.ReplaceAll(string(e.of.Type), " ", "-")
	return json.Marshal(cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: source, Type: source + "." + kind + ".status-change", Subject: e.Resources[0],
		Time: e.at.UTC().Format(time.RFC3339Nano), DataContentType: "application/json", Account: e.Account, Region: e.Region, Data: e.Detail,
	})
}
