package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

const deploymentHelp = `DEPLOYMENT is the id of a deployment, or a resource, which stands for its last
deployment: environment/NAME, service/NAME/service-instance/NAME,
service/NAME/pipeline, component/NAME, or a whole ARN.

`

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (t *tool) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show DEPLOYMENT",
		Short: "Show where a deployment stands, what happened to it, and what to do next",
		Long: `Show where a deployment stands and why, what it changes, its timeline, its inputs
and outputs before and after, and what can be done next.

` + deploymentHelp + credentialsHelp,
		Example: `  hadron deployment show environment/dev
  hadron deployment show 0f5b3d1e-0000-4000-8000-000000000001 --output json`,
		Args: wants("DEPLOYMENT"),
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		id, err := deploymentID(cmd.Context(), a.client(), args[0])
		if err != nil {
			return a.explain(err)
		}
		out, err := a.client().GetDeploymentDetails(cmd.Context(), &api.GetDeploymentDetailsInput{DeploymentId: &id})
		if err != nil {
			return a.explain(err)
		}
		if output.json() {
			return t.writeJSON(out.Details)
		}
		(&page{w: t.stdout, color: t.color}).details(out.Details)
		return nil
	}
	return cmd
}

// deploymentID is the id that a command's argument names: itself, or the last
// deployment of a resource.
func deploymentID(ctx context.Context, client *api.Client, name string) (string, error) {
	if uuidPattern.MatchString(name) {
		return name, nil
	}
	kind, path, _ := strings.Cut(name[strings.LastIndexByte(name, ':')+1:], "/")
	parts := strings.Split(path, "/")
	var id *string
	switch {
	case kind == "deployment" && uuidPattern.MatchString(path):
		return path, nil
	case kind == "environment" && len(parts) == 1 && path != "":
		out, err := client.GetEnvironment(ctx, &api.GetEnvironmentInput{Name: &path})
		if err != nil {
			return "", err
		}
		id = out.Environment.LastAttemptedDeploymentId
	case kind == "component" && len(parts) == 1 && path != "":
		out, err := client.GetComponent(ctx, &api.GetComponentInput{Name: &path})
		if err != nil {
			return "", err
		}
		id = out.Component.LastAttemptedDeploymentId
	case kind == "service" && len(parts) == 3 && parts[1] == "service-instance":
		out, err := client.GetServiceInstance(ctx, &api.GetServiceInstanceInput{ServiceName: &parts[0], Name: &parts[2]})
		if err != nil {
			return "", err
		}
		id = out.ServiceInstance.LastAttemptedDeploymentId
	case kind == "service" && len(parts) == 2 && parts[1] == "pipeline":
		out, err := client.GetService(ctx, &api.GetServiceInput{Name: &parts[0]})
		if err != nil {
			return "", err
		}
		if out.Service.Pipeline == nil {
			return "", fmt.Errorf("service %s has no pipeline", parts[0])
		}
		id = out.Service.Pipeline.LastAttemptedDeploymentId
	default:
		return "", usagef("%q is neither the id of a deployment nor a resource, as in environment/dev, service/shop/service-instance/prod or service/shop/pipeline", name)
	}
	if id == nil {
		return "", fmt.Errorf("%s was never deployed", name)
	}
	return *id, nil
}

// page writes text for people.
type page struct {
	w     io.Writer
	color bool
}

func (p *page) paint(code, text string) string {
	if !p.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (p *page) section(title string) { fmt.Fprintf(p.w, "\n%s\n", p.paint(bold, title)) }

// signs stand for statuses, with a colour.
func (p *page) sign(status string) string {
	switch status {
	case "SUCCEEDED", "DELETE_COMPLETE":
		return p.paint(green, "✓")
	case "FAILED", "DELETE_FAILED":
		return p.paint(red, "✗")
	case "CANCELLED":
		return p.paint(red, "⊘")
	}
	return p.paint(cyan, "…")
}

// statusWords are what a status says of a deployment.
var statusWords = map[string]string{
	"IN_PROGRESS": "is being deployed", "SUCCEEDED": "deployed", "FAILED": "failed", "CANCELLING": "is being cancelled",
	"CANCELLED": "cancelled", "DELETE_IN_PROGRESS": "is being removed", "DELETE_COMPLETE": "removed", "DELETE_FAILED": "could not be removed",
}

// resourcePath is an ARN without what comes before its type.
func resourcePath(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

func (p *page) details(d *api.DeploymentDetails) {
	status := api.Value(d.Status)
	fmt.Fprintf(p.w, "%s %s %s\n", p.sign(status), p.paint(bold, resourcePath(api.Value(d.ResourceArn))), cmp.Or(statusWords[status], status))
	p.wrapped("  ", api.Value(d.StatusReason))
	if message := api.Value(d.StatusMessage); strings.Contains(strings.TrimSpace(message), "\n") {
		p.indented("    ", message)
	}
	fmt.Fprintln(p.w)
	p.field("deployment", api.Value(d.Id))
	p.field("template", templateText(d.TemplateName, d.TemplateVersionBefore, d.TemplateVersion))
	p.field("engine", engineText(api.Value(d.Engine)))
	p.field("started", startedText(d))
	if n := api.Value(d.Attempts); n > 1 {
		p.field("attempts", fmt.Sprint(n))
	}
	p.preview(changesTitle(status), d.Preview)
	p.values("Inputs", d.Inputs, true)
	p.values("Outputs", d.Outputs, d.CompletedAt != nil && status == "SUCCEEDED")
	p.things("Provisioned", d.ProvisionedResources)
	p.timeline(d.Timeline)
	if n := api.Value(d.FileCount); n > 0 {
		p.section("Files")
		fmt.Fprintf(p.w, "  %d were rendered: hadron deployment files %s\n", n, api.Value(d.Id))
	}
	p.next(d.NextSteps)
}

// changesTitle heads what a deployment's engine said that it would change.
func changesTitle(status string) string {
	switch status {
	case "SUCCEEDED", "DELETE_COMPLETE":
		return "What it changed"
	case "FAILED", "DELETE_FAILED", "CANCELLED":
		return "What it was to change"
	}
	return "What it changes"
}

func (p *page) field(name, value string) {
	if value != "" {
		fmt.Fprintf(p.w, "  %s %s\n", p.paint(faint, fmt.Sprintf("%-12s", name)), value)
	}
}

func templateText(name, before, after *string) string {
	text := strings.TrimSpace(api.Value(name) + " " + api.Value(after))
	if before != nil && after != nil && *before != *after {
		text = api.Value(name) + " " + *before + " → " + *after
	}
	return text
}

func engineText(method string) string {
	switch method {
	case "CODEBUILD":
		return "commands"
	case "TERRAFORM":
		return "OpenTofu or Terraform"
	case "CLOUDFORMATION":
		return "CloudFormation"
	}
	return method
}

func startedText(d *api.DeploymentDetails) string {
	began := api.Value(d.CreatedAt).UTC()
	text := began.Format("2006-01-02 15:04:05") + " UTC"
	if d.CompletedAt != nil {
		return text + ", took " + took(d.CompletedAt.Sub(began))
	}
	return text + ", " + took(time.Since(began)) + " ago"
}

// took is a duration with as much detail as anyone wants.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func (p *page) preview(title string, v *api.DeploymentPreview) {
	if v == nil {
		return
	}
	p.section(title)
	p.wrapped("  ", api.Value(v.Summary))
	for _, text := range v.Details {
		p.indented("    ", text)
	}
}

// values prints values before and after. What has changed is marked; without
// an after, as nothing is known of it, those before are printed as they are.
func (p *page) values(title string, list []api.DeploymentValue, compared bool) {
	if len(list) == 0 {
		return
	}
	if !compared {
		title += " in force"
	}
	p.section(title)
	width := 0
	for _, v := range list {
		width = max(width, utf8.RuneCountInString(api.Value(v.Name)))
	}
	for _, v := range list {
		name := api.Value(v.Name)
		sign, text := changed(v, compared)
		line := fmt.Sprintf("  %s %s%s  %s", sign, name, strings.Repeat(" ", max(0, min(width, 40)-utf8.RuneCountInString(name))), text)
		fmt.Fprintln(p.w, p.paint(map[string]string{"+": green, "-": red, "~": cyan, " ": "0"}[sign], line))
	}
}

func changed(v api.DeploymentValue, compared bool) (sign, text string) {
	switch {
	case !compared:
		return " ", oneLine(api.Value(v.Before))
	case v.Before == nil:
		return "+", oneLine(*v.After)
	case v.After == nil:
		return "-", oneLine(*v.Before)
	case *v.Before != *v.After:
		return "~", oneLine(*v.Before) + " → " + oneLine(*v.After)
	}
	return " ", oneLine(*v.After)
}

// oneLine is a value as it fits in a line.
func oneLine(text string) string {
	text = strings.ReplaceAll(text, "\n", `\n`)
	if runes := []rune(text); len(runes) > 120 {
		text = string(runes[:119]) + "…"
	}
	return text
}

func (p *page) things(title string, list []api.DeployedThing) {
	if len(list) == 0 {
		return
	}
	p.section(title)
	for _, r := range list {
		fmt.Fprintf(p.w, "  %s  %s\n", api.Value(r.Name), p.paint(faint, api.Value(r.Identifier)))
	}
}

// milestones are the kinds of milestones in words.
var milestones = map[string]string{
	"ACCEPTED": "accepted", "RELEASED": "what it waited for has ended", "CLAIMED": "taken up by a worker", "TAKEN_OVER": "taken over",
	"RENDERED": "rendered", "PREVIEWED": "previewed", "NOT_PREVIEWED": "not previewed", "STEPPED": "engine at work", "RETRYING": "to be tried again",
	"WAITING": "waits for the engine", "QUEUED": "waits for a place", "HANDED_OVER": "handed over", "REPORTED": "notified", "CANCEL_REQUESTED": "asked to stop", "ENDED": "ended",
}

func (p *page) timeline(list []api.DeploymentMilestone) {
	if len(list) == 0 {
		return
	}
	p.section("Timeline")
	day := ""
	for _, m := range list {
		at := api.Value(m.At).UTC()
		if d := at.Format("2006-01-02"); d != day && day != "" {
			fmt.Fprintln(p.w, p.paint(faint, "  "+d))
		}
		day = at.Format("2006-01-02")
		kind := api.Value(m.Kind)
		text := cmp.Or(milestones[kind], kind)
		if n := api.Value(m.Times); n > 1 {
			text += fmt.Sprintf(", %d steps until %s", n, api.Value(m.Until).UTC().Format("15:04:05"))
		} else if m.Until != nil {
			text += " at " + m.Until.UTC().Format("15:04:05")
		}
		if m.Message != nil {
			text += ": " + oneLine(*m.Message)
		}
		attempt := ""
		if kind == "CLAIMED" || kind == "TAKEN_OVER" {
			attempt = p.paint(faint, fmt.Sprintf("  (attempt %d)", api.Value(m.Attempt)))
		}
		fmt.Fprintf(p.w, "  %s  %s%s\n", p.paint(faint, at.Format("15:04:05.000")), text, attempt)
	}
}

func (p *page) next(steps []api.DeploymentNextStep) {
	if len(steps) == 0 {
		return
	}
	p.section("What to do next")
	for _, s := range steps {
		fmt.Fprintf(p.w, "  %s\n", api.Value(s.Description))
		if s.Command != nil {
			fmt.Fprintf(p.w, "      %s\n", p.paint(cyan, *s.Command))
		}
	}
}

// wrapped prints a sentence in lines of about 100 characters.
func (p *page) wrapped(indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if line != indent && utf8.RuneCountInString(line)+utf8.RuneCountInString(word) >= 100 {
			fmt.Fprintln(p.w, strings.TrimRight(line, " "))
			line = indent
		}
		line += word + " "
	}
	if strings.TrimSpace(line) != "" {
		fmt.Fprintln(p.w, strings.TrimRight(line, " "))
	}
}

// indented prints text as it is, each line indented.
func (p *page) indented(indent, text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		fmt.Fprintln(p.w, indent+strings.TrimRight(line, "\n"))
	}
}
