package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat, the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// process is what /proc says of one.
type process struct {
	parent int
	used   time.Duration // of CPU, in user and in system mode
	buried time.Duration // the same of children that have ended
}

// readProcess reads /proc/PID/stat.
func readProcess(pid int) (process, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	// The second field is a name in parentheses, which may hold anything; the third is the state.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return process{}, errors.New("/proc has another form here")
	}
	number := func(field int) time.Duration { // counted from 1, as its manual does
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		return time.Duration(n)
	}
	return process{
		parent: int(number(4)), used: (number(14) + number(15)) * tick, buried: (number(16) + number(17)) * tick, //nolint:durationcheck // ticks times the length of one
	}, nil
}

func parentOf(pid int) (int, error) {
	p, err := readProcess(pid)
	return p.parent, err
}

// family is the CPU that a process and its children have used, those included that have ended.
func family(pid int) (time.Duration, error) {
	first, err := readProcess(pid)
	if err != nil {
		return 0, err
	}
	used := first.used + first.buried
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(id); err == nil && p.parent == pid { // an error: it has just ended
			used += p.used
		}
	}
	return used, nil
}

// memory is what a side has allocated since its start.
type memory struct{ objects, bytes float64 }

var (
	mallocs    = regexp.MustCompile(`(?m)^# Mallocs = (\d+)$`)
	totalAlloc = regexp.MustCompile(`(?m)^# TotalAlloc = (\d+)$`)
)

// allocated asks a side for its runtime.MemStats, which end its profile of allocations.
func (s side) allocated(ctx context.Context) (memory, error) {
	text, err := get(ctx, "http://"+s.admin+"/debug/pprof/allocs?debug=1")
	if err != nil {
		return memory{}, err
	}
	number := func(line *regexp.Regexp) float64 {
		found := line.FindSubmatch(text)
		if found == nil {
			err = fmt.Errorf("the profile of %s has no %s", s.name, line)
			return 0
		}
		n, _ := strconv.ParseFloat(string(found[1]), 64)
		return n
	}
	m := memory{number(mallocs), number(totalAlloc)}
	return m, err
}

func (m memory) minus(n memory) memory { return memory{m.objects - n.objects, m.bytes - n.bytes} }
