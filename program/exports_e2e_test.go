package program

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kyrochat/internal/s3"
)

const (
	exportFields        = `{ id kind format status progress { done total } sizeBytes createdAt finishedAt expiresAt url bot { id } error { code message } }`
	exportConversations = `mutation($i: ExportConversationsInput!) { exportConversations(input: $i) { export ` + exportFields + ` errors { code field message } } }`
	exportMyData        = `mutation { exportMyData { export ` + exportFields + ` errors { code field message } } }`
	readExport          = `query($e: ID!) { export(id: $e) ` + exportFields + ` }`
	deleteExport        = `mutation($e: ID!) { deleteExport(input: {exportId: $e}) { deletedId errors { code } } }`
)

// exported waits until an export is final, and gives it.
func (p *person) exported(id string) (last *reply) {
	p.t.Helper()
	err := p.follow(`subscription($e: ID!) { exportProgress(exportId: $e) `+exportFields+` }`, vars{"e": id}, func(e *reply) bool { last = e; return true })
	if err != nil {
		p.t.Fatalf("exportProgress: %v", err)
	}
	return last
}

// fetched exports conversations and gives the file.
func (p *person) fetched(i vars) carried {
	p.t.Helper()
	begun := p.must(exportConversations, vars{"i": i})
	done := p.exported(begun.text("exportConversations.export.id"))
	if status := done.text("exportProgress.status"); status != "READY" {
		p.t.Fatalf("the export is %s: %s", status, done.body)
	}
	file := carry(p.t, "GET", done.text("exportProgress.url"), nil)
	if file.status != http.StatusOK || int(done.number("exportProgress.sizeBytes")) != len(file.body) {
		p.t.Fatalf("%d, %d bytes, and the export says %s", file.status, len(file.body), done.body)
	}
	p.must(deleteExport, vars{"e": begun.text("exportConversations.export.id")})
	return file
}

// jsonLines reads JSON Lines.
func jsonLines(t *testing.T, text string) (list []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, object)
	}
	return list
}

// TestExportOfConversations: the file says what the API says, in both formats, wherever it is kept.
func TestExportOfConversations(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *testServer, bucket *s3.Emulator) {
		p := s.signUp(t)
		bot, other := p.newBot(), p.newBot()
		p.know(bot, "Rules", longAnswer)
		sent := p.send(vars{"botId": bot, "text": "What do the harbour rules of Lindau say about lamps?"})
		talk, answer := sent.text("sendMessage.conversation.id"), sent.text("sendMessage.botMessage.id")
		p.hear(answer)
		p.must(`mutation($i: RateMessageInput!) { rateMessage(input: $i) { message { id } errors { code } } }`,
			vars{"i": vars{"messageId": answer, "rating": "DOWN", "reasons": []string{"OUTDATED"}, "comment": "=1+1"}})
		again := p.must(`mutation($m: ID!, $k: String!) { regenerateMessage(input: {messageId: $m, clientMessageId: $k}) { botMessage { id } errors { code } } }`,
			vars{"m": answer, "k": newKey()})
		p.hear(again.text("regenerateMessage.botMessage.id"))
		p.chat(vars{"conversationId": talk, "text": "+49 is a prefix,\r\nand \"this\" is quoted."})
		p.chat(vars{"botId": other, "text": "Not with that bot."})
		gone := p.send(vars{"botId": bot, "text": "Forget this."})
		p.hear(gone.text("sendMessage.botMessage.id"))
		p.must(`mutation($c: ID!) { deleteConversation(input: {conversationId: $c}) { deletedId errors { code } } }`, vars{"c": gone.text("sendMessage.conversation.id")})

		told := p.must(`query($c: ID!) { conversation(id: $c) { messages(includeSuperseded: true, first: 100) { nodes { messageId: id role status text createdAt completedAt grounding finishReason notices
			feedback { rating reasons comment ratedAt } usage { model promptTokens outputTokens totalTokens timeToFirstTokenMs durationMs }
			citations { marker documentTitle documentVersion quote pageStart pageEnd charStart charEnd score similarity verified } } } } }`, vars{"c": talk})
		jsonl := p.fetched(vars{"botId": bot, "format": "JSONL"})
		rows := jsonLines(t, jsonl.body)
		nodes := told.list("conversation.messages.nodes")
		if len(rows) != 5 || len(nodes) != len(rows) {
			t.Fatalf("%d lines, and the API has %d:\n%s", len(rows), len(nodes), jsonl.body)
		}
		for i, row := range rows {
			node := nodes[i].(map[string]any)
			for _, citation := range row["citations"].([]any) {
				delete(citation.(map[string]any), "documentId")
			}
			if f, ok := node["feedback"].(map[string]any); ok && f["comment"] == nil {
				f["comment"] = ""
			}
			for name, value := range node {
				if got, want := fmt.Sprint(row[name]), fmt.Sprint(value); got != want {
					t.Errorf("%v %s is %s, and the API says %s", row["messageId"], name, got, want)
				}
			}
			if row["superseded"] != (node["messageId"] == answer) || row["conversationId"] != talk {
				t.Errorf("line %d: %v", i, row)
			}
		}
		if head := jsonl.head; head.Get("Content-Type") != "application/jsonl" || !strings.Contains(head.Get("Content-Disposition"), "attachment; filename=\"kyrochat-bot-") ||
			head.Get("Cache-Control") != "private, no-store" {
			t.Errorf("head: %v", head)
		}

		table := p.fetched(vars{"botId": bot, "format": "CSV"})
		cells, err := csv.NewReader(strings.NewReader(table.body)).ReadAll()
		if err != nil || len(cells) != 6 {
			t.Fatalf("%d rows, %v:\n%s", len(cells), err, table.body)
		}
		at := func(row int, column string) string { return cells[row][slices.Index(cells[0], column)] }
		for i, row := range rows {
			if at(i+1, "message_id") != row["messageId"] || at(i+1, "status") != row["status"] || at(i+1, "created_at") != row["createdAt"] {
				t.Errorf("row %d: %q", i, cells[i+1])
			}
		}
		if at(2, "rating_comment") != "'=1+1" || at(4, "text") != "'+49 is a prefix,\nand \"this\" is quoted." {
			t.Errorf("%q, %q", at(2, "rating_comment"), at(4, "text"))
		}

		// A bot of which there is nothing, and a span in which nothing was said.
		if got := p.fetched(vars{"botId": p.newBot(), "format": "JSONL"}); got.body != "" {
			t.Errorf("of nothing: %q", got.body)
		}
		if got := p.fetched(vars{"botId": p.newBot(), "format": "CSV"}); strings.Count(got.body, "\r\n") != 1 {
			t.Errorf("of nothing: %q", got.body)
		}
		if got := p.fetched(vars{"botId": bot, "format": "JSONL", "to": rows[0]["createdAt"]}); got.body != "" {
			t.Errorf("before the first: %q", got.body)
		}
		if got := jsonLines(t, p.fetched(vars{"botId": bot, "format": "JSONL", "from": rows[3]["createdAt"]}).body); len(got) != 2 {
			t.Errorf("from the second question on: %v", got)
		}
		p.ask(exportConversations, vars{"i": vars{"botId": bot, "format": "ZIP"}}).wantCode("exportConversations", "VALIDATION")
		p.ask(exportConversations, vars{"i": vars{"botId": bot, "format": "CSV", "from": rows[1]["createdAt"], "to": rows[0]["createdAt"]}}).wantCode("exportConversations", "VALIDATION")

		if bucket != nil {
			s.eventually(t, "no export is left", 0, "SELECT count(*) FROM exports")
			if keys := bucket.Keys(); len(keys) != 0 {
				t.Errorf("in the bucket are %q", keys)
			}
		}
	})
}

// TestExportsAreTheOwners: nobody else sees an export, and its address is good for as long as it is there.
func TestExportsAreTheOwners(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *testServer, bucket *s3.Emulator) {
		p, stranger := s.signUp(t), s.signUp(t)
		bot := p.newBot()
		p.chat(vars{"botId": bot, "text": "Hello"})
		begin := func() (id, url string) {
			id = p.must(exportConversations, vars{"i": vars{"botId": bot, "format": "CSV"}}).text("exportConversations.export.id")
			return id, p.exported(id).text("exportProgress.url")
		}
		first, url := begin()
		missing := p.ask(readExport, vars{"e": "export_987654"})
		for name, r := range map[string]*reply{"stranger's": stranger.ask(readExport, vars{"e": first}), "stranger's export": stranger.ask(deleteExport, vars{"e": first})} {
			if !strings.Contains(string(r.body), `"NOT_FOUND"`) || strings.Contains(name, "'s ") == strings.Contains(string(r.body), `"data":{"export":null}`) {
				t.Errorf("%s: %s", name, r.body)
			}
		}
		plain := func(r *reply) string {
			return regexp.MustCompile(`"requestId":"[^"]*"`).ReplaceAllString(string(r.body), "")
		}
		if got, want := plain(stranger.ask(readExport, vars{"e": first})), plain(missing); got != want {
			t.Errorf("not yours reads %s, and not there %s", got, want)
		}
		stranger.ask(exportConversations, vars{"i": vars{"botId": bot, "format": "CSV"}}).wantCode("", "NOT_FOUND")
		for _, wrong := range []string{url[:len(url)-2] + "xx", s.url + "/exports/nothing"} {
			if got := carry(t, "GET", wrong, nil); got.status != http.StatusNotFound {
				t.Errorf("%s: %d", wrong, got.status)
			}
		}
		if got := carry(t, "GET", url, nil, "Range", "bytes=0-14"); got.status != http.StatusPartialContent || got.body != "conversation_id" {
			t.Errorf("a part: %d %q", got.status, got.body)
		}

		// Three are kept.
		second, _ := begin()
		begin()
		p.ask(exportConversations, vars{"i": vars{"botId": bot, "format": "JSONL"}}).wantCode("exportConversations", "LIMIT_REACHED")
		p.must(deleteExport, vars{"e": first})
		if got := carry(t, "GET", url, nil); got.status != http.StatusNotFound {
			t.Errorf("deleted: %d", got.status)
		}
		p.ask(readExport, vars{"e": first}).wantCode("", "NOT_FOUND")
		p.ask(deleteExport, vars{"e": first}).wantCode("", "NOT_FOUND")

		// One expires.
		expired := p.must(readExport, vars{"e": second}).text("export.url")
		s.exec(t, "UPDATE exports SET expires_at = created_at WHERE id = "+strings.TrimPrefix(second, "export_"))
		if got := carry(t, "GET", expired, nil); got.status != http.StatusNotFound {
			t.Errorf("expired: %d", got.status)
		}
		p.ask(readExport, vars{"e": second}).wantCode("", "NOT_FOUND")
		if n := len(p.must(`{ viewer { exports `+exportFields+` } }`, nil).list("viewer.exports")); n != 1 {
			t.Errorf("%d exports are left", n)
		}
	})
}

// TestExportOfMyData: the archive has everything of the person, and no secret.
func TestExportOfMyData(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *testServer, _ *s3.Emulator) {
		p := s.signUp(t)
		bot := p.newBot()
		const told = "The tea house on Pepper Lane was founded by Ada Brook in 1903."
		document := p.upload(bot, "tea house.txt", []byte(told)).text("uploadDocument.document.id")
		p.settled(document)
		finished, _ := p.chat(vars{"botId": bot, "text": "Who founded the tea house on Pepper Lane?"})
		keyID, program := p.newAPIKey(nil, "READ", "CHAT", "INGEST")
		for _, q := range []string{exportMyData, `{ viewer { exports { id } } }`} {
			if r := program.ask(q, nil); !strings.Contains(string(r.body), `"FORBIDDEN"`) {
				t.Errorf("an API key: %s", r.body)
			}
		}
		p.must(setBudget, vars{"i": vars{"period": "DAY", "maxMessages": 50}})
		id := p.must(exportMyData, nil).text("exportMyData.export.id")
		done := p.exported(id)
		if done.text("exportProgress.status") != "READY" || done.number("exportProgress.progress.done") != 2 || done.number("exportProgress.progress.total") != 2 {
			t.Fatalf("%s", done.body)
		}
		file := carry(t, "GET", done.text("exportProgress.url"), nil)
		if file.head.Get("Content-Type") != "application/zip" {
			t.Errorf("head: %v", file.head)
		}
		content := unzipped(t, file.body)
		var manifest struct {
			Version int
			Files   []struct {
				Name  string
				Count int
			}
			Originals struct {
				Count   int
				Missing []string
			}
		}
		if err := json.Unmarshal([]byte(content["manifest.json"]), &manifest); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, each := range manifest.Files {
			counts[each.Name] = each.Count
			var list []any
			if err := json.Unmarshal([]byte(content[each.Name]), &list); err != nil || len(list) != each.Count {
				t.Errorf("%s has %d, %v; the manifest says %d", each.Name, len(list), err, each.Count)
			}
		}
		delete(counts, "audit-log.json")
		want := map[string]int{"profile.json": 1, "sessions.json": 1, "api-keys.json": 1, "bots.json": 1, "documents.json": 1, "crawls.json": 0, "conversations.json": 1, "messages.json": 2, "exports.json": 1, "usage.json": 1, "budgets.json": 1, "knowledge-gaps.json": 0}
		if !maps.Equal(counts, want) || manifest.Version != 1 || manifest.Originals.Count != 1 || len(manifest.Originals.Missing) != 0 {
			t.Errorf("manifest: %s", content["manifest.json"])
		}
		if got := content["files/"+document+"/tea house.txt"]; got != told {
			t.Errorf("the original is %q", got)
		}
		for name, text := range map[string]string{
			"profile.json": p.email, "api-keys.json": keyID, "audit-log.json": "API_KEY_CREATED", "bots.json": bot, "documents.json": document,
			"messages.json": finished.text("messageStream.message.citations.0.quote"), "exports.json": id,
		} {
			if text == "" || !strings.Contains(content[name], text) {
				t.Errorf("%s does not have %q: %s", name, text, content[name])
			}
		}
		var all strings.Builder
		for _, text := range content {
			all.WriteString(text)
		}
		for _, secret := range []string{"$argon2", p.token, program.token, password} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("the archive has the secret %q", secret)
			}
		}
		if log := p.must(`{ viewer { auditLog(first: 5) { nodes { action target detail } } } }`, nil); !strings.Contains(string(log.body), `"action":"EXPORT_REQUESTED","target":"`+id+`","detail":"MY_DATA"`) {
			t.Errorf("the audit log: %s", log.body)
		}
	})
}

func unzipped(t *testing.T, file string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader([]byte(file)), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, entry := range z.File {
		r, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		content[entry.Name] = string(text)
	}
	return content
}

// TestExportsSurviveKills: a server is killed while it puts a file away; the next one makes it from the beginning.
func TestExportsSurviveKills(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		bucket := s3.Start(t)
		maps.Copy(env, bucket.Env())
		env["KYRO_SECRET"] = "an exported secret of more than 32 bytes 0123456789"
		first := startProcess(t, env)
		p := first.signUp(t)
		bot := p.newBot()
		p.chat(vars{"botId": bot, "text": "Hello"})
		bucket.Script(s3.Script{Kind: s3.Put, Trouble: s3.Hang})
		id := p.must(exportConversations, vars{"i": vars{"botId": bot, "format": "JSONL"}}).text("exportConversations.export.id")
		waitUntil(t, "the file is on its way", func() bool { return bucket.Count(s3.Put) > 0 })
		if r := p.must(readExport, vars{"e": id}); r.text("export.status") != "RUNNING" || r.get("export.url") != nil {
			t.Errorf("on its way: %s", r.body)
		}
		// Asked for once more, it is the same one.
		if same := p.must(exportConversations, vars{"i": vars{"botId": bot, "format": "JSONL"}}).text("exportConversations.export.id"); same != id {
			t.Errorf("there are %s and %s", id, same)
		}
		first.kill()
		bucket.Reset()
		if env["DATABASE_URL"] != "" {
			ageJobs(t, env["DATABASE_URL"])
		}
		second := startProcess(t, env)
		p.s = &second.testServer
		done := p.exported(id)
		if done.text("exportProgress.status") != "READY" {
			t.Fatalf("%s", done.body)
		}
		if got := jsonLines(t, carry(t, "GET", atServer(done.text("exportProgress.url"), p.s), nil).body); len(got) != 2 {
			t.Errorf("%v", got)
		}
	})
}
