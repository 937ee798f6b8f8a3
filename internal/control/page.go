package control

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/hadronhq/hadron/internal/proton"
)

// defaultPage is how many rows a list call answers with at most.
const defaultPage = 100

// pageSize is what a caller asked for, or the default.
func pageSize(maxResults *int64) int {
	if maxResults != nil {
		return int(*maxResults)
	}
	return defaultPage
}

// A page token says behind which row the next page starts. It is signed, and
// the signature covers the operation, the caller's scope and the filters, so
// that a token only works where it came from.

// pageToken encodes a position for the next call of an operation.
func (p *Plane) pageToken(s proton.Scope, operation string, filters, position any) (string, error) {
	text, err := json.Marshal(position)
	if err != nil {
		return "", err
	}
	mac, err := p.pageMAC(s, operation, filters, text)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(append(mac, text...)), nil
}

// pagePosition decodes a token into position; false without a token.
func (p *Plane) pagePosition(s proton.Scope, operation string, filters any, token *string, position any) (bool, error) {
	if token == nil {
		return false, nil
	}
	invalid := proton.Errorf(proton.Invalid, "Invalid nextToken.")
	raw, err := base64.StdEncoding.DecodeString(*token)
	if err != nil || len(raw) < macSize {
		return false, invalid
	}
	mac, err := p.pageMAC(s, operation, filters, raw[macSize:])
	if err != nil {
		return false, err
	}
	if !hmac.Equal(mac, raw[:macSize]) || json.Unmarshal(raw[macSize:], position) != nil {
		return false, invalid
	}
	return true, nil
}

const macSize = 16

func (p *Plane) pageMAC(s proton.Scope, operation string, filters any, text []byte) ([]byte, error) {
	context, err := json.Marshal([]any{s, operation, filters})
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, p.tokenKey)
	mac.Write(context)
	mac.Write(text)
	return mac.Sum(nil)[:macSize], nil
}

// page cuts rows, of which one more than size was read if there are more, and
// makes the token for the rest; nil if there is none.
func page[T any](p *Plane, s proton.Scope, operation string, filters any, rows []T, size int, position func(T) any) ([]T, *string, error) {
	if len(rows) <= size {
		return rows, nil, nil
	}
	rows = rows[:size]
	token, err := p.pageToken(s, operation, filters, position(rows[size-1]))
	return rows, &token, err
}

// tokenAt is a token that goes on from a position.
func (p *Plane) tokenAt(s proton.Scope, operation string, filters, position any) (*string, error) {
	token, err := p.pageToken(s, operation, filters, position)
	return &token, err
}

// listByName is a page of what is listed by name.
func listByName[T any](p *Plane, s proton.Scope, operation string, filters any, token *string, maxResults *int64,
	read func(after string, limit int) ([]T, error), name func(T) string) ([]T, *string, error) {
	var after string
	if _, err := p.pagePosition(s, operation, filters, token, &after); err != nil {
		return nil, nil, err
	}
	size := pageSize(maxResults)
	rows, err := read(after, size+1)
	if err != nil {
		return nil, nil, err
	}
	return page(p, s, operation, filters, rows, size, func(row T) any { return name(row) })
}
