package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hadronhq/hadron/internal/api"
)

// secondVersion registers web 1.1, with files added, removed and changed.
func (f *fixture) secondVersion(t *testing.T) {
	t.Helper()
	f.publish(t)
	f.put(t, "/templates/next.tar.gz", pack(t, map[string]string{
		"schema/schema.yaml":                    serviceSchema,
		"instance_infrastructure/manifest.yaml": strings.Replace(manifest, "image: any", "image: <b>other</b>", 1),
		"instance_infrastructure/logo.png":      "\x89PNG\xff",
		"instance_infrastructure/large.txt":     strings.Repeat("x", 257<<10),
		"pipeline_infrastructure/manifest.yaml": manifest,
	}))
	ctx := t.Context()
	must(f.CreateServiceTemplateVersion(ctx, &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), Source: s3("next.tar.gz"),
		CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}}))(t)
	eventually(t, "the version is registered", func() bool {
		v := must(f.GetServiceTemplateVersion(ctx, &api.GetServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("1")}))(t)
		return *v.ServiceTemplateVersion.Status == api.TemplateVersionStatusDraft
	})
}

func filesOfWeb(minor string, path *string) *api.ListTemplateVersionFilesInput {
	return &api.ListTemplateVersionFilesInput{TemplateType: api.Ptr(api.HadronTemplateTypeService), TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: &minor, Path: path}
}

func TestFilesOfARegisteredBundleAreRead(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.secondVersion(t)
	var got []string
	for _, file := range must(f.ListTemplateVersionFiles(t.Context(), filesOfWeb("1", nil)))(t).Files {
		got = append(got, *file.Path+" "+api.Value(file.Note))
		if file.Content != nil || len(*file.Sha256) != 64 {
			t.Errorf("a list is without contents and with sums: %+v", file)
		}
	}
	want := "instance_infrastructure/large.txt too long to be shown|instance_infrastructure/logo.png not text|instance_infrastructure/manifest.yaml |pipeline_infrastructure/manifest.yaml |schema/schema.yaml "
	if strings.Join(got, "|") != want {
		t.Errorf("files: %q", got)
	}
	for path, content := range map[string]string{"schema/schema.yaml": serviceSchema, "instance_infrastructure/logo.png": "", "instance_infrastructure/large.txt": ""} {
		one := must(f.ListTemplateVersionFiles(t.Context(), filesOfWeb("1", &path)))(t).Files
		if len(one) != 1 || api.Value(one[0].Content) != content {
			t.Errorf("%s: %+v", path, one)
		}
	}
	for _, in := range []*api.ListTemplateVersionFilesInput{filesOfWeb("1", p("../schema.yaml")), filesOfWeb("7", nil)} {
		if _, err := f.ListTemplateVersionFiles(t.Context(), in); code(err) != "ResourceNotFoundException" {
			t.Errorf("what is not there: %v", err)
		}
	}
	reader := f.as(t, "reader", `{"Effect":"Allow","Action":"proton:GetServiceTemplateVersion","Resource":"*"}`)
	if _, err := reader.ListTemplateVersionFiles(t.Context(), filesOfWeb("1", nil)); code(err) != "AccessDeniedException" {
		t.Errorf("without the permission: %v", err)
	}
}

func TestVersionsAreComparedFileByFile(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.secondVersion(t)
	b := f.signedIn(t)
	const page = "/templates/service/web/1/1"
	body := b.sees(page, "Changes since 1.0", `<span class="status good">added</span> <code>instance_infrastructure/logo.png</code>`,
		`<span class="line removed">-         image: any`, `<span class="line added">+         image: &lt;b&gt;other&lt;/b&gt;`)
	if strings.Contains(body, `schema.yaml</code></a> <span class="hint">+`) || strings.Contains(body, "<b>other") {
		t.Errorf("a file that is the same, or markup, is shown:\n%s", body)
	}
	b.sees("/templates/service/web/1/0?since=1.1", "Changes since 1.1", `<span class="status bad">removed</span> <code>instance_infrastructure/logo.png</code>`)
	if first := b.sees("/templates/service/web/1/0", "Compare with"); strings.Contains(first, "Changes since") {
		t.Error("the first version is compared without being asked")
	}
	b.sees(page+"?file=instance_infrastructure/logo.png", "Not shown: not text.")
	b.sees(page+"?file=pipeline_infrastructure/manifest.yaml", "<code>infrastructure:\n")
	for path, want := range map[string]int{"?since=9.9": http.StatusBadRequest, "?file=nothing": http.StatusNotFound} {
		if status, _, _ := b.get(page + path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}

func TestWhoMayNotReadFilesStillSeesTheVersion(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.secondVersion(t)
	user := must(f.CreateUser(t.Context(), &api.CreateUserInput{Name: p("reader"), Policy: p(
		`{"Version": "2012-10-17", "Statement": {"Effect":"Allow","Action":["proton:Get*","proton:ListServiceTemplateVersions"],"Resource":"*"}}`)}))(t)
	b := f.browser(t)
	b.signIn(*user.AccessKeyId, *user.SecretAccessKey, "")
	b.sees("/templates/service/web/1/1", "You may not read the files", "None: the schema is the same.")
}

// TestComparedBundlesAreBounded registers bundles of 600 files each, of which
// most differ, with what is hard to show.
func TestComparedBundlesAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.publish(t)
	for _, version := range []string{"old", "new"} {
		files := map[string]string{"schema/schema.yaml": serviceSchema, "pipeline_infrastructure/manifest.yaml": manifest, "instance_infrastructure/manifest.yaml": manifest}
		for n := range 600 {
			files[fmt.Sprintf("instance_infrastructure/many/%03d.txt", n)] = fmt.Sprintf("%d of %s\n", n, version)
		}
		files["instance_infrastructure/a<i>b&.txt"] = "<script>" + version + "</script>\r\n"
		files["instance_infrastructure/binary"] = "\xff" + version
		files["instance_infrastructure/long-line"] = strings.Repeat("é", 10_000) + version
		files["instance_infrastructure/long-middle"] = "same\n" + strings.Repeat(version+"\n", 2000) + "same\n"
		files["instance_infrastructure/long-same"] = strings.Repeat("same\n", 20_000) + version + "\n" + strings.Repeat("same\n", 20_000)
		for n := range 3 {
			files[fmt.Sprintf("instance_infrastructure/lines-%d", n)] = strings.Repeat(version+"\n", 900)
		}
		f.put(t, "/templates/"+version+".tar.gz", pack(t, files))
		must(f.CreateServiceTemplateVersion(t.Context(), &api.CreateServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), Source: s3(version + ".tar.gz"),
			CompatibleEnvironmentTemplates: []api.CompatibleEnvironmentTemplateInput{{TemplateName: p("net"), MajorVersion: p("1")}}}))(t)
	}
	eventually(t, "the versions are registered", func() bool {
		v := must(f.GetServiceTemplateVersion(t.Context(), &api.GetServiceTemplateVersionInput{TemplateName: p("web"), MajorVersion: p("1"), MinorVersion: p("2")}))(t)
		return *v.ServiceTemplateVersion.Status == api.TemplateVersionStatusDraft
	})
	b := f.signedIn(t)
	body := b.sees("/templates/service/web/1/2?since=1.1&file=instance_infrastructure/a%3Ci%3Eb%26.txt", "Changes since 1.1",
		`a&lt;i&gt;b&amp;.txt</code></a> <span class="hint">+1 −1`, `added">+ &lt;script&gt;new&lt;/script&gt;␍`, `<code>&lt;script&gt;new&lt;/script&gt;`,
		"not text", "é… and 19503 bytes more", "too long to be compared line by line", `removed">- old</span><span class="line added">+ new</span><span class="line same">  same`,
		"not shown: more than 2000 lines have changed in all files", "not compared: too many files have changed", "And 111 more")
	if strings.Contains(body, "a<i>b") || strings.Contains(body, "<script>new") || len(body) > 600_000 {
		t.Errorf("a page of %d bytes, or one with markup", len(body))
	}
}
