package program

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"kyrochat/internal/racetest"
	"kyrochat/kyro"
)

// TestDrainWithSlowUploadAndJobs ends a server politely while a client sends a file at its leisure and documents
// are being read: the process ends without an error, and the next one goes on with the jobs at once.
func TestDrainWithSlowUploadAndJobs(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		server := startProcess(t, env)
		p := server.signUp(t)
		bot := p.newBot()
		var documents []string
		for i := range 4 {
			documents = append(documents, p.upload(bot, fmt.Sprintf("ledger%d.txt", i), bigText(pick(racetest.On(), 256<<10, 1<<20))).text("uploadDocument.document.id"))
		}
		slow := p.slowUpload(bot)
		defer slow.Close()

		_ = server.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-server.done:
			if code := server.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the server ended with %d", code)
			}
		case <-time.After(patience):
			t.Fatal("the server does not end")
		}
		if answer, _ := io.ReadAll(slow); strings.Contains(string(answer), `"document":{`) {
			t.Errorf("half a file became a document: %s", answer)
		}

		// settled waits less than the minute after which the job of a process that died would be taken up.
		again := startProcess(t, env)
		p.s = &again.testServer
		for _, document := range documents {
			if status := p.settled(document); status != "READY" {
				t.Errorf("the document is %s", status)
			}
		}
		if n := len(p.must(`query($b: ID!) { bot(id: $b) { documents(first: 50) { nodes { id } } } }`, vars{"b": bot}).list("bot.documents.nodes")); n != len(documents) {
			t.Errorf("%d documents, and %d were taken in", n, len(documents))
		}
	})
}

// TestSessionsEndWhileTheServerDrains: as long as there are streams, a session that another process ends loses its own.
func TestSessionsEndWhileTheServerDrains(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_OFFLINE_PACE": "1s", "KYRO_DRAIN_TIMEOUT": "2m"})
	p := s.signUp(t)
	answer := p.send(vars{"botId": p.wordyBot(), "text": "Tell me."}).text("sendMessage.botMessage.id")
	device, _ := p.signIn()
	_, session := device.sessions()
	socket := device.socket(t)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	waitUntil(t, "the server drains", s.app.draining.Load)
	s.exec(t, "UPDATE sessions SET revoked_at = created_at WHERE id = "+strings.TrimPrefix(session, "session_"))
	socket.expect("4401 ")
	s.app.limits.hit(t.Context(), kyro.Allowance{RetryAfter: time.Second}.Refusal("messages"))
	s.eventually(t, "limits that were hit", 1, "SELECT count(*) FROM audit_log WHERE action = 'LIMIT_HIT'")
	p.must(`mutation($m: ID!) { stopMessage(input: {messageId: $m}) { errors { code } } }`, vars{"m": answer})
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// slowUpload begins to send a file and stops in the middle of it.
func (p *person) slowUpload(bot string) net.Conn {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.s.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	body := strings.ReplaceAll(`--b
Content-Disposition: form-data; name="operations"

{"query":"mutation($b: ID!, $f: Upload!) { uploadDocument(input: {botId: $b, file: $f}) { document { id } errors { code } } }","variables":{"b":"`+bot+`","f":null}}
--b
Content-Disposition: form-data; name="map"

{"0":["variables.f"]}
--b
Content-Disposition: form-data; name="0"; filename="slow.txt"

The first words of a long file.`, "\n", "\r\n")
	if _, err := fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nApollo-Require-Preflight: 1\r\n"+
		"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n%s", p.token, body); err != nil {
		p.t.Fatal(err)
	}
	return conn
}
