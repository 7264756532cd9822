package program

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/internal/s3"
	"kyrochat/internal/testdb"
	"kyrochat/kyro"
)

func TestUploadsInParts(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *testServer, bucket *s3.Emulator) {
		p := s.signUp(t)
		bot, content := p.newBot(), pages(600<<10)
		id, address := p.slot(bot, "lighthouse.txt", len(content))

		if got := carry(t, http.MethodHead, address, nil); got.status != 200 || got.offset() != 0 || got.head.Get("Upload-Length") != fmt.Sprint(len(content)) {
			t.Errorf("of nothing HEAD says %d %v", got.status, got.head)
		}
		const cut = 300 << 10
		if got := part(t, address, content[:cut], 0, 0); got.status != 308 || got.offset() != cut || got.head.Get("Range") != fmt.Sprintf("bytes=0-%d", cut-1) {
			t.Fatalf("after a part: %d %v %s", got.status, got.head, got.body)
		}
		seen := p.must(`query($u: ID!) { node(id: $u) { ... on UploadSlot { receivedBytes url document { id } } } }`, vars{"u": id})
		if seen.number("node.receivedBytes") != cut || seen.get("node.document") != nil || seen.get("node.url") == nil {
			t.Errorf("the slot shows %s", seen.body)
		}
		for name, wrong := range map[string]struct {
			got  carried
			code string
		}{
			"a gap":              {part(t, address, content[cut+1:], cut+1, len(content)), "CONFLICT"},
			"an overlap":         {part(t, address, content[cut-1:], cut-1, 0), "CONFLICT"},
			"another total":      {part(t, address, content[cut:], cut, len(content)+1), "VALIDATION"},
			"a tiny part":        {part(t, address, content[cut:cut+100], cut, 0), "VALIDATION"},
			"the whole again":    {carry(t, "PUT", address, bytes.NewReader(content)), "CONFLICT"},
			"no range":           {carry(t, "PUT", address, strings.NewReader("x"), "Content-Range", "bytes 5"), "VALIDATION"},
			"a backward range":   {carry(t, "PUT", address, strings.NewReader("x"), "Content-Range", "bytes 5-4/10"), "VALIDATION"},
			"a long range":       {carry(t, "PUT", address, strings.NewReader("x"), "Content-Range", "bytes 0-99999999999999999999/*"), "VALIDATION"},
			"a body of less":     {carry(t, "PUT", address, strings.NewReader("x"), "Content-Range", fmt.Sprintf("bytes %d-%d/*", cut, cut+20_000)), "VALIDATION"},
			"a made up address":  {carry(t, "PUT", address[:len(address)-3]+"AAA", strings.NewReader("x")), "NOT_FOUND"},
			"the wrong use":      {carry(t, "GET", strings.Replace(address, "/uploads/", "/files/", 1), nil), "NOT_FOUND"},
			"another method":     {carry(t, "PATCH", address, strings.NewReader("x")), "METHOD_NOT_ALLOWED"},
			"nothing that there": {carry(t, "DELETE", s.url+"/uploads/x", nil), "NOT_FOUND"},
		} {
			if wrong.got.code() != wrong.code {
				t.Errorf("%s: %d %s", name, wrong.got.status, wrong.got.body)
			}
			if wrong.code == "CONFLICT" && (wrong.got.status != 409 || wrong.got.offset() != cut) {
				t.Errorf("%s: %d %v", name, wrong.got.status, wrong.got.head)
			}
		}
		last := part(t, address, content[cut:], cut, len(content))
		document := last.document(t)
		for name, again := range map[string]carried{
			"the last part":  part(t, address, content[cut:], cut, len(content)),
			"the whole file": carry(t, "PUT", address, bytes.NewReader(content)),
			"a question":     carry(t, "PUT", address, nil, "Content-Range", fmt.Sprintf("bytes */%d", len(content))),
		} {
			if got := again.document(t); got != document {
				t.Errorf("%s again makes %s of %s", name, got, document)
			}
		}
		if got := carry(t, "DELETE", address, nil); got.code() != "CONFLICT" {
			t.Errorf("what is there can be given up: %d", got.status)
		}
		if status := p.settled(document); status != "READY" {
			t.Errorf("the document is %s", status)
		}
		seen = p.must(`query($u: ID!) { node(id: $u) { ... on UploadSlot { url document { id title fileName sizeBytes } } } }`, vars{"u": id})
		if seen.text("node.document.id") != document || seen.get("node.url") != nil || seen.text("node.document.title") != "lighthouse" || seen.number("node.document.sizeBytes") != float64(len(content)) {
			t.Errorf("the slot shows %s", seen.body)
		}
		if bucket != nil && len(bucket.Keys()) != 1 {
			t.Errorf("in the bucket are %q", bucket.Keys())
		}

		// The original comes back to whoever has its address, and is never a page.
		file := p.download(document)
		got := carry(t, "GET", file, nil)
		if got.status != 200 || got.body != string(content) {
			t.Errorf("%d: %d of %d bytes came back", got.status, len(got.body), len(content))
		}
		for name, want := range map[string]string{
			"Content-Disposition": `attachment; filename="lighthouse.txt"; filename*=UTF-8''lighthouse.txt`, "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "private, no-store", "Accept-Ranges": "bytes",
			"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "Content-Length": fmt.Sprint(len(content)),
		} {
			if got.head.Get(name) != want {
				t.Errorf("%s: %q", name, got.head.Get(name))
			}
		}
		some := carry(t, "GET", file, nil, "Range", "bytes=524200-524400", "If-Range", got.head.Get("ETag"))
		if some.status != 206 || some.body != string(content[524200:524401]) {
			t.Errorf("a range is %d with %d bytes", some.status, len(some.body))
		}
		if head := carry(t, "HEAD", file, nil); head.status != 200 || head.head.Get("Content-Length") != fmt.Sprint(len(content)) || head.body != "" {
			t.Errorf("HEAD says %d %v", head.status, head.head)
		}
		if got := s.signUp(t).ask(`query($d: ID!) { document(id: $d) { downloadUrl } }`, vars{"d": document}); !strings.Contains(string(got.body), "NOT_FOUND") {
			t.Errorf("a stranger sees %s", got.body)
		}
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { errors { code } } }`, vars{"d": document})
		if got := carry(t, "GET", file, nil); got.status != 404 || got.code() != "NOT_FOUND" {
			t.Errorf("of a deleted document comes %d", got.status)
		}
		if bucket != nil {
			waitUntil(t, "the bucket is empty", func() bool { return len(bucket.Keys()) == 0 })
		}
	})
}

func TestUploadIsResumed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot, content := p.newBot(), pages(700<<10)
		_, address := p.slot(bot, "cut.txt", 0)
		at := 0
		for _, after := range []int{1, 100_000, 300_000} {
			cutPut(t, address, content, at, after, len(content))
			at += after
			waitUntil(t, "what arrived is there", func() bool { return carry(t, "HEAD", address, nil).offset() == at })
		}
		got := part(t, address, content[at:], at, len(content))
		p.settled(got.document(t))
		if back := carry(t, "GET", p.download(got.document(t)), nil); back.body != string(content) {
			t.Errorf("%d of %d bytes came back", len(back.body), len(content))
		}
	})
}

func TestUploadGoesOnAfterAKill(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		env["KYRO_SECRET"] = "an uploaded secret of more than 32 bytes 0123456789"
		first := startProcess(t, env)
		p := first.signUp(t)
		bot, content := p.newBot(), pages(900<<10)
		_, address := p.slot(bot, "killed.txt", len(content))
		if got := part(t, address, content[:300<<10], 0, len(content)); got.status != 308 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		cutPut(t, address, content, 300<<10, 280<<10, len(content))
		waitUntil(t, "some of the second part is there", func() bool { return carry(t, "HEAD", address, nil).offset() > 300<<10 })
		first.kill()

		second := startProcess(t, env) // which is another node, too, where there may be any number of them
		address = atServer(address, &second.testServer)
		at := carry(t, "HEAD", address, nil).offset()
		if at <= 300<<10 || at > 580<<10 {
			t.Fatalf("%d bytes are there", at)
		}
		p.s = &second.testServer
		document := part(t, address, content[at:], at, len(content)).document(t)
		if status := p.settled(document); status != "READY" {
			t.Errorf("the document is %s", status)
		}
		if back := carry(t, "GET", atServer(p.download(document), p.s), nil); back.body != string(content) {
			t.Errorf("%d of %d bytes came back", len(back.body), len(content))
		}
	})
}

func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"KYRO_MAX_UPLOAD_BYTES": "100000"}
			if database {
				env["DATABASE_URL"] = testdb.PostgresURL(t)
			}
			s := startServer(t, env)
			p := s.signUp(t)
			bot := p.newBot()
			create := func(v vars) *reply {
				v["b"] = bot
				return p.ask(`mutation($b: ID!, $n: String!, $s: Int, $t: String) { createUpload(input: {botId: $b, fileName: $n, sizeBytes: $s, title: $t}) {
					upload { id } errors { code field } } }`, v)
			}
			for code, v := range map[string]vars{
				"FILE_TOO_LARGE [sizeBytes]": {"n": "a.txt", "s": 100_001}, "VALIDATION [sizeBytes]": {"n": "a.txt", "s": 0},
				"VALIDATION [fileName]": {"n": "/"}, "VALIDATION [title]": {"n": "a.txt", "t": " "},
			} {
				got := create(v)
				if said := fmt.Sprint(got.get("createUpload.errors.0.code"), " ", got.get("createUpload.errors.0.field")); said != code {
					t.Errorf("%v: %s, want %s", v, said, code)
				}
			}
			_, address := p.slot(bot, "a.txt", 0)
			if got := carry(t, "PUT", address, bytes.NewReader(pages(100_001))); got.status != 413 || got.code() != "FILE_TOO_LARGE" {
				t.Errorf("too large: %d %s", got.status, got.body)
			}
			// Of a body whose length nobody tells.
			if got := carry(t, "PUT", address, io.MultiReader(bytes.NewReader(pages(100_001)))); got.status != 413 || got.code() != "FILE_TOO_LARGE" {
				t.Errorf("too large without a length: %d %s", got.status, got.body)
			}
			_, address = p.slot(bot, "empty.txt", 0)
			if got := carry(t, "PUT", address, nil); got.status != 400 || got.code() != "FILE_EMPTY" {
				t.Errorf("empty: %d %s", got.status, got.body)
			}
			_, address = p.slot(bot, "program.exe", 0)
			if got := carry(t, "PUT", address, strings.NewReader("MZ\x90\x00\x03\x00\x00\x00")); got.status != 415 || got.code() != "UNSUPPORTED_TYPE" {
				t.Errorf("a program: %d %s", got.status, got.body)
			}
			// What is refused for what it is leaves its place at once.
			if gone := carry(t, "HEAD", address, nil); gone.status != 404 {
				t.Errorf("of what was refused HEAD says %d", gone.status)
			}
			_, address = p.slot(bot, "a.txt", 0)
			if got := carry(t, "DELETE", address, nil); got.status != 204 {
				t.Errorf("given up: %d %s", got.status, got.body)
			}
			gone := carry(t, "HEAD", address, nil)
			if gone.status != 404 {
				t.Errorf("of what was given up HEAD says %d", gone.status)
			}
			// The size that was told binds, also where the body does not say its own.
			_, address = p.slot(bot, "short.txt", 1000)
			if got := carry(t, "PUT", address, io.MultiReader(bytes.NewReader(pages(2000)))); got.code() != "VALIDATION" {
				t.Errorf("more than was told of: %d %s", got.status, got.body)
			}
			open := 2 // the ones above that are not complete
			for ; open < kyro.MaxSlots; open++ {
				p.slot(bot, "more.txt", 0)
			}
			if got := create(vars{"n": "a.txt"}); got.get("createUpload.errors.0.code") != "LIMIT_REACHED" {
				t.Errorf("one too many: %s", got.body)
			}
			if database {
				s.exec(t, "UPDATE upload_slots SET expires_at = expires_at - interval '2 hours'")
			} else {
				s.exec(t, "UPDATE upload_slots SET expires_at = '2020-01-01 00:00:00+00:00'")
			}
			_, fresh := p.slot(bot, "fresh.txt", 0)
			if got := carry(t, "PUT", address, strings.NewReader("text")); got.code() != "NOT_FOUND" {
				t.Errorf("what is over takes %d %s", got.status, got.body)
			}
			if err := s.app.documents.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			p.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { errors { code } } }`, vars{"b": bot})
			if got := carry(t, "PUT", fresh, strings.NewReader("text")); got.status != 404 || got.code() != "NOT_FOUND" {
				t.Errorf("for a bot that is gone: %d %s", got.status, got.body)
			}
		})
	}
}

// TestPagesOfOthersMayUpload asks as browsers do.
func TestPagesOfOthersMayUpload(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	for origin, allowed := range map[string]string{"http://localhost:5173": "http://localhost:5173", "https://evil.example.com": ""} {
		got := carry(t, "OPTIONS", s.url+ingest.UploadsPath+"x", nil, "Origin", origin,
			"Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "content-range,content-type")
		if got.head.Get("Access-Control-Allow-Origin") != allowed {
			t.Errorf("%s: %v", origin, got.head)
		}
		got = carry(t, "HEAD", s.url+ingest.UploadsPath+"x", nil, "Origin", origin)
		if exposed := got.head.Get("Access-Control-Expose-Headers"); strings.Contains(exposed, "Upload-Offset") != (allowed != "") {
			t.Errorf("%s sees %s", origin, exposed)
		}
	}
}

func TestUploadsLeaveNoAddressInTheLog(t *testing.T) {
	t.Parallel()
	var log journal
	bucket := s3.Start(t)
	env := bucket.Env()
	env["KYRO_LOG_LEVEL"] = "debug"
	s := startServerWriting(t, env, &log)
	p := s.signUp(t)
	_, address := p.slot(p.newBot(), "a.txt", 0)
	bucket.Script(s3.Script{Status: 503, Kind: s3.Put})
	if got := carry(t, "PUT", address, bytes.NewReader(pages(1000))); got.status != 503 || got.code() != "UNAVAILABLE" || got.head.Get("Retry-After") == "" {
		t.Errorf("without the bucket: %d %s", got.status, got.body)
	}
	bucket.Reset()
	document := carry(t, "PUT", address, nil, "Content-Range", fmt.Sprintf("bytes */%d", len(pages(1000)))).document(t)
	file := p.download(document)
	carry(t, "GET", file, nil)
	carry(t, "PUT", address, strings.NewReader("x"), "Content-Range", "bytes 7-7/*")
	p.settled(document)
	for _, secret := range []string{path.Base(address), path.Base(file), bucket.SecretKey} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

// TestUploadsAreNotHeldInMemory measures the memory of the process, so it runs alone.
func TestUploadsAreNotHeldInMemory(t *testing.T) {
	oneAfterAnother(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		const clients, size = kyro.MaxSlots, 8 << 20
		const bound = clients * size / 3 // a busy machine looks up in the middle of a part of each, and of all that may be finished at once
		content := formless(size)        // of no type that is read: all of it is received, and then it is refused
		var addresses []string
		for range clients {
			_, address := p.slot(bot, "a.bin", size)
			addresses = append(addresses, address)
		}
		held := func() int64 { // what was in use when memory was last looked through, and not what came since
			runtime.GC()
			live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
			metrics.Read(live)
			return int64(live[0].Value.Uint64())
		}
		before := held()
		var sending sync.WaitGroup
		for _, address := range addresses {
			sending.Go(func() {
				if got := carry(t, "PUT", address, bytes.NewReader(content)); got.status != 415 {
					t.Errorf("%d %s", got.status, got.body)
				}
			})
		}
		sent := make(chan struct{})
		go func() { sending.Wait(); close(sent) }()
		most := int64(0)
		for over := false; !over; {
			select {
			case <-sent:
				over = true
			case <-time.After(100 * time.Millisecond):
			}
			most = max(most, held()-before)
		}
		t.Logf("%d MiB were held for %d files of %d MiB", most>>20, clients, size>>20)
		if most > bound {
			t.Errorf("%d MiB were held for %d files of %d MiB", most>>20, clients, size>>20)
		}
	})
}

// TestNewcomerOvertakes comes back to an upload whose connection broke without the server hearing of it.
func TestNewcomerOvertakes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		content := pages(400 << 10)
		_, address := p.slot(p.newBot(), "two.txt", len(content))
		u, _ := url.Parse(address)
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", u.Path, u.Host, len(content), content[:200<<10])
		at := 0
		waitUntil(t, "some of it is there", func() bool { at = carry(t, "HEAD", address, nil).offset(); return at > 0 })
		document := part(t, address, content[at:], at, len(content)).document(t)
		first, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(first), "HTTP/1.1 409 ") {
			t.Errorf("the first one hears %.200q, %v", first, err)
		}
		if back := carry(t, "GET", p.download(document), nil); back.body != string(content) {
			t.Errorf("%d of %d bytes came back", len(back.body), len(content))
		}
	})
}

// TestOriginalsOfTexts come back, too, and under names of their own.
func TestOriginalsOfTexts(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	p := s.signUp(t)
	document := p.know(p.newBot(), `Käse "und" Wein`, "Some text about cheese.")
	got := carry(t, "GET", p.download(document), nil)
	want := `attachment; filename="K_se _und_ Wein.txt"; filename*=UTF-8''K%C3%A4se%20%22und%22%20Wein.txt`
	if got.body != "Some text about cheese." || got.head.Get("Content-Disposition") != want {
		t.Errorf("%q as %s", got.body, got.head.Get("Content-Disposition"))
	}
}
