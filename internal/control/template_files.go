package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/bundle"
	"github.com/hadronhq/hadron/internal/proton"
)

// maxFileShown bounds the content that is answered of one file.
const maxFileShown = 256 << 10

// ListTemplateVersionFiles lists the files of a version's bundle; with a path,
// that file alone, with its content. A version whose bundle is not registered,
// or was refused, has none. NotFound.
func (p *Plane) ListTemplateVersionFiles(ctx context.Context, in *api.ListTemplateVersionFilesInput) (*api.ListTemplateVersionFilesOutput, error) {
	d, err := p.getVersion(ctx, "ListTemplateVersionFiles", kindOfTemplate(*in.TemplateType), *in.TemplateName, in.MajorVersion, in.MinorVersion)
	if err != nil {
		return nil, err
	}
	out := &api.ListTemplateVersionFilesOutput{Files: []api.TemplateVersionFile{}}
	if d.BundleDigest != "" {
		b, err := p.Bundles.Bundle(ctx, d.BundleDigest)
		if err != nil {
			return nil, err
		}
		for _, f := range b.Files() {
			if in.Path == nil || *in.Path == f.Path {
				out.Files = append(out.Files, toTemplateVersionFile(f, in.Path != nil))
			}
		}
	}
	if in.Path != nil && len(out.Files) == 0 {
		return nil, proton.Errorf(proton.NotFound, "Template version %s has no file %s.", d.ARN(), *in.Path)
	}
	return out, nil
}

func toTemplateVersionFile(f bundle.File, content bool) api.TemplateVersionFile {
	sum := sha256.Sum256(f.Content)
	out := api.TemplateVersionFile{Path: &f.Path, Size: api.Ptr(int64(len(f.Content))), Sha256: text(hex.EncodeToString(sum[:]))}
	switch {
	case !utf8.Valid(f.Content):
		out.Note = text("not text")
	case len(f.Content) > maxFileShown:
		out.Note = text("too long to be shown")
	case content:
		out.Content = api.Ptr(string(f.Content))
	}
	return out
}

// kindOfTemplate is the kind of template that a request is about.
func kindOfTemplate(t api.HadronTemplateType) proton.TemplateKind {
	if t == api.HadronTemplateTypeService {
		return proton.ServiceTemplate
	}
	return proton.EnvironmentTemplate
}
