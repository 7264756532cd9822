package program

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/racetest"
)

// manyFiles are files of every kind that three people add at once, some of which cannot be read.
func manyFiles(n int) map[string][]byte {
	files := map[string][]byte{}
	for i := range n {
		name, words := fmt.Sprintf("%03d", i), string(bigText(2_000+(i*7919)%9_000))
		mark := fmt.Sprintf("This is document %s of the harbour.", name)
		switch i % 10 {
		case 0:
			files[name+".md"] = []byte("# Harbour " + name + "\n\n" + mark + "\n\n## Ledger\n\n" + words)
		case 1:
			files[name+".pdf"] = pdf("/Count 1 /Kids [3 0 R]", "BT /F1 12 Tf 72 700 Td ("+mark+") Tj ET")
		case 2:
			files[name+".pdf"] = []byte("%PDF-1.7\nThis is none. " + name)
		case 3:
			files[name+".txt"] = append([]byte(mark+"\n\n"), bigText(60_000)...) // several batches of passages
		case 4:
			files[name+".pdf"] = pdf("/Count 1 /Kids [3 0 R]", "0 0 m "+strings.Repeat("9 9 l ", i+1)+"S")
		default:
			files[name+".txt"] = []byte(mark + "\n\n" + words)
		}
	}
	return files
}

// fate is all that is to be seen of a document.
type fate struct{ status, reason, chunks, vectors string }

// TestManyDocumentsAndManyKills has three people add documents at once to a server that is killed again and again. Each
// document ends READY, or FAILED with a reason, and its passages and vectors are exactly those of a server that nobody
// disturbs.
func TestManyDocumentsAndManyKills(t *testing.T) {
	documents, kills := pick(racetest.On(), 60, 200), pick(racetest.On(), 5, 10)
	files := manyFiles(documents)
	var calm sync.Once
	var want map[string]fate // on one database: what is to be seen is the same on both
	eachSettings(t, func(t *testing.T, env map[string]string) {
		wild := startUpstreams(t, gemini.Options{})
		got := addAll(t, env, wild, files, kills)
		calm.Do(func() {
			want = addAll(t, map[string]string{"KYRO_DATA_DIR": t.TempDir()}, startUpstreams(t, gemini.Options{}), files, 0)
		})
		for name, w := range want {
			if got[name] != w {
				t.Errorf("%s: got %+v, want %+v", name, got[name], w)
			}
			if w.status != "READY" && w.reason == "" {
				t.Errorf("%s is %s without a reason", name, w.status)
			}
		}
		if len(got) != len(files) || len(want) != len(files) {
			t.Errorf("%d and %d documents of %d", len(got), len(want), len(files))
		}
		once := map[string]bool{}
		paid := wild.paid("gemini-embedding-001")
		for _, text := range paid {
			once[text] = true
		}
		t.Logf("%d passages, %d of them paid for again after %d kills", len(once), len(paid)-len(once), kills)
		if most := kills * 4 * 100; len(paid)-len(once) > most { // the batches that were under way
			t.Errorf("%d passages were paid for twice", len(paid)-len(once))
		}
		if url := env["DATABASE_URL"]; url != "" {
			eventually(t, url, 0, "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.content_hash = c.content_hash)")
			eventually(t, url, 0, "SELECT count(*) FROM embeddings e WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE e.content_hash = c.content_hash)")
		}
	})
}

// addAll adds files for three people at once and gives what became of each, of a server that is killed so many times
// meanwhile.
func addAll(t *testing.T, env map[string]string, u *upstreams, files map[string][]byte, kills int) map[string]fate {
	t.Helper()
	env = maps.Clone(env)
	maps.Copy(env, u.env())
	maps.Copy(env, allDay)
	server := startProcess(t, env)
	people := []*person{server.signUp(t), server.signUp(t), server.signUp(t)}
	bots := make([]string, len(people))
	for i, p := range people {
		bots[i] = p.newBot()
	}
	names := slices.Sorted(maps.Keys(files))
	documents := map[string]string{} // ids by names
	for i, name := range names {
		answer := people[i%3].upload(bots[i%3], name, files[name])
		documents[name] = answer.text("uploadDocument.document.id")
	}
	dice := rand.New(rand.NewPCG(1, 2))
	for kill := range kills {
		// The next kill comes when some more are done, and a moment later, wherever the server is then.
		enough := (kill + 1) * len(files) / (kills + 2)
		waitUntil(t, "some documents are done", func() bool { return done(people, bots) >= min(enough, len(files)-1) })
		time.Sleep(time.Duration(dice.IntN(200)) * time.Millisecond)
		server.kill()
		server = onAgain(t, people[0], env)
		for _, p := range people {
			p.s = &server.testServer
		}
	}
	reaches(t, "documents that are done", len(files), func() int { return done(people, bots) })
	vectors := vectorsOf(u)
	fates := map[string]fate{}
	for i, name := range names {
		fates[name] = fateOf(people[i%3], documents[name], vectors)
	}
	return fates
}

// done is how many documents of all are final.
func done(people []*person, bots []string) (n int) {
	for i, p := range people {
		r := p.must(`query($b: ID!) { bot(id: $b) { documents(first: 1, filter: {status: [READY, READY_WITH_WARNINGS, NEEDS_OCR, FAILED, CANCELED]}) { totalCount } } }`, vars{"b": bots[i]})
		n += int(r.number("bot.documents.totalCount"))
	}
	return n
}

// vectorsOf are the vectors of the index by their documents, each with its place.
func vectorsOf(u *upstreams) map[string][]string {
	vectors := map[string][]string{}
	for _, r := range u.pinecone.Records() {
		document, _ := r.Metadata["doc"].(string)
		place := r.ID[strings.LastIndexByte(r.ID, '#')+1:]
		vectors[document] = append(vectors[document], place+" "+hashOf(r.Values))
	}
	return vectors
}

func fateOf(p *person, document string, vectors map[string][]string) fate {
	p.t.Helper()
	r := p.must(`query($d: ID!) { document(id: $d) { status statusReason chunks(first: 100) { totalCount nodes {
		index text headingPath pageStart charStart charEnd tokenCount enabled } } } }`, vars{"d": document})
	of := vectors[strings.TrimPrefix(document, "doc_")]
	slices.Sort(of)
	reason, _ := r.get("document.statusReason").(string)
	return fate{
		r.text("document.status"), reason, strconv.Itoa(len(r.list("document.chunks.nodes"))) + " " + hashOf(r.get("document.chunks")),
		strconv.Itoa(len(of)) + " " + hashOf(of),
	}
}

func hashOf(v any) string {
	body, _ := json.Marshal(v)
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}
