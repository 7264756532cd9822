package eval

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"kyrochat/text"
)

// missedShown is how many questions the table lists; the JSON has all of them.
const missedShown = 20

// WriteTable writes the report for people: a column for all questions, and one for each language.
func (r *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s\n", r.Set, text.Plural(r.Documents, "document"), text.Plural(len(r.Outcomes), "question"))
	fmt.Fprintf(&b, "answers %s, embeddings %s, vectors %s, database %s, version %s\n",
		r.Server.Answers, r.Server.Embeddings, r.Server.Vectors, r.Server.Database, r.Server.Version)
	if len(r.Outcomes) < r.Chosen {
		fmt.Fprintf(&b, "NOT COMPLETE: %d of %d questions were asked\n", len(r.Outcomes), r.Chosen)
	}
	b.WriteString("\n")
	columns := []Figures{r.All}
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 3, ' ', 0)
	fmt.Fprint(t, "\tall")
	for _, l := range r.Languages {
		fmt.Fprint(t, "\t", text.Printable(l.Name))
		columns = append(columns, l.Figures)
	}
	fmt.Fprint(t, "\n")
	r.rows(func(name string, cell func(Figures) string) {
		fmt.Fprint(t, name)
		for _, f := range columns {
			fmt.Fprint(t, "\t", cell(f))
		}
		fmt.Fprint(t, "\n")
	})
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	r.writeMissed(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// rows gives the lines of the table.
func (r *Report) rows(row func(name string, cell func(Figures) string)) {
	row("questions", func(f Figures) string { return fmt.Sprint(f.Questions) })
	if r.All.Searched == 0 {
		row("RETRIEVAL", notMeasured)
	} else {
		r.retrievalRows(row)
	}
	if r.All.Asked == 0 {
		row("ANSWERS", notMeasured)
	} else {
		r.answerRows(row)
	}
}

func empty(Figures) string       { return "" }
func notMeasured(Figures) string { return "not measured" }

func (r *Report) retrievalRows(row func(name string, cell func(Figures) string)) {
	row("RETRIEVAL", empty)
	row("  questions", func(f Figures) string { return fmt.Sprint(f.Searched) })
	if r.All.FollowUps > 0 {
		row("  follow-ups left out", func(f Figures) string { return fmt.Sprint(f.FollowUps) })
	}
	for i, depth := range depths {
		row(fmt.Sprintf("  recall@%d", depth), func(f Figures) string { return f.Recall[i].String() })
	}
	if r.Options.Depth > depths[2] {
		row(fmt.Sprintf("  recall@%d", r.Options.Depth), func(f Figures) string { return f.Deep.String() })
	}
	row("  MRR@10", func(f Figures) string { return f.MRR.String() })
	row("  errors", func(f Figures) string { return counts(f.SearchErrors) })
	row("  latency p50, p95", func(f Figures) string { return f.SearchLatency.String() })
}

func (r *Report) answerRows(row func(name string, cell func(Figures) string)) {
	row("ANSWERS", empty)
	row("  completed", func(f Figures) string { return f.Completed.String() })
	row("  right", func(f Figures) string { return f.Right.String() })
	row("  citations valid", func(f Figures) string { return f.Citations.String() })
	if len(r.All.Invalid) > 0 {
		row("  citations invalid", func(f Figures) string { return counts(f.Invalid) })
	}
	row("  passages cited", func(f Figures) string { return f.Cited.String() })
	row("  not-found precision", func(f Figures) string { return f.Declined.String() })
	row("  not-found recall", func(f Figures) string { return f.NotFound.String() })
	for _, g := range slices.Sorted(maps.Keys(r.All.Groundings)) {
		row("  grounding "+g, func(f Figures) string { return fmt.Sprint(f.Groundings[g]) })
	}
	for _, n := range slices.Sorted(maps.Keys(r.All.Notices)) {
		row("  notice "+n, func(f Figures) string { return fmt.Sprint(f.Notices[n]) })
	}
	row("  errors", func(f Figures) string { return counts(f.Errors) })
	row("  first token p50, p95", func(f Figures) string { return f.FirstToken.String() })
	row("  total p50, p95", func(f Figures) string { return f.Total.String() })
	row("  tokens in, out", func(f Figures) string {
		return fmt.Sprintf("%d, %d (%d)", f.Tokens.Prompt, f.Tokens.Output, f.TokensCounted)
	})
}

func (r *Report) writeMissed(b *strings.Builder) {
	shown := 0
	for _, o := range r.Outcomes {
		missed := o.missed()
		if len(missed) == 0 {
			continue
		}
		if shown++; shown == 1 {
			b.WriteString("\nmissed:\n")
		}
		if shown <= missedShown {
			fmt.Fprintf(b, "  question %d, %q: %s\n", o.Number, text.Printable(shortened(o.Text)), strings.Join(missed, "; "))
		}
	}
	if shown > missedShown {
		fmt.Fprintf(b, "  and %d more\n", shown-missedShown)
	}
}

// String is the provider with its model.
func (p Provider) String() string { return p.Provider + " (" + p.Model + ")" }

// String is the share with what it was counted over.
func (s Share) String() string {
	value, measured := s.Value()
	if !measured {
		return "not measured"
	}
	return fmt.Sprintf("%.3f (%d/%d)", value, s.Part, s.Of)
}

// String is the mean with what it was taken over.
func (m Mean) String() string {
	value, measured := m.Value()
	if !measured {
		return "not measured"
	}
	return fmt.Sprintf("%.3f (%d)", value, m.Of)
}

// String is the median and the 95th percentile in milliseconds, with how often it was measured.
func (l Latency) String() string {
	if l.Of() == 0 {
		return "not measured"
	}
	return fmt.Sprintf("%.1f, %.1f ms (%d)", millis(l.Percentile(50)), millis(l.Percentile(95)), l.Of())
}

// counts lists what was counted, by name.
func counts[K ~string](of map[K]int) string {
	if len(of) == 0 {
		return "none"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, of[k]))
	}
	return strings.Join(parts, ", ")
}
