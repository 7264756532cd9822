package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"kyrochat/internal/port"
)

// build makes the server as a release is made, but for the tags.
func build(ctx context.Context, folder, tags string) (string, error) {
	path := filepath.Join(folder, "kyrochat"+tags)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", tags, "-o", path, "kyrochat")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return path, nil
}

// startPatience is how long a server may take to get ready. It is a guard against hanging, not a promise.
const startPatience = 3 * time.Minute

// node is one server, a process that comes back at the same address.
type node struct {
	name, binary, folder string
	address, admin       string
	settings             map[string]string

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
	faults []string      // lines of the log that no server may write
}

func newNode(name, binary, folder string, settings map[string]string) (*node, error) {
	n := &node{name: name, binary: binary, folder: folder, settings: settings}
	var err error
	if n.address, _, err = port.Keep(); err != nil { // until chaos ends
		return nil, err
	}
	if n.admin, _, err = port.Keep(); err != nil {
		return nil, err
	}
	return n, os.MkdirAll(folder, 0o700)
}

func (n *node) url() string { return "http://" + n.address }

// start starts the process and waits until it is ready.
func (n *node) start(ctx context.Context) error {
	if err := n.launch(); err != nil {
		return err
	}
	return n.becomes(ctx, http.StatusOK, startPatience)
}

// launch starts the process and waits for nothing.
func (n *node) launch() error {
	cmd := exec.Command(n.binary, "serve")
	cmd.Env = []string{"HOME=" + n.folder, "KYRO_ADDR=" + n.address, "KYRO_ADMIN_ADDR=" + n.admin,
		"KYRO_DATA_DIR=" + filepath.Join(n.folder, "data"), "KYRO_LOG_FORMAT=json", "KYRO_CHAOS_CLOCK=" + n.clockFile()}
	for name, value := range n.settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is ours to deal with
	log, err := os.OpenFile(filepath.Join(n.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	lines, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return errors.Join(err, log.Close())
	}
	ended := make(chan struct{})
	n.mu.Lock()
	n.cmd, n.ended = cmd, ended
	n.mu.Unlock()
	go func() { // ends with the process, which kill and close wait for
		defer close(ended)
		n.read(lines, log)
		_ = log.Close()
		_ = cmd.Wait()
	}()
	return nil
}

// read keeps the log, and what in it no server may ever write, whatever breaks around it.
func (n *node) read(lines io.Reader, log io.Writer) {
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		_, _ = log.Write(append(scanner.Bytes(), '\n'))
		var line struct{ Level, Msg string }
		told := json.Unmarshal(scanner.Bytes(), &line) == nil
		if !told || line.Level == "ERROR" || strings.Contains(scanner.Text(), "panic") {
			n.mu.Lock()
			n.faults = append(n.faults, n.name+" wrote "+scanner.Text())
			n.mu.Unlock()
		}
	}
}

func (n *node) process() (*exec.Cmd, chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd, n.ended
}

// kill ends the process as a power cut does.
func (n *node) kill() {
	cmd, ended := n.process()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill()
	<-ended
}

// freeze makes the process hang: its connections stay open, and nothing is answered.
func (n *node) freeze() error { return n.signal(syscall.SIGSTOP) }

// thaw lets a frozen one go on.
func (n *node) thaw() error { return n.signal(syscall.SIGCONT) }

func (n *node) signal(which syscall.Signal) error {
	cmd, _ := n.process()
	if cmd == nil {
		return errors.New(n.name + " was never started")
	}
	return cmd.Process.Signal(which)
}

// stop ends the process politely, and gives how it ended and how long it took.
func (n *node) stop(patience time.Duration) (code int, took time.Duration, err error) {
	cmd, ended := n.process()
	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, 0, err
	}
	select {
	case <-ended:
		return cmd.ProcessState.ExitCode(), time.Since(began), nil
	case <-time.After(patience):
		return 0, 0, fmt.Errorf("%s does not end within %s of being told to", n.name, patience)
	}
}

// becomes waits until /readyz answers so.
func (n *node) becomes(ctx context.Context, status int, patience time.Duration) error {
	_, ended := n.process()
	last := "nothing"
	err := await(ctx, patience, func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		got, err := n.ask(ctx, "/readyz", 2*time.Second)
		last = fmt.Sprint(got, " ", err)
		return err == nil && got == status
	})
	select {
	case <-ended:
		return fmt.Errorf("%s ended while it was waited for: %s", n.name, n.last())
	default:
	}
	if err != nil {
		return fmt.Errorf("%s does not become %d, last %s: %w", n.name, status, last, err)
	}
	return nil
}

// ask gives the status of a path of the admin address.
func (n *node) ask(ctx context.Context, path string, patience time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+path, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// last is the end of the log, for a message.
func (n *node) last() string {
	text, _ := os.ReadFile(filepath.Join(n.folder, "log"))
	return string(text[max(0, len(text)-500):])
}

// wrong gives the lines of its log that no server may write.
func (n *node) wrong() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.faults)
}

// await asks again and again, for at most so long, whether something holds.
func await(ctx context.Context, patience time.Duration, holds func() bool) error {
	until := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(until) {
			return fmt.Errorf("it did not come to be within %s", patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
