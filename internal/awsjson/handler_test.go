package awsjson_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/hadronhq/hadron/internal/awsjson"
)

const coral = `{"__type":"com.amazon.coral.service#`

// exchange is one raw request and the response to it.
type exchange struct {
	name, method, target, contentType, body string
	status                                  int
	want                                    string // whole body, or its beginning if it ends in …
}

func TestRawRequests(t *testing.T) {
	t.Parallel()
	cases := []exchange{
		{name: "a call", body: `{"name":"a","count":5}`, status: 200, want: `{"made":{"name":"a","count":5}}`},
		{name: "no HTML escapes", body: `{"name":"a","text":"<&>"}`, status: 200, want: `{"made":{"name":"a","text":"<&>"}}`},
		{name: "empty output", body: `{"name":"nothing"}`, status: 200, want: `{}`},
		{name: "other content type", contentType: "application/json", body: `{"name":"a"}`, status: 200, want: `{"made":{"name":"a"}}`},
		{name: "white space", body: " {\n\t\"name\" : \"a\" ,\r\"keys\" : [ \"b\" , \"c\" ] } ", status: 200, want: `{"made":{"name":"a","keys":["b","c"]}}`},
		{name: "unknown members at every depth", body: `{"x":[{"name":"]}\\\""},{}],"name":"a","node":{"y":null,"value":"b","z":{"q":[1]}}}`, status: 200,
			want: `{"made":{"name":"a","node":{"value":"b"}}}`},
		{name: "null is absent", body: `{"name":"a","count":null,"node":null,"keys":null}`, status: 200, want: `{"made":{"name":"a"}}`},
		{name: "empty list is not absent", body: `{"name":"a","nodes":[]}`, status: 200, want: `{"made":{"name":"a","nodes":[]}}`},
		{name: "the last of repeated members counts", body: `{"name":"a","node":{"value":"b","children":[]},"count":3,"node":{"value":"c"},"count":null}`, status: 200,
			want: `{"made":{"name":"a","node":{"value":"c"}}}`},
		{name: "member names are case-sensitive", body: `{"Name":"a"}`, status: 400,
			want: `{"__type":"com.example.maker#ValidationException","message":"1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"}`},
		{name: "timestamps", body: `{"name":"a","when":1605152585.4051}`, status: 200, want: `{"made":{"name":"a","when":1605152585.405}}`},
		{name: "integers in other clothes", body: `{"name":"a","count":1e1}`, status: 200, want: `{"made":{"name":"a","count":10}}`},
		{name: "escapes", body: `{"name":"a","text":"\u00e9\ud83d\ude00\ufffd\n"}`, status: 200, want: `{"made":{"name":"a","text":"é😀` + "\uFFFD" + `\n"}}`},
		{name: "empty body", body: ``, status: 400, want: `{"__type":"com.example.maker#ValidationException","message":"1 validation error …`},

		{name: "string for integer", body: `{"count":"5"}`, status: 400, want: coral + `SerializationException","Message":"STRING_VALUE can not be converted to Integer","member":"count"}`},
		{name: "number for string", body: `{"name":5}`, status: 400, want: coral + `SerializationException","Message":"NUMBER_VALUE can not be converted to String","member":"name"}`},
		{name: "true for string", body: `{"name":true}`, status: 400, want: coral + `SerializationException","Message":"TRUE_VALUE can not be converted to String","member":"name"}`},
		{name: "string for boolean", body: `{"flag":"false"}`, status: 400, want: coral + `SerializationException","Message":"STRING_VALUE can not be converted to Boolean","member":"flag"}`},
		{name: "false for timestamp", body: `{"when":false}`, status: 400, want: coral + `SerializationException","Message":"FALSE_VALUE can not be converted to Timestamp","member":"when"}`},
		{name: "fraction for integer", body: `{"count":1.5}`, status: 400, want: coral + `SerializationException","Message":"NUMBER_VALUE 1.5 can not be converted to Integer","member":"count"}`},
		{name: "integer beyond 64 bits", body: `{"count":99999999999999999999}`, status: 400, want: coral + `SerializationException","Message":"NUMBER_VALUE 99999999999999999999 can …`},
		{name: "timestamp out of range", body: `{"when":1e300}`, status: 400, want: coral + `SerializationException","Message":"timestamp …`},
		{name: "list for string", body: `{"name":["a"]}`, status: 400, want: coral + `SerializationException","Message":"Start of list found where not expected","member":"name"}`},
		{name: "list for structure", body: `{"node":[]}`, status: 400, want: coral + `SerializationException","Message":"Start of list found where not expected","member":"node"}`},
		{name: "structure for string", body: `{"name":{}}`, status: 400, want: coral + `SerializationException","Message":"Start of structure or map found where not expected.","member":"name"}`},
		{name: "structure for list", body: `{"keys":{}}`, status: 400, want: coral + `SerializationException","Message":"Start of structure or map found where not expected.","member":"keys"}`},
		{name: "string for list", body: `{"keys":"a"}`, status: 400, want: coral + `SerializationException","Message":"Expected list or null","member":"keys"}`},
		{name: "string for structure", body: `{"node":"a"}`, status: 400, want: coral + `SerializationException","Message":"Expected null or structure, found STRING_VALUE","member":"node"}`},
		{name: "null in a list", body: `{"keys":["a",null]}`, status: 400, want: coral + `SerializationException","Message":"NULL_VALUE is not allowed as an element of a list","member":"keys.2.member"}`},
		{name: "wrong type deep inside", body: `{"nodes":[{"value":"a"},{"children":[{"value":1}]}]}`, status: 400,
			want: coral + `SerializationException","Message":"NUMBER_VALUE can not be converted to String","member":"nodes.2.member.children.1.member.value"}`},

		{name: "not JSON", body: `name=a`, status: 400, want: coral + `SerializationException","Message":"the request body is not valid JSON: …`},
		{name: "cut off", body: `{"name":"a"`, status: 400, want: coral + `SerializationException","Message":"the request body is not valid JSON: unexpected end of JSON input at byte 11"}`},
		{name: "trailing garbage", body: `{"name":"a"}{}`, status: 400, want: coral + `SerializationException","Message":"the request body is not valid JSON: …`},
		{name: "not an object", body: `["a"]`, status: 400, want: coral + `SerializationException","Message":"the request body is not a JSON object"}`},
		{name: "just null", body: `null`, status: 400, want: coral + `SerializationException","Message":"the request body is not a JSON object"}`},
		{name: "invalid UTF-8", body: "{\"name\":\"a\xff\"}", status: 400, want: coral + `SerializationException","Message":"the request body is not valid UTF-8"}`},
		{name: "half a surrogate pair", body: `{"text":"\ud800"}`, status: 400, want: coral + `SerializationException","Message":"a string has an escape that is half of a surrogate pair","member":"text"}`},
		{name: "the character that ends texts", body: `{"text":"a\u0000b"}`, status: 400, want: coral + `SerializationException","Message":"a string has the character U+0000, which cannot be kept","member":"text"}`},
		{name: "deep in an ignored member", body: `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, status: 400,
			want: coral + `SerializationException","Message":"the request body nests deeper than 128 levels"}`},
		{name: "deep in a recursive shape", body: strings.Repeat(`{"nodes":[`, 1) + strings.Repeat(`{"children":[`, 200) + strings.Repeat(`]}`, 201), status: 400,
			want: coral + `SerializationException","Message":"the request body nests deeper than 128 levels",…`},
		{name: "too large", body: `{"text":"` + strings.Repeat("a", 20000) + `"}`, status: 413,
			want: coral + `RequestEntityTooLargeException","message":"the request body is larger than 16384 bytes"}`},

		{name: "no target", target: "-", body: `{}`, status: 400, want: coral + `UnknownOperationException","message":"the header X-Amz-Target is missing…`},
		{name: "unknown operation", target: "Maker1.Break", status: 400, want: coral + `UnknownOperationException","message":"there is no operation \"Maker1.Break\""}`},
		{name: "target in other case", target: "maker1.Make", status: 400, want: coral + `UnknownOperationException","message":"there is no operation \"maker1.Make\""}`},
		{name: "other method", method: "GET", status: 404, want: coral + `UnknownOperationException","message":"operations are called with POST, not GET"}`},

		{name: "refused by the service", body: `{"name":"refuse"}`, status: 400, want: `{"__type":"com.example.maker#ConflictException","message":"taken: <a>"}`},
		{name: "error that MapError knows", body: `{"name":"known"}`, status: 400, want: `{"__type":"com.example.maker#ThrottlingException","message":"slow down"}`},
		{name: "error that nobody knows", body: `{"name":"unknown"}`, status: 500, want: `{"__type":"com.example.maker#InternalServerException","message":"internal error"}`},
		{name: "panic", body: `{"name":"panic"}`, status: 500, want: `{"__type":"com.example.maker#InternalServerException","message":"internal error"}`},
	}
	h := awsjson.NewHandler(operations, echo{}, awsjson.Config{MapError: mapError, MaxBody: 16 << 10})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.check(t, server)
		})
	}
}

func (c exchange) check(t *testing.T, server *httptest.Server) {
	if c.method == "" {
		c.method = http.MethodPost
	}
	req, err := http.NewRequest(c.method, server.URL+"/", strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	switch c.target {
	case "-":
	case "":
		req.Header.Set("X-Amz-Target", "Maker1.Make")
	default:
		req.Header.Set("X-Amz-Target", c.target)
	}
	req.Header.Set("Content-Type", c.contentType)
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != c.status {
		t.Errorf("status %d, want %d", res.StatusCode, c.status)
	}
	if begin, cut := strings.CutSuffix(c.want, "…"); cut && !strings.HasPrefix(string(got), begin) || !cut && string(got) != c.want {
		t.Errorf("body\n%s\nwant\n%s", got, c.want)
	}
	if got := res.Header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
		t.Errorf("content type %q", got)
	}
	if _, err := uuid.Parse(res.Header.Get("x-amzn-RequestId")); err != nil {
		t.Errorf("request id: %v", err)
	}
	code := res.Header.Get("x-amzn-ErrorType")
	if c.status == 200 && code != "" || c.status != 200 && !strings.Contains(string(got), "#"+code+`"`) {
		t.Errorf("error type header is %q", code)
	}
}

func TestBodyOfUnknownLengthIsLimitedToo(t *testing.T) {
	t.Parallel()
	h := awsjson.NewHandler(operations, echo{}, awsjson.Config{MaxBody: 100})
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader(`{"text":"`), strings.NewReader(strings.Repeat("a", 200))))
	r.ContentLength = -1
	r.Header.Set("X-Amz-Target", "Maker1.Make")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestAuthenticationComesBeforeTheBodyIsLookedAt(t *testing.T) {
	t.Parallel()
	type principal struct{}
	h := awsjson.NewHandler(operations, whoami{principal{}}, awsjson.Config{
		MapError: mapError,
		Authenticate: func(r *http.Request, body []byte) (context.Context, error) {
			switch r.Header.Get("Authorization") {
			case "":
				return nil, &awsjson.Error{Code: "MissingAuthenticationTokenException", Namespace: "com.amazon.coral.service", Message: "Missing Authentication Token"}
			case "known":
				return nil, errKnown
			case "bug":
				panic("a bug")
			}
			return context.WithValue(r.Context(), principal{}, string(body)), nil
		},
	})
	for _, c := range []struct{ authorization, body, want string }{
		{"", "not JSON", coral + `MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		{"known", "not JSON", `{"__type":"com.example.maker#ThrottlingException","message":"slow down"}`},
		{"bug", "{}", `{"__type":"com.example.maker#InternalServerException","message":"internal error"}`},
		{"me", `{"name":"a"}`, `{"made":{"text":"{\"name\":\"a\"}"}}`},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		r.Header.Set("X-Amz-Target", "Maker1.Make")
		r.Header.Set("Authorization", c.authorization)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Body.String(); got != c.want {
			t.Errorf("authorization %q:\n%s\nwant\n%s", c.authorization, got, c.want)
		}
	}
}

// whoami answers with what Authenticate left in the context.
type whoami struct{ key any }

func (m whoami) Make(ctx context.Context, _ *MakeInput) (*MakeOutput, error) {
	text, _ := ctx.Value(m.key).(string)
	return &MakeOutput{Made: &MakeInput{Text: &text}}, nil
}

func TestCausesAreLoggedWithTheRequestIDAndNeverSent(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var seen []awsjson.Finished
	h := awsjson.NewHandler(operations, echo{}, awsjson.Config{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Observe: func(_ context.Context, f awsjson.Finished) { f.Duration = 0; seen = append(seen, f) },
	})
	for _, name := range []string{"a", "refuse", "unknown", "panic"} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"name":"`+name+`"}`))
		r = r.WithContext(awsjson.WithRequestID(r.Context(), "id-of-"+name))
		r.Header.Set("X-Amz-Target", "Maker1.Make")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("x-amzn-RequestId"); got != "id-of-"+name {
			t.Errorf("request id %q is not the one of the context", got)
		}
		if strings.Contains(w.Body.String(), "disk") || strings.Contains(w.Body.String(), "bug") {
			t.Errorf("the cause was sent: %s", w.Body)
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("logged %d lines, want one for each internal error:\n%s", len(lines), log.String())
	}
	for i, parts := range [][]string{{"request_id=id-of-unknown", "operation=Make", `err="disk on fire"`}, {"request_id=id-of-panic", `err="a bug"`, "echo.Make"}} {
		for _, part := range parts {
			if !strings.Contains(lines[i], part) {
				t.Errorf("log line lacks %s: %s", part, lines[i])
			}
		}
	}
	want := []awsjson.Finished{
		{Operation: "Make", Status: 200}, {Operation: "Make", Code: "ConflictException", Status: 400},
		{Operation: "Make", Code: "InternalServerException", Status: 500}, {Operation: "Make", Code: "InternalServerException", Status: 500},
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Errorf("observed %+v, want %+v", seen[i], want[i])
		}
	}
}

func TestClientsReadWhatHandlersWrite(t *testing.T) {
	t.Parallel()
	h := awsjson.NewHandler(operations, echo{}, awsjson.Config{MapError: mapError})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	signed := 0
	for name, transport := range map[string]awsjson.Transport{
		"http": &awsjson.HTTP{Endpoint: server.URL, Sign: func(r *http.Request, body []byte) error {
			signed += len(body)
			return nil
		}},
		"in process": &awsjson.InProcess{Handler: h},
	} {
		in := &MakeInput{Name: ptr("a"), Node: &Node{Value: ptr("b"), Children: []Node{{Value: ptr("c")}}}, Keys: []string{"x"}}
		out, err := awsjson.Call[MakeOutput](t.Context(), transport, &operations[0], in)
		if err != nil || *out.Made.Node.Children[0].Value != "c" || out.Made.Keys[0] != "x" {
			t.Errorf("%s: got %+v, %v", name, out, err)
		}
		for member, want := range map[string]awsjson.Error{
			"refuse":  {Code: "ConflictException", Message: "taken: <a>", Status: 400, Namespace: "com.example.maker"},
			"known":   {Code: "ThrottlingException", Message: "slow down", Status: 400, Namespace: "com.example.maker"},
			"unknown": {Code: "InternalServerException", Message: "internal error", Status: 500, Namespace: "com.example.maker"},
		} {
			_, err := awsjson.Call[MakeOutput](t.Context(), transport, &operations[0], &MakeInput{Name: &member})
			got, ok := errors.AsType[*awsjson.Error](err)
			if !ok || got.RequestID == "" {
				t.Errorf("%s: %s: got %v, want an Error with a request id", name, member, err)
				continue
			}
			if want.RequestID = got.RequestID; *got != want {
				t.Errorf("%s: got %+v, want %+v", name, *got, want)
			}
		}
		_, err = awsjson.Call[MakeOutput](t.Context(), transport, &operations[0], (*MakeInput)(nil))
		if got, ok := errors.AsType[*awsjson.Error](err); !ok || got.Code != "ValidationException" {
			t.Errorf("%s: nil input: got %v, want a ValidationException", name, err)
		}
	}
	if signed == 0 {
		t.Error("Sign was not given the bodies")
	}
}

func TestAnswersOfOtherServersAreErrorsWithAStatus(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
	}))
	t.Cleanup(server.Close)
	_, err := awsjson.Call[MakeOutput](t.Context(), &awsjson.HTTP{Endpoint: server.URL + "/"}, &operations[0], &MakeInput{})
	if got, ok := errors.AsType[*awsjson.Error](err); !ok || got.Status != 502 || got.Code != "BadGateway" {
		t.Errorf("got %v", err)
	}
}

func TestNewHandlerRefusesAnImplementationWithoutTheMethods(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	awsjson.NewHandler(operations, struct{}{}, awsjson.Config{})
}

func ptr[T any](v T) *T { return &v }

func TestCallWhoseCallerWentAwayIsNoInternalError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	var got awsjson.Finished
	h := awsjson.NewHandler(operations, echo{}, awsjson.Config{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		Observe: func(_ context.Context, f awsjson.Finished) { got = f },
		Authenticate: func(*http.Request, []byte) (context.Context, error) {
			cancel()
			return nil, ctx.Err()
		},
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(`{"name":"a"}`))
	r.Header.Set("X-Amz-Target", operations[0].Target())
	h.ServeHTTP(httptest.NewRecorder(), r)
	if got.Status != 499 || log.Len() > 0 {
		t.Errorf("got %+v, log %s", got, log.String())
	}
}
