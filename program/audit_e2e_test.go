package program

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kyrochat/store"
)

const auditLines = `query($first: Int, $after: String) { viewer { auditLog(first: $first, after: $after) {
	nodes { id at action succeeded actor by target addressPrefix userAgent requestId detail }
	pageInfo { hasNextPage endCursor } totalCount } } }`

// TestAuditLog reads what a journey left behind: each line by whom it concerns, newest first, and the whole in one chain.
func TestAuditLog(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		ada, eve := s.signUp(t), s.signUp(t)
		logIn := func(email, password string) *reply {
			return (&person{t: t, s: s}).ask(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) {
				accessToken errors { code } } }`, vars{"e": email, "p": password})
		}
		logIn(ada.email, "wrong horse battery").wantCode("logIn", "INVALID_CREDENTIALS")
		logIn("nobody@example.com", password).wantCode("logIn", "INVALID_CREDENTIALS")
		other := &person{t: t, s: s, token: logIn(ada.email, password).text("logIn.accessToken")}
		other.must(`mutation { logOut { loggedOut errors { code } } }`, nil)

		bot := ada.newBot()
		document := ada.know(bot, "Notes", "Apples are red.")
		file := ada.upload(bot, "notes.txt", []byte("Pears are green.")).text("uploadDocument.document.id")
		remove := `mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`
		ada.must(remove, vars{"d": document})
		eve.ask(remove, vars{"d": file}).wantCode("", "NOT_FOUND")
		ada.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": bot})

		var seen []map[string]any
		var after any
		for {
			page := ada.must(auditLines, vars{"first": 4, "after": after})
			for _, node := range page.list("viewer.auditLog.nodes") {
				seen = append(seen, node.(map[string]any))
			}
			if got := page.number("viewer.auditLog.totalCount"); got != 9 {
				t.Errorf("counted %v lines", got)
			}
			if page.get("viewer.auditLog.pageInfo.hasNextPage") != true {
				break
			}
			after = page.get("viewer.auditLog.pageInfo.endCursor")
		}
		slices.Reverse(seen)
		want := []struct {
			action string
			target any
			by     string // what it was done with, if it was done
			why    any
		}{
			{"SIGNED_UP", nil, "session", nil},
			{"LOGGED_IN", nil, "", "Wrong credentials."},
			{"LOGGED_IN", nil, "session", nil},
			{"LOGGED_OUT", nil, "session", nil},
			{"BOT_CREATED", bot, "session", nil},
			{"DOCUMENT_ADDED", document, "session", nil},
			{"DOCUMENT_ADDED", file, "session", nil},
			{"DOCUMENT_DELETED", document, "session", nil},
			{"BOT_DELETED", bot, "session", nil},
		}
		if len(seen) != len(want) {
			t.Fatalf("%d lines: %v", len(seen), seen)
		}
		requests := map[any]bool{}
		for i, w := range want {
			line := seen[i]
			by, _ := line["by"].(string)
			done := w.why == nil
			if line["action"] != w.action || line["target"] != w.target || line["detail"] != w.why || line["succeeded"] != done ||
				(line["actor"] == "USER") != done || (w.by == "") != (by == "") || !strings.HasPrefix(by, w.by) {
				t.Errorf("line %d is %v, want %+v", i, line, w)
			}
			if line["addressPrefix"] != "127.0.0.0/24" || line["userAgent"] != "Go-http-client/1.1" || requests[line["requestId"]] || line["requestId"] == nil {
				t.Errorf("line %d came from %v", i, line)
			}
			requests[line["requestId"]] = true
		}
		if seen[2]["by"] != seen[3]["by"] || seen[2]["by"] == seen[0]["by"] || seen[4]["by"] != seen[0]["by"] {
			t.Errorf("the sessions are mixed up: %v", seen)
		}

		if got := eve.must(auditLines, nil).list("viewer.auditLog.nodes"); len(got) != 1 || got[0].(map[string]any)["action"] != "SIGNED_UP" {
			t.Errorf("another sees %v", got)
		}
		ada.ask(auditLines, vars{"first": 101}).wantCode("", "BAD_USER_INPUT")
		check, err := store.New(s.app.pools, s.app.queue).VerifyAudit(t.Context())
		if err != nil || !check.Intact() || check.Lines != 11 {
			t.Errorf("the whole log: %+v, %v", check, err)
		}
	})
}

// TestAuditLogOfAPIKeys: what a program does is noted as its own, what it may not do once a minute, and it reads none of it.
func TestAuditLogOfAPIKeys(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		ada := s.signUp(t)
		bot := ada.newBot()
		id, program := ada.newAPIKey(nil, "READ", "INGEST")
		document := program.must(`mutation($b: ID!) { addTextDocument(input: {botId: $b, title: "T", text: "Apples are red."}) {
			document { id } errors { code message } } }`, vars{"b": bot}).text("addTextDocument.document.id")
		program.ask(auditLines, nil).wantCode("", "FORBIDDEN")
		program.ask(`mutation { a: createBot(input: {name: "x"}) { bot { id } } b: createBot(input: {name: "y"}) { bot { id } } }`, nil).wantCode("", "FORBIDDEN")
		program.ask(`{ node(id: "bot_999999") { id } }`, nil)

		var got []string
		for _, node := range ada.must(auditLines, nil).list("viewer.auditLog.nodes") {
			line := node.(map[string]any)
			got = append(got, fmt.Sprint(line["action"], line["succeeded"], line["actor"], line["target"], line["by"] == id))
		}
		want := []string{
			fmt.Sprint("ACCESS_DENIED", false, "API_KEY", nil, true), fmt.Sprint("DOCUMENT_ADDED", true, "API_KEY", document, true),
			fmt.Sprint("API_KEY_CREATED", true, "USER", id, false), fmt.Sprint("BOT_CREATED", true, "USER", bot, false),
			fmt.Sprint("SIGNED_UP", true, "USER", nil, false),
		}
		if !slices.Equal(got, want) {
			t.Errorf("lines\n got %v\nwant %v", got, want)
		}
	})
}
