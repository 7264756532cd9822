package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"kyrochat/host"
	"kyrochat/ingest/extract"
	"kyrochat/kyro"
	"kyrochat/text"
	"kyrochat/transport"
)

const (
	ownFiles     = 200      // that a process holds besides connections: the database's, Redis', providers', pipes of children
	serverMemory = 80 << 20 // of an idle server, see docs/performance.md
)

// lookAtOpenFiles holds the limit of open files against the connections that are let in.
func lookAtOpenFiles(p *patient) []Finding {
	limit, known := host.OpenFiles()
	if !known {
		return nil
	}
	wanted := ownFiles
	if p.cfg.Role.Serves() {
		wanted += cmp.Or(p.cfg.Carriers.MaxConnections, transport.DefaultMaxConnections)
	}
	return openFilesVerdict(limit, uint64(wanted))
}

func openFilesVerdict(limit, wanted uint64) []Finding {
	mend := fmt.Sprintf("Raise the limit, in the unit of systemd by the first, in a shell by the second:\n  LimitNOFILE=%d\n  ulimit -n %d", max(65_536, wanted), max(65_536, wanted))
	switch {
	case limit < 2*ownFiles:
		return []Finding{fail(fmt.Sprintf("This process may hold %d files open, connections among them: that is too few for a server.", limit), mend)}
	case limit < wanted:
		return []Finding{warn(fmt.Sprintf("This process may hold %d files open, and as many connections as KYRO_MAX_CONNECTIONS lets in take %d.", limit, wanted),
			mend+fmt.Sprintf("\nor let fewer in:\n  KYRO_MAX_CONNECTIONS=%d", limit-ownFiles))}
	}
	return []Finding{ok("This process may hold %d files open, and %d are the most that it wants.", limit, wanted)}
}

// lookAtMemory holds the memory that there is against what the server and the processes that read documents take.
func lookAtMemory(p *patient) []Finding {
	total, free, known := memoryOf("/proc/meminfo")
	if !known {
		return nil
	}
	limit, limited := cgroupMemory("/proc/self/cgroup", "/sys/fs/cgroup")
	children, each := extract.Needs()
	if !p.cfg.Role.Works() {
		children = 0
	}
	return memoryVerdict(total, free, pick(limited && limit < total, limit, 0), children, each)
}

// memoryVerdict: limit is what a control group gives, 0 for none.
func memoryVerdict(total, free, limit uint64, children int, each uint64) []Finding {
	least, most := uint64(serverMemory), uint64(serverMemory)+uint64(children)*each
	if children > 0 {
		least += each
	}
	what := fmt.Sprintf("%s of %s of memory are free", text.Bytes(free), text.Bytes(total))
	have := free
	if limit > 0 {
		what += ", and the control group allows " + text.Bytes(limit)
		have = min(free, limit)
	}
	wants := fmt.Sprintf("An idle server takes %s", text.Bytes(serverMemory))
	if children > 0 {
		wants += fmt.Sprintf(", and %s up to %s each while files are read", processes(children)+" besides", text.Bytes(each))
	}
	const mend = "Give it more. In a unit of systemd, or for a container:\n  MemoryMax=%dM\n  --memory %dm"
	switch {
	case have < least:
		return []Finding{warn(what+". "+wants+": the system may end one of them.", fmt.Sprintf(mend, most>>20+256, most>>20+256))}
	case have < most:
		return []Finding{note(what+". "+wants+": it is little for large files that are read at the same time.", fmt.Sprintf(mend, most>>20+256, most>>20+256))}
	}
	return []Finding{ok("%s. %s.", what, wants)}
}

// memoryOf reads what Linux tells of the machine's memory.
func memoryOf(path string) (total, free uint64, known bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, false
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseUint(fields[1], 10, 64)
		switch fields[0] {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			free = n << 10
		}
	}
	return total, free, total > 0 && free > 0
}

// cgroupMemory is the least memory that the control groups of this process and those above it allow, in either version.
func cgroupMemory(groups, root string) (limit uint64, limited bool) {
	content, err := os.ReadFile(groups)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(strings.TrimSpace(string(content))) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, name := root, "memory.max"
		if parts[0] != "0" {
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
			base, name = filepath.Join(root, "memory"), "memory.limit_in_bytes"
		}
		for at := filepath.Clean("/" + parts[2]); ; at = filepath.Dir(at) {
			most, err := os.ReadFile(filepath.Join(base, at, name))
			// No limit is "max", or in version 1 a number beyond all memory.
			if n, numErr := strconv.ParseUint(strings.TrimSpace(string(most)), 10, 64); err == nil && numErr == nil && n < 1<<60 && (!limited || n < limit) {
				limit, limited = n, true
			}
			if at == "/" {
				break
			}
		}
	}
	return limit, limited
}

// lookAtProcessors looks how many there are.
func lookAtProcessors(*patient) []Finding { return processorsVerdict(runtime.GOMAXPROCS(0)) }

func processorsVerdict(n int) []Finding {
	if n == 1 {
		return []Finding{note("There is one processor for this process: people wait while files are read.", "Give it two, in a unit of systemd, or for a container:\n  CPUQuota=200%\n  --cpus 2")}
	}
	return []Finding{ok("There are %d processors for this process.", n)}
}

// lookAtUser looks who runs this.
func lookAtUser(*patient) []Finding {
	if host.IsRoot() {
		return []Finding{warn("This is root: whoever broke into the server would have the machine.",
			"Run the server, and this, as a user of its own:\n  useradd --system --home-dir /var/lib/kyrochat --create-home --shell /usr/sbin/nologin kyrochat\n  sudo -u kyrochat -E kyrochat doctor\nWhere install.sh or a package made that user, there is\n  kyrochat-run doctor")}
	}
	return []Finding{ok("The user is %s, who is not root.", host.OwnName())}
}

// lookAtTemporary looks at the folder in which documents are read. It has to be there; what is written is in the cache, where
// that can be: a container whose root is read-only needs nothing else.
func lookAtTemporary(*patient) []Finding {
	dir := os.TempDir()
	err := tryFile(dir)
	if err != nil {
		info, missing := os.Stat(dir)
		if cache, closed := cacheFolder(); closed == nil && missing == nil && info.IsDir() {
			return []Finding{ok("%s cannot be written to, and need not be: %s can.", dir, cache)}
		}
	}
	return temporaryVerdict(dir, err)
}

// cacheFolder is where what reads documents keeps what it has made, and why nothing can be written there.
func cacheFolder() (dir string, err error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(base, "kyrochat")
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
			continue
		}
		return dir, tryFolder(at)
	}
}

func temporaryVerdict(dir string, err error) []Finding {
	if err == nil {
		return []Finding{ok("%s can be written to.", dir)}
	}
	return []Finding{fail("The folder for temporary files "+dir+" cannot be used: "+plainly(err)+". Documents are read in it.",
		"Make it, or, for a container without one, the second; or name another one (TMPDIR):\n  install -d -m 1777 "+quoted(dir)+"\n  --tmpfs "+quoted(dir))}
}

// lookAtExtraction has a document read as a server does it.
func lookAtExtraction(p *patient) []Finding {
	if !p.cfg.Role.Works() {
		return nil
	}
	ctx, cancel := p.within(slow)
	defer cancel()
	return extractionVerdict(p.readSomething(ctx), extract.Unconfined())
}

const tinyText = "KyroChat reads this."

func (p *patient) readSomething(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program cannot find its own file: %w", err)
	}
	const name = "kyrochat-doctor-*.txt"
	file, err := os.CreateTemp("", name)
	if err != nil { // documents are in the data folder
		file, err = os.CreateTemp(p.cfg.DataDir, name)
	}
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(tinyText)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	pool := extract.NewPool([]string{self, "extract"}, p.cfg.Limits, slog.New(slog.DiscardHandler))
	read, err := pool.Extract(ctx, kyro.Original{Path: file.Name(), MimeType: extract.Plain}, nil)
	if closing := pool.Close(); err == nil {
		err = closing
	}
	if err == nil && !strings.Contains(read.Text, tinyText) {
		err = fmt.Errorf("the text of a document came out as %q", read.Text)
	}
	return err
}

func extractionVerdict(err error, unconfined string) []Finding {
	if err != nil {
		what, why := mailTrouble(err)
		return []Finding{fail("Documents cannot be read: "+strings.TrimRight(what, ".")+why+".",
			"Documents are read by a process of their own, which this program starts from its file. See that the file may be run by the user, that its file system is not mounted noexec, and that no limit of processes (ulimit -u, TasksMax, --pids-limit) is met.")}
	}
	if unconfined != "" {
		return []Finding{warn("Documents are read, but what reads them is not kept from "+unconfined+": a file that took it over could do that.",
			"Use Linux 5.13 or newer with Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock,…) and seccomp. In a container, see that its runtime lets landlock_create_ruleset and seccomp through.")}
	}
	return []Finding{ok("A document was read, by a process that cannot open files, connect, or start programs.")}
}
