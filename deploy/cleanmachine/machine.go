package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// machine is a Debian that runs in a container, with a systemd and a network of its own.
type machine struct {
	name, root string
	booted     *exec.Cmd
	first      string // the number of its first process, as seen from here
	token      string // of the person who chats
	at         string // where the API is, if not behind the proxy
	bot        string
	answer     string // to the first question
}

// landlock are calls with which children that read files lock themselves in. The kernel has them; the container manager of
// Debian 12 lets them through only where told to, unlike a machine.
const landlock = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"

const bootTime = time.Minute

// boot starts the machine and waits until all of its services have started.
func boot(ctx context.Context, name, root string) (*machine, error) {
	m := &machine{name: name, root: root}
	// What an installer of Debian writes, and debootstrap does not.
	if err := os.WriteFile(filepath.Join(root, "etc", "hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644); err != nil {
		return nil, err
	}
	m.booted = exec.Command("systemd-nspawn", "-q", "-D", root, "--boot", "--register=no", "--keep-unit", "--private-network",
		"--console=pipe", "--system-call-filter="+landlock)
	m.booted.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.booted.Start(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	children := fmt.Sprintf("/proc/%d/task/%d/children", m.booted.Process.Pid, m.booted.Process.Pid)
	for {
		numbers, _ := os.ReadFile(children)
		if fields := strings.Fields(string(numbers)); len(fields) > 0 {
			m.first = fields[0]
			state, _ := m.run(limited, "systemctl", "is-system-running")
			if state == "running" {
				return m, nil
			}
		}
		select {
		case <-limited.Done():
			failed, _ := m.run(ctx, "systemctl", "list-units", "--failed", "--no-pager")
			return nil, errors.Join(fmt.Errorf("the machine %s does not boot:\n%s", name, failed), m.halt())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// halt ends the machine, in good order where it can.
func (m *machine) halt() error {
	ended := make(chan error, 1)
	go func() { ended <- m.booted.Wait() }()
	limited, cancel := context.WithTimeout(context.Background(), bootTime)
	defer cancel()
	_, _ = m.run(limited, "systemctl", "poweroff", "--no-block")
	select {
	case <-ended:
		return nil
	case <-time.After(bootTime):
		_ = m.booted.Process.Kill()
		<-ended
		return errors.New("the machine did not end by itself")
	}
}

// bring copies the releases to where an operator has them.
func (m *machine) bring(ctx context.Context, builds string) error {
	if err := command(ctx, "", "cp", "-r", builds, filepath.Join(m.root, "root", "releases")); err != nil {
		return err
	}
	return command(ctx, "", "cp", "-r", "ingest/extract/testdata/corpus/manual-chromium.pdf", filepath.Join(m.root, "root", "manual.pdf"))
}

// failed is a program that ended with another status than 0.
type failed struct {
	status    int
	said, err string
}

func (f *failed) Error() string {
	return fmt.Sprintf("ended with %d:\n%s\n%s", f.status, f.said, f.err)
}

// run runs a program there as root, and gives what it printed.
func (m *machine) run(ctx context.Context, args ...string) (said string, err error) {
	return m.feed(ctx, "", args...)
}

// sh runs a line of a shell there.
func (m *machine) sh(ctx context.Context, line string) (said string, err error) {
	return m.run(ctx, "sh", "-c", line)
}

// feed is run with something to read.
func (m *machine) feed(ctx context.Context, in string, args ...string) (said string, err error) {
	enter := []string{"-t", m.first, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errOut
	err = cmd.Run()
	said = strings.TrimSpace(out.String())
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return said, fmt.Errorf("%s: %w", strings.Join(args, " "), &failed{ended.ExitCode(), said, errOut.String()})
	}
	return said, err
}

// ends runs a program that has to end with the status, and gives all that it said.
func (m *machine) ends(ctx context.Context, status int, args ...string) (said string, err error) {
	out, err := m.run(ctx, args...)
	if f, ok := errors.AsType[*failed](err); ok && f.status == status {
		return out + f.err, nil
	}
	if err == nil {
		return out, fmt.Errorf("%s: ended well, not with %d", strings.Join(args, " "), status)
	}
	return out, err
}

// is compares what a program prints.
func (m *machine) is(ctx context.Context, want string, args ...string) error {
	got, err := m.run(ctx, args...)
	if got != want {
		return errors.Join(fmt.Errorf("%s: %q, not %q", strings.Join(args, " "), got, want), err)
	}
	return nil
}

// all does one after the other.
func all(steps ...error) error {
	return errors.Join(steps...)
}

// until asks again and again until it is so.
func until(ctx context.Context, what string, so func() bool) error {
	for !so() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: waited for in vain", what)
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// lastWords are what the service logged last.
func (m *machine) lastWords() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	said, _ := m.run(ctx, "journalctl", "-n", "40", "--no-pager")
	return errors.New("-- the journal of the machine:\n" + said)
}
