package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/client"
	"kyrochat/internal/envtest"
	"kyrochat/internal/port"
	"kyrochat/internal/required"
)

// patience is how long is waited before something is said to hang.
const patience = 5 * time.Minute

// output runs a program that has to succeed, and gives what it prints.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errOut.String())
	}
	return strings.TrimSpace(string(out))
}

// image is what an image says of how it is run.
type image struct {
	User, StopSignal string
	Env, Entrypoint  []string
	Volumes          map[string]any
	Healthcheck      struct{ Test []string }
}

// lockedLog is what a process says.
type lockedLog struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}

// TestContainer builds the image, and runs it as a careful operator does: its root read-only and nothing but /data to write
// to, without capabilities, as the user of the image. It becomes healthy, reads a PDF, answers, has no failure
// that the doctor finds, and drains.
func TestContainer(t *testing.T) {
	t.Parallel()
	required.Program(t, "buildah")
	required.Program(t, "runc")
	if os.Geteuid() != 0 {
		t.Skip("containers are run by root here")
	}
	binary := os.Getenv("KYRO_BINARY")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "kyrochat")
		build := exec.Command("go", "build", "-trimpath", "-o", binary, "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	name := fmt.Sprintf("kyrochat-test-%d", os.Getpid())
	output(t, "container/build.sh", binary, name)
	t.Cleanup(func() { _ = exec.Command("buildah", "rmi", "-f", name).Run() })
	var inspected struct{ Docker struct{ Config image } }
	if err := json.Unmarshal([]byte(output(t, "buildah", "inspect", "--type", "image", name)), &inspected); err != nil {
		t.Fatal(err)
	}
	made := inspected.Docker.Config
	if made.User != "65532:65532" || made.StopSignal != "SIGTERM" || made.Volumes["/data"] == nil {
		t.Errorf("the image is run as %q, stopped by %q, with the volumes %v", made.User, made.StopSignal, made.Volumes)
	}
	if len(made.Healthcheck.Test) < 2 || made.Healthcheck.Test[0] != "CMD" {
		t.Fatalf("the image is checked by %q", made.Healthcheck.Test)
	}
	working := output(t, "buildah", "from", name)
	t.Cleanup(func() { _ = exec.Command("buildah", "rm", working).Run() })
	root := output(t, "buildah", "mount", working)
	files, err := filepath.Glob(root + "/*")
	if err != nil || len(files) != 4 { // data, etc, kyrochat, tmp
		t.Errorf("the image has %q, %v", files, err)
	}

	admin, leave, err := port.Keep()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leave)
	bundle := t.TempDir()
	data := filepath.Join(bundle, "data")
	secret := filepath.Join(bundle, "secret")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte(envtest.SecretOne), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, each := range []string{data, secret} {
		if err := os.Chown(each, 65532, 65532); err != nil {
			t.Fatal(err)
		}
	}
	env := append(slices.Clone(made.Env), "KYRO_SECRET_FILE=/run/secrets/secret", "KYRO_SIGNUP=open", "KYRO_ADDR=127.0.0.1:0", "KYRO_ADMIN_ADDR="+admin, "KYRO_PUBLIC_URL=http://127.0.0.1:8080")
	writeBundle(t, bundle, root, made.Entrypoint, env)
	log := &lockedLog{}
	running := exec.Command("runc", "run", "-b", bundle, name)
	running.Stdout, running.Stderr = log, log
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- running.Wait() }()
	t.Cleanup(func() {
		_ = exec.Command("runc", "delete", "-f", name).Run()
		if t.Failed() {
			t.Logf("the container said: %s", log)
		}
	})
	check := append([]string{"exec", name}, made.Healthcheck.Test[1:]...)
	for end := time.Now().Add(patience); exec.Command("runc", check...).Run() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the container does not become healthy")
		}
	}

	converse(t, publicURL(t, log))
	doctor := []string{"exec", name, "/kyrochat", "doctor", "-warnings-ok"}
	output(t, "runc", doctor...)
	// As Kubernetes mounts a volume: what the server has made in it belongs to another than the folder.
	if err := errors.Join(os.Chown(data, 0, 0), os.Chmod(data, 0o777)); err != nil {
		t.Fatal(err)
	}
	output(t, "runc", doctor...)
	if strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Errorf("errors: %s", log)
	}
	output(t, "runc", "kill", name, "TERM")
	select {
	case err := <-ended:
		if err != nil || !strings.Contains(log.String(), `"msg":"stopped"`) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}

// writeBundle says to runc how the container is run.
func writeBundle(t *testing.T, bundle, root string, args, env []string) {
	t.Helper()
	type m = map[string]any
	mount := func(at, kind, source string, options ...string) m {
		return m{"destination": at, "type": kind, "source": source, "options": options}
	}
	none := []string{}
	config := m{
		"ociVersion": "1.0.2",
		"root":       m{"path": root, "readonly": true},
		"process": m{
			"user": m{"uid": 65532, "gid": 65532}, "args": args, "env": env, "cwd": "/", "noNewPrivileges": true,
			"capabilities": m{"bounding": none, "effective": none, "inheritable": none, "permitted": none, "ambient": none},
		},
		"mounts": []m{
			mount("/proc", "proc", "proc"), mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
			mount("/data", "bind", filepath.Join(bundle, "data"), "bind", "rw", "nosuid", "nodev", "noexec"),
			mount("/run/secrets/secret", "bind", filepath.Join(bundle, "secret"), "bind", "ro"),
		},
		"linux": m{
			"namespaces":    []m{{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}}, // the test is in its network
			"maskedPaths":   []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"},
			"readonlyPaths": []string{"/proc/sys", "/proc/bus", "/proc/irq"},
		},
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func publicURL(t *testing.T, log *lockedLog) string {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var said struct{ Msg, GraphQL string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "ready" {
			return strings.TrimSuffix(said.GraphQL, "/graphql")
		}
	}
	t.Fatalf("it does not say where it serves: %s", log)
	return ""
}

// converse signs up, has a PDF read, and asks about it.
func converse(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	api, err := client.New(url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	do := func(query string, v map[string]any, into any) {
		t.Helper()
		if err := api.Do(ctx, query, v, into); err != nil {
			t.Fatalf("%v\nin %s", err, query)
		}
	}
	var person struct{ RegisterUser struct{ AccessToken string } }
	do(`mutation { registerUser(input: {email: "ada@example.com", password: "a harbour with nine lamps", name: "Ada"}) { accessToken errors { message } } }`, nil, &person)
	api.SetToken(person.RegisterUser.AccessToken)
	var made struct {
		CreateBot struct{ Bot struct{ ID string } }
	}
	do(`mutation { createBot(input: {name: "Helper"}) { bot { id } errors { message } } }`, nil, &made)
	bot := made.CreateBot.Bot.ID
	pdf, err := os.ReadFile("../ingest/extract/testdata/corpus/manual-chromium.pdf")
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		UploadDocument struct{ Document struct{ ID string } }
	}
	if err := api.Upload(ctx, `mutation($b: ID!, $f: Upload!) { uploadDocument(input: {botId: $b, file: $f}) { document { id } errors { message } } }`,
		map[string]any{"b": bot}, client.File{Variable: "f", Name: "manual.pdf", Size: int64(len(pdf)), Reader: bytes.NewReader(pdf)}, &sent); err != nil {
		t.Fatal(err)
	}
	last := ""
	for raw, err := range api.Subscribe(ctx, `subscription($d: ID!) { documentProgress(documentId: $d) { status } }`, map[string]any{"d": sent.UploadDocument.Document.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		last = string(raw)
	}
	if !strings.Contains(last, "READY") {
		t.Fatalf("the document: %s", last)
	}
	var asked struct {
		SendMessage struct{ BotMessage struct{ ID string } }
	}
	do(`mutation($b: ID!) { sendMessage(input: {botId: $b, text: "How much free space does the unit need behind it?", clientMessageId: "one"}) {
		botMessage { id } errors { message } } }`, map[string]any{"b": bot}, &asked)
	for raw, err := range api.Subscribe(ctx, `subscription($m: ID!) { messageStream(messageId: $m) { ... on MessageFinished { message { status text citations { quote } } } } }`,
		map[string]any{"m": asked.SendMessage.BotMessage.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		last = string(raw)
	}
	if !strings.Contains(last, "30 cm") || !strings.Contains(last, `"quote"`) {
		t.Errorf("the answer: %s", last)
	}
}
