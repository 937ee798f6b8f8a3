package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/hadronhq/hadron/internal/api"
)

// auditRow is what a record of the audit log says, in its CloudTrail shape.
type auditRow struct {
	At        time.Time
	Event     string
	Who       string
	Source    string
	ErrorCode string
	Resources []string
	Record    string
}

func (c *Console) audit(w http.ResponseWriter, r *http.Request) error {
	f := auditFacts{Resource: r.FormValue("resource"), Call: r.FormValue("call"), Who: r.FormValue("who")}
	out, err := c.client.ListAuditEvents(r.Context(), &api.ListAuditEventsInput{
		ResourceArn: optional(f.Resource), EventName: optional(f.Call), PrincipalArn: optional(f.Who), MaxResults: api.Ptr[int64](50), NextToken: token(r)})
	if err != nil {
		return err
	}
	f.Rows, f.Next = readAudits(out.Events), out.NextToken
	return c.ok(w, r, "Audit", auditView(f))
}

// auditFacts are a page of the audit log, and what it is restricted to.
type auditFacts struct {
	Resource, Call, Who string
	Rows                []auditRow
	Next                *string
}

func (f auditFacts) path() string {
	path := at("audit")
	for _, filter := range [][2]string{{"resource", f.Resource}, {"call", f.Call}, {"who", f.Who}} {
		if filter[1] != "" {
			path = with(path, filter[0], filter[1])
		}
	}
	return path
}

func readAudits(events []api.AuditEvent) (rows []auditRow) {
	for _, e := range events {
		rows = append(rows, readAudit(api.Value(e.Record)))
	}
	return rows
}

func readAudit(record string) auditRow {
	var in struct {
		EventTime       time.Time              `json:"eventTime"`
		EventName       string                 `json:"eventName"`
		UserIdentity    struct{ ARN string }   `json:"userIdentity"`
		SourceIPAddress string                 `json:"sourceIPAddress"`
		ErrorCode       string                 `json:"errorCode"`
		Resources       []struct{ ARN string } `json:"resources"`
	}
	row := auditRow{Record: record}
	if json.Unmarshal([]byte(record), &in) != nil {
		return row
	}
	row.At, row.Event, row.Who, row.Source, row.ErrorCode = in.EventTime, in.EventName, in.UserIdentity.ARN, in.SourceIPAddress, in.ErrorCode
	for _, res := range in.Resources {
		row.Resources = append(row.Resources, res.ARN)
	}
	return row
}

// indent writes a record so that people can read it.
func indent(record string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(record), "", "  ") != nil {
		return record
	}
	return b.String()
}
