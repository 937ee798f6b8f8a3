package proton

import (
	"fmt"
	"strings"
)

// Step is something that a person can do next, with the command that does it.
type Step struct {
	Description string
	Command     string
}

// Standing is what else is known of a deployment when it is explained.
type Standing struct {
	// Current: it is the last deployment of a target that still exists.
	Current bool
	// Latest is the target's last deployment; empty if the target is gone.
	Latest string
	// Good is the last deployment of the target that succeeded, if that is another one.
	Good string
	// Last is the newest milestone; its kind is empty if there is none.
	Last Milestone
}

// Explain says in one sentence where a deployment stands and why, and what can
// be done about it.
func (d Deployment) Explain(s Standing) (reason string, next []Step) {
	if d.CompletedAt.IsZero() {
		return d.explainRunning(s), d.stepsWhileRunning()
	}
	switch d.Status {
	case Succeeded:
		return s.explainSuccess(), nil
	case DeleteComplete:
		return "What it was to remove is gone.", nil
	case Cancelled:
		reason = "A caller cancelled it; what was deployed before is still in force."
		if s.Good == "" {
			reason = "A caller cancelled it; nothing was ever deployed successfully."
		}
	default:
		reason = d.explainFailure()
	}
	return reason, d.stepsAfterFailure(s)
}

func (s Standing) explainSuccess() string {
	switch {
	case s.Latest == "":
		return "It succeeded; what it deployed was removed or forgotten since."
	case s.Good != "":
		return "It succeeded; a later deployment has replaced it."
	}
	return "It succeeded, and is what is in force."
}

func (d Deployment) explainRunning(s Standing) string {
	switch {
	case d.Status == Cancelling:
		return "It is being cancelled: the engine is told to stop."
	case !d.Ready:
		return "It waits for other deployments of its service to end first."
	case s.Last.Kind == MilestoneRetrying:
		return "The engine could not be brought to work, and is tried again at " + s.Last.Until.UTC().Format("15:04:05") + " UTC: " + FirstLine(s.Last.Message)
	case s.Last.Kind == MilestoneWaiting:
		return "The engine is at work outside; it is asked again at " + s.Last.Until.UTC().Format("15:04:05") + " UTC."
	case s.Last.Kind == MilestoneQueued:
		return "It waits until its engine has a place for it: only so many may run at once."
	case d.LeaseOwner == "":
		return "It waits for a worker."
	case s.Last.Kind == MilestoneRendered:
		return "What it will change is being found out."
	}
	return "The engine is at work."
}

// causes begin the sentence about a failure.
var causes = map[Cause]string{
	CauseTemplate:   "The template can't be rendered: ",
	CauseSpec:       "The spec does not fit the template: ",
	CauseEngine:     "There is no engine for it: ",
	CauseConnection: "There is no way into the environment's account: ",
	CauseStep:       "The engine could not be brought to work: ",
	CauseInternal:   "The server has a fault: ",
}

func (d Deployment) explainFailure() string {
	message := FirstLine(d.StatusMessage)
	if message == "" {
		message = "no reason was given"
	}
	prefix := causes[d.Cause]
	if prefix == "" && d.Goal == GoalDestroy {
		prefix = "Removing it failed: "
	}
	return prefix + message
}

// FirstLine is the first line of a text that says something.
func FirstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

func (d Deployment) stepsWhileRunning() []Step {
	follow := Step{"Follow what it does", "hadron deployment logs --follow " + d.ID}
	if d.Goal == GoalDestroy || d.Status == Cancelling {
		return []Step{follow}
	}
	return []Step{follow, {"Stop it", "aws proton " + d.cancelCommand()}}
}

func (d Deployment) cancelCommand() string {
	switch d.TargetType {
	case TargetEnvironment:
		return "cancel-environment-deployment --environment-name " + d.EnvironmentName
	case TargetServiceInstance:
		return "cancel-service-instance-deployment --service-name " + d.ServiceName + " --service-instance-name " + d.InstanceName
	case TargetPipeline:
		return "cancel-service-pipeline-deployment --service-name " + d.ServiceName
	}
	return "cancel-component-deployment --component-name " + d.ComponentName
}

// stepsAfterFailure are what can be done about what did not end well.
func (d Deployment) stepsAfterFailure(s Standing) []Step {
	if !s.Current {
		if s.Latest == "" {
			return nil
		}
		return []Step{{"See the deployment that came after it", "hadron deployment show " + s.Latest}}
	}
	var steps []Step
	switch d.Cause {
	case CauseRun, CauseStep, CauseCancel:
		steps = append(steps, Step{"Find the cause in what the engine has printed", "hadron deployment logs " + d.ID})
	case CauseTemplate:
		steps = append(steps, Step{"Look at the template, publish a corrected minor version, and update to it", d.updateCommand("MINOR_VERSION")})
	case CauseSpec:
		steps = append(steps, Step{"Correct the spec and update with it", d.updateCommand("CURRENT_VERSION") + " --spec file://spec.yaml"})
	case CauseConnection:
		steps = append(steps, Step{"Create and accept a new environment account connection for " + d.EnvironmentName, ""})
	case CauseRole:
		steps = append(steps, Step{"Give the account its pipeline roles", "aws proton update-account-settings --pipeline-service-role-arn ARN"})
	case CauseEngine:
		steps = append(steps, Step{"Run a server that has the engine, or update to a version that is provisioned otherwise", d.updateCommand("MINOR_VERSION")})
	case CauseInternal:
		steps = append(steps, Step{"Look for the deployment's id in the server's log", ""})
	}
	again := "Try it again as it is"
	if d.Goal == GoalDestroy {
		again = "Try to remove it again"
	}
	steps = append(steps, Step{again, "hadron deployment retry " + d.ID})
	if d.Goal == GoalDestroy {
		resource := d.TargetPath()
		return append(steps,
			Step{"Remove it, and forget it even if that fails", "hadron resource force-delete " + resource},
			Step{"Forget it and keep what is running", "hadron resource abandon " + resource})
	}
	if s.Good != "" {
		steps = append(steps, Step{"Go back to the last deployment that succeeded", "hadron deployment rollback " + s.Good})
	}
	return steps
}

func (d Deployment) updateCommand(kind string) string {
	switch d.TargetType {
	case TargetEnvironment:
		return fmt.Sprintf("aws proton update-environment --name %s --deployment-type %s", d.EnvironmentName, kind)
	case TargetServiceInstance:
		return fmt.Sprintf("aws proton update-service-instance --service-name %s --name %s --deployment-type %s", d.ServiceName, d.InstanceName, kind)
	case TargetPipeline:
		return fmt.Sprintf("aws proton update-service-pipeline --service-name %s --deployment-type %s", d.ServiceName, kind)
	}
	return fmt.Sprintf("aws proton update-component --name %s --deployment-type %s", d.ComponentName, kind)
}

// TargetPath is the target's ARN without what comes before its type.
func (d Deployment) TargetPath() string {
	arn := string(d.TargetARN())
	return arn[strings.LastIndexByte(arn, ':')+1:]
}
