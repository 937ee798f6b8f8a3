package opentofu_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hadronhq/hadron/internal/engine"
	"github.com/hadronhq/hadron/internal/engine/enginetest"
)

func benchFiles(input int) []string {
	return []string{"main.tf", `
terraform {
  backend "local" {}
}
resource "terraform_data" "it" {
  count = 10
  input = "` + strconv.Itoa(input) + `-${count.index}"
}
output "first" { value = terraform_data.it[0].output }
`}
}

// BenchmarkDeployment compares a deployment by the driver with init and apply
// of the same folder by hand: the first one of a template on this machine, and
// one that changes the inputs later.
func BenchmarkDeployment(b *testing.B) {
	program := enginetest.Tofu(b)
	plain := func(b *testing.B, dir string, input int) {
		b.Helper()
		if err := engine.WriteFiles(dir, []engine.File{{Path: "main.tf", Content: []byte(benchFiles(input)[1])}}); err != nil {
			b.Fatal(err)
		}
		for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve"}} {
			cmd := exec.Command(program, args...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CHECKPOINT_DISABLE=1"}
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	}
	b.Run("first/plain", func(b *testing.B) {
		for b.Loop() {
			plain(b, b.TempDir(), 0)
		}
	})
	b.Run("first/driver", func(b *testing.B) {
		states := newBackend(b)
		for n := 0; b.Loop(); n++ {
			d := states.driver(b, b.TempDir(), nil)
			r, _ := newRun(benchFiles(0)...)
			r.ResourceARN += strconv.Itoa(n)
			succeed(b, d, r)
		}
	})
	b.Run("later/plain", func(b *testing.B) {
		dir := filepath.Join(b.TempDir())
		plain(b, dir, 0)
		for n := 1; b.Loop(); n++ {
			plain(b, dir, n)
		}
	})
	b.Run("later/driver", func(b *testing.B) {
		d := newBackend(b).driver(b, b.TempDir(), nil)
		r, _ := newRun(benchFiles(0)...)
		succeed(b, d, r)
		for n := 1; b.Loop(); n++ {
			r, _ := newRun(benchFiles(n)...)
			succeed(b, d, r)
		}
	})
}
