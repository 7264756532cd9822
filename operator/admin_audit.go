package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

const auditListUsage = `usage: kyrochat admin audit list [EMAIL] [--action ACTION] [--since 24h] [--limit N] [--json]

Lists the audit log, newest lines first: of one account, or of all. Times are UTC. "By" is who did it: a user by a
session or API key, an admin on this machine, the server by itself, or nobody who was signed in.

  --action ACTION   lines of that kind alone, such as LOGGED_IN or PASSWORD_CHANGED; AuditAction in the
                    schema (docs/api.md) has them all, and so has the answer to one that there is not
  --since D         not older than that, such as 24h
  --limit N         at most so many
  --json            one JSON object a line
`

func readAuditList(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	var want kyro.AuditQuery
	var since time.Duration
	flags.Func("action", "", func(s string) error {
		want.Action = kyro.AuditAction(strings.ToUpper(strings.ReplaceAll(s, "-", "_")))
		if all := kyro.AuditActions(); !slices.Contains(all, want.Action) {
			return fmt.Errorf("use one of %s", listed(all))
		}
		return nil
	})
	flags.Func("since", "", func(s string) (err error) {
		if since, err = time.ParseDuration(s); err != nil || since <= 0 {
			return errors.New("use a duration such as 24h")
		}
		return nil
	})
	asJSON := flags.Bool("json", false, "")
	limit := limitFlag(flags)
	return func(ctx context.Context, o *operator, args []string) error {
		if len(args) > 0 {
			account, err := o.find(ctx, args[0])
			if err != nil && !gone(args[0]) {
				return err
			}
			if want.UserID = account.ID; err != nil { // lines stay when an account is deleted
				want.UserID = kyro.ReadID(args[0])
			}
		} else if err := o.open(ctx); err != nil {
			return err
		}
		if since > 0 {
			want.Since = o.Now().Add(-since)
		}
		lines := listing[kyro.AuditEntry]{
			heads: []string{"LINE", "TIME (UTC)", "ACTION", "DONE", "ACCOUNT", "BY", "TARGET", "DETAIL"},
			cells: entryCells,
			line:  func(e *kyro.AuditEntry) any { return entryJSON(e) },
			page: func(atMost int) ([]kyro.AuditEntry, error) {
				want.Limit = atMost
				page, err := o.admin.AuditLog(ctx, want)
				if n := len(page); n > 0 {
					want.Before = page[n-1].ID
				}
				return page, err
			},
			none: "There are no such lines.",
		}
		return lines.print(o, *limit, *asJSON)
	}
}

func entryCells(e *kyro.AuditEntry) []string {
	detail := []string{text.Printable(e.Detail), text.Printable(e.Device.UserAgent), e.Device.AddressPrefix}
	detail = slices.DeleteFunc(detail, func(s string) bool { return s == "" })
	return []string{
		fmt.Sprint(e.ID.Key), e.At.UTC().Format(time.DateTime), string(e.Action), yesNo(e.Succeeded), dash(e.UserID.String()),
		by(e), dash(e.Target.String()), strings.Join(detail, " · "),
	}
}

// gone reports whether what somebody wrote is the id of an account, which may have been deleted.
func gone(who string) bool {
	id, err := kyro.ParseID(who)
	return err == nil && id.Kind == kyro.KindUser
}

// by is who did something, in few words.
func by(e *kyro.AuditEntry) string {
	who := strings.ToLower(strings.ReplaceAll(string(e.Actor), "_", " "))
	if !e.By.IsZero() {
		who += " " + e.By.String()
	}
	return who
}

// entryLine is a line of the audit log as JSON.
type entryLine struct {
	Line      int64     `json:"line"`
	At        time.Time `json:"at"`
	Action    string    `json:"action"`
	Succeeded bool      `json:"succeeded"`
	User      string    `json:"user,omitempty"`
	Actor     string    `json:"actor"`
	By        string    `json:"by,omitempty"`
	Target    string    `json:"target,omitempty"`
	RequestID string    `json:"requestId,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	UserAgent string    `json:"userAgent,omitempty"`
	Network   string    `json:"network,omitempty"`
}

func entryJSON(e *kyro.AuditEntry) entryLine {
	return entryLine{
		Line: e.ID.Key, At: e.At, Action: string(e.Action), Succeeded: e.Succeeded, User: e.UserID.String(), Actor: string(e.Actor), By: e.By.String(),
		Target: e.Target.String(), RequestID: e.RequestID, Detail: e.Detail, UserAgent: e.Device.UserAgent, Network: e.Device.AddressPrefix,
	}
}

const auditVerifyUsage = `usage: kyrochat admin audit verify

Reads the whole audit log and checks that each line is the one that was written, behind the one that was before it.
Prints how many lines there are and the hash of the last. Keep that where nobody gets at who can write to the database:
later the same line must have the same hash. Exit status 1, and the first line that does not fit, where somebody changed
the log.
`

func readAuditVerify(*flag.FlagSet) func(context.Context, *operator, []string) error {
	return func(ctx context.Context, o *operator, _ []string) error {
		if err := o.open(ctx); err != nil {
			return err
		}
		check, err := o.store.VerifyAudit(ctx)
		if err != nil {
			return err
		}
		if !check.Intact() {
			return fmt.Errorf("the audit log was changed at line %d: %s. The %s before it fit, up to the hash %s",
				check.Broken, check.Why, text.Plural(int(check.Lines), "line"), dash(check.Hash))
		}
		return o.printf("The audit log is intact.\nlines %d\nhash  %s\n", check.Lines, dash(check.Hash))
	}
}
