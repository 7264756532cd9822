package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// fate is what became of a change.
type fate string

const (
	killed    fate = "KILLED" // a test failed
	hung      fate = "HUNG"   // a test did not end: it is noticed, too
	lived     fate = "LIVED"
	unreached fate = "NOT REACHED" // by any test
)

const (
	alone   = 2 * time.Minute  // for a test by itself, nothing changed
	changed = 45 * time.Second // for the tests of a change, which are mostly over in less than one
)

// binary has the tests of a package with all of its changes.
type binary struct {
	path, folder string
	own          string                   // for files of ours
	cost         map[string]time.Duration // of each test
	unfit        []string                 // tests that fail here without any change, such as those that count allocations
	reach        map[int][]string         // the tests that get to a change
}

// compile makes the binary and finds out which tests get where.
func compile(ctx context.Context, r *rewritten, own string) (*binary, error) {
	b := &binary{path: filepath.Join(own, "tests"), folder: r.folder, own: own, cost: map[string]time.Duration{}, reach: map[int][]string{}}
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", r.overlay, "-o", b.path, r.path).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("compile the changes of %s: %w\n%s", r.path, err, out)
	}
	listed, err := b.command(ctx, "-test.list", "^(Test|Fuzz|Example)").Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests of %s: %w", r.path, err)
	}
	for _, test := range strings.Fields(string(listed)) {
		if err := b.look(ctx, test); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// command runs the binary with room for 8 GB, of which a loop without an end would else take all that there is.
func (b *binary) command(ctx context.Context, args ...string) *exec.Cmd {
	const within = `ulimit -v 8000000; exec "$0" "$@"`
	cmd := exec.CommandContext(ctx, "sh", slices.Concat([]string{"-c", within, b.path}, args)...)
	cmd.Dir, cmd.WaitDelay = b.folder, time.Second
	return cmd
}

// look runs a test by itself, nothing changed.
func (b *binary) look(ctx context.Context, test string) error {
	file := filepath.Join(b.own, "reached")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd := b.command(ctx, "-test.run", "^"+test+"$", "-test.timeout", alone.String())
	cmd.Env = append(os.Environ(), "MUTANT_REACHED="+file)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		b.unfit = append(b.unfit, test)
		return ctx.Err()
	}
	b.cost[test] = time.Since(began)
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for number := range strings.FieldsSeq(string(text)) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		if !slices.Contains(b.reach[n], test) {
			b.reach[n] = append(b.reach[n], test)
		}
	}
	return err
}

// tryAll gives the fate of each change.
func (b *binary) tryAll(ctx context.Context, all []mutant, atOnce int) ([]fate, error) {
	fates := make([]fate, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range all {
		group.Go(func() error {
			fates[i] = b.try(ctx, i+1)
			return ctx.Err()
		})
	}
	return fates, group.Wait()
}

// try makes a change and runs the tests that get there: the quick third first, which mostly is enough.
func (b *binary) try(ctx context.Context, number int) fate {
	tests := slices.SortedFunc(slices.Values(b.reach[number]), func(x, y string) int { return cmp.Compare(b.cost[x], b.cost[y]) })
	if len(tests) == 0 {
		return unreached
	}
	first := (len(tests) + 2) / 3
	for _, part := range [][]string{tests[:first], tests[first:]} {
		if len(part) == 0 {
			continue
		}
		within, cancel := context.WithTimeout(ctx, changed+10*time.Second)
		cmd := b.command(within, "-test.failfast", "-test.timeout", changed.String(), "-test.run", "^("+strings.Join(part, "|")+")$")
		cmd.Env = append(os.Environ(), "MUTANT="+strconv.Itoa(number))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		over := within.Err() != nil
		cancel()
		if over || bytes.Contains(out.Bytes(), []byte("panic: test timed out")) {
			return hung
		}
		if err != nil {
			return killed
		}
	}
	return lived
}
