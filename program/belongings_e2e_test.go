package program

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"
)

// belongings are things of a person, each made when it is first asked for.
type belongings struct {
	*person
	made map[string]string
}

func (b *belongings) once(name string, make func() string) string {
	b.t.Helper()
	if b.made == nil {
		b.made = map[string]string{}
	}
	if b.made[name] == "" {
		b.made[name] = make()
	}
	return b.made[name]
}

// all makes everything.
func (b *belongings) all() {
	b.t.Helper()
	for _, each := range []func() string{
		b.user, b.bot, b.document, b.chunk, b.conversation, b.answer, b.session, b.key, b.unfinished, b.canceled, b.upload,
		b.webpage, b.crawl, b.walking, b.gap, b.export,
	} {
		each()
	}
}

func (b *belongings) user() string {
	return b.once("user", func() string { return b.must(`{ viewer { id } }`, nil).text("viewer.id") })
}

func (b *belongings) bot() string { return b.once("bot", b.newBot) }

func (b *belongings) document() string {
	return b.once("document", func() string { return b.know(b.bot(), "Tea", teaText) })
}

// upload is a slot whose file is there.
func (b *belongings) upload() string {
	return b.once("upload", func() string {
		id, address := b.slot(b.bot(), "tea.txt", 0)
		b.settled(carry(b.t, "PUT", address, strings.NewReader(teaText)).document(b.t))
		return id
	})
}

func (b *belongings) chunk() string {
	return b.once("chunk", func() string {
		return b.must(`query($d: ID!) { document(id: $d) { chunks { nodes { id } } } }`, vars{"d": b.document()}).text("document.chunks.nodes.0.id")
	})
}

// answer is a message that cites the document.
func (b *belongings) answer() string {
	return b.once("answer", func() string {
		b.document()
		sent := b.send(vars{"botId": b.bot(), "text": "Who founded the tea house on Pepper Lane?"})
		b.made["conversation"] = sent.text("sendMessage.conversation.id")
		b.hear(sent.text("sendMessage.botMessage.id"))
		b.s.placed(b.t)
		return sent.text("sendMessage.botMessage.id")
	})
}

// gap is of a question that no document answers.
func (b *belongings) gap() string {
	return b.once("gap", func() string {
		b.document()
		b.chat(vars{"botId": b.bot(), "text": "How much does the cable car to the glacier weigh?"})
		b.s.placed(b.t)
		return b.must(`query($b: ID!) { bot(id: $b) { knowledgeGaps(first: 1) { nodes { id } } } }`, vars{"b": b.bot()}).text("bot.knowledgeGaps.nodes.0.id")
	})
}

// placed waits until no unanswered question is to be put into a gap any more.
func (s *testServer) placed(t *testing.T) {
	t.Helper()
	s.eventually(t, "questions that are in no gap", 0, "SELECT count(*) FROM gap_questions WHERE gap_id IS NULL")
}

func (b *belongings) conversation() string {
	b.answer()
	return b.made["conversation"]
}

// session is one of another device.
func (b *belongings) session() string {
	return b.once("session", func() string {
		again := b.with(b.t, b.logInAgain().text("logIn.accessToken"))
		for _, each := range again.must(`{ viewer { sessions { id current } } }`, nil).list("viewer.sessions") {
			if session := each.(map[string]any); session["current"] == true {
				return session["id"].(string)
			}
		}
		b.t.Fatal("there is no session")
		return ""
	})
}

func (b *belongings) key() string {
	return b.once("key", func() string { return fmt.Sprintf("key_%d", b.withKey("READ").keyNumber) })
}

// export is one that is ready.
func (b *belongings) export() string {
	b.room()
	return b.once("export", func() string {
		id := b.must(exportConversations, vars{"i": vars{"botId": b.bot(), "format": "JSONL"}}).text("exportConversations.export.id")
		b.exported(id)
		return id
	})
}

// room lets the exports expire that there are, since there may be three.
func (b *belongings) room() string {
	return b.once("room", func() string {
		b.s.exec(b.t, "UPDATE exports SET expires_at = created_at WHERE owner_id = "+strings.TrimPrefix(b.user(), "user_"))
		return "made"
	})
}

// unfinished is a document that nobody works on and that is not final.
func (b *belongings) unfinished() string { return b.inState("unfinished", "EMBEDDING") }

// canceled is a document that can be tried again.
func (b *belongings) canceled() string { return b.inState("canceled", "CANCELED") }

// webpage is a document that was added by its address, and is final.
func (b *belongings) webpage() string {
	return b.once("webpage", func() string {
		id := b.must(`mutation($b: ID!) { addUrlDocument(input: {botId: $b, url: "https://page.invalid/"}) { document { id } errors { code } } }`, vars{"b": b.bot()}).text("addUrlDocument.document.id")
		b.settled(id)
		return id
	})
}

// crawl is one that is over.
func (b *belongings) crawl() string {
	return b.once("crawl", func() string { return b.crawlIn("COMPLETED", "created_at") })
}

// walking is one that is not, and that nobody works on.
func (b *belongings) walking() string {
	return b.once("walking", func() string { return b.crawlIn("RUNNING", "NULL") })
}

func (b *belongings) crawlIn(status, finished string) string {
	id := b.must(`mutation($b: ID!) { crawlSite(input: {botId: $b, url: "https://site.invalid/"}) { crawl { id } errors { code } } }`, vars{"b": b.bot()}).text("crawlSite.crawl.id")
	err := b.follow(`subscription($c: ID!) { crawlProgress(crawlId: $c) { status } }`, vars{"c": id}, func(*reply) bool { return true })
	if err != nil {
		b.t.Fatalf("crawlProgress: %v", err)
	}
	b.s.exec(b.t, "UPDATE crawls SET status = '"+status+"', finished_at = "+finished+" WHERE id = "+strings.TrimPrefix(id, "crawl_"))
	return id
}

func (b *belongings) inState(name, status string) string {
	return b.once(name, func() string {
		document := b.know(b.bot(), name, "Nothing of importance "+newKey())
		b.s.exec(b.t, "UPDATE documents SET status = '"+status+"' WHERE id = "+strings.TrimPrefix(document, "doc_"))
		return document
	})
}

// notCompared are tables that change by themselves, or by being looked at: of sessions and keys it is the last use.
func notCompared(table string) bool {
	return strings.HasPrefix(table, "river_") || strings.HasPrefix(table, "sqlite_") || strings.HasPrefix(table, "bun_") ||
		strings.HasPrefix(table, "audit_")
}

// dump gives every row of the database, in order.
func (s *testServer) dump(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tables := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if s.app.pools.Postgres() {
		tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
	}
	var lines []string
	for _, table := range s.rows(ctx, t, tables) {
		if table = strings.Trim(table, "[]"); notCompared(table) {
			continue
		}
		for _, row := range s.rows(ctx, t, "SELECT * FROM "+table) {
			lines = append(lines, table+" "+row)
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// rows gives what a statement finds, each row as text.
func (s *testServer) rows(ctx context.Context, t *testing.T, statement string) (list []string) {
	t.Helper()
	if s.app.pools.Postgres() {
		found, err := s.app.pools.Pgx.Query(ctx, statement)
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		for found.Next() {
			values, err := found.Values()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, fmt.Sprint(withoutUse(values, columnsOf(len(values), func(i int) string { return found.FieldDescriptions()[i].Name }))))
		}
		return list
	}
	found, err := s.app.pools.SQLite.QueryContext(ctx, statement)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for found.Next() {
		values, places := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			places[i] = &values[i]
		}
		if err := found.Scan(places...); err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprint(withoutUse(values, names)))
	}
	return list
}

func columnsOf(n int, name func(int) string) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = name(i)
	}
	return names
}

func withoutUse(values []any, names []string) []any {
	for i, name := range names {
		if name == "last_used_at" {
			values[i] = "-"
		}
	}
	return values
}

// unmoved waits until nothing changes any more, and no job that is available or running could change anything, and gives the dump.
func (s *testServer) unmoved(t *testing.T) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for before, same := "", 0; ; {
		now := s.dump(t)
		if same++; now != before || s.number(t, "SELECT count(*) FROM river_job WHERE state IN ('available', 'running')") > 0 {
			before, same = now, 0
		}
		if same == 5 {
			return now
		}
		if time.Now().After(deadline) {
			t.Fatal("the database does not come to rest")
		}
		time.Sleep(50 * time.Millisecond) // between two looks at a condition
	}
}

// difference shows the lines that only one of two dumps has.
func difference(before, after string) string {
	var out strings.Builder
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[strings.TrimSpace(line)]--
	}
	for line := range strings.Lines(after) {
		count[strings.TrimSpace(line)]++
	}
	for line, n := range count {
		if n != 0 {
			fmt.Fprintf(&out, "%+d %.300s\n", n, line)
		}
	}
	return out.String()
}
