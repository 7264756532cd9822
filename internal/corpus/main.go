// Corpus makes and measures the corpus of ingest/extract/testdata/corpus: small files of our own text, written by real
// producers, each with the text that is to be found in it.
//
//	go run ./internal/corpus measure     # how much of each format is found, as a table; -v for every file
//	go run ./internal/corpus check       # are the references still what pdftotext and pandoc give?
//	go run ./internal/corpus make        # make all files again from internal/corpus/sources; name some to make only those
//
// Measuring needs nothing but the committed files. Making needs LibreOffice, pandoc, LaTeX, Chromium, Ghostscript, groff,
// qpdf, poppler-utils, python3-docx and python3-openpyxl, and fonts for Chinese and Thai (fonts-droid-fallback,
// fonts-tlwg-loma-ttf). All of it runs from the root of the repository.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"kyrochat/ingest/extract"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "extract" { // a child of the pool that reads the files
		if err := extract.Main(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "extract:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("corpus", flag.ContinueOnError)
	flags.SetOutput(errOut)
	folder := flags.String("folder", "ingest/extract/testdata/corpus", "the `folder` of the corpus")
	sources := flags.String("sources", "internal/corpus/sources", "the `folder` of what it is made from")
	verbose := flags.Bool("v", false, "tell of every file")
	if len(args) == 0 {
		return fmt.Errorf("say what to do: measure, check or make")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "measure":
		results, err := measure(ctx, *folder)
		if err != nil {
			return err
		}
		return report(out, results, *verbose)
	case "check":
		return check(ctx, *folder, out)
	case "make":
		return makeCorpus(ctx, *sources, *folder, flags.Args(), errOut)
	}
	return fmt.Errorf("%q is none of measure, check and make", args[0])
}
