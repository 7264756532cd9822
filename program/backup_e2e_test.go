package program

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"kyrochat/command"
	"kyrochat/internal/envtest"
	"kyrochat/internal/s3"
	"kyrochat/internal/testdb"
)

// toldKept is what clients were told that it is kept, at some moment.
type toldKept struct {
	messages  map[string]string // conversations by the id of what was said in them
	documents map[string][]byte // their files by id
	deleted   []string          // documents
}

// tellers is a person who says, uploads and deletes things all the time.
type tellers struct {
	*person
	bot string

	mu   sync.Mutex
	now  toldKept
	done int // what was acknowledged
}

// uploadedText is the content of a file that has a word which no other one has.
func uploadedText(word string) []byte {
	return []byte(strings.Repeat("The harbour of Lindau keeps its lamps burning through the night. ", 20) +
		"\n\nThe password of the tower called " + word + " is a blue heron.\n")
}

func (w *tellers) note(do func(k *toldKept)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(&w.now)
	w.done++
}

// seen is what was acknowledged until now.
func (w *tellers) seen() toldKept {
	w.mu.Lock()
	defer w.mu.Unlock()
	return toldKept{maps.Clone(w.now.messages), maps.Clone(w.now.documents), slices.Clone(w.now.deleted)}
}

// until waits until so much more was acknowledged.
func (w *tellers) until(t *testing.T, more int) {
	t.Helper()
	count := func() int { w.mu.Lock(); defer w.mu.Unlock(); return w.done }
	first := count()
	waitUntil(t, "something goes on", func() bool { return count() >= first+more })
}

// live has things happen until ctx ends.
func (w *tellers) live(ctx context.Context, gone *sync.WaitGroup) {
	w.now = toldKept{messages: map[string]string{}, documents: map[string][]byte{}}
	gone.Go(func() {
		conversation := ""
		for i := 0; ctx.Err() == nil; i++ {
			v := vars{"botId": w.bot, "text": fmt.Sprintf("What is the password of the tower, number %d?", i)}
			if i%5 > 0 {
				v = vars{"conversationId": conversation, "text": v["text"]}
			}
			sent := w.send(v)
			if len(sent.list("sendMessage.errors")) > 0 { // three are waiting
				time.Sleep(20 * time.Millisecond)
				continue
			}
			conversation = sent.text("sendMessage.conversation.id")
			w.note(func(k *toldKept) { k.messages[sent.text("sendMessage.userMessage.id")] = conversation })
		}
	})
	gone.Go(func() {
		var mine []string
		for i := 0; ctx.Err() == nil; i++ {
			content := uploadedText(fmt.Sprintf("zorvath%dquell", i))
			id := w.upload(w.bot, fmt.Sprintf("tower %d.txt", i), content).text("uploadDocument.document.id")
			w.note(func(k *toldKept) { k.documents[id] = content })
			if mine = append(mine, id); len(mine) < 4 {
				continue
			}
			old := mine[0]
			mine = mine[1:]
			w.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { errors { code } } }`, vars{"d": old})
			w.note(func(k *toldKept) { delete(k.documents, old); k.deleted = append(k.deleted, old) })
		}
	})
}

// operated runs a command as the operator does, and gives its status and what it says.
func operated(t *testing.T, env map[string]string, args ...string) (status int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), args, envtest.Of(env), nil, strings.NewReader(""), &stdout, &stderr)
	if err != nil {
		status = command.Status(err)
		stderr.WriteString(err.Error())
	}
	return status, stdout.String(), stderr.String()
}

// mustOperate is operated for what has to succeed.
func mustOperate(t *testing.T, env map[string]string, args ...string) (out string) {
	t.Helper()
	status, out, said := operated(t, env, args...)
	if status != 0 {
		t.Fatalf("%v: status %d: %s", args, status, said)
	}
	return out
}

// home is somewhere an installation can be: its kind, and settings for an empty one.
type home struct {
	name string
	env  func(t *testing.T) map[string]string
}

func homes() []home {
	with := func(database, bucket bool) func(t *testing.T) map[string]string {
		return func(t *testing.T) map[string]string {
			env := map[string]string{"KYRO_DATA_DIR": t.TempDir()}
			if database {
				env["DATABASE_URL"] = testdb.PostgresURL(t)
			}
			if bucket {
				maps.Copy(env, s3.Start(t).Env())
			}
			return env
		}
	}
	return []home{{"sqlite", with(false, false)}, {"postgres", with(true, false)}, {"sqlite-bucket", with(false, true)}, {"postgres-bucket", with(true, true)}}
}

// TestBackupsUnderLoad: backups are made again and again while people talk, upload and delete. Each of them, restored to an empty
// place of each kind, has everything that was acknowledged before it was begun, once, and goes on from there.
func TestBackupsUnderLoad(t *testing.T) {
	t.Parallel()
	all := homes()
	for i, from := range all {
		t.Run(from.name, func(t *testing.T) {
			t.Parallel()
			env := from.env(t)
			maps.Copy(env, allDay)
			s := startServer(t, env)
			p := s.signUp(t)
			w := &tellers{person: p, bot: p.newBot()}
			ctx, stop := context.WithCancel(t.Context())
			var gone sync.WaitGroup
			t.Cleanup(gone.Wait)
			t.Cleanup(stop)
			w.live(ctx, &gone)
			seal, open := sealed(t)
			folder := t.TempDir()
			type made struct {
				file string
				had  toldKept
				open []string
			}
			var backups []made
			for round := range 3 {
				w.until(t, 25)
				m := made{file: filepath.Join(folder, fmt.Sprint(round)), had: w.seen()}
				args := []string{"backup", "-o", m.file}
				if round%2 == i%2 {
					args, m.open = append(args, seal...), open
				}
				mustOperate(t, s.env, args...)
				backups = append(backups, m)
			}
			stop()
			gone.Wait()
			for round, m := range backups {
				to := all[(i+round)%len(all)]
				t.Run(fmt.Sprintf("%d to %s", round, to.name), func(t *testing.T) {
					mustOperate(t, nil, append([]string{"backup", "verify", m.file}, m.open...)...)
					env := to.env(t)
					mustOperate(t, env, append([]string{"restore", m.file}, m.open...)...)
					w.check(t, startServer(t, env), m.had)
				})
			}
		})
	}
}

// sealed gives the flags that encrypt for a new key, and those that open with it.
func sealed(t *testing.T) (seal, open []string) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte(key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-to", key.Recipient().String()}, []string{"-identity", file}
}

// check sees that a restored server has what was acknowledged, and goes on.
func (w *tellers) check(t *testing.T, s *testServer, had toldKept) {
	t.Helper()
	p := &person{t: t, s: s, email: w.email}
	p.token = p.signInWith(w.email, password).text("logIn.accessToken")
	times := map[string]int{}
	for _, conversation := range slices.Compact(slices.Sorted(maps.Values(had.messages))) {
		said := p.said(conversation, `{ id role status }`)
		for _, m := range said {
			times[m.text("id")]++
			if m.text("role") == "BOT" && m.text("status") != "COMPLETED" {
				p.finish(m.text("id"))
			}
		}
		finished, _ := p.chat(vars{"conversationId": conversation, "text": "And what is the password of the tower now?"})
		if status := finished.text("messageStream.message.status"); status != "COMPLETED" {
			t.Errorf("in %s a new answer is %s", conversation, status)
		}
	}
	for message, conversation := range had.messages {
		if times[message] != 1 {
			t.Errorf("%s of %s is there %d times", message, conversation, times[message])
		}
	}
	later := w.seen()
	for id, content := range had.documents {
		r := p.ask(`query($d: ID!) { document(id: $d) { status } }`, vars{"d": id})
		if r.tree["errors"] != nil && slices.Contains(later.deleted, id) {
			continue // while the backup was made
		}
		if status := p.settled(id); status != "READY" {
			t.Errorf("%s is %s", id, status)
			continue
		}
		if back := carry(t, "GET", p.download(id), nil); back.body != string(content) {
			t.Errorf("of %s %d bytes come back with status %d, want %d", id, len(back.body), back.status, len(content))
		}
		word := strings.Fields(string(content[bytes.Index(content, []byte("zorvath")):]))[0]
		if r := p.must(`query($b: ID!, $q: String!) { bot(id: $b) { search(query: $q, first: 1) { chunk { document { id } } } } }`, vars{"b": w.bot, "q": word}); r.text("bot.search.0.chunk.document.id") != id {
			t.Errorf("%s is not found by %s: %s", id, word, r.body)
		}
		finished, _ := p.chat(vars{"botId": w.bot, "text": "What is the password of the tower called " + word + "?"})
		cited := finished.list("messageStream.message.citations")
		if len(cited) == 0 || finished.get("messageStream.message.citations.0.verified") != true {
			t.Errorf("the answer from %s has no citation that holds: %s", id, finished.body)
		}
	}
	if out := mustOperate(t, s.env, "admin", "verify"); !strings.HasPrefix(out, "Everything") {
		t.Errorf("verifying says: %s", out)
	}
	for _, id := range had.deleted {
		p.ask(`query($d: ID!) { document(id: $d) { status } }`, vars{"d": id}).wantCode("", "NOT_FOUND")
	}
}
