package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"kyrochat/command"
	"kyrochat/eval"
)

var evalUsage = `usage: kyrochat eval FILE [flags]

Measures how well a server finds and answers: starts one of its own on a free port, with the providers that the
environment sets (GEMINI_API_KEY and so on; none: offline), feeds it the documents of FILE, asks its questions, prints
what came of them, and removes all it made. It keeps its data in a temporary folder whatever DATABASE_URL says.

  -k N              how many passages of a search count, 10 to 50 (default 10)
  -concurrency N    documents or questions in work at once, 1 to 64 (default 4)
  -limit N          ask the first N questions only
  -no-answers       measure the retrieval only
  -json FILE        write the report as JSON, too; - is standard output, and the table goes to standard error then
  -top-k N          the bot's topK, 1 to 20: passages that an answer may use
  -min-score X      the bot's minScore, -1 to 1
  -model NAME       the bot's model
  -fail-under LIST  such as recall5=0.9,citations=1: exit with status 1 where a figure is less, or was not measured.
                    ` + strings.Join(eval.FigureNames()[:6], ", ") + `,
                    ` + strings.Join(eval.FigureNames()[6:], ", ") + `

FILE is JSON (docs/evaluation.md has all of it, examples/eval/eval.json is one):

  {"documents": [{"id": "guide", "title": "Guide", "text": "The ferry leaves at nine. …"},
                 {"id": "manual", "file": "manual.pdf"}],
   "questions": [{"question": "When does the ferry leave?", "language": "en",
                  "passages": [{"document": "guide", "text": "The ferry leaves at nine."}], "answers": ["nine", "9"]},
                 {"question": "Who owns the ferry?", "unanswerable": true},
                 {"history": ["When does the ferry leave?"], "question": "And on Sundays?", "answers": ["ten"]}]}
`

// evalArgs are what eval was asked for.
type evalArgs struct {
	eval.Options
	file   string
	json   string // a file; "-": standard output; "": none
	floors []eval.Floor
}

// evaluate measures a server that start runs, and prints the report: also what there is of it when ctx ends.
func evaluate(ctx context.Context, args []string, out, errOut io.Writer, start eval.Start) error {
	asked, err := parseEval(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(out, evalUsage)
		return err
	}
	if err != nil {
		return command.OrUsage("eval", err, evalUsage)
	}
	set, err := eval.Load(asked.file)
	if err != nil {
		return err
	}
	report, err := eval.Run(ctx, set, asked.Options, start, errOut)
	if report == nil {
		return err
	}
	if e := asked.print(report, out, errOut); e != nil {
		err = errors.Join(err, fmt.Errorf("write the report: %w", e))
	}
	if err != nil {
		return err
	}
	if below := report.Below(asked.floors); len(below) > 0 {
		return errors.New("eval: below what was asked for: " + strings.Join(below, "; "))
	}
	return nil
}

func (a *evalArgs) print(report *eval.Report, out, errOut io.Writer) error {
	switch a.json {
	case "":
		return report.WriteTable(out)
	case "-":
		return errors.Join(report.WriteTable(errOut), report.WriteJSON(out))
	}
	if err := report.WriteTable(out); err != nil {
		return err
	}
	f, err := os.Create(a.json)
	if err != nil {
		return err
	}
	return errors.Join(report.WriteJSON(f), f.Close())
}

// parseEval reads the arguments, flags and the file in any order.
func parseEval(args []string) (evalArgs, error) {
	a := evalArgs{Options: eval.Options{Depth: eval.MinDepth, Concurrency: eval.DefaultConcurrency}}
	failUnder := ""
	flags := flag.NewFlagSet("eval", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	whole := func(name string, least, most int, set func(int)) {
		flags.Func(name, "", func(s string) error {
			n, err := strconv.Atoi(s)
			if err != nil || n < least || n > most {
				return fmt.Errorf("it must be a whole number from %d to %d", least, most)
			}
			set(n)
			return nil
		})
	}
	whole("k", eval.MinDepth, eval.MaxDepth, func(n int) { a.Depth = n })
	whole("concurrency", 1, eval.MaxConcurrency, func(n int) { a.Concurrency = n })
	whole("limit", 1, math.MaxInt32, func(n int) { a.Limit = n })
	whole("top-k", 1, 20, func(n int) { a.TopK = &n })
	flags.BoolVar(&a.NoAnswers, "no-answers", false, "")
	flags.StringVar(&a.json, "json", "", "")
	flags.StringVar(&failUnder, "fail-under", "", "")
	flags.Func("model", "", func(s string) error { a.Model = &s; return nil })
	flags.Func("min-score", "", func(s string) error {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x >= -1 && x <= 1) {
			return errors.New("it must be a number from -1 to 1")
		}
		a.MinScore = &x
		return nil
	})
	files, err := command.Mixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return a, err
	case err != nil:
		return a, command.Wrong(err)
	case len(files) != 1:
		return a, command.Wrong(errors.New("name one file of documents and questions"))
	}
	a.file = files[0]
	if failUnder != "" {
		if a.floors, err = eval.ParseFloors(failUnder, a.NoAnswers); err != nil {
			return a, command.Wrong(fmt.Errorf("-fail-under: %w", err))
		}
	}
	if a.json != "" && a.json != "-" { // found out before the work is done
		if info, err := os.Stat(filepath.Dir(a.json)); err != nil || !info.IsDir() {
			return a, command.Wrong(fmt.Errorf("-json: there is no folder %s", filepath.Dir(a.json)))
		}
	}
	return a, nil
}
