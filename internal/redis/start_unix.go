//go:build unix

package redis

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// watch runs the server for as long as the process that started it holds the other end of its input: also when that
// process was killed. It says the server's number first. $1 is the program, the rest are its settings.
const watch = `"$@" >/dev/null 2>&1 </dev/null &
server=$!
echo $server
read -r nothing
kill -CONT $server 2>/dev/null
kill -KILL $server 2>/dev/null
wait $server`

type process struct {
	shell  *exec.Cmd
	alive  *os.File // open for as long as the server is to run
	server int
}

func start(address string) (*process, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("its program redis-server is not installed")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	input, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{alive: alive}
	p.shell = exec.Command("/bin/sh", "-c", watch, "sh", program,
		"--bind", host, "--port", port, "--save", "", "--appendonly", "no", "--databases", "64")
	p.shell.Dir = os.TempDir()
	p.shell.Stdin = input
	p.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C meant for the parent is not meant for it
	output, err := p.shell.StdoutPipe()
	if err == nil {
		err = p.shell.Start()
	}
	_ = input.Close()
	if err != nil {
		return nil, errors.Join(err, alive.Close())
	}
	line := make([]byte, 16)
	n, err := output.Read(line)
	if err == nil {
		p.server, err = strconv.Atoi(strings.TrimSpace(string(line[:n])))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Redis: %w", err), p.stop())
	}
	return p, nil
}

func (p *process) stop() error {
	if err := p.alive.Close(); err != nil {
		return err
	}
	_ = p.shell.Wait() // it was killed, and says so
	return nil
}

func (p *process) freeze() error { return syscall.Kill(p.server, syscall.SIGSTOP) }

func (p *process) thaw() error { return syscall.Kill(p.server, syscall.SIGCONT) }
