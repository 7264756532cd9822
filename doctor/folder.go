package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kyrochat/host"
	"kyrochat/text"
)

// dataFolder is the data folder, as far as its verdict needs it.
type dataFolder struct {
	path      string
	embedded  bool // the database is in it
	prod      bool
	parent    string // the nearest folder above that is there, where it is not; else ""
	problem   error  // why nothing can be written
	mode      fs.FileMode
	owner     string // of another user than this process; else ""
	root      bool   // this process may do anything
	strangers []string
	pod       bool // Kubernetes mounts it: root's, and open to the pod, in which nobody else is
	disk      disk
	diskKnown bool
	used      bool // a server has it
	usedErr   error
}

// lookAtFolder looks at where everything is kept.
func lookAtFolder(p *patient) []Finding {
	path, err := filepath.Abs(p.cfg.DataDir)
	if err != nil {
		return []Finding{fail("The data folder has no absolute path: "+err.Error()+".", "  KYRO_DATA_DIR=/var/lib/kyrochat")}
	}
	f := dataFolder{path: path, embedded: p.cfg.DatabaseURL == "", prod: p.cfg.Production, root: host.IsRoot()}
	there := path
	info, err := os.Stat(path)
	for errors.Is(err, fs.ErrNotExist) && there != filepath.Dir(there) {
		there = filepath.Dir(there)
		f.parent = there
		info, err = os.Stat(there)
	}
	switch {
	case err != nil:
		f.problem = err
	case !info.IsDir():
		f.problem = fmt.Errorf("%s is no folder", there)
	case f.parent != "":
		f.problem = tryFolder(there)
	default:
		f.mode = info.Mode().Perm()
		f.problem = tryFile(path)
		f.strangers = strangersIn(path, info)
		if uid, known := host.OwnerOf(info); known && host.UserName(uid) != host.OwnName() {
			f.owner = host.UserName(uid)
			f.pod = uid == 0 && p.getenv("KUBERNETES_SERVICE_HOST") != ""
		}
		f.used, f.usedErr = p.inUse()
	}
	if d, err := diskOf(there); err == nil {
		f.disk, f.diskKnown = d, true
	}
	return f.verdict()
}

// tryFolder makes a folder in another one, and removes it.
func tryFolder(dir string) error {
	made, err := os.MkdirTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return os.Remove(made)
}

// tryFile makes a file in the folder, and removes it.
func tryFile(dir string) error {
	file, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = file.WriteString("KyroChat tried whether files can be written here.")
	return errors.Join(err, file.Close(), os.Remove(file.Name()))
}

// strangersIn finds files of a server that belong to others than this process, or than their folder where this is root. A
// volume may well be root's, and what is in it the server's.
func strangersIn(dir string, info fs.FileInfo) (names []string) {
	owner, known := host.OwnerOf(info)
	if !known {
		return nil
	}
	if !host.IsRoot() {
		owner = os.Geteuid()
	}
	for _, name := range []string{"kyro.db", "kyro.db-wal", "kyro.db-shm", "kyro.db.lock", "secret", "files", "exports", "outbox"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			if uid, _ := host.OwnerOf(info); uid != owner {
				names = append(names, name)
			}
		}
	}
	return names
}

const (
	leastRoom  = 100 << 20 // bytes: less is as good as none
	littleRoom = 1 << 30
	fewFiles   = 1000
)

// networkDisks are shared between machines: SQLite's log needs memory that all who have the file share.
var networkDisks = []string{"nfs", "smb", "cifs", "9p", "afs", "ceph", "ocfs2", "gfs2", "lustre"}

func (f dataFolder) verdict() (found []Finding) {
	path := quoted(f.path)
	if f.problem != nil {
		why := f.problem.Error()
		if e, ok := errors.AsType[*fs.PathError](f.problem); ok {
			why = e.Err.Error()
		}
		what := fmt.Sprintf("Nothing can be written to the data folder %s: %s.", f.path, why)
		if f.parent != "" {
			what = fmt.Sprintf("The data folder %s is not there and cannot be made in %s: %s.", f.path, f.parent, why)
		}
		if f.disk.readOnly {
			return []Finding{fail(what, "The file system is mounted read-only for this process. A service of install.sh or a package may write to /var/lib/kyrochat alone: "+
				"leave KYRO_DATA_DIR out of kyrochat.env, and mount the disk there. Elsewhere mount one that can be written, and set where it is:\n  KYRO_DATA_DIR=/var/lib/kyrochat")}
		}
		return []Finding{fail(what, "Make it, for the user that the server runs as (here "+host.OwnName()+"):\n  install -d -m 700 -o "+host.OwnName()+" "+path)}
	}
	if f.root && f.owner != "" {
		found = append(found, warn(fmt.Sprintf("The data folder %s belongs to %s, and this is root: what root may do says nothing about what the server may.", f.path, f.owner),
			"Run this as that user; the first is there where install.sh or a package set it up:\n  kyrochat-run doctor\nor, with the settings of the server,\n  sudo -u "+host.SudoUser(f.owner)+" -E kyrochat doctor"))
	}
	if len(f.strangers) > 0 {
		whose := pick(f.root && f.owner != "", f.owner, host.OwnName())
		found = append(found, fail(fmt.Sprintf("In the data folder, %s %s to others than %s: the server may be kept out.", strings.Join(f.strangers, ", "), pick(len(f.strangers) == 1, "belongs", "belong"), whose),
			"  chown -R "+whose+" "+path))
	}
	switch {
	case f.pod && f.mode&0o077 != 0:
		found = append(found, note(fmt.Sprintf("The data folder is a volume of root's with the mode %04o, as Kubernetes mounts it: whatever else runs in this pod may write to it.", f.mode), ""))
	case f.mode&0o022 != 0:
		found = append(found, warn(fmt.Sprintf("Others than its owner may write to the data folder (mode %04o): they could put a database or a secret of theirs there.", f.mode), "  chmod 700 "+path))
	case f.mode&0o055 != 0:
		found = append(found, note(fmt.Sprintf("Others than its owner may look into the data folder (mode %04o). What is in it is kept from them by modes of its own.", f.mode), "  chmod 700 "+path))
	}
	if f.usedErr != nil {
		found = append(found, note("Whether a server has the data folder cannot be told: "+f.usedErr.Error()+".", ""))
	}
	found = append(found, f.diskVerdict()...)
	if worst(found) == Fine || worst(found) == Noted {
		what := f.path + " can be written to"
		if f.parent != "" {
			what = f.path + " is not there yet, and is made by the first start"
		}
		if f.diskKnown {
			what += "; " + text.Bytes(f.disk.free) + " are free"
		}
		found = append([]Finding{ok("%s%s.", what, pick(f.used, "; a running server has it", ""))}, found...)
	}
	return found
}

func (f dataFolder) diskVerdict() (found []Finding) {
	if !f.diskKnown {
		return nil
	}
	d := f.disk
	more := "Make room, or move all that is in the folder onto a larger disk while no server runs, and mount that in its place:\n  " + quoted(f.path)
	switch {
	case d.size == 0: // nothing of the kind is told
	case d.free < leastRoom:
		found = append(found, fail(text.Bytes(d.free)+" are free where the data folder is: nothing more can be kept.", more))
	case d.free < littleRoom || d.free < d.size/50:
		found = append(found, warn(text.Bytes(d.free)+" are free where the data folder is, of "+text.Bytes(d.size)+".", more))
	}
	if d.inode > 0 && d.files < fewFiles {
		found = append(found, warn(fmt.Sprintf("Only %d more files can be made where the data folder is, whatever their size.", d.files), "Remove files, or use a file system with more inodes:\n  df -i "+quoted(f.path)))
	}
	elsewhere := "Keep the data folder on a disk of this machine, or use PostgreSQL:\n  KYRO_DATA_DIR=/var/lib/kyrochat\nor\n  DATABASE_URL=postgres://kyro:password@db.example.com/kyro"
	switch {
	case f.embedded && slices.Contains(networkDisks, d.kind):
		found = append(found, fail("The data folder is on "+d.kind+", which several machines share: SQLite's locks and its log do not work there, and the database may be damaged.", elsewhere))
	case f.embedded && d.kind == "fuse":
		found = append(found, warn("The data folder is on a file system of FUSE. Whether SQLite's locks and its log work there depends on it.", elsewhere))
	case d.kind == "tmpfs" || d.kind == "ramfs":
		found = append(found, f.passing("The data folder is in memory ("+d.kind+"): all that is in it is gone when the machine or the container stops."))
	case d.kind == "overlay":
		found = append(found, f.passing("The data folder is in the container itself (overlay): all that is in it is gone with the container."))
	}
	return found
}

// passing is data that does not last: nothing to worry about on the machine of a developer, nor where the database is
// elsewhere.
func (f dataFolder) passing(what string) Finding {
	mend := "Mount a volume there, such as\n  -v kyrochat:" + f.path
	if f.prod && f.embedded {
		return warn(what, mend)
	}
	return note(what, mend)
}
