package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/app"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (t *tool) masterKeyCommand() *cobra.Command {
	return group("master-key", "Rotate the key that secrets in the database are sealed with",
		`Rotate the key that secrets in the database are sealed with. The file of the key (by
default DATA/master.key) may hold several: the first seals, the others only open. A
server reads the file when it changes, and seals anew what others than the first have
sealed; it can be killed meanwhile. One server: "rotate", then "finish". Many: "add",
copy the file to all, "use" on each, then "finish" on each (docs/operations.md).`,
		t.rotateMasterKeyCommand(), t.addMasterKeyCommand(), t.useMasterKeyCommand(), t.finishMasterKeyCommand(), t.listMasterKeysCommand())
}

// masterKeyFile adds the flags that say where the keys are.
func (t *tool) masterKeyFile(flags *pflag.FlagSet) func() (string, app.MasterKeys, error) {
	data := flags.String("data", "", "data folder of the server (default ./hadron-data) [HADRON_DATA]")
	file := flags.String("master-key-file", "", "file of the keys, if it is not DATA/master.key [HADRON_MASTER_KEY_FILE]")
	return func() (string, app.MasterKeys, error) {
		c := app.DefaultConfig()
		for _, choice := range []struct {
			into *string
			from []string
		}{{&c.Data, []string{*data, t.env("HADRON_DATA")}}, {&c.MasterKeyFile, []string{*file, t.env("HADRON_MASTER_KEY_FILE")}}} {
			if n := slices.IndexFunc(choice.from, func(s string) bool { return s != "" }); n >= 0 {
				*choice.into = choice.from[n]
			}
		}
		path := app.MasterKeyFile(c.Data, c.MasterKeyFile)
		keys, err := app.ReadMasterKeys(path)
		return path, keys, err
	}
}

// changeMasterKeys is a command that puts other keys into the file.
func (t *tool) changeMasterKeys(cmd *cobra.Command, change func(keys app.MasterKeys, args []string) (app.MasterKeys, string, error)) *cobra.Command {
	where := t.masterKeyFile(cmd.Flags())
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		file, keys, err := where()
		if err != nil {
			return err
		}
		changed, said, err := change(keys, args)
		if err != nil {
			return err
		}
		if err := changed.Write(file); err != nil {
			return err
		}
		_, err = fmt.Fprintf(t.stdout, "%s\n%s has %s.\n", said, file, strings.Join(changed.IDs(), ", "))
		return err
	}
	return cmd
}

func (t *tool) rotateMasterKeyCommand() *cobra.Command {
	return t.changeMasterKeys(&cobra.Command{
		Use: "rotate", Short: "Make a new key and seal with it from now on", Args: wants(), Example: "  hadron master-key rotate --data /var/lib/hadron",
		Long: "Make a new key and put it in front of the one there is. For one server alone; where many share a database, all must\nhave a key before one seals with it: use \"add\" and \"use\".",
	}, func(keys app.MasterKeys, _ []string) (app.MasterKeys, string, error) {
		if len(keys) > 1 {
			return nil, "", fmt.Errorf("there are %d keys already, %s: finish the rotation that was begun (\"hadron master-key finish\"), or choose one (\"hadron master-key use\")", len(keys), strings.Join(keys.IDs(), ", "))
		}
		return append(app.MasterKeys{app.NewMasterKey()}, keys...), "Made a new key. A server that runs seals all secrets anew with it; then \"hadron master-key finish\" removes the old one.", nil
	})
}

func (t *tool) addMasterKeyCommand() *cobra.Command {
	return t.changeMasterKeys(&cobra.Command{
		Use: "add", Short: "Make a new key that only opens yet", Args: wants(), Example: "  hadron master-key add",
		Long: "Make a new key behind those there are: it opens what it has sealed, and seals nothing yet. Copy the file to all servers,\nthen \"use\" the key on each.",
	}, func(keys app.MasterKeys, _ []string) (app.MasterKeys, string, error) {
		return append(keys, app.NewMasterKey()), "Made a new key. Copy the file to all servers that share the database.", nil
	})
}

func (t *tool) useMasterKeyCommand() *cobra.Command {
	return t.changeMasterKeys(&cobra.Command{
		Use: "use KEY", Short: "Seal with a key of the file from now on", Args: wants("KEY"), Example: "  hadron master-key use 1f0c5a3e9d2b4866",
		Long: "Put a key of the file in front of the others. KEY is its name, as \"hadron master-key list\" shows it.",
	}, func(keys app.MasterKeys, args []string) (app.MasterKeys, string, error) {
		n := slices.Index(keys.IDs(), args[0])
		if n < 0 {
			return nil, "", fmt.Errorf("there is no key %s; there are %s", args[0], strings.Join(keys.IDs(), ", "))
		}
		return append(app.MasterKeys{keys[n]}, keys.Without(args[0])...), "Servers with this file seal with " + args[0] + " from now on.", nil
	})
}

func (t *tool) finishMasterKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "finish", Short: "Remove the keys that nothing is sealed with any more", Args: wants(), Example: "  hadron master-key finish --data /var/lib/hadron",
		Long: `Ask the server whether everything is sealed with the first key, and if so remove the
others from the file. Temporary credentials and sign-ins of the console that they have
sealed end with that, if they have not by themselves (12 hours at most).

` + credentialsHelp,
	}
	f := addServerFlags(cmd.Flags())
	where := t.masterKeyFile(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		file, keys, err := where()
		if err != nil {
			return err
		}
		a, err := t.access(*f.endpoint)
		if err != nil {
			return err
		}
		out, err := a.client().GetMasterKeys(cmd.Context(), &api.GetMasterKeysInput{})
		if err != nil {
			return a.explain(err)
		}
		first := keys.IDs()[0]
		switch {
		case api.Value(out.KeyId) != first:
			return fmt.Errorf("the server at %s seals with %s, the file begins with %s: they are not of the same server, or it has not read the file yet", a.endpoint, api.Value(out.KeyId), first)
		case api.Value(out.SealedWithOthers) > 0:
			return fmt.Errorf("%d values are not sealed with %s yet: the server is at it, try again; if the number stays, its log says why", api.Value(out.SealedWithOthers), first)
		}
		if err := keys[:1].Write(file); err != nil {
			return err
		}
		return t.tell(f, out, func() {
			fmt.Fprintf(t.stdout, "Everything is sealed with %s; %s has no other key any more.\n", first, file)
		})
	}
	return cmd
}

func (t *tool) listMasterKeysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "Name the keys of the file", Args: wants(), Example: "  hadron master-key list",
		Long: "Name the keys of the file, first the one that seals. Names tell nothing of the keys.",
	}
	where := t.masterKeyFile(cmd.Flags())
	cmd.RunE = func(_ *cobra.Command, _ []string) error {
		_, keys, err := where()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(t.stdout, strings.Join(keys.IDs(), "\n"))
		return err
	}
	return cmd
}
