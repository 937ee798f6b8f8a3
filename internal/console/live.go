package console

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// live tells a page that what it shows has changed: it makes the page that the
// parameter names once a second, as its reader, and sends an event when it
// comes out different. The page then fetches itself.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	target, err := url.Parse(r.URL.Query().Get("path"))
	if err != nil || target.Host != "" || !strings.HasPrefix(target.Path, Root+"/") {
		http.Error(w, "path must name a page of the console", http.StatusBadRequest)
		return
	}
	stream := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	// What the page held when it was made: a change since then is told at once.
	last := r.URL.Query().Get("seen")
	fmt.Fprint(w, "retry: 1000\n\n")
	tick := time.NewTicker(c.Refresh)
	defer tick.Stop()
	for beat := 0; ; beat++ {
		// The session may have ended, or its key been deleted.
		if _, _, ok := c.readSession(r); !ok {
			fmt.Fprint(w, "event: ended\ndata: ended\n\n")
			_ = stream.Flush()
			return
		}
		if now := c.contentNow(r, target); now != last {
			last = now
			fmt.Fprintf(w, "event: changed\ndata: %s\n\n", now)
		} else if beat%15 == 0 {
			fmt.Fprint(w, ": still here\n\n")
		}
		if stream.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-c.stopped.Done():
			return
		case <-tick.C:
		}
	}
}

// contentNow identifies what a page says now.
func (c *Console) contentNow(r *http.Request, target *url.URL) string {
	page := r.Clone(r.Context())
	page.Method, page.URL, page.RequestURI, page.Pattern = http.MethodGet, target, target.RequestURI(), ""
	page.Header = http.Header{"Hx-Request": {"true"}}
	var b body
	c.pages.ServeHTTP(&b, page)
	return fingerprint(b.Bytes())
}

// body is a ResponseWriter that keeps what a page says.
type body struct {
	bytes.Buffer
	header http.Header
}

func (b *body) Header() http.Header {
	if b.header == nil {
		b.header = http.Header{}
	}
	return b.header
}

func (b *body) WriteHeader(int) {}
