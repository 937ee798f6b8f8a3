package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// answer is one response of the server to a call.
type answer struct {
	broken bool // the server has been broken on purpose
	target string
	status int
	header http.Header
	body   []byte
}

// check lists what of an answer the model does not allow, and gives the
// result: "ok" or the name of an exception; empty if it is not worth a record.
func (m *Model) check(a answer) (result string, problems []string) {
	c := &checker{model: m, broken: a.broken}
	if got := a.header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
		c.problem("", "Content-Type is %q", got)
	}
	if !uuidPattern.MatchString(a.header.Get("X-Amzn-Requestid")) {
		c.problem("", "x-amzn-RequestId is %q, not a UUID", a.header.Get("X-Amzn-Requestid"))
	}
	value, err := parse(a.body)
	if err != nil {
		c.problem("", "the body %.200q is no JSON object: %v", a.body, err)
		return "", c.problems
	}
	o := m.operations[a.target]
	if a.status == http.StatusOK {
		if o == nil {
			c.problem("", "there is no operation %q to answer with success", a.target)
		} else {
			c.value(o.Output, o.Output, value)
			if len(value) == 0 && len(m.shapes[o.Output].Members) > 0 {
				return "", c.problems // there was nothing to delete: that proves little
			}
		}
		return "ok", c.problems
	}
	return c.exception(o, a.status, value), c.problems
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func parse(body []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value map[string]any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows")
	}
	if value == nil {
		return nil, errors.New("it is null")
	}
	return value, nil
}

type checker struct {
	model    *Model
	broken   bool
	problems []string
}

func (c *checker) problem(path, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + ": " + text
	}
	c.problems = append(c.problems, text)
}

// protocol are the errors that the protocol has for every operation, with
// their statuses.
var protocol = map[string][]int{
	"ExpiredTokenException":               {400},
	"IncompleteSignature":                 {400},
	"InvalidSignatureException":           {400},
	"MissingAuthenticationTokenException": {400},
	"RequestEntityTooLargeException":      {413},
	"SerializationException":              {400},
	"UnknownOperationException":           {400, 404},
	"UnrecognizedClientException":         {400},
}

// unmodelled are exceptions that operations answer with though the model does
// not list them there; docs/compatibility.md says why.
var unmodelled = map[string][]string{
	"CreateServiceInstance": {"ServiceQuotaExceededException"},
}

// exception checks an error and gives its name.
func (c *checker) exception(o *operation, status int, value map[string]any) string {
	kind, _ := value["__type"].(string)
	namespace, name, found := strings.Cut(kind, "#")
	if !found || namespace == "" || name == "" {
		c.problem("", "__type is %q, not namespace#name", kind)
	}
	for key, v := range value {
		if _, isText := v.(string); !isText || !slices.Contains([]string{"__type", "message", "Message", "member"}, key) {
			c.problem("", "the error has %s: %v", key, v)
		}
	}
	switch {
	case c.broken && status == http.StatusInternalServerError && name == "InternalServerException" && o != nil && namespace == o.Namespace:
	case status >= http.StatusInternalServerError || name == "InternalServerException":
		c.problem("", "HTTP %d, %s: %v", status, name, value["message"])
	case protocol[name] != nil:
		if !slices.Contains(protocol[name], status) {
			c.problem("", "%s has status %d, want %d", name, status, protocol[name])
		}
	case o == nil:
		c.problem("", "%s is no error of the protocol", name)
	case !slices.Contains(o.Errors, name) && !slices.Contains(unmodelled[o.Name], name):
		c.problem("", "%s is not among the errors of %s", name, o.Name)
	case status != http.StatusBadRequest || namespace != o.Namespace:
		c.problem("", "%s has status %d and namespace %s, want 400 and %s", name, status, namespace, o.Namespace)
	case value["message"] == nil || value["message"] == "":
		c.problem("", "%s has no message", name)
	}
	return name
}

// value holds one value against its shape.
func (c *checker) value(path, name string, v any) {
	s := c.model.shapes[name]
	switch s.Type {
	case "structure":
		if object, ok := v.(map[string]any); ok {
			c.structure(path, name, object)
			return
		}
	case "list":
		if list, ok := v.([]any); ok {
			c.limits(path, s, int64(len(list)))
			for n, element := range list {
				c.value(fmt.Sprintf("%s[%d]", path, n), s.Member.Shape, element)
			}
			return
		}
	case "string":
		if text, ok := v.(string); ok {
			c.text(path, s, text)
			return
		}
	case "integer":
		if number, ok := v.(json.Number); ok {
			if n, err := number.Int64(); err == nil {
				c.limits(path, s, n)
				return
			}
		}
	case "boolean":
		if _, ok := v.(bool); ok {
			return
		}
	case "timestamp":
		if number, ok := v.(json.Number); ok && instant(number.String()) {
			return
		}
	}
	c.problem(path, "%#v is no %s", v, s.Type)
}

// secondsPattern is an instant between 2001 and 2286, to the millisecond.
var secondsPattern = regexp.MustCompile(`^[1-9][0-9]{9}(\.[0-9]{1,3})?$`)

func instant(text string) bool { return secondsPattern.MatchString(text) }

func (c *checker) structure(path, name string, object map[string]any) {
	s := c.model.shapes[name]
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if m, ok := s.Members[key]; ok {
			if isLongARN(name, key, object) {
				continue
			}
			c.value(path+"."+key, m.Shape, object[key])
		} else {
			c.problem(path, "%s has no member %s", name, key)
		}
	}
	for _, key := range s.Required {
		if _, ok := object[key]; !ok && !mayLack(name, key, object) {
			c.problem(path, "the required member %s is missing", key)
		}
	}
	if s.Union && len(object) != 1 {
		c.problem(path, "%d members of a union are set", len(object))
	}
}

// mayLack reports whether an object may lack a member that the model calls
// required: what the service itself leaves out until there is a value for it.
func mayLack(name, key string, object map[string]any) bool {
	switch name {
	case "Environment", "EnvironmentSummary", "ServiceInstance", "ServiceInstanceSummary", "ServicePipeline":
		// They come with the first success.
		until := []string{"lastDeploymentSucceededAt", "templateMajorVersion", "templateMinorVersion"}
		return slices.Contains(until, key) && object["deploymentStatus"] != "SUCCEEDED"
	case "Deployment", "DeploymentSummary":
		return key == "environmentName" && object["targetResourceType"] == "SERVICE_PIPELINE"
	case "EnvironmentAccountConnection", "EnvironmentAccountConnectionSummary":
		return key == "roleArn"
	}
	return false
}

// isLongARN reports whether a member is the ARN of a service instance whose
// names are so long that it exceeds what the model allows there.
func isLongARN(name, key string, object map[string]any) bool {
	switch name + "." + key {
	case "Deployment.targetArn", "DeploymentSummary.targetArn":
	case "Tag.value":
		if object["key"] != "aws:proton:service-instance" {
			return false
		}
	default:
		return false
	}
	text, _ := object[key].(string)
	return len(text) > 200 && strings.HasPrefix(text, "arn:") && strings.Contains(text, "/service-instance/")
}

func (c *checker) text(path string, s *shape, text string) {
	c.limits(path, s, int64(utf8.RuneCountInString(text)))
	if s.Enum != nil && !slices.Contains(s.Enum, text) {
		c.problem(path, "%q is not among %v", text, s.Enum)
	}
	if s.pattern != nil && !s.pattern.MatchString(text) {
		c.problem(path, "%q does not match %s", text, s.Pattern)
	}
}

// limits checks a length or a number.
func (c *checker) limits(path string, s *shape, n int64) {
	if s.Min != nil && n < *s.Min || s.Max != nil && n > *s.Max {
		c.problem(path, "%d is beyond the limits of the %s", n, s.Type)
	}
}
