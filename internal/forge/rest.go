package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/hadronhq/hadron/internal/auth"
)

// rest calls a REST API with JSON bodies.
type rest struct {
	http          *http.Client
	base          string // with a slash at the end
	authorization auth.Secret
}

func bearer(token auth.Secret) auth.Secret {
	if token == "" {
		return ""
	}
	return "Bearer " + token
}

func (r rest) do(ctx context.Context, method, path string, body, into any) error {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	if r.authorization != "" {
		request.Header.Set("Authorization", string(r.authorization))
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	answer, err := r.http.Do(request)
	if err != nil {
		return plain(err)
	}
	defer answer.Body.Close()
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}
