//go:build unix

package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// watch runs the server for as long as the process that started it holds the other end of its input, and clears up
// after it: also when that process was killed. Each line of the input starts the server again, which was killed before.
// $1 is the folder, $2 the server's program; the rest are its settings.
const watch = `dir=$1 program=$2
shift 2
run() { "$program" -D "$dir/data" -k "$dir" -c listen_addresses= "$@" >>"$dir/log" 2>&1 </dev/null & server=$!; }
run "$@"
while read -r again; do
  wait $server
  run "$@"
done
kill -CONT $server
kill -QUIT $server
wait $server
rm -rf "$dir"`

// Start makes a cluster in a folder of its own, starts its server with the settings, such as "fsync=off", and waits
// until it takes connections.
func Start(ctx context.Context, settings ...string) (*Server, error) {
	bin, err := findPostgres()
	if err != nil {
		return nil, err
	}
	// In /tmp, since the path of a socket may not be longer than some hundred bytes.
	dir, err := os.MkdirTemp("/tmp", "kyropg")
	if err != nil {
		return nil, err
	}
	as, err := unprivileged(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-A", "trust", "-U", "kyro", "-E", "UTF8", "--locale=C", "--no-sync")
	prepare(initdb, dir, as)
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(output)), os.RemoveAll(dir))
	}
	input, alive, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	arguments := []string{"-c", watch, "sh", dir, filepath.Join(bin, "postgres")}
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	shell := exec.Command("/bin/sh", arguments...)
	shell.Stdin = input
	prepare(shell, dir, as)
	err = shell.Start()
	_ = input.Close()
	if err != nil {
		return nil, errors.Join(err, alive.Close(), os.RemoveAll(dir))
	}
	address := url.URL{Scheme: "postgres", User: url.User("kyro"), Path: "/postgres", RawQuery: "host=" + dir}
	s := &Server{URL: address.String(), DataDir: filepath.Join(dir, "data"), alive: alive, ended: shell.Wait}
	if err := ready(ctx, s.URL); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w: %s", err, log), s.Stop())
	}
	return s, nil
}

// Kill ends the server and all its processes as a power cut does. Restart brings it back, with what it had committed.
func (s *Server) Kill() error {
	if err := s.signal(syscall.SIGSTOP); err != nil { // so that it begins no process which is not in the list below
		return err
	}
	family, err := s.family()
	if err != nil {
		return err
	}
	for _, pid := range family {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	for until := time.Now().Add(10 * time.Second); slices.ContainsFunc(family, isAlive); { // one that is left keeps others from starting
		if time.Now().After(until) {
			return errors.New("processes of PostgreSQL outlive a kill -9 by ten seconds")
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// isAlive says whether a process is there and has not ended, whoever is to take note of that.
func isAlive(pid int) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !bytes.HasPrefix(state, []byte("Z"))
}

// Restart starts the server again after Kill and waits until it takes connections.
func (s *Server) Restart(ctx context.Context) error {
	if _, err := s.alive.WriteString("again\n"); err != nil {
		return err
	}
	return ready(ctx, s.URL)
}

// Freeze makes the server and all its processes hang: connections stay open, and nothing is answered.
func (s *Server) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(which syscall.Signal) error {
	family, err := s.family()
	if err != nil {
		return err
	}
	for _, pid := range family {
		if err := syscall.Kill(pid, which); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// family gives the server's processes: the one that was started, and its children.
func (s *Server) family() ([]int, error) {
	text, err := os.ReadFile(filepath.Join(s.DataDir, "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	first, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return nil, fmt.Errorf("read the number of PostgreSQL's process: %w", err)
	}
	children, err := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(first)).Output()
	if err != nil && len(children) > 0 {
		return nil, err
	}
	family := []int{first}
	for field := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		family = append(family, pid)
	}
	return family, nil
}

// prepare keeps a child in its own folder and process group, so that a Ctrl-C meant for its parent leaves it to
// whoever watches it.
func prepare(cmd *exec.Cmd, dir string, as *syscall.Credential) {
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
}

// unprivileged gives the folder to a user PostgreSQL agrees to run as, where this process runs as root.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// findPostgres gives the folder of PostgreSQL's programs: those on the PATH, else the newest installed.
func findPostgres() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil && whole(filepath.Dir(real)) {
			return filepath.Dir(real), nil
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a)) })
		for _, dir := range found {
			if whole(dir) {
				return dir, nil
			}
		}
	}
	return "", errors.New("its programs initdb and postgres are not installed")
}

func whole(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// ready waits until the server takes connections.
func ready(ctx context.Context, base string) error {
	for {
		conn, err := pgx.Connect(ctx, base)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}
