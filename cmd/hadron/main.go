// Command hadron is an open, self-hosted successor to AWS Proton. See
// "hadron --help".
package main

import (
	"os"

	"github.com/hadronhq/hadron/internal/cli"
	"github.com/hadronhq/hadron/internal/engine/command"
)

func main() {
	command.SuperviseIfAsked() // this binary also watches over the commands it runs
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
