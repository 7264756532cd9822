package doctor

import (
	"fmt"
	"syscall"
)

// disk is the file system that a folder is on.
type disk struct {
	kind         string // "" for one of no account
	free, size   uint64 // bytes, for others than root
	files, inode uint64 // that can still be made, of all; 0 of 0 where nothing limits them
	readOnly     bool
}

// Numbers of file systems (statfs(2), linux/magic.h).
var diskKinds = map[int64]string{
	0x6969: "nfs", 0x517b: "smb", 0xff534d42: "cifs", 0xfe534d42: "smb", 0x01021997: "9p", 0x65735546: "fuse", 0x00c36400: "ceph",
	0x7461636f: "ocfs2", 0x5346414f: "afs", 0x01161970: "gfs2", 0x0bd00bd0: "lustre",
	0x01021994: "tmpfs", 0x858458f6: "ramfs", 0x794c7630: "overlay",
}

// diskOf looks at the file system of a folder.
func diskOf(path string) (disk, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return disk{}, fmt.Errorf("look at the file system of %s: %w", path, err)
	}
	unit := uint64(s.Bsize)
	if s.Frsize > 0 {
		unit = uint64(s.Frsize)
	}
	const readOnly = 1 // ST_RDONLY
	return disk{
		kind: diskKinds[int64(uint32(s.Type))], free: s.Bavail * unit, size: s.Blocks * unit, files: s.Ffree, inode: s.Files, readOnly: s.Flags&readOnly != 0,
	}, nil
}
