package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// paging is how much of a list a command reads, in the words of the AWS CLI.
type paging struct {
	one      *bool
	size     *int
	items    *int
	starting *string
}

// addPageFlags adds the flags of a list that has pages; nil for anything else.
func addPageFlags(cmd *cobra.Command, op *awsjson.Operation) *paging {
	if memberOf(op.Input, "nextToken") == nil || memberOf(op.Output, "nextToken") == nil {
		return nil
	}
	p := &paging{
		one:      cmd.Flags().Bool("no-paginate", false, "make one call and show what it answers"),
		items:    cmd.Flags().Int("max-items", 0, "stop after so many; what is printed then says how to go on"),
		starting: cmd.Flags().String("starting-token", "", "go on where an earlier call with --max-items stopped"),
		size:     new(int),
	}
	if memberOf(op.Input, "maxResults") != nil {
		p.size = cmd.Flags().Int("page-size", 0, "ask for so many at once; more calls, each of them quicker")
	}
	return p
}

// pagingFlags are those of paging, of which none goes with one call.
var pagingFlags = []string{"max-items", "starting-token", "page-size"}

// resumption is what a --starting-token says: the page that the rest begins in,
// and how much of that page has been shown.
type resumption struct {
	Token string `json:"nextToken,omitempty"`
	Skip  int    `json:"skip,omitempty"`
}

// read makes the calls that an answer needs: one, or as many as a list has
// pages. The answer of many has the form of one.
func (p *paging) read(flags *pflag.FlagSet, op *awsjson.Operation, body []byte, send func([]byte) ([]byte, error)) ([]byte, error) {
	in := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	if p == nil {
		return send(body)
	}
	if *p.one || in["nextToken"] != nil || in["maxResults"] != nil {
		for _, name := range pagingFlags {
			if f := flags.Lookup(name); f != nil && f.Changed {
				return nil, usagef("--%s can't be given with --no-paginate, --next-token or --max-results: they make one call", name)
			}
		}
		return send(body)
	}
	for name, n := range map[string]*int{"max-items": p.items, "page-size": p.size} {
		if f := flags.Lookup(name); f != nil && f.Changed && *n < 1 {
			return nil, usagef("--%s: %d is not a positive number", name, *n)
		}
	}
	at, err := parseResumption(*p.starting)
	if err != nil {
		return nil, err
	}
	if *p.size > 0 {
		in["maxResults"] = json.RawMessage(fmt.Sprint(*p.size))
	}
	return p.all(op, in, at, send)
}

// all reads pages from a position on, to the end or until there is enough.
func (p *paging) all(op *awsjson.Operation, in map[string]json.RawMessage, at resumption, send func([]byte) ([]byte, error)) ([]byte, error) {
	list, _ := listOf(op.Output)
	items := []json.RawMessage{}
	for {
		delete(in, "nextToken")
		if at.Token != "" {
			in["nextToken"] = quoted(at.Token)
		}
		body, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		text, err := send(body)
		if err != nil {
			return nil, err
		}
		page, next, err := pageOf(text, list)
		if err != nil {
			return nil, err
		}
		shown := min(at.Skip, len(page))
		items = append(items, page[shown:]...)
		if over := len(items) - *p.items; *p.items > 0 && (over > 0 || over == 0 && next != "") {
			rest := resumption{at.Token, len(page) - over}
			if over == 0 {
				rest = resumption{Token: next}
			}
			return listAnswer(list, items[:*p.items], rest.String())
		}
		if next == at.Token { // the end, for now, of what grows
			return listAnswer(list, items, next)
		}
		if next == "" {
			return listAnswer(list, items, "")
		}
		at = resumption{Token: next}
	}
}

// pageOf takes a page's items and its token out of an answer.
func pageOf(answer []byte, list string) (items []json.RawMessage, next string, err error) {
	members := map[string]json.RawMessage{}
	if err = json.Unmarshal(answer, &members); err == nil && members[list] != nil {
		err = json.Unmarshal(members[list], &items)
	}
	if err == nil && members["nextToken"] != nil {
		err = json.Unmarshal(members["nextToken"], &next)
	}
	if err != nil {
		err = fmt.Errorf("the answer is not a page of %s: %w", list, err)
	}
	return items, next, err
}

// listAnswer is one answer made of many.
func listAnswer(list string, items []json.RawMessage, token string) ([]byte, error) {
	var b bytes.Buffer
	text, err := json.Marshal(items)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "{%s:%s", quoted(list), text)
	if token != "" {
		fmt.Fprintf(&b, `,"nextToken":%s`, quoted(token))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func quoted(text string) json.RawMessage {
	b, _ := json.Marshal(text) // a string can always be written
	return b
}

// String is a token for --starting-token. Between two pages it is the server's.
func (r resumption) String() string {
	if r.Skip == 0 {
		return r.Token
	}
	text, _ := json.Marshal(r) // as can a string and a number
	return base64.StdEncoding.EncodeToString(text)
}

// parseResumption reads a token: one of String, or the server's own.
func parseResumption(token string) (resumption, error) {
	var r resumption
	if text, err := base64.StdEncoding.DecodeString(token); err == nil && bytes.HasPrefix(text, []byte(`{"`)) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil || r.Skip < 0 {
			return r, usagef("--starting-token: %q was not printed by an earlier call", token)
		}
		return r, nil
	}
	return resumption{Token: token}, nil
}
