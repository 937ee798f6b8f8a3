package bundle

import "bytes"

// MetadataFile is where the metadata of a deployment is, in the folder of its
// resource.
const MetadataFile = ".proton/deployment-metadata.json"

// Metadata tells automation what a folder in a repository is about.
type Metadata struct {
	DeploymentID   string
	Deleted        bool // the resource is being removed
	ARN            string
	TemplateARN    string // of all but components
	Major, Minor   string
	EnvironmentARN string // of instances and components
	Component      bool
	ServiceARN     string // of attached components
	InstanceARN    string
}

// Text is the file as Proton wrote it.
func (m Metadata) Text() []byte {
	about := object("arn", m.ARN)
	for _, f := range []struct{ key, value string }{
		{"templateArn", m.TemplateARN}, {"templateMajorVersion", m.Major}, {"templateMinorVersion", m.Minor},
		{"environmentArn", m.EnvironmentARN}, {"serviceArn", m.ServiceARN}, {"serviceInstanceArn", m.InstanceARN},
	} {
		if f.value != "" {
			about.Set(f.key, f.value)
		}
	}
	wrapper := "resourceMetadata"
	if m.Component {
		wrapper = "componentMetadata"
	}
	var b bytes.Buffer
	// Strings and truth values alone: writing them cannot fail.
	_ = writeValues(&b, object("deploymentId", m.DeploymentID, "isResourceDeleted", m.Deleted, wrapper, about), "")
	return b.Bytes()
}
