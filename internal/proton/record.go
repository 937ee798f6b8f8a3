package proton

import "time"

// MilestoneKind says what happened to a deployment.
type MilestoneKind string

const (
	MilestoneAccepted        MilestoneKind = "ACCEPTED"         // the call was answered
	MilestoneReleased        MilestoneKind = "RELEASED"         // what it waited for has ended
	MilestoneClaimed         MilestoneKind = "CLAIMED"          // a worker took it
	MilestoneTakenOver       MilestoneKind = "TAKEN_OVER"       // another one did, after a worker was gone
	MilestoneRendered        MilestoneKind = "RENDERED"         // its files are made
	MilestonePreviewed       MilestoneKind = "PREVIEWED"        // what it will change is known
	MilestoneNotPreviewed    MilestoneKind = "NOT_PREVIEWED"    // and why it is not
	MilestoneStepped         MilestoneKind = "STEPPED"          // the engine was at work; steps in a row are one
	MilestoneRetrying        MilestoneKind = "RETRYING"         // a step could not be taken and is tried again
	MilestoneQueued          MilestoneKind = "QUEUED"           // it waits until its engine has a place for it
	MilestoneWaiting         MilestoneKind = "WAITING"          // the engine asked to be called later
	MilestoneHandedOver      MilestoneKind = "HANDED_OVER"      // the server goes down
	MilestoneReported        MilestoneKind = "REPORTED"         // automation notified a status, a message or outputs
	MilestoneCancelRequested MilestoneKind = "CANCEL_REQUESTED" // a caller asked for its end
	MilestoneEnded           MilestoneKind = "ENDED"
)

// Milestone is one thing that happened to a deployment, or several alike in a row.
type Milestone struct {
	Number  int64 // increases with time; unique in its deployment
	At      time.Time
	Until   time.Time // of the last of several; else zero
	Times   int64
	Kind    MilestoneKind
	Attempt int64  // of the worker; 0 for what callers do
	Message string // for people; may be empty
}

// Abandoned reports whether a deployment whose newest milestone of a worker is
// of this kind was given up without a word: its worker is gone.
func (k MilestoneKind) Abandoned() bool {
	switch k {
	case MilestoneClaimed, MilestoneTakenOver, MilestoneRendered, MilestonePreviewed, MilestoneNotPreviewed, MilestoneStepped:
		return true
	}
	return false
}

// Timeline is a deployment's milestones with those that its record tells.
func (d Deployment) Timeline(recorded []Milestone) []Milestone {
	accepted := Milestone{At: d.CreatedAt, Times: 1, Kind: MilestoneAccepted}
	list := append([]Milestone{accepted}, recorded...)
	if !d.CompletedAt.IsZero() {
		list = append(list, Milestone{At: d.CompletedAt, Times: 1, Kind: MilestoneEnded, Message: string(d.Status)})
	}
	return list
}

// Preview is what a deployment would change, as its engine said before it
// changed anything.
type Preview struct {
	Summary string    `json:"summary"`
	Details []string  `json:"details,omitempty"`
	At      time.Time `json:"at"`
}

// RenderedFile is a file that was handed to an engine, as it may be shown:
// without secrets. Content is empty for what is not text or too long; Note says so.
type RenderedFile struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Content string `json:"content,omitempty"`
	Note    string `json:"note,omitempty"`
}

// Record is what is kept of a deployment for people to look at. Nothing that
// Hadron does depends on it.
type Record struct {
	Method  string
	Preview *Preview
	Files   []RenderedFile
}
