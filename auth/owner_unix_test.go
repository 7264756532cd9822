//go:build unix

package auth_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"kyrochat/auth"
)

// A server that may read its secret may do so still after root rotated it.
func TestRotationLeavesTheFileToItsOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files to others")
	}
	for _, owner := range []struct{ user, group int }{{65_534, 65_533}, {0, 65_533}, {65_534, 0}} {
		path := write(t, filepath.Join(t.TempDir(), "secret"), secretA, 0o640)
		if err := os.Chown(path, owner.user, owner.group); err != nil {
			t.Fatal(err)
		}
		rotated(t, path, auth.RotateNow, start)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if now := info.Sys().(*syscall.Stat_t); int(now.Uid) != owner.user || int(now.Gid) != owner.group || info.Mode().Perm() != 0o640 {
			t.Errorf("the file of %d:%d belongs to %d:%d, mode %v", owner.user, owner.group, now.Uid, now.Gid, info.Mode())
		}
	}
}
