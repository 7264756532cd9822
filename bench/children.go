package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// child is a process of ours.
type child struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	ended  chan struct{}
}

// start runs a command until stop is called. It gets SIGTERM then, and ten seconds.
func start(errOut io.Writer, stdin io.Reader, stdout io.Writer, environment []string, path string, args ...string) (*child, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &child{cmd: exec.CommandContext(ctx, path, args...), cancel: cancel, ended: make(chan struct{})}
	c.cmd.Env, c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = environment, stdin, stdout, errOut
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 10 * time.Second
	if err := c.cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() // how it ended is of interest to nobody: that it did, is
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) stop() {
	c.cancel()
	<-c.ended
}

// build builds the server from this module.
func (l *lab) build(ctx context.Context) error {
	l.binary = filepath.Join(l.dir, "kyrochat")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", l.binary, "kyrochat") // as the Makefile does
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the server: %w\n%s", err, output)
	}
	return nil
}

// startServer starts the server that was built, with settings besides those that every measurement needs.
func startServer(ctx context.Context, l *lab, secret string, errOut io.Writer, settings ...string) (side, error) {
	s := side{name: "KyroChat"}
	for _, address := range []*string{&s.address, &s.admin} {
		var err error
		if *address, err = freeAddress(); err != nil {
			return side{}, err
		}
	}
	var err error
	s.process, err = start(errOut, nil, errOut, append([]string{
		"DATABASE_URL=" + l.database.with(l.o.pool), "KYRO_ADDR=" + s.address, "KYRO_ADMIN_ADDR=" + s.admin,
		"KYRO_DATA_DIR=" + filepath.Join(l.dir, "data"), "KYRO_SECRET=" + secret, "KYRO_ACCESS_TOKEN_TTL=24h",
		"KYRO_RATE_SCALE=0", "KYRO_LOG_LEVEL=warn", "KYRO_DRAIN_TIMEOUT=1s",
	}, settings...), l.binary)
	if err != nil {
		return s, err
	}
	if err := s.ready(ctx); err != nil {
		s.process.stop()
		return side{}, err
	}
	return s, nil
}

// freeAddress is an address nobody listens on; somebody else might take it before it is used.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// ready waits until the server says it is.
func (s side) ready(ctx context.Context) error {
	for {
		_, err := get(ctx, "http://"+s.admin+"/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-s.process.ended:
			return errors.New("it ended; see above")
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// get gives what a URL of a side's admin address answers, within a minute.
func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, res.Status)
	}
	return body, err
}

// byHandConfig and relayConfig are what the hand-written servers are told at their start, as upstreamConfig is what the
// upstream is, and byHandReady is what they answer, all as a line of JSON. They serve until their input ends.
type (
	byHandConfig struct{ DatabaseURL, Secret string }
	relayConfig  struct{ Upstream, Key string }
	byHandReady  struct{ Address, Admin string }
)

// startByHand starts this program once more, as one of the hand-written servers: the one that the argument names.
func startByHand(ctx context.Context, l *lab, argument string, told any, errOut io.Writer) (side, error) {
	self, err := os.Executable()
	if err != nil {
		return side{}, err
	}
	config, err := json.Marshal(told)
	if err != nil {
		return side{}, err
	}
	input, tell, err := os.Pipe()
	if err != nil {
		return side{}, err
	}
	said, output, err := os.Pipe()
	if err != nil {
		return side{}, err
	}
	defer said.Close()
	s := side{name: "by hand"}
	s.process, err = start(errOut, input, output, []string{"GOGC=" + strconv.Itoa(l.o.gogc)}, self, argument)
	_, _ = input.Close(), output.Close()
	if err != nil {
		return side{}, errors.Join(err, tell.Close())
	}
	context.AfterFunc(ctx, func() { _ = said.SetReadDeadline(time.Now()) })
	var ready byHandReady
	if _, err = tell.Write(append(config, '\n')); err == nil {
		var line []byte
		if line, err = bufio.NewReader(said).ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &ready)
		}
	}
	if err != nil {
		s.process.stop()
		return side{}, err
	}
	go func() { // holds the other end of its input for as long as it runs
		<-s.process.ended
		_ = tell.Close()
	}()
	s.address, s.admin = ready.Address, ready.Admin
	return s, nil
}
