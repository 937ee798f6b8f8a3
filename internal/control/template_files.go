package control

import (
	"context"
	"encoding/hex"

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
		for n, f := range b.Listing() {
			switch {
			case in.Path == nil:
				out.Files = append(out.Files, toTemplateVersionFile(f))
			case *in.Path == f.Path:
				one := toTemplateVersionFile(f)
				if one.Note == nil {
					one.Content = api.Ptr(b.Content(n))
				}
				out.Files = append(out.Files, one)
			}
		}
	}
	if in.Path != nil && len(out.Files) == 0 {
		return nil, proton.Errorf(proton.NotFound, "Template version %s has no file %s.", d.ARN(), *in.Path)
	}
	return out, nil
}

func toTemplateVersionFile(f bundle.Listed) api.TemplateVersionFile {
	out := api.TemplateVersionFile{Path: &f.Path, Size: api.Ptr(int64(f.Size)), Sha256: text(hex.EncodeToString(f.SHA256[:]))}
	switch {
	case !f.Text:
		out.Note = text("not text")
	case f.Size > maxFileShown:
		out.Note = text("too long to be shown")
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
