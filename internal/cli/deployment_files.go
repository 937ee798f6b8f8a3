package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/spf13/cobra"
)

func (t *tool) filesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "files DEPLOYMENT [PATH]",
		Short: "List, print or save the files that a deployment's engine was given",
		Long: `List the files that were rendered for a deployment and handed to its engine, print
one of them, or save all in a folder. Secrets are cut out of them.

` + deploymentHelp + credentialsHelp,
		Example: `  hadron deployment files environment/dev
  hadron deployment files environment/dev proton-inputs.json
  hadron deployment files environment/dev --out ./rendered`,
		Args: func(cmd *cobra.Command, args []string) error {
			return wants([]string{"DEPLOYMENT", "PATH"}[:max(1, min(2, len(args)))]...)(cmd, args)
		},
	}
	endpoint := endpointFlag(cmd.Flags())
	output := outputFlag(cmd.Flags())
	out := cmd.Flags().String("out", "", "folder to save the files in; must not exist or be empty")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		files, err := deploymentFiles(cmd.Context(), a, args)
		switch {
		case err != nil:
			return err
		case *out != "":
			return t.saveFiles(files, *out)
		case output.json():
			return t.writeJSON(map[string]any{"files": files})
		case len(args) == 2:
			return t.printFile(files[0])
		}
		if len(files) == 0 {
			fmt.Fprintln(t.stderr, "hadron: no files were rendered, or none yet")
		}
		for _, f := range files {
			note := ""
			if f.Note != nil {
				note = "  (" + *f.Note + ")"
			}
			fmt.Fprintf(t.stdout, "%10d  %s%s\n", api.Value(f.Size), api.Value(f.Path), note)
		}
		return nil
	}
	return cmd
}

func deploymentFiles(ctx context.Context, a access, args []string) ([]api.DeploymentFile, error) {
	client := a.client()
	id, err := deploymentID(ctx, client, args[0])
	if err != nil {
		return nil, a.explain(err)
	}
	in := &api.ListDeploymentFilesInput{DeploymentId: &id}
	if len(args) == 2 {
		in.Path = &args[1]
	}
	list, err := client.ListDeploymentFiles(ctx, in)
	if err != nil {
		return nil, a.explain(err)
	}
	return list.Files, nil
}

func (t *tool) printFile(f api.DeploymentFile) error {
	if f.Note != nil {
		return fmt.Errorf("%s is not kept: %s", api.Value(f.Path), *f.Note)
	}
	_, err := fmt.Fprint(t.stdout, api.Value(f.Content))
	return err
}

// saveFiles writes files below a folder, and nowhere else.
func (t *tool) saveFiles(files []api.DeploymentFile, dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	saved := 0
	for _, f := range files {
		path := filepath.FromSlash(api.Value(f.Path))
		if f.Note != nil {
			fmt.Fprintf(t.stderr, "hadron: %s is left out: %s\n", path, *f.Note)
			continue
		}
		if err := errors.Join(root.MkdirAll(filepath.Dir(path), 0o755), root.WriteFile(path, []byte(api.Value(f.Content)), 0o644)); err != nil {
			return err
		}
		saved++
	}
	fmt.Fprintf(t.stdout, "%d files in %s\n", saved, dir)
	return nil
}
