package demo

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"

	"kyrochat/host"
	"kyrochat/text"
)

// screen is where the demo writes: with colours and bars that redraw themselves on a terminal, in plain lines
// elsewhere. A screen that cannot be written to is ignored, as the work goes on without it.
type screen struct {
	out      io.Writer
	terminal bool
	colours  bool
}

func newScreen(out io.Writer) *screen {
	_, terminal := host.Terminal(out)
	return &screen{out: out, terminal: terminal, colours: terminal}
}

func (s *screen) print(words string) { _, _ = io.WriteString(s.out, words) }
func (s *screen) line(words string)  { s.print(words + "\n") }

func (s *screen) bold(words string) string   { return s.paint("1", words) }
func (s *screen) dim(words string) string    { return s.paint("2", words) }
func (s *screen) red(words string) string    { return s.paint("31", words) }
func (s *screen) green(words string) string  { return s.paint("32", words) }
func (s *screen) yellow(words string) string { return s.paint("33", words) }

func (s *screen) paint(code, words string) string {
	if !s.colours {
		return words
	}
	return "\x1b[" + code + "m" + words + "\x1b[0m"
}

// outcome says in words what became of a document.
func (s *screen) outcome(d document) string {
	if !d.ready() {
		words := strings.ToLower(strings.ReplaceAll(d.Status, "_", " "))
		if d.StatusReason != "" {
			words += ": " + text.Printable(d.StatusReason)
		}
		return s.red(words)
	}
	words := "ready, " + text.Plural(d.ChunkCount, "passage")
	if d.PageCount != nil {
		words += " from " + text.Plural(*d.PageCount, "page")
	}
	return s.green(words)
}

// bar shows how far one file is. Its methods may be called by several goroutines.
type bar struct {
	screen *screen
	title  string
	mu     sync.Mutex
	stage  string
	cells  int
	ended  bool
}

const barCells = 30

func (s *screen) bar(title string) *bar { return &bar{screen: s, title: title, cells: -1} }

// show draws a stage and its percentage: again on a terminal, where something changed; elsewhere once for each stage.
func (b *bar) show(stage string, percent float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if math.IsNaN(percent) {
		percent = 0
	}
	percent = min(max(percent, 0), 100)
	cells := int(percent * barCells / 100)
	if b.ended || stage == b.stage && (cells == b.cells || !b.screen.terminal) {
		return
	}
	b.stage, b.cells = stage, cells
	if !b.screen.terminal {
		b.screen.line(b.title + ": " + stage)
		return
	}
	drawn := strings.Repeat("█", cells) + strings.Repeat("░", barCells-cells)
	b.screen.print(fmt.Sprintf("\r\x1b[K%s %s %3.0f%% %s", b.title, drawn, percent, stage))
}

// end puts the outcome in the bar's place; "" leaves it as it is.
func (b *bar) end(outcome string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	switch {
	case outcome != "" && b.screen.terminal:
		b.screen.line("\r\x1b[K" + b.title + ": " + outcome)
	case outcome != "":
		b.screen.line(b.title + ": " + outcome)
	case b.screen.terminal:
		b.screen.line("")
	}
}

// shortened is a title that leaves room for its bar on a narrow terminal.
func shortened(title string) string {
	const most = 32
	if runes := []rune(title); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return title
}
