package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/hadronhq/hadron/internal/app"
	"github.com/spf13/cobra"
)

func (t *tool) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a server",
		Long: `Run a server until it is told to stop (Ctrl-C or SIGTERM).

It works with nothing set: it listens on 127.0.0.1:8080 and keeps everything in
./hadron-data. At the first start it makes a root access key and prints the lines
to use it with the AWS CLI and SDKs.

Every setting has a flag, an environment variable (in brackets below) and a key
in the configuration file, a YAML file of "name: value" lines where the name is
that of the flag. Flags win, then environment, then file. All settings are
explained in docs/configuration.md.

On the one port are: Proton's API (POST /), an S3-compatible bucket store for
template bundles, /healthz, /readyz and /metrics. So one variable points every
AWS tool at it: AWS_ENDPOINT_URL.`,
		Example: `  hadron serve
  hadron serve --listen 127.0.0.1:9000 --data /var/lib/hadron
  HADRON_LOG_FORMAT=json hadron serve --config /etc/hadron.yaml`,
		Args: wants(),
	}
	app.AddFlags(cmd.Flags())
	file := cmd.Flags().String("config", "", "configuration file, YAML [HADRON_CONFIG]")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		config, err := app.LoadConfig(cmd.Flags(), t.lookupEnv, cmp.Or(*file, t.env("HADRON_CONFIG")))
		if err != nil {
			return err
		}
		return t.serve(cmd.Context(), config)
	}
	return cmd
}

func (t *tool) serve(ctx context.Context, config app.Config) error {
	log := app.NewLogger(config, t.stderr)
	s, err := t.start(ctx, config, log)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "Hadron %s serves on %s\n\n", app.Version, s.URL)
	t.explainAccess(s)
	fmt.Fprint(t.stdout, "\nPress Ctrl-C to stop.\n")
	if config.TLSCert != "" {
		defer reloadOnHangup(s)()
	}
	return t.untilDone(ctx, s, log)
}

// reloadOnHangup has SIGHUP read the certificate anew, until it is stopped.
func reloadOnHangup(s *app.Server) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for range hangup {
			_ = s.ReloadCertificate() // which logs what is wrong with it
		}
	}()
	return func() { signal.Stop(hangup); close(hangup) }
}

// untilDone serves until ctx ends, and closes the server in good order.
func (t *tool) untilDone(ctx context.Context, s *app.Server, log *slog.Logger) error {
	err := s.Wait(ctx)
	if err == nil {
		fmt.Fprint(t.stdout, "\nStopping; a second signal stops at once.\n")
		log.Info("stopping")
	}
	err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	if err == nil {
		fmt.Fprintln(t.stdout, "Stopped.")
	}
	return err
}

// start starts a server and words what may go wrong for whoever typed the
// command.
func (t *tool) start(ctx context.Context, config app.Config, log *slog.Logger) (*app.Server, error) {
	// The server ends by Close, not with ctx: running calls are to be answered.
	s, err := app.Start(context.WithoutCancel(ctx), config, log)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use: another program listens there; stop it, or choose another address, as in --listen %s", config.Listen, otherPort(config.Listen))
	case errors.Is(err, syscall.EACCES) && isListen(err):
		return nil, fmt.Errorf("%s may not be used by this user; choose a port above 1023, as in --listen %s", config.Listen, otherPort(config.Listen))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is not an address of this machine; choose another, as in --listen 127.0.0.1:8080", config.Listen)
	case err != nil:
		return nil, err
	}
	if reachable(config.Listen) && config.TLSCert == "" {
		log.Warn("the server can be reached from other machines and does not encrypt: give it a certificate (--tls-cert, --tls-key), put a TLS proxy before it, or listen on 127.0.0.1", "listen", config.Listen)
	}
	return s, nil
}

func isListen(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "listen"
}

// otherPort is an address beside a taken one, above the ports that only root
// may use.
func otherPort(address string) string {
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.Atoi(port)
	switch {
	case err != nil || portErr != nil || n >= 65535:
		return "127.0.0.1:8081"
	case n < 1024:
		n = 8079
	}
	return net.JoinHostPort(host, strconv.Itoa(n+1))
}

// reachable says whether other machines can reach an address to listen on.
func reachable(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}

// region is what is proposed to whoever has none.
const region = "us-east-1"

// explainAccess prints the lines that point AWS tools at the server. A secret
// is printed by the start that made it, and never again.
func (t *tool) explainAccess(s *app.Server) {
	export := func(name, value, note string) {
		fmt.Fprintf(t.stdout, "  export %s=%s%s\n", name, shellWord(value), note)
	}
	file, err := filepath.Abs(s.Root.File)
	if err != nil {
		file = s.Root.File
	}
	switch {
	case s.Root.File == "":
		fmt.Fprint(t.stdout, "Use it with the AWS CLI and SDKs, with the root access key you configured:\n\n")
		export("AWS_ENDPOINT_URL", s.URL, "")
	case s.Root.Fresh:
		fmt.Fprintf(t.stdout, "A root access key was made. It may do everything, and is kept in\n%s\n\nUse it with the AWS CLI and SDKs:\n\n", file)
		export("AWS_ENDPOINT_URL", s.URL, "")
		export("AWS_ACCESS_KEY_ID", s.Root.AccessKeyID, "")
		export("AWS_SECRET_ACCESS_KEY", string(s.Root.SecretAccessKey), "")
	default:
		fmt.Fprintf(t.stdout, "The root access key is kept in\n%s\n\nUse it with the AWS CLI and SDKs:\n\n", file)
		export("AWS_ENDPOINT_URL", s.URL, "")
		export("AWS_SHARED_CREDENTIALS_FILE", file, "")
	}
	fmt.Fprintf(t.stdout, "  %s   # any; each Region has resources of its own\n", exportRegion(region))
}

// exportRegion names a Region to tools that read the one variable or the other.
func exportRegion(name string) string {
	return fmt.Sprintf("export AWS_REGION=%s AWS_DEFAULT_REGION=%[1]s", shellWord(name))
}

// shellWord quotes a value for a shell if it needs it.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./-_", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
