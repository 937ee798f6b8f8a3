// Command hadron is an open, self-hosted successor to AWS Proton. See
// "hadron --help".
package main

import (
	"os"

	"github.com/hadronhq/hadron/internal/cli"
)

// This binary also watches over the programs it runs: a process that was started
// for that never comes here (internal/engine/supervisor).
func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
