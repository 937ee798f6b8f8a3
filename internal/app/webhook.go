package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/hadronhq/hadron/internal/auth"
	"github.com/hadronhq/hadron/internal/control"
	"github.com/hadronhq/hadron/internal/forge"
	"github.com/hadronhq/hadron/internal/proton"
	"github.com/hadronhq/hadron/internal/store"
)

// webhooks is where git servers tell that something has happened in a
// repository: /-/webhooks/ID, by the id of the connection. They are only told
// whether the signature is good; what happened is looked up.
type webhooks struct {
	store  *store.Store
	sealer *auth.Sealer
	log    *slog.Logger
}

// maxWebhook is how large GitHub says that its webhooks may be.
const maxWebhook = 25 << 20

func (h *webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		writeText(w, http.StatusMethodNotAllowed, "webhooks are sent with POST\n")
		return
	}
	c, secret, err := h.connection(r.Context(), strings.TrimPrefix(r.URL.Path, "/-/webhooks/"))
	if err != nil {
		h.log.ErrorContext(r.Context(), "webhook", "err", err)
		writeText(w, http.StatusInternalServerError, "internal error\n")
		return
	}
	if secret == "" { // no such connection: say no more than for a wrong signature
		writeText(w, http.StatusForbidden, "the signature is wrong or missing\n")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	if err != nil {
		writeText(w, http.StatusRequestEntityTooLarge, "the body could not be read\n")
		return
	}
	name, err := forge.Webhook(forge.Kind(c.Kind), secret, r.Header, body)
	switch {
	case errors.Is(err, forge.ErrSignature):
		writeText(w, http.StatusForbidden, "the signature is wrong or missing\n")
		return
	case err != nil:
		writeText(w, http.StatusBadRequest, err.Error()+"\n")
		return
	}
	if err := h.happened(r.Context(), c, name); err != nil {
		h.log.ErrorContext(r.Context(), "webhook", "err", err)
		writeText(w, http.StatusInternalServerError, "internal error\n")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// connection finds a connection and its secret; there is none for an id that
// nothing has.
func (h *webhooks) connection(ctx context.Context, id string) (c proton.Connection, secret auth.Secret, err error) {
	found := false
	err = h.store.View(ctx, func(tx *store.Tx) error {
		c, found, err = tx.ConnectionByID(ctx, id)
		return err
	})
	if err == nil && found {
		secret, err = h.sealer.Open(c.WebhookSecret, control.WebhookSecretName(c))
	}
	return c, secret, err
}

// happened has a repository looked at, if it is linked.
func (h *webhooks) happened(ctx context.Context, c proton.Connection, name string) error {
	return h.store.Update(ctx, func(tx *store.Tx) error {
		repositories, err := tx.RepositoriesOf(ctx, c)
		for _, r := range repositories {
			if err == nil && strings.EqualFold(r.Name, name) {
				if _, err = tx.RequestSync(ctx, r.ID); err == nil {
					err = tx.WakeDeploymentsOf(ctx, r)
				}
			}
		}
		return err
	})
}
