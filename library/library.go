// Package library holds template bundles to learn from and to start with. They
// are embedded, so that the quickstart needs nothing but the binary; each is a
// folder that could be anybody's.
//
// Bundles lie in KIND-templates/NAME/vMAJOR with a spec example beside them.
// The package says what there is and knows nothing of what bundles mean.
package library

import (
	"embed"
	"io/fs"
)

//go:embed environment-templates service-templates
var files embed.FS

// Names of what the quickstart uses.
const (
	LocalNetwork = "local-network" // environment template
	WebService   = "web-service"   // service template
)

// Bundle is the folder of a bundle: kind is "environment" or "service".
func Bundle(kind, name, version string) (fs.FS, error) {
	path := kind + "-templates/" + name + "/" + version
	if _, err := fs.Stat(files, path); err != nil {
		return nil, err
	}
	return fs.Sub(files, path)
}
