package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"time"
)

// The plot of a soak: one panel below the other, over the same time, as an SVG that is read on light and on dark ground.
const (
	plotWidth, panelHeight = 760, 110
	plotLeft, plotTop      = 70, 26
	mostPoints             = 240 // of a line
)

const plotStyle = `<style>
text{font:12px sans-serif;fill:#57606a}.t{font-weight:bold}
.g{stroke:#8c959f;stroke-opacity:.35}path{fill:none;stroke-width:1.5}
.c0{stroke:#0969da}.c1{stroke:#bf5b04}text.c0{stroke:none;fill:#0969da}text.c1{stroke:none;fill:#bf5b04}
@media(prefers-color-scheme:dark){text{fill:#9198a1}.c0{stroke:#58a6ff}.c1{stroke:#f0883e}text.c0{fill:#58a6ff}text.c1{fill:#f0883e}}
</style>`

// point is a place of a line.
type point struct {
	at    time.Duration
	value float64
}

// panel is a figure over time, with a line for each of its names.
type panel struct {
	title string
	names []string
	lines [][]point
}

// draw writes the plot.
func (m *meter) draw(file string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	panels := []panel{
		m.panel("memory of the process, MiB", memory), m.panel("heap, MiB", heap),
		m.panel("goroutines", goroutines), m.panel("descriptors", files),
		{title: "requests, ms", names: []string{"p50", "p95"}, lines: make([][]point, 2)},
	}
	speeds := &panels[len(panels)-1]
	for _, s := range m.speeds {
		speeds.lines[0] = append(speeds.lines[0], point{s.at, float64(s.p50) / 1e6})
		speeds.lines[1] = append(speeds.lines[1], point{s.at, float64(s.p95) / 1e6})
	}
	var b bytes.Buffer
	height := len(panels)*(panelHeight+plotTop) + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="What the servers use over %s">%s`+"\n",
		plotWidth, height, m.round.size.length, plotStyle)
	for i, p := range panels {
		p.write(&b, i*(panelHeight+plotTop)+plotTop, m.round.size.length)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">0</text><text x="%d" y="%d" text-anchor="end">%s</text></svg>`+"\n",
		plotLeft, height-12, plotWidth-10, height-12, m.round.size.length)
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// panel is the figure of each server.
func (m *meter) panel(title string, figure func(usage) float64) (p panel) {
	p.title = title
	for i, seen := range m.used {
		var line []point
		for _, u := range seen {
			line = append(line, point{u.at, figure(u)})
		}
		p.names, p.lines = append(p.names, fmt.Sprintf("node %d", i+1)), append(p.lines, line)
	}
	if len(p.names) == 1 {
		p.names = nil
	}
	return p
}

// write draws the panel from y downwards, over so much time. Its scale begins at 0.
func (p panel) write(b *bytes.Buffer, y int, length time.Duration) {
	most := 1.0
	for _, line := range p.lines {
		for _, at := range line {
			most = max(most, at.value)
		}
	}
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for step*2 > most {
		step /= 2
	}
	most = math.Ceil(most/step) * step
	fmt.Fprintf(b, `<text class="t" x="%d" y="%d">%s</text>`, plotLeft, y-8, p.title)
	for i, name := range p.names {
		fmt.Fprintf(b, `<text class="c%d" x="%d" y="%d" text-anchor="end">%s</text>`, i, plotWidth-10-60*(len(p.names)-1-i), y-8, name)
	}
	for _, value := range []float64{0, most / 2, most} {
		at := float64(y) + panelHeight*(1-value/most) - 6
		fmt.Fprintf(b, `<path class="g" d="M%d %.1fH%d"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`, plotLeft, at, plotWidth-10, plotLeft-6, at+4, value)
	}
	for i, line := range p.lines {
		if len(line) == 0 {
			continue
		}
		fmt.Fprintf(b, "\n"+`<path class="c%d" d="M`, i)
		for j := 0; j < len(line); j += 1 + len(line)/mostPoints {
			x := plotLeft + float64(plotWidth-10-plotLeft)*min(1, float64(line[j].at)/float64(length))
			fmt.Fprintf(b, "%.1f %.1f ", x, float64(y)+panelHeight*(1-line[j].value/most)-6)
		}
		b.WriteString(`"/>`)
	}
	b.WriteString("\n")
}
