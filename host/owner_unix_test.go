//go:build unix

package host_test

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"testing"

	"kyrochat/host"
)

// stranger is a user who has no name and is nobody here.
const stranger = 3_999_999_999

func info(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestOwners: what is made here is ours, what is root's is nobody else's, and what belongs to a third is foreign.
func TestOwners(t *testing.T) {
	t.Parallel()
	own := info(t, t.TempDir())
	if uid, known := host.OwnerOf(own); !known || uid != os.Geteuid() {
		t.Errorf("our own folder belongs to %d (%v)", uid, known)
	}
	for name, each := range map[string]fs.FileInfo{"ours": own, "root's": info(t, "/")} {
		if owner, foreign := host.ForeignFile(each); foreign {
			t.Errorf("%s is foreign, of %s", name, owner)
		}
	}
	if owner, foreign := host.ForeignFile(belonging{own, stranger}); !foreign || owner != strconv.Itoa(stranger) {
		t.Errorf("that of a stranger is foreign: %v, of %q", foreign, owner)
	}
	if uid, known := host.OwnerOf(belonging{own, -1}); known {
		t.Errorf("of a file system that knows no owners: %d", uid)
	}
}

// belonging is a file of somebody; -1: of whom, its file system does not say.
type belonging struct {
	fs.FileInfo
	uid int
}

func (b belonging) Sys() any {
	if b.uid < 0 {
		return nil
	}
	return &syscall.Stat_t{Uid: uint32(b.uid)}
}

// TestNamesOfUsers: those that have none go by their number.
func TestNamesOfUsers(t *testing.T) {
	t.Parallel()
	if got := host.UserName(stranger); got != strconv.Itoa(stranger) {
		t.Errorf("a stranger is %q", got)
	}
	self, err := user.Current()
	if err != nil {
		t.Skipf("this user has no name: %v", err)
	}
	if got := host.OwnName(); got != self.Username {
		t.Errorf("we are %q, want %q", got, self.Username)
	}
	if host.IsRoot() != (self.Uid == "0") {
		t.Errorf("root: %v, and our number is %s", host.IsRoot(), self.Uid)
	}
}

// TestOpenFiles: this process has some open, so some may be.
func TestOpenFiles(t *testing.T) {
	t.Parallel()
	limit, known := host.OpenFiles()
	if !known || limit < 3 {
		t.Errorf("%d files may be open (%v)", limit, known)
	}
}
