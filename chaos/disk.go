package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"kyrochat/client"
)

// disk fills the disk under SQLite while people send, upload and ingest.
var disk = scenario{
	name: "disk",
	promise: "while the disk is full every refusal has a code, readiness says so, nothing acknowledged is lost, and it goes on within 10 s " +
		"after room is made, without a restart, also after kill -9 and a start at a full disk",
	setups: []setup{onSQLite},
	short:  size{count: 2, people: 3},
	long:   size{count: 20, people: 3},
	play:   playDisk,
}

const (
	diskSize   = "256m" // room for what is taken while it is not full
	fullFor    = 4 * time.Second
	goesOnSoon = 10 * time.Second // after room is made
)

func playDisk(ctx context.Context, r *round) (err error) {
	n := r.nodes[0]
	data := filepath.Join(n.folder, "data")
	n.kill()
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size="+diskSize+",mode=700", "tmpfs", data).CombinedOutput(); err != nil {
		r.skipped = fmt.Sprintf("a small disk cannot be mounted here (%v: %s); run it as root, or below unshare -Urm", err, bytes.TrimSpace(out))
		return nil
	}
	defer func() {
		n.kill()
		if out, failed := exec.Command("umount", data).CombinedOutput(); failed != nil && err == nil {
			err = fmt.Errorf("unmount: %w: %s", failed, out)
		}
	}()
	f := &fullDisk{round: r, node: n, filler: filepath.Join(data, "filler"), acked: &ledger{}}
	if err := n.start(ctx); err != nil {
		return err
	}
	works, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for i := range r.size.people {
		p, bot, err := r.newOwner(ctx, fmt.Sprintf("busy-%d", i))
		if err != nil {
			return err
		}
		f.working.Go(func() { f.busy(works, p, bot, i) })
	}
	for i := range r.size.count {
		if err := f.once(ctx, i%2 == 1); err != nil {
			stop(err)
			break
		}
	}
	failed := context.Cause(works)
	stop(nil)
	f.working.Wait()
	if failed != nil {
		return failed
	}
	return f.check(ctx)
}

// fullDisk is what is known of one run.
type fullDisk struct {
	*round
	node    *node
	filler  string
	full    atomic.Bool  // there is no room, or was a moment ago
	refused atomic.Int32 // writes to the database, so far: it has some room of its own, and may outlast files
	working sync.WaitGroup
	acked   *ledger

	mu    sync.Mutex
	added []added
}

// fill takes all room that there is.
func (f *fullDisk) fill() error {
	file, err := os.OpenFile(f.filler, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err = file.Write(block); errors.Is(err, syscall.ENOSPC) {
			block, err = block[:len(block)/2], nil
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, file.Close())
}

// once fills the disk for a while and makes room again; hard: the server is killed meanwhile, and started at the full disk.
func (f *fullDisk) once(ctx context.Context, hard bool) error {
	if err := pause(ctx, f.dice.between(time.Second, 2*time.Second)); err != nil {
		return err
	}
	f.full.Store(true)
	began, unready, before := time.Now(), false, f.refused.Load()
	for time.Since(began) < fullFor {
		if err := f.fill(); err != nil {
			return err
		}
		status, err := f.node.ask(ctx, "/readyz", 2*time.Second)
		unready = unready || err == nil && status == http.StatusServiceUnavailable
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	f.count("disks that were full", 1)
	switch refused := f.refused.Load() > before; {
	case refused && !unready:
		f.violated("/readyz said nothing of a disk that was full for %s", fullFor)
	case refused:
		f.count("disks at which the database took nothing, and /readyz said so", 1)
	}
	if hard {
		f.node.kill()
		if err := f.node.launch(); err != nil {
			return err
		}
		f.count("kill -9 and start at a full disk", 1)
		_ = f.node.becomes(ctx, http.StatusOK, 3*time.Second) // it may, or not, or give up and say why
	}
	select {
	case <-f.ended():
		if !hard {
			return fmt.Errorf("the server ended at a full disk: %s", f.node.last())
		}
		f.count("starts that were refused", 1)
	default:
	}
	if err := os.Remove(f.filler); err != nil {
		return err
	}
	room := time.Now()
	for {
		err := f.node.becomes(ctx, http.StatusOK, goesOnSoon-time.Since(room))
		if err == nil {
			break
		}
		select {
		case <-f.ended(): // a start that was refused, or is refused only now: whoever looks after the process starts it again
			if hard && time.Since(room) < goesOnSoon {
				if err := f.node.launch(); err != nil {
					return err
				}
				continue
			}
		default:
		}
		f.violated("after room was made: %v", err)
		break
	}
	sent := len(f.acked.all())
	if err := await(ctx, goesOnSoon-time.Since(room), func() bool { return len(f.acked.all()) > sent }); err != nil {
		f.violated("nobody could send within %s after room was made", goesOnSoon)
	}
	f.say("goes on %s after room was made", time.Since(room).Round(10*time.Millisecond))
	f.full.Store(false)
	return nil
}

func (f *fullDisk) ended() <-chan struct{} {
	_, ended := f.node.process()
	return ended
}

// busy sends, adds texts and uploads files, one after another. What is refused is asked again, with the same key.
func (f *fullDisk) busy(ctx context.Context, p *person, bot string, number int) {
	conversation := ""
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("%s-%d", p.name, i)
		switch i % 4 {
		case 1:
			what := patterns[0].paper(markOf(number*100_000 + i))
			if f.full.Load() { // so that the database needs room
				what.content = append(what.content, prose(11, 9_000)...)
			}
			f.add(ctx, p, bot, what)
		case 3:
			f.add(ctx, p, bot, patterns[3].paper(markOf(number*100_000+i)))
		default:
			f.insist(ctx, "send", func(ctx context.Context) error {
				s, err := p.sendOnce(ctx, bot, conversation, key, "This is "+key+".")
				if err == nil {
					conversation = s.Conversation
					f.acked.add(s)
				}
				return err
			})
		}
		_ = pause(ctx, p.dice.between(0, 200*time.Millisecond))
	}
}

func (f *fullDisk) add(ctx context.Context, p *person, bot string, what paper) {
	f.insist(ctx, map[way]string{asText: "add", asUpload: "upload"}[what.way], func(ctx context.Context) error {
		var made madeDocument
		var err error
		if what.way == asText {
			err = p.once(ctx, `mutation($i: AddTextDocumentInput!) { made: addTextDocument(input: $i) `+aboutAdded+` }`,
				map[string]any{"i": map[string]any{"botId": bot, "title": what.title, "text": string(what.content)}}, &made)
		} else {
			err = p.any().Upload(ctx, `mutation($i: UploadDocumentInput!) { made: uploadDocument(input: $i) `+aboutAdded+` }`,
				map[string]any{"i": map[string]any{"botId": bot, "title": what.title}},
				client.File{Variable: "i.file", Name: what.name, Size: int64(len(what.content)), Reader: bytes.NewReader(what.content)}, &made)
		}
		if err == nil {
			var id string
			if id, err = made.id(); err == nil {
				f.mu.Lock()
				f.added = append(f.added, added{paper: what, bot: bot, id: id})
				f.mu.Unlock()
			}
		}
		return err
	})
}

// insist asks until it is answered. A refusal has a code, and that is not INTERNAL.
func (f *fullDisk) insist(ctx context.Context, what string, do func(ctx context.Context) error) {
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, callPatience)
		err := do(once)
		cancel()
		if err == nil || errors.Is(err, errWait) || ctx.Err() != nil {
			return
		}
		switch answered, told := errors.AsType[client.Errors](err); {
		case told && (client.Code(answered) == "UNAVAILABLE" || client.Code(answered) == "TIMEOUT"):
			f.count("refusals "+client.Code(answered), 1)
			if what != "upload" && f.full.Load() {
				f.refused.Add(1)
			}
			if what != "send" && f.full.Load() {
				return // it is not acknowledged; others are to be tried as well
			}
		case told:
			f.violated("%s at a full disk (%t): %v", what, f.full.Load(), err)
			return
		case errors.Is(err, errNotTaken):
			f.violated("%s at a full disk (%t): %v", what, f.full.Load(), err)
			return
		default:
			if status, ok := errors.AsType[*client.StatusError](err); ok {
				f.violated("%s at a full disk (%t): %v", what, f.full.Load(), status)
			}
		}
		_ = pause(ctx, 100*time.Millisecond)
	}
}

// sendOnce says something once.
func (p *person) sendOnce(ctx context.Context, bot, conversation, key, text string) (sent, error) {
	return p.sendBy(ctx, p.once, bot, conversation, key, text)
}

// check looks at what is there in the end.
func (f *fullDisk) check(ctx context.Context) error {
	d, err := f.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	f.count("acknowledged messages", len(f.acked.all()))
	f.count("acknowledged documents", len(f.added))
	if err := await(ctx, finalWithin, func() bool { left, err := d.unfinishedAnswers(ctx); return err == nil && left == 0 }); err != nil {
		left, _ := d.unfinishedAnswers(ctx)
		f.violated("%d answers are not final %s after the end", left, finalWithin)
	}
	if err := f.documentsFinal(ctx, d); err != nil {
		return err
	}
	if err := f.checkMessages(ctx, d, f.acked.all()); err != nil {
		return err
	}
	stored, err := d.documents(ctx)
	if err != nil {
		return err
	}
	for _, a := range f.added {
		switch s := stored[key(a.id)]; {
		case s == nil:
			f.violated("the acknowledged document %s is not there", a.id)
		case s.status != "READY":
			f.violated("the document %s is %s: %s", a.id, s.status, s.reason)
		}
	}
	var whole string
	if err := d.db.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&whole); err != nil || whole != "ok" {
		f.violated("integrity_check: %s %v", whole, err)
	}
	f.told()
	return nil
}

// told takes those lines out of what no server may write that tell the operator of the full disk: errors, and why a start was
// refused. River's errors do not all name it.
func (f *fullDisk) told() {
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	all := len(f.node.faults)
	f.node.faults = slices.DeleteFunc(f.node.faults, func(line string) bool {
		names := slices.ContainsFunc([]string{"no room left", "disk is full", "no space left", "disk I/O error", `"part":"jobs"`},
			func(name string) bool { return strings.Contains(line, name) })
		return names && !strings.Contains(line, "panic")
	})
	f.count("lines in the log that name the full disk", all-len(f.node.faults))
}
