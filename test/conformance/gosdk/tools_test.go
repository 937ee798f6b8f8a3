package gosdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/proton"
)

// standIns are programs that commands of a bundle run.
var standIns = map[string]func(args []string) error{
	"hadron-notify": notify,
	"aws":           awsCommand,
	"jq":            jq,
	"npm":           npm,
	"make-outputs":  makeOutputs,
	"record":        func(args []string) error { return record(strings.Join(args, " ")) },
	"terraform":     func(args []string) error { return record("terraform " + strings.Join(args, " ")) },
}

// notify reports outputs with the SDK alone, as any program in a job can: with
// the endpoint and the key that the job was given. Arguments are key=value.
func notify(args []string) error {
	in := &proton.NotifyResourceDeploymentStatusChangeInput{ResourceArn: aws.String(os.Getenv("RESOURCE_ARN"))}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not key=value", arg)
		}
		in.Outputs = append(in.Outputs, &proton.Output_{Key: &key, ValueString: &value})
	}
	return send(in, os.Getenv("HADRON_ACCESS_KEY_ID"), os.Getenv("HADRON_SECRET_ACCESS_KEY"), os.Getenv("AWS_ENDPOINT_URL_PROTON"))
}

func send(in *proton.NotifyResourceDeploymentStatusChangeInput, id, secret, endpoint string) error {
	if id == "" || secret == "" || endpoint == "" {
		return errors.New("the job has no key or endpoint of its own")
	}
	sess, err := session.NewSession(aws.NewConfig().WithEndpoint(endpoint).WithRegion(os.Getenv("AWS_REGION")).
		WithCredentials(credentials.NewStaticCredentials(id, secret, "")))
	if err != nil {
		return err
	}
	_, err = proton.New(sess).NotifyResourceDeploymentStatusChange(in)
	return err
}

// awsCommand stands for the AWS command line in real bundles: it answers what
// they ask of other services, and carries out their Proton call for real.
func awsCommand(args []string) error {
	line := strings.Join(args, " ")
	if err := record("aws " + line); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(line, "sts get-caller-identity"):
		fmt.Println(account)
		return nil
	case strings.HasPrefix(line, "iam get-open-id-connect-provider"):
		return nil
	case !strings.HasPrefix(line, "proton notify-resource-deployment-status-change"):
		return fmt.Errorf("aws %s: not among what real bundles call", line)
	}
	in := &proton.NotifyResourceDeploymentStatusChangeInput{}
	endpoint := ""
	for n := 2; n+1 < len(args); n += 2 {
		switch args[n] {
		case "--resource-arn":
			in.ResourceArn = &args[n+1]
		case "--status":
			in.Status = &args[n+1]
		case "--endpoint-url":
			endpoint = args[n+1]
		case "--outputs":
			text, err := os.ReadFile(strings.TrimPrefix(args[n+1], "file://"))
			if err != nil {
				return err
			}
			if err := json.Unmarshal(text, &in.Outputs); err != nil {
				return fmt.Errorf("%s: %w", args[n+1], err)
			}
		default:
			return fmt.Errorf("aws: unknown option %s", args[n])
		}
	}
	if dry, err := beside("dry"); dry != nil || err != nil { // outside of a deployment
		return errors.Join(err, dry.Close())
	}
	return send(in, os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), endpoint)
}

// jq reads one value from standard input: jq .a.b -r
func jq(args []string) error {
	var value any
	if err := json.NewDecoder(os.Stdin).Decode(&value); err != nil {
		return err
	}
	if len(args) != 2 || args[1] != "-r" {
		return fmt.Errorf("jq %q: only one path with -r is known here", args)
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(args[0], "."), ".") {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	if value == nil {
		value = "null"
	}
	fmt.Println(value)
	return nil
}

// record appends a line to the file "calls" beside the stand-ins, with what it
// was called for and the inputs it found; without such a file nobody wants to know.
func record(line string) error {
	file, err := beside("calls")
	if file == nil {
		return err
	}
	one := call{Run: os.Getenv("RESOURCE_ARN"), Line: line}
	if text, err := os.ReadFile("proton-inputs.json"); err == nil {
		one.Inputs = string(text)
	}
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	return errors.Join(err, file.Close())
}

// call is one call of a stand-in.
type call struct{ Run, Line, Inputs string }

// beside opens a file for appending in the first folder of PATH that has it.
func beside(name string) (*os.File, error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return nil, nil
}
