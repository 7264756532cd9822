package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// held is what a server's process holds, as the system and its admin address tell.
type held struct {
	goroutines, files int
	heap              int64 // bytes that live after a collection
}

var (
	goroutineTotal = regexp.MustCompile(`goroutine profile: total (\d+)`)
	heapAlloc      = regexp.MustCompile(`# HeapAlloc = (\d+)`)
	residentSize   = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
)

// holds counts what the process holds now.
func (n *node) holds(ctx context.Context) (h held, err error) {
	files, err := os.ReadDir(n.proc("fd"))
	if err != nil {
		return h, err
	}
	h.files = len(files)
	heap, err := n.profile(ctx, "heap?gc=1&debug=1", heapAlloc)
	if err != nil {
		return h, err
	}
	h.heap = int64(heap)
	h.goroutines, err = n.profile(ctx, "goroutine?debug=1", goroutineTotal)
	return h, err
}

// profile gives a number of a profile.
func (n *node) profile(ctx context.Context, which string, number *regexp.Regexp) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+"/debug/pprof/"+which, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return 0, err
	}
	return firstNumber(text, number)
}

func firstNumber(text []byte, number *regexp.Regexp) (int, error) {
	found := number.FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("%s is not in %.100q", number, text)
	}
	return strconv.Atoi(string(found[1]))
}

// resident is the memory of the process, in bytes.
func (n *node) resident() (int64, error) {
	text, err := os.ReadFile(n.proc("status"))
	if err != nil {
		return 0, err
	}
	kilobytes, err := firstNumber(text, residentSize)
	return int64(kilobytes) << 10, err
}

func (n *node) proc(name string) string {
	cmd, _ := n.process()
	return fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name)
}

// peers are the ports of the clients whose connections the server has not closed. A client that does not read hears
// nothing of the end; the system knows.
func (n *node) peers() (map[int]bool, error) {
	_, port, _ := strings.Cut(n.address, ":")
	own, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(n.proc("net/tcp"))
	if err != nil {
		return nil, err
	}
	open := map[int]bool{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != "01" && fields[3] != "08" { // established, or closed by the client alone
			continue
		}
		local, err1 := portOf(fields[1])
		remote, err2 := portOf(fields[2])
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if local == own {
			open[remote] = true
		}
	}
	return open, nil
}

func portOf(address string) (int, error) {
	_, port, _ := strings.Cut(address, ":")
	b, err := hex.DecodeString(port)
	if err != nil || len(b) != 2 {
		return 0, fmt.Errorf("%q is no address", address)
	}
	return int(b[0])<<8 | int(b[1]), nil
}
