package operator

import (
	"context"
	"flag"
	"strconv"
	"time"

	"kyrochat/kyro"
	"kyrochat/text"
)

const listUsage = `usage: kyrochat admin list [--search TEXT] [--deactivated] [--limit N] [--json]

Lists accounts in the order in which they were made. Times are UTC. "Last used" is the last refresh of a session or the
last use of an API key.

  --search TEXT    those with the text in address or name, without regard to case and accents
  --deactivated    those alone that are deactivated
  --limit N        at most so many
  --json           one JSON object a line
`

func readList(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	var want kyro.AccountQuery
	flags.StringVar(&want.Search, "search", "", "")
	flags.BoolVar(&want.Deactivated, "deactivated", false, "")
	asJSON := flags.Bool("json", false, "")
	limit := limitFlag(flags)
	return func(ctx context.Context, o *operator, _ []string) error {
		if err := o.open(ctx); err != nil {
			return err
		}
		accounts := listing[kyro.Account]{
			heads: []string{"ID", "STATUS", "VERIFIED", "CREATED (UTC)", "LAST USED (UTC)", ">BOTS", ">DOCS", "EMAIL", "NAME"},
			cells: accountCells,
			line:  func(a *kyro.Account) any { return accountJSON(a) },
			page: func(atMost int) ([]kyro.Account, error) {
				want.Limit = atMost
				page, err := o.admin.List(ctx, want)
				if n := len(page); n > 0 {
					want.After = page[n-1].ID
				}
				return page, err
			},
			none: "There are no such accounts.",
		}
		return accounts.print(o, *limit, *asJSON)
	}
}

func accountCells(a *kyro.Account) []string {
	return []string{
		a.ID.String(), status(a), yesNo(a.EmailVerified), clock(a.CreatedAt), clockOr(a.LastUsedAt, "never"),
		strconv.Itoa(a.Bots), strconv.Itoa(a.Documents), text.Printable(a.Email), text.Printable(a.Name),
	}
}

const showUsage = `usage: kyrochat admin show EMAIL [--json]

Shows one account: how much is in it, never what. Times are UTC.

  --json   as a JSON object
`

func readShow(flags *flag.FlagSet) func(context.Context, *operator, []string) error {
	asJSON := flags.Bool("json", false, "")
	return func(ctx context.Context, o *operator, args []string) error {
		a, err := o.find(ctx, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return o.printJSON(accountJSON(&a))
		}
		email, password := text.Printable(a.Email), "set"
		if !a.EmailVerified {
			email += " (not verified)"
		}
		if !a.HasPassword {
			password = "not set: the owner sets one by a link in a mail"
		}
		rows := [][2]string{
			{"Id", a.ID.String()}, {"Email", email}, {"Name", text.Printable(a.Name)}, {"Status", longStatus(&a)},
			{"Password", password},
			{"Created", clock(a.CreatedAt) + " UTC"}, {"Last used", clockOr(a.LastUsedAt, "never")},
			{"Sessions", strconv.Itoa(a.Sessions)}, {"API keys", strconv.Itoa(a.APIKeys)},
			{"Bots", strconv.Itoa(a.Bots)}, {"Documents", strconv.Itoa(a.Documents)},
		}
		for _, row := range rows {
			if err := o.printf("%-10s %s\n", row[0], row[1]); err != nil {
				return err
			}
		}
		return nil
	}
}

// status is the state of an account in a word.
func status(a *kyro.Account) string {
	switch {
	case a.DeactivatedAt == nil:
		return "active"
	case a.PurgeAfter == nil:
		return "deactivated"
	default:
		return "to be deleted"
	}
}

func longStatus(a *kyro.Account) string {
	switch {
	case a.DeactivatedAt == nil:
		return "active"
	case a.PurgeAfter == nil:
		return "deactivated on " + clock(*a.DeactivatedAt) + " UTC, until an admin reactivates it"
	default:
		return "deactivated on " + clock(*a.DeactivatedAt) + " UTC, deleted after " + clock(*a.PurgeAfter) + " UTC"
	}
}

// accountLine is an account as JSON.
type accountLine struct {
	ID            string     `json:"id"`
	Email         string     `json:"email"`
	Name          string     `json:"name"`
	Status        string     `json:"status"` // active or deactivated
	Verified      bool       `json:"verified"`
	HasPassword   bool       `json:"hasPassword"`
	CreatedAt     time.Time  `json:"createdAt"`
	LastUsedAt    *time.Time `json:"lastUsedAt"`
	DeactivatedAt *time.Time `json:"deactivatedAt"`
	PurgeAfter    *time.Time `json:"purgeAfter"`
	Sessions      int        `json:"sessions"`
	APIKeys       int        `json:"apiKeys"`
	Bots          int        `json:"bots"`
	Documents     int        `json:"documents"`
}

func accountJSON(a *kyro.Account) accountLine {
	status := "active"
	if a.DeactivatedAt != nil {
		status = "deactivated"
	}
	return accountLine{
		ID: a.ID.String(), Email: a.Email, Name: a.Name, Status: status,
		Verified: a.EmailVerified, HasPassword: a.HasPassword, CreatedAt: a.CreatedAt, LastUsedAt: a.LastUsedAt,
		DeactivatedAt: a.DeactivatedAt, PurgeAfter: a.PurgeAfter, Sessions: a.Sessions, APIKeys: a.APIKeys, Bots: a.Bots, Documents: a.Documents,
	}
}
