package program

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"kyrochat/client"
	"kyrochat/internal/envtest"
	"kyrochat/internal/port"
	"kyrochat/internal/required"
)

// proxy is a program that stands in front of servers, with TLS.
type proxy struct {
	// start is how it is started, with the file of deploy/ for these addresses.
	start func(t *testing.T, folder, listen, upstream, certificate, key string) *exec.Cmd
}

var proxies = map[string]proxy{
	"caddy": {func(t *testing.T, folder, listen, upstream, certificate, key string) *exec.Cmd {
		config := edited(t, "deploy/caddy/Caddyfile",
			"\nchat.example.com {", "\n{\n\tadmin off\n\tauto_https disable_redirects\n}\nhttps://"+strings.Replace(listen, "127.0.0.1", "localhost", 1)+" {\n\tbind 127.0.0.1\n\ttls "+certificate+" "+key,
			"127.0.0.1:8080 {", upstream+" {")
		path := filepath.Join(folder, "Caddyfile")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("caddy", "run", "--config", path, "--adapter", "caddyfile")
		cmd.Env = []string{"HOME=" + folder, "XDG_DATA_HOME=" + folder, "XDG_CONFIG_HOME=" + folder}
		return cmd
	}},
	"nginx": {func(t *testing.T, folder, listen, upstream, certificate, key string) *exec.Cmd {
		config := edited(t, "deploy/nginx/kyrochat.conf",
			"listen 80;\n    listen [::]:80;", "listen unix:"+filepath.Join(folder, "plain")+";",
			"listen 443 ssl http2;\n    listen [::]:443 ssl http2;", "listen "+listen+" ssl http2;",
			"127.0.0.1:8080;", upstream+";",
			"/etc/letsencrypt/live/chat.example.com/fullchain.pem", certificate,
			"/etc/letsencrypt/live/chat.example.com/privkey.pem", key)
		folders := ""
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			folders += kind + "_temp_path " + filepath.Join(folder, kind) + ";\n"
		}
		path := filepath.Join(folder, "nginx.conf")
		text := "daemon off;\nmaster_process off;\npid " + filepath.Join(folder, "pid") + ";\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" + folders + config + "}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command("nginx", "-e", "stderr", "-p", folder, "-c", path)
	}},
}

// edited is a file with some of its texts, each of which has to be there once, replaced by others.
func edited(t *testing.T, path string, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if n := strings.Count(string(text), pairs[i]); n != 1 {
			t.Fatalf("%s has %q %d times", path, pairs[i], n)
		}
		text = []byte(strings.Replace(string(text), pairs[i], pairs[i+1], 1))
	}
	return string(text)
}

// certified makes a certificate for localhost, and gives its files and who trusts it.
func certified(t *testing.T, folder string) (certificate, key string, trusting *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(folder, "certificate.pem"), filepath.Join(folder, "key.pem")
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certificate, public, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	trusting = x509.NewCertPool()
	trusting.AppendCertsFromPEM(public)
	return certificate, key, trusting
}

// front is a server in production as people reach it: through a proxy.
type front struct {
	t        *testing.T
	url      string
	trusting *x509.CertPool
	server   *process
	api      *client.Client
}

// from is a client of the address, which is one of this machine.
func (f *front) from(address string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp4", to)
		},
		TLSClientConfig: &tls.Config{RootCAs: f.trusting}, ForceAttemptHTTP2: true,
	}}
}

// stood starts a server with the settings of production, and the proxy in front of it.
func stood(t *testing.T, name string) *front {
	t.Helper()
	folder, err := os.MkdirTemp("", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	certificate, key, trusting := certified(t, folder)
	listen, leave, err := port.Keep()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leave)
	_, number, _ := net.SplitHostPort(listen)
	f := &front{t: t, url: "https://localhost:" + number, trusting: trusting}
	f.server = startProcess(t, map[string]string{
		"KYRO_DATA_DIR": t.TempDir(), "KYRO_ENV": "production", "KYRO_SECRET": envtest.SecretOne, "KYRO_PUBLIC_URL": f.url, "KYRO_SIGNUP": "open",
		"KYRO_TRUSTED_PROXIES": "127.0.0.1,::1", "KYRO_RATE_SCALE": "1", "KYRO_OFFLINE_PACE": "1s", // so that an answer is met in the middle; it is stopped then
		"KYRO_DRAIN_TIMEOUT": "2m",
	})
	cmd := proxies[name].start(t, folder, listen, strings.TrimPrefix(f.server.url, "http://"), certificate, key)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", name, said.String())
		}
	})
	waitUntil(t, name+" serves", func() bool {
		status, _ := f.get("127.0.0.1", "/schema.graphql")
		return status == http.StatusOK
	})
	if f.api, err = client.New(f.url, client.Options{HTTPClient: f.from("127.0.0.1")}); err != nil {
		t.Fatal(err)
	}
	return f
}

// get asks for a page, from an address; 0 where nobody answers.
func (f *front) get(from, path string) (status int, answer *http.Response) {
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, f.url+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	if answer, err = f.from(from).Do(r); err != nil {
		return 0, nil
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode, answer
}

func (f *front) do(query string, v vars) *reply {
	f.t.Helper()
	data := map[string]any{}
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	if err := f.api.Do(ctx, query, v, &data); err != nil {
		f.t.Fatalf("%v\nin %s", err, query)
	}
	return &reply{t: f.t, tree: map[string]any{"data": data}}
}

// socket opens a websocket from an address, with a header that claims another one.
func (f *front) socket(from string) (socket *rawSocket, status int) {
	f.t.Helper()
	conn, answer, err := websocket.Dial(f.t.Context(), "wss"+strings.TrimPrefix(f.url, "https")+"/graphql", &websocket.DialOptions{
		HTTPClient: f.from(from), Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: http.Header{"X-Forwarded-For": {"203.0.113.7"}},
	})
	if answer == nil {
		f.t.Fatal(err)
	}
	if err != nil {
		return nil, answer.StatusCode
	}
	f.t.Cleanup(func() { _ = conn.CloseNow() })
	return &rawSocket{conn, f.t}, answer.StatusCode
}

// TestBehindAProxy goes through all that people do with a server in production that is behind a proxy with TLS, set up by
// the files of deploy/.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	for name := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			required.Program(t, name)
			f := stood(t, name)
			p := f.signUp()
			f.isPrivate()
			f.takesFiles(f.newBot())
			bot := f.newBot()
			f.reads(f.do(`mutation($b: ID!, $t: String!) { addTextDocument(input: {botId: $b, title: "Rules", text: $t}) { document { id } errors { message } } }`,
				vars{"b": bot, "t": longAnswer}).text("addTextDocument.document.id"))
			f.streams(p, bot)
			f.knowsAddresses()
			f.drains()
		})
	}
}

func (f *front) signUp() *person {
	f.t.Helper()
	p := &person{t: f.t, s: &f.server.testServer}
	p.token = f.do(`mutation { registerUser(input: {email: "ada@example.com", password: "`+password+`", name: "Ada"}) { accessToken errors { code message } } }`, nil).text("registerUser.accessToken")
	f.api.SetToken(p.token)
	return p
}

func (f *front) newBot() string {
	f.t.Helper()
	return f.do(`mutation { createBot(input: {name: "Helper"}) { bot { id } errors { code message } } }`, nil).text("createBot.bot.id")
}

// isPrivate: nothing of the admin address is reached, and all is said to be by TLS alone from now on.
func (f *front) isPrivate() {
	for _, path := range []string{"/metrics", "/readyz", "/healthz", "/debug/pprof/"} {
		if status, _ := f.get("127.0.0.1", path); status != http.StatusNotFound {
			f.t.Errorf("%s answers with %d", path, status)
		}
	}
	status, answer := f.get("127.0.0.1", "/schema.graphql")
	if status != http.StatusOK || answer.ProtoMajor != 2 || !slices.Equal(answer.Header.Values("Strict-Transport-Security"), []string{"max-age=31536000"}) {
		f.t.Errorf("status %d, %s, HSTS %q", status, answer.Proto, answer.Header.Values("Strict-Transport-Security"))
	}
}

// takesFiles: whole, in parts, and not without end.
func (f *front) takesFiles(bot string) {
	t := f.t
	t.Helper()
	content := bigText(5 << 20)
	data := map[string]any{}
	err := f.api.Upload(t.Context(), `mutation($b: ID!, $f: Upload!) { uploadDocument(input: {botId: $b, file: $f}) { document { id sizeBytes } errors { code message } } }`,
		vars{"b": bot}, client.File{Variable: "f", Name: "ledger.txt", Size: int64(len(content)), Reader: bytes.NewReader(content)}, &data)
	if err != nil {
		t.Fatal(err)
	}
	if got := (&reply{t: t, tree: map[string]any{"data": data}}).number("uploadDocument.document.sizeBytes"); int(got) != len(content) {
		t.Errorf("%g bytes came", got)
	}
	address := f.do(`mutation($b: ID!) { createUpload(input: {botId: $b, fileName: "pages.txt"}) { upload { url } errors { code message } } }`, vars{"b": bot}).text("createUpload.upload.url")
	if !strings.HasPrefix(address, f.url+"/") {
		t.Fatalf("the file is to be sent to %s", address)
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" {
		t.Fatal(err)
	}
	rules := pages(64 << 10)
	half := len(rules) / 2
	send := func(method string, body []byte, header ...string) carried {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := f.from("127.0.0.1").Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return carried{answer.StatusCode, answer.Header, string(text)}
	}
	if first := send(http.MethodPut, rules[:half], "Content-Range", fmt.Sprintf("bytes 0-%d/%d", half-1, len(rules))); first.status != http.StatusPermanentRedirect {
		t.Fatalf("the first part: %d %s", first.status, first.body)
	}
	if there := send(http.MethodHead, nil).offset(); there != half {
		t.Errorf("%d of %d bytes are there", there, half)
	}
	document := send(http.MethodPut, rules[half:], "Content-Range", fmt.Sprintf("bytes %d-%d/%d", half, len(rules)-1, len(rules))).document(t)
	if status := send(http.MethodPut, make([]byte, 50<<20)).status; status != http.StatusRequestEntityTooLarge {
		t.Errorf("50 MiB are answered with %d", status)
	}
	f.reads(document)
}

// reads waits until a document is read.
func (f *front) reads(document string) {
	f.t.Helper()
	last := ""
	for raw, err := range f.api.Subscribe(f.t.Context(), `subscription($d: ID!) { documentProgress(documentId: $d) { status } }`, vars{"d": document}) {
		if err != nil {
			f.t.Fatal(err)
		}
		last = string(raw)
	}
	if !strings.Contains(last, "READY") {
		f.t.Fatalf("the document: %s", last)
	}
}

func (f *front) asks(bot, key string) (answer string) {
	f.t.Helper()
	return f.do(`mutation($b: ID!, $k: String!) { sendMessage(input: {botId: $b, text: "What do the harbour rules of Lindau say about lamps?", clientMessageId: $k}) {
		botMessage { id } errors { code message } } }`, vars{"b": bot, "k": key}).text("sendMessage.botMessage.id")
}

// stops ends an answer that has come far enough. What was written is kept.
func (f *front) stops(answer string) {
	f.t.Helper()
	f.do(`mutation($m: ID!) { stopMessage(input: {messageId: $m}) { message { id } errors { code message } } }`, vars{"m": answer})
}

func (f *front) status(answer string) string {
	f.t.Helper()
	return f.do(`query($m: ID!) { message(id: $m) { status } }`, vars{"m": answer}).text("message.status")
}

// streams: an answer comes piece by piece while it is written, by websocket and by server-sent events, and is gone on with.
func (f *front) streams(p *person, bot string) {
	t := f.t
	t.Helper()
	answer := f.asks(bot, "by-websocket")
	shown, stored, pieces := "", "", 0
	for raw, err := range f.api.Subscribe(t.Context(), withoutCursors, vars{"m": answer, "a": nil}) {
		if err != nil {
			t.Fatal(err)
		}
		event := event{data: `{"data": ` + string(raw) + `}`}.reply(t)
		switch event.text("now.kind") {
		case "MessageSnapshot":
			shown = event.text("now.message.text")
		case "MessageDelta":
			shown += event.text("now.piece")
			switch pieces++; pieces {
			case 1:
				if status := f.status(answer); status == "COMPLETED" {
					t.Error("by websocket, the first piece came with the last")
				}
			case 3:
				f.stops(answer)
			}
		case "MessageFinished":
			stored = event.text("now.message.text")
		}
	}
	if stored == "" || shown != stored || pieces < 3 {
		t.Errorf("by websocket %q came in %d pieces, stored is %q", shown, pieces, stored)
	}

	answer = f.asks(bot, "by-events")
	source := p.newSource(f.url, withoutCursors, vars{"m": answer, "a": nil})
	source.client = *f.from("127.0.0.1")
	shown, stored = "", ""
	for opened := 1; stored == ""; opened++ {
		if opened > 100 {
			t.Fatal("the answer does not end")
		}
		pieces := 0
		_, err := source.read(func(got event) bool {
			r := got.reply(t)
			switch r.text("now.kind") {
			case "MessageSnapshot":
				if opened > 1 {
					t.Error("a snapshot where the stream was to go on")
				}
				shown = r.text("now.message.text")
			case "MessageDelta":
				shown += r.text("now.piece")
				pieces++
				if opened == 1 && pieces == 1 {
					if status := f.status(answer); status == "COMPLETED" {
						t.Error("by events, the first piece came with the last")
					}
				}
				if opened == 2 && pieces == 1 {
					f.stops(answer)
				}
			case "MessageFinished":
				stored = r.text("now.message.text")
			}
			return stored == "" && pieces < 3 // then the connection is cut
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if shown != stored || source.opened < 2 {
		t.Errorf("by events %q came over %d connections, stored is %q", shown, source.opened, stored)
	}
}

// knowsAddresses: what is limited for an address is limited for that of the client, whatever it claims.
func (f *front) knowsAddresses() {
	f.t.Helper()
	// 30 a minute from one address, of which one comes back every two seconds.
	opened, began := 0, time.Now()
	for ; opened <= 30+int(time.Since(began)/(2*time.Second)); opened++ {
		if _, status := f.socket("127.0.0.9"); status == http.StatusTooManyRequests && opened >= 30 {
			break
		} else if status != http.StatusSwitchingProtocols {
			f.t.Fatalf("socket %d is refused with %d", opened+1, status)
		}
	}
	if opened > 30+int(time.Since(began)/(2*time.Second)) {
		f.t.Errorf("%d sockets from the same address within %s", opened, time.Since(began))
	}
	if _, status := f.socket("127.0.0.10"); status != http.StatusSwitchingProtocols {
		f.t.Errorf("a socket from another address: %d", status)
	}
}

// drains: the server ends while one listens to an answer, and another to nothing.
func (f *front) drains() {
	t := f.t
	t.Helper()
	// An answer of some seconds, which the server waits for.
	bot := f.do(`mutation { createBot(input: {name: "Helper", noAnswerText: "One two three four five six seven eight."}) { bot { id } errors { code message } } }`, nil).text("createBot.bot.id")
	p := person{token: f.token()}
	quiet, _ := f.socket("127.0.0.1")
	quiet.send(p.initialisation())
	quiet.expect(acknowledged)
	answer := f.asks(bot, "at-the-end")
	finished := ""
	var told sync.Once
	for raw, err := range f.api.Subscribe(t.Context(), withoutCursors, vars{"m": answer, "a": nil}) {
		if err != nil {
			t.Fatal(err)
		}
		event := event{data: `{"data": ` + string(raw) + `}`}.reply(t)
		switch event.text("now.kind") {
		case "MessageDelta":
			told.Do(func() { _ = f.server.cmd.Process.Signal(syscall.SIGTERM) })
		case "MessageFinished":
			finished = event.text("now.message.text")
		}
	}
	told.Do(func() { t.Fatal("nothing of the answer came before its end") })
	if !strings.HasSuffix(finished, "eight.") {
		t.Errorf("the answer that was being made ends as %q", finished)
	}
	quiet.expect("1001 ")
	<-f.server.done
	if code := f.server.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	if status, _ := f.get("127.0.0.1", "/schema.graphql"); status != http.StatusBadGateway {
		t.Errorf("without a server the proxy answers with %d", status)
	}
}

func (f *front) token() string {
	f.t.Helper()
	return f.do(`mutation { logIn(input: {email: "ada@example.com", password: "`+password+`"}) { accessToken errors { code message } } }`, nil).text("logIn.accessToken")
}
