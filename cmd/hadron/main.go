// Command hadron is an open, self-hosted successor to AWS Proton. See
// "hadron --help".
package main

import (
	"os"

	"github.com/hadronhq/hadron/internal/cli"
	"github.com/hadronhq/hadron/internal/engine/command"
	"github.com/hadronhq/hadron/internal/engine/opentofu"
)

func main() {
	// This binary also watches over the programs it runs.
	command.SuperviseIfAsked()
	opentofu.SuperviseIfAsked()
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
