package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hadronhq/hadron/internal/api"
	"github.com/hadronhq/hadron/internal/app"
	"github.com/hadronhq/hadron/internal/awsjson"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (t *tool) auditCommand() *cobra.Command {
	return group("audit", "Read, verify and export the audit log",
		"Read, verify and export the audit log: who has changed what, and who was refused.",
		t.listAuditCommand(), t.verifyAuditCommand(), t.exportAuditCommand())
}

// auditFlags restrict which records a command reads.
type auditFlags struct {
	name, principal, resource, code, since, until *string
}

func addAuditFlags(flags *pflag.FlagSet) auditFlags {
	return auditFlags{
		name:      flags.String("event", "", "only this operation, as CreateService"),
		principal: flags.String("principal", "", "only this user or role, by ARN"),
		resource:  flags.String("resource", "", "only this resource, by ARN"),
		code:      flags.String("error", "", "only calls that ended with this error, as AccessDeniedException"),
		since:     flags.String("since", "", "only from this instant on, as 2026-12-31T23:59:59Z, or this long ago, as 24h"),
		until:     flags.String("until", "", "only before this instant"),
	}
}

func (f auditFlags) input() (*api.ListAuditEventsInput, error) {
	in := &api.ListAuditEventsInput{}
	for _, text := range []struct {
		from *string
		to   **string
	}{{f.name, &in.EventName}, {f.principal, &in.PrincipalArn}, {f.resource, &in.ResourceArn}, {f.code, &in.ErrorCode}} {
		if *text.from != "" {
			*text.to = text.from
		}
	}
	var err error
	if in.StartTime, err = instantFlag("--since", *f.since); err != nil {
		return nil, err
	}
	in.EndTime, err = instantFlag("--until", *f.until)
	return in, err
}

// eachEvent calls f with every record that a question has, page by page, until
// it has seen so many; 0: all.
func (a access) eachEvent(cmd *cobra.Command, in *api.ListAuditEventsInput, limit int, f func(api.AuditEvent) error) error {
	for seen := 0; ; {
		page, err := a.client().ListAuditEvents(cmd.Context(), in)
		if err != nil {
			return a.explain(err)
		}
		for _, e := range page.Events {
			if err := f(e); err != nil {
				return err
			}
			if seen++; seen == limit {
				return nil
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return nil
		}
	}
}

// auditRow is what a table shows of a record.
type auditRow struct {
	EventTime    string `json:"eventTime"`
	EventName    string `json:"eventName"`
	ErrorCode    string `json:"errorCode"`
	UserIdentity struct {
		ARN         string `json:"arn"`
		AccessKeyID string `json:"accessKeyId"`
	} `json:"userIdentity"`
	Resources []struct{ ARN string } `json:"resources"`
}

func (t *tool) listAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List what has been recorded, newest first", Args: wants(),
		Long: `List the records of the caller's account, newest first. With --output json each line
is a whole record in CloudTrail's shape.

` + credentialsHelp,
		Example: "  hadron audit list --since 24h --error AccessDeniedException",
	}
	flags := addAuditFlags(cmd.Flags())
	endpoint, output := endpointFlag(cmd.Flags()), outputFlag(cmd.Flags())
	limit := cmd.Flags().Int("limit", 100, "how many records to list; 0 for all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		in, err := flags.input()
		if err != nil {
			return err
		}
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		var rows [][]string
		err = a.eachEvent(cmd, in, *limit, func(e api.AuditEvent) error {
			if output.json() {
				_, err := fmt.Fprintln(t.stdout, api.Value(e.Record))
				return err
			}
			var r auditRow
			if err := json.Unmarshal([]byte(api.Value(e.Record)), &r); err != nil {
				return err
			}
			who, about, code := r.UserIdentity.ARN, "-", r.ErrorCode
			if who == "" {
				who = "? " + r.UserIdentity.AccessKeyID
			}
			if len(r.Resources) > 0 {
				about = r.Resources[0].ARN
			}
			if code == "" {
				code = "-"
			}
			rows = append(rows, []string{r.EventTime, r.EventName, who, about, code})
			return nil
		})
		if err == nil && !output.json() {
			t.table("TIME\tOPERATION\tPRINCIPAL\tRESOURCE\tERROR", rows)
		}
		return err
	}
	return cmd
}

// exported is a line of an export.
type exported struct {
	Account      string          `json:"account"`
	Sequence     int64           `json:"sequence"`
	PreviousHash string          `json:"previousHash"`
	Hash         string          `json:"hash"`
	Record       json.RawMessage `json:"record"`
}

func (t *tool) exportAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Print the whole log, oldest first", Args: wants(),
		Long: `Print all records of the caller's account, oldest first, one to a line, each with its
number, hash and the hash before it: "hadron audit verify FILE" can check them anywhere.

` + credentialsHelp,
		Example: "  hadron audit export > audit.jsonl\n  hadron audit verify audit.jsonl",
	}
	endpoint := endpointFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a, err := t.access(*endpoint)
		if err != nil {
			return err
		}
		previous, begun := "", false
		in := &api.ListAuditEventsInput{OldestFirst: api.Ptr(true), MaxResults: api.Ptr(int64(1000))}
		return a.eachEvent(cmd, in, 0, func(e api.AuditEvent) error {
			var record struct {
				Account string `json:"recipientAccountId"`
			}
			if err := json.Unmarshal([]byte(api.Value(e.Record)), &record); err != nil {
				return err
			}
			if !begun && api.Value(e.Sequence) > 1 { // those before were pruned
				whole, err := a.client().VerifyAuditLog(cmd.Context(), &api.VerifyAuditLogInput{})
				if err != nil {
					return a.explain(err)
				}
				previous = api.Value(whole.PrunedHash)
			}
			begun = true
			line := exported{record.Account, api.Value(e.Sequence), previous, api.Value(e.Hash), json.RawMessage(api.Value(e.Record))}
			previous = line.Hash
			return t.writeLine(line)
		})
	}
	return cmd
}

func (t *tool) verifyAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify [FILE]", Short: "Check that the log is whole",
		Long: `Check that every record is there and as it was written: of the server's log, or of a
file that "hadron audit export" has made (- for standard input). Only the server can
tell whether records are missing at the end. Exit status 1 means that it is not whole.

` + credentialsHelp,
		Example: "  hadron audit verify", Args: cobra.MaximumNArgs(1),
	}
	endpoint, output := endpointFlag(cmd.Flags()), outputFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var out *api.VerifyAuditLogOutput
		if len(args) == 1 {
			var err error
			if out, err = t.verifyExport(args[0]); err != nil {
				return err
			}
		} else {
			a, err := t.access(*endpoint)
			if err != nil {
				return err
			}
			if out, err = a.client().VerifyAuditLog(cmd.Context(), &api.VerifyAuditLogInput{}); err != nil {
				return a.explain(err)
			}
		}
		if output.json() {
			if err := t.writeJSON(out); err != nil {
				return err
			}
		} else if api.Value(out.Whole) {
			fmt.Fprintf(t.stdout, "The log is whole: %d records, the last with hash %s.\n", api.Value(out.Records), api.Value(out.Hash))
			if n := api.Value(out.PrunedRecords); n > 0 {
				fmt.Fprintf(t.stdout, "The first %d of them were pruned before, the last of those with hash %s.\n", n, api.Value(out.PrunedHash))
			}
		}
		switch {
		case api.Value(out.Whole):
			return nil
		case output.json():
			return quietError{fmt.Errorf("not whole")}
		}
		return fmt.Errorf("the log is not whole: %s", api.Value(out.Problem))
	}
	return cmd
}

// maxRecord is more than a record can have.
const maxRecord = 8 << 20

// verifyExport follows the chain of a file.
func (t *tool) verifyExport(file string) (*api.VerifyAuditLogOutput, error) {
	var source io.Reader = t.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		source = f
	}
	lines := bufio.NewScanner(source)
	lines.Buffer(nil, maxRecord)
	var last, pruned exported
	problem := func(format string, args ...any) (*api.VerifyAuditLogOutput, error) {
		return &api.VerifyAuditLogOutput{Records: &last.Sequence, Hash: &last.Hash, Whole: api.Ptr(false), Problem: api.Ptr(fmt.Sprintf(format, args...))}, nil
	}
	for n := 1; lines.Scan(); n++ {
		var e exported
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s:%d: not a line of an export: %w", file, n, err)
		}
		if n == 1 && e.Sequence > 1 { // what came before was pruned, or is in another file
			last.Sequence, last.Hash = e.Sequence-1, e.PreviousHash
			pruned = last
		}
		switch {
		case e.Sequence != last.Sequence+1 || e.PreviousHash != last.Hash || n > 1 && e.Account != last.Account:
			return problem("Record %d is missing.", last.Sequence+1)
		case e.Hash != app.AuditHash(e.PreviousHash, e.Account, e.Sequence, string(e.Record)):
			return problem("Record %d is not as it was written.", e.Sequence)
		}
		last = e
	}
	out := &api.VerifyAuditLogOutput{Records: &last.Sequence, Hash: &last.Hash, Whole: api.Ptr(true)}
	if pruned.Sequence > 0 {
		out.PrunedRecords, out.PrunedHash = &pruned.Sequence, &pruned.Hash
	}
	return out, lines.Err()
}

// instantFlag reads an instant, or how long ago it was.
func instantFlag(flag, text string) (*awsjson.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return &awsjson.Timestamp{Time: time.Now().Add(-ago)}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, usagef("%s %q is neither an instant, as 2026-12-31T23:59:59Z, nor a time, as 24h", flag, text)
	}
	return &awsjson.Timestamp{Time: at}, nil
}
