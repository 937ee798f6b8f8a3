package proton

import (
	"slices"
	"strconv"
	"time"
)

// SyncType is what is synced from a repository.
type SyncType string

const (
	TemplateSync SyncType = "TEMPLATE_SYNC"
	ServiceSync  SyncType = "SERVICE_SYNC"
)

// TemplateSyncConfig says which branch a template's versions come from.
type TemplateSyncConfig struct {
	Scope
	Kind         TemplateKind
	TemplateName string
	Provider     string
	Repository   string
	Branch       string
	Subdirectory string // without slashes at its ends; empty: the root
	// AsGiven is the subdirectory as the caller wrote it.
	AsGiven  string
	Revision int64
}

// Owner names what is synced, among the states of its syncs.
func (c TemplateSyncConfig) Owner() string { return string(c.Kind) + "/" + c.TemplateName }

// ServiceSyncConfig says where the ops file of a service is.
type ServiceSyncConfig struct {
	Scope
	ServiceName string
	Provider    string
	Repository  string
	Branch      string
	FilePath    string
	Revision    int64
}

// Revision is one commit of what is synced.
type SyncRevision struct {
	Provider   string `json:"provider"`
	Repository string `json:"repository"`
	Branch     string `json:"branch"`
	Directory  string `json:"directory"`
	SHA        string `json:"sha"`
}

// SyncStatus is how far a sync has got.
type SyncStatus string

const (
	SyncQueued     SyncStatus = "QUEUED" // of repositories only
	SyncInitiated  SyncStatus = "INITIATED"
	SyncInProgress SyncStatus = "IN_PROGRESS"
	SyncSucceeded  SyncStatus = "SUCCEEDED"
	SyncFailed     SyncStatus = "FAILED"
)

// Ended reports whether nothing of a sync goes on any more.
func (s SyncStatus) Ended() bool { return s == SyncSucceeded || s == SyncFailed }

// The types of events of syncs.
const (
	EventCloneStarted          = "CLONE_STARTED"
	EventCloneFailed           = "CLONE_FAILED"
	EventConfigUpdated         = "CONFIG_UPDATED"
	EventConfigInvalid         = "CONFIG_INVALID"
	EventStartingSync          = "STARTING_SYNC"
	EventBundleUnchanged       = "BUNDLE_UNCHANGED"
	EventRegistrationStarted   = "REGISTRATION_STARTED"
	EventRegistrationSucceeded = "REGISTRATION_SUCCEEDED"
	EventRegistrationFailed    = "REGISTRATION_FAILED"
	EventSpecUnchanged         = "SPEC_UNCHANGED"
	EventDeploymentStarted     = "DEPLOYMENT_STARTED"
	EventDeploymentSucceeded   = "DEPLOYMENT_SUCCEEDED"
	EventDeploymentFailed      = "DEPLOYMENT_FAILED"
	EventSyncBlocked           = "SYNC_BLOCKED"
	EventSyncFailed            = "SYNC_FAILED"
)

// SyncEvent is one thing that happened during a sync.
type SyncEvent struct {
	Type       string    `json:"type"`
	Text       string    `json:"text"`
	ExternalID string    `json:"externalId,omitempty"`
	Time       time.Time `json:"time"`
}

// SyncAttempt is one sync of one thing.
type SyncAttempt struct {
	ID        string       `json:"id"`
	StartedAt time.Time    `json:"startedAt"`
	Status    SyncStatus   `json:"status"`
	Initial   SyncRevision `json:"initial"`
	Target    SyncRevision `json:"target"`
	Subject   string       `json:"subject"` // what is synced to: an ARN, of a template with its major
	Events    []SyncEvent  `json:"events"`
}

// Note adds an event to the attempt.
func (a *SyncAttempt) Note(event, text, externalID string, now time.Time) {
	a.Events = append(a.Events, SyncEvent{Type: event, Text: text, ExternalID: externalID, Time: now})
}

// Refers reports whether an event of the attempt is about something.
func (a *SyncAttempt) Refers(event, externalID string) bool {
	return slices.ContainsFunc(a.Events, func(e SyncEvent) bool { return e.Type == event && e.ExternalID == externalID })
}

// SyncSubject is what a state of a sync is kept of.
type SyncSubject string

const (
	SubjectRepository SyncSubject = "REPOSITORY"
	SubjectTemplate   SyncSubject = "TEMPLATE" // one major version
	SubjectInstance   SyncSubject = "INSTANCE"
	SubjectPipeline   SyncSubject = "PIPELINE"
)

// SyncState is what is known of the syncs of one thing.
type SyncState struct {
	Scope
	Subject      SyncSubject
	Key          string // among those of its subject
	Owner        string // the config it belongs to
	RepositoryID string
	Latest       *SyncAttempt
	Succeeded    *SyncAttempt // the latest that was
	Desired      *SyncRevision
	// Digest identifies the content last tried, DigestGood the one last synced.
	Digest     string
	DigestGood string
	// Waiting: what has to be done could not be done yet, and is to be tried
	// again without a new commit.
	Waiting  bool
	Revision int64
}

// Begin starts an attempt to bring the thing to a revision.
func (s *SyncState) Begin(id, subject string, target SyncRevision, now time.Time) {
	initial := target
	if s.Succeeded != nil {
		initial = s.Succeeded.Target
	}
	s.Desired, s.Waiting = &target, false
	s.Latest = &SyncAttempt{ID: id, StartedAt: now, Status: SyncInitiated, Initial: initial, Target: target, Subject: subject, Events: []SyncEvent{}}
}

// End ends the latest attempt with an event.
func (s *SyncState) End(status SyncStatus, event, text, externalID string, now time.Time) {
	s.Latest.Note(event, text, externalID, now)
	s.Latest.Status = status
	if status == SyncSucceeded {
		s.Succeeded, s.DigestGood = s.Latest, s.Digest
	}
}

// TemplateStateKey names the state of one major of a template; major 0 is for
// what concerns them all.
func TemplateStateKey(kind TemplateKind, name string, major int64) string {
	return string(kind) + "/" + name + "/" + strconv.FormatInt(major, 10)
}

// RepositoryStateKey names the state of the syncs of one branch.
func RepositoryStateKey(provider, name, branch string, t SyncType) string {
	return string(t) + " " + provider + "/" + name + " " + branch
}

// RepositorySync is the work of keeping up with one repository. At most one
// worker of all nodes does it at a time: the one that holds the lease.
type RepositorySync struct {
	ID string // of the repository
	Scope
	Provider   string
	Repository string
	Wanted     int64 // rounds asked for
	Done       int64 // and answered
	PollAt     time.Time
	Heads      map[string]Head // by sync type and branch
	Attempt    int64           // the fence: rises at each claim
	LeaseOwner string
	LeaseUntil time.Time // zero while nobody works on it
}

// Head is the commit of a branch that was processed last.
type Head struct {
	SHA      string `json:"sha,omitempty"`
	Asked    int64  `json:"asked,omitempty"` // times that processing it again was asked for
	Answered int64  `json:"answered,omitempty"`
}

// HeadKey names a branch among the heads.
func HeadKey(t SyncType, branch string) string { return string(t) + " " + branch }

// SyncBlocker holds up the sync of a service, or of one instance, because
// somebody changed it by hand.
type SyncBlocker struct {
	Scope
	ID             string
	ServiceName    string
	InstanceName   string // empty: the whole service
	Resolved       bool
	CreatedReason  string
	CreatedAt      time.Time
	ResolvedReason string
	ResolvedAt     time.Time
	DeploymentID   string
	Revision       int64
}

// InstanceStateKey names the state of an instance's syncs.
func InstanceStateKey(service, instance string) string { return service + "/" + instance }

// SyncResult is how the end of a deployment reads for the sync that started it.
func (d Deployment) SyncResult() (SyncStatus, string, string) {
	if d.Status == Succeeded {
		return SyncSucceeded, EventDeploymentSucceeded, "Deployment " + d.ID + " succeeded"
	}
	return SyncFailed, EventDeploymentFailed, "Deployment " + d.ID + " ended as " + string(d.Status) + ": " + d.StatusMessage
}
