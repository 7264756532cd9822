package main

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kyrochat/ingest/chunk"
	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

// What the other side gets: about as many characters as our 400 tokens have, and as our overlap of 60.
const (
	pieceSize    = 1_750
	pieceOverlap = 260
)

// splitters is the other side's program and its exact versions.
//
//go:embed splitters/package.json splitters/package-lock.json splitters/.npmrc splitters/split.mjs
var splitters embed.FS

// cutting is how long both sides took to cut the same text, in seconds, by round.
type cutting struct {
	bytes            int
	passages, pieces int
	ours, theirs     []float64
	node, splitter   string
}

// measureChunks cuts a long text in turns. Both have it in memory: ours with the structure that reading gave, which the
// other side looks for while it cuts.
func measureChunks(ctx context.Context, folder string, rounds int, say func(string, ...any)) (c cutting, err error) {
	textPath := filepath.Join(folder, "long.md")
	if err := os.WriteFile(textPath, []byte(longText()), 0o600); err != nil {
		return c, err
	}
	pool := extract.NewPool(nil, kyro.DefaultLimits(), slog.New(slog.DiscardHandler))
	ex, err := pool.Extract(ctx, kyro.Original{Path: textPath, MimeType: extract.Markdown}, nil)
	if err = errors.Join(err, pool.Close()); err != nil {
		return c, err
	}
	if err := os.WriteFile(textPath, []byte(ex.Text), 0o600); err != nil { // both cut the same
		return c, err
	}
	if err := c.install(ctx, folder); err != nil {
		return c, err
	}
	cmd := exec.CommandContext(ctx, "node", "split.mjs", textPath, strconv.Itoa(pieceSize), strconv.Itoa(pieceOverlap))
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return c, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return c, err
	}
	if err := cmd.Start(); err != nil {
		return c, err
	}
	lines := bufio.NewScanner(out)
	c.bytes = len(ex.Text)
	for round := range rounds + 2 { // the first two warm both up: node compiles what is hot
		start := time.Now()
		c.passages = len(chunk.Split(ex, "Long", chunk.Options{}))
		ours := time.Since(start).Seconds()
		var told struct {
			Milliseconds float64
			Pieces       int
		}
		if _, err := io.WriteString(in, "\n"); err != nil {
			return c, err
		}
		if !lines.Scan() {
			return c, fmt.Errorf("node ended: %w", errors.Join(lines.Err(), cmd.Wait()))
		}
		if err := json.Unmarshal(lines.Bytes(), &told); err != nil {
			return c, err
		}
		c.pieces = told.Pieces
		if round > 1 {
			c.ours, c.theirs = append(c.ours, ours), append(c.theirs, told.Milliseconds/1000)
		}
	}
	say("cutting: %.1f MB/s, @langchain/textsplitters %.1f", float64(c.bytes)/1e6/median(c.ours), float64(c.bytes)/1e6/median(c.theirs))
	return c, errors.Join(in.Close(), cmd.Wait())
}

// install puts the other side into the folder, in exactly the versions of the lock.
func (c *cutting) install(ctx context.Context, folder string) error {
	files, err := fs.Glob(splitters, "splitters/*")
	if err != nil {
		return err
	}
	for _, name := range append(files, "splitters/.npmrc") {
		data, err := splitters.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, path.Base(name)), data, 0o600); err != nil {
			return err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--no-progress")
	npm.Dir = folder
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	version, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return err
	}
	c.node = strings.TrimSpace(string(version))
	var installed struct{ Name, Version string }
	data, err := os.ReadFile(filepath.Join(folder, "node_modules/@langchain/textsplitters/package.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &installed); err != nil {
		return err
	}
	c.splitter = installed.Name + " " + installed.Version
	return nil
}

// longText is Markdown with headings, paragraphs and lists.
func longText() string {
	r := rand.New(rand.NewPCG(11, 13))
	var b strings.Builder
	for b.Len() < chunkedBytes {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", title(r), prose(r, 2500))
		for range 5 {
			fmt.Fprintf(&b, "- %s\n", title(r))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
