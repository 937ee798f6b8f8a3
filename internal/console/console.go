// Package console is the web console, served below /console/.
//
// Pages are made on the server, from answers of the same operations that the
// API has, called in this process with the principal who signed in: the
// console can do nothing that the API cannot, and refuses what the API
// refuses, in the same words. Everything that can be read, and the main forms,
// work without JavaScript; with it pages follow what happens by themselves,
// and forms check as one types.
//
// It never opens the database, keeps no state of its own (a session is a
// sealed cookie), and loads nothing from another host.
package console

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/awsjson"
)

// Root is the path that the console is served at.
const Root = "/console"

//go:embed static
var static embed.FS

// Config is what a console is made of.
type Config struct {
	API     *awsjson.Handler
	Keys    auth.Keys
	Sealer  *auth.Sealer // seals sessions
	Version string
	Logger  *slog.Logger
	// Federation lets people sign in at an identity provider, which is shown to
	// them by FederationName; nil: they cannot.
	Federation     Federation
	FederationName string
	URL            string // how browsers reach the server
	// Refresh is how often a page that somebody looks at is held against what
	// is now; zero: once a second.
	Refresh time.Duration
}

// Console is the handler of everything below Root.
type Console struct {
	Config
	client  *api.Client
	handler http.Handler
	pages   *http.ServeMux // without the live stream; it renders from here
	signIns *attempts
	now     func() time.Time
	stopped context.Context // the server stops: streams end
	stop    context.CancelFunc
}

// New makes a Console.
func New(c Config) *Console {
	if c.Refresh == 0 {
		c.Refresh = time.Second
	}
	p := &Console{Config: c, client: api.NewClient(&awsjson.InProcess{Handler: c.API}), signIns: newAttempts(), now: time.Now}
	p.stopped, p.stop = context.WithCancel(context.Background())
	p.pages = p.routes()
	mux := http.NewServeMux()
	files, _ := fs.Sub(static, "static")
	mux.Handle("GET "+Root+"/static/", http.StripPrefix(Root+"/static/", immutable(http.FileServerFS(files))))
	mux.HandleFunc("GET "+Root+"/sign-in", p.signInPage)
	mux.HandleFunc("POST "+Root+"/sign-in", p.signIn)
	mux.HandleFunc("POST "+Root+"/sign-out", p.signOut)
	if p.Federation != nil {
		mux.HandleFunc("GET "+Root+"/sign-in/provider", p.beginFederation)
		mux.HandleFunc("GET "+Root+"/sign-in/callback", p.endFederation)
		mux.HandleFunc("POST "+Root+"/sign-in/again", p.signInAgain)
	}
	mux.Handle("GET "+Root+"/live", p.signedIn(p.live))
	mux.Handle(Root+"/", p.signedIn(p.pages.ServeHTTP))
	mux.Handle(Root, http.RedirectHandler(Root+"/", http.StatusFound))
	p.handler = secured(http.NewCrossOriginProtection().Handler(mux))
	return p
}

// ServeHTTP serves a page.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Stop ends the streams of pages that follow what happens; they come again when
// the server does.
func (c *Console) Stop() { c.stop() }

// immutable lets browsers keep files: their addresses change with the version.
func immutable(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=86400")
		h.ServeHTTP(w, r)
	})
}

// secured sets the headers that keep a page to itself.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy",
			"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		h.ServeHTTP(w, r)
	})
}

// routes are the pages one must be signed in for.
func (c *Console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, page := range map[string]pageFunc{
		"GET /{$}":                                             c.home,
		"POST /region":                                         c.changeRegion,
		"GET /services":                                        c.services,
		"GET /services/new":                                    c.serviceForm,
		"POST /services/new":                                   c.serviceForm,
		"GET /services/{service}":                              c.service,
		"GET /services/{service}/edit":                         c.serviceUpdate,
		"POST /services/{service}/edit":                        c.serviceUpdate,
		"POST /services/{service}/delete":                      c.deleteService,
		"GET /services/{service}/instances/{instance}":         c.instance,
		"GET /services/{service}/instances/{instance}/update":  c.instanceUpdate,
		"POST /services/{service}/instances/{instance}/update": c.instanceUpdate,
		"POST /services/{service}/instances/{instance}/cancel": c.cancelInstance,
		"GET /services/{service}/pipeline":                     c.pipeline,
		"GET /services/{service}/pipeline/update":              c.pipelineUpdate,
		"POST /services/{service}/pipeline/update":             c.pipelineUpdate,
		"POST /services/{service}/pipeline/cancel":             c.cancelPipeline,
		"GET /environments":                                    c.environments,
		"GET /environments/new":                                c.environmentForm,
		"POST /environments/new":                               c.environmentForm,
		"GET /environments/{environment}":                      c.environment,
		"GET /environments/{environment}/update":               c.environmentUpdate,
		"POST /environments/{environment}/update":              c.environmentUpdate,
		"POST /environments/{environment}/cancel":              c.cancelEnvironment,
		"POST /environments/{environment}/delete":              c.deleteEnvironment,
		"GET /components":                                      c.components,
		"GET /components/new":                                  c.newComponent,
		"POST /components/new":                                 c.newComponent,
		"GET /components/{component}":                          c.component,
		"GET /components/{component}/update":                   c.updateComponent,
		"POST /components/{component}/update":                  c.updateComponent,
		"POST /components/{component}/cancel":                  c.cancelComponent,
		"POST /components/{component}/delete":                  c.deleteComponent,
		"GET /templates":                                       c.templates,
		"GET /templates/{kind}/{template}":                     c.template,
		"GET /templates/{kind}/{template}/{major}/{minor}":     c.templateVersion,
		"POST /templates/{kind}/{template}/{major}/{minor}":    c.publishVersion,
		"GET /deployments":                                     c.deployments,
		"GET /deployments/{deployment}":                        c.deployment,
		"POST /deployments/{deployment}":                       c.actOnDeployment,
		"GET /behind":                                          c.behind,
		"GET /behind/roll-out":                                 toBehind,
		"POST /behind/roll-out":                                c.rollOut,
		"GET /account-connections":                             c.accountConnections,
		"POST /account-connections/{id}":                       c.decideConnection,
		"GET /repositories":                                    c.repositories,
		"POST /repositories":                                   c.linkRepository,
		"POST /blockers/{blocker}":                             c.resolveBlocker,
		"GET /audit":                                           c.audit,
		"POST /last-resort":                                    c.lastResort,
		"GET /access":                                          c.access,
		"GET /access/users/{user}":                             c.user,
		"POST /access/users/{user}":                            c.changeUser,
		"GET /settings":                                        c.settings,
		"POST /settings":                                       c.saveSettings,
		"POST /tags":                                           c.changeTags,
		"/":                                                    c.notFound,
	} {
		method, path := cut(pattern)
		mux.HandleFunc(method+Root+path, c.page(page))
	}
	return mux
}
