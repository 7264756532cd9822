package extract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

// anonymous makes a file without a name, which could be run.
func anonymous() error {
	name := []byte("a\x00")
	fd, _, errno := syscall.RawSyscall(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(&name[0])), 0, 0)
	if errno != 0 {
		return errno
	}
	return syscall.Close(int(fd))
}

// aims are what a child that was taken over would be after.
type aims struct {
	TCP, Unix   string // listeners
	Secret      string // a file of the server
	Program     string
	Folder      string // that it could write to
	Cache       string // of the PDF engine
	CacheWrites bool
	Free        bool // nothing is given up before
}

// attempt goes after them, and tells of each whether it came through.
func attempt(a aims) string {
	var came []string
	try := func(name string, err error) {
		if err == nil {
			came = append(came, name)
		}
	}
	file, err := extract.Taken()
	if err != nil {
		return "no file: " + err.Error()
	}
	if !a.Free {
		if err := extract.Enclose(a.Cache, a.CacheWrites); err != nil {
			return "not enclosed: " + err.Error()
		}
	}
	content, err := io.ReadAll(file)
	if err != nil || string(content) != "the file" {
		return fmt.Sprintf("read %q, %v", content, err)
	}
	connect := func(network, address string) error {
		conn, err := net.Dial(network, address)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	open := func(path string, how int) error {
		f, err := os.OpenFile(path, how, 0o600)
		if err == nil {
			_ = f.Close()
		}
		return err
	}
	try("tcp", connect("tcp", a.TCP))
	try("udp", connect("udp", a.TCP))
	try("unix", connect("unix", a.Unix))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		_ = l.Close()
	}
	try("listen", err)
	try("read", open(a.Secret, os.O_RDONLY))
	try("write", open(a.Secret, os.O_WRONLY))
	try("make", open(filepath.Join(a.Folder, "made"), os.O_WRONLY|os.O_CREATE))
	_, err = os.ReadDir(a.Folder)
	try("list", err)
	try("change the mode", os.Chmod(a.Secret, 0o600))
	try("change the owner", os.Chown(a.Secret, os.Geteuid(), os.Getegid()))
	try("change the time", os.Chtimes(a.Secret, time.Time{}, time.Unix(1e9, 0)))
	try("link", os.Link(a.Secret, filepath.Join(a.Folder, "linked")))
	try("anonymous file", anonymous())
	try("write the file", open(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), os.O_RDWR))
	try("memory of the parent", open(fmt.Sprintf("/proc/%d/mem", os.Getppid()), os.O_RDONLY))
	try("run", exec.Command(a.Program, "-test.run=^$").Run())
	try("signal", syscall.Kill(os.Getppid(), 0))
	var limit syscall.Rlimit
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(os.Getppid()), syscall.RLIMIT_NOFILE, 0, 0, 0, 0)
	if errno == 0 {
		came = append(came, "limits of the parent")
	}
	try("own limits", syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	try("read the cache", open(filepath.Join(a.Cache, "there"), os.O_RDONLY))
	try("write the cache", open(filepath.Join(a.Cache, "there"), os.O_WRONLY))
	try("add to the cache", open(filepath.Join(a.Cache, "new"), os.O_WRONLY|os.O_CREATE))
	return strings.Join(came, ", ")
}

// TestAChildReachesNothing: what takes a child over has the file that it was given, and nothing else of the machine.
func TestAChildReachesNothing(t *testing.T) {
	t.Parallel()
	if open := extract.Unconfined(); open != "" {
		t.Skip("this kernel has no means against ", open)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	dir := t.TempDir()
	short, err := os.MkdirTemp("", "s") // addresses of Unix have at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	local, err := net.Listen("unix", filepath.Join(short, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	everything := []string{"tcp", "udp", "unix", "listen", "read", "write", "make", "list", "change the mode", "change the owner", "change the time", "link", "anonymous file", "write the file", "memory of the parent", "run", "signal", "limits of the parent"}
	own := []string{"own limits", "read the cache"}
	writes := []string{"write the cache", "add to the cache"}
	for name, c := range map[string]struct {
		aims aims
		want []string
	}{
		"free":          {aims{Free: true}, slices.Concat(everything, own, writes)}, // what is tried could be done
		"reads a file":  {aims{}, own},
		"makes a cache": {aims{CacheWrites: true}, slices.Concat(own, writes)},
	} {
		a := c.aims
		a.TCP, a.Unix, a.Program = tcp.Addr().String(), local.Addr().String(), os.Args[0]
		a.Folder, a.Cache = filepath.Join(dir, name), filepath.Join(dir, name+" cache")
		a.Secret = filepath.Join(a.Folder, "secret")
		for _, folder := range []string{a.Folder, a.Cache} {
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.WriteFile(a.Secret, []byte("x"), 0o600), os.WriteFile(filepath.Join(a.Cache, "there"), []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		told, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		p := newPool(t, kyro.DefaultLimits(), "taken-over", string(told))
		ex, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("the file")), MimeType: extract.Plain}, nil)
		if err != nil || ex.Text != strings.Join(c.want, ", ") {
			t.Errorf("%s: it did %q, %v; want %q", name, ex.Text, err, strings.Join(c.want, ", "))
		}
	}
}

// TestChildrenAreEnclosed: also the children that the server has, in all their threads.
func TestChildrenAreEnclosed(t *testing.T) {
	t.Parallel()
	if open := extract.Unconfined(); open != "" {
		t.Skip("this kernel has no means against ", open)
	}
	p := newPool(t, kyro.DefaultLimits())
	if _, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.Children()[0]))
	if err != nil || len(tasks) < 2 {
		t.Fatal(tasks, err)
	}
	for _, task := range tasks {
		if status, err := os.ReadFile(task); err == nil && !strings.Contains(string(status), "Seccomp:\t2") {
			t.Errorf("%s may call whatever it likes:\n%s", task, status)
		}
	}
}
