// Bench measures the server against hand-written net/http and pgx handlers that give the same data: same PostgreSQL,
// same rows, same tokens, in turns, on one machine. Only the ratios mean anything elsewhere.
//
//	go run ./bench                                                        # everything, some fifteen minutes
//	go run ./bench -queries nested -connections 16 -duration 2s -rounds 3 # one query, quickly
//	go run ./bench -streams                                               # many streams at once, some half an hour
//	go run ./bench -signin                                                # whether times tell which addresses have accounts
//	go run ./bench -ingest                                                # reading PDFs beside pdftotext, cutting beside LangChain
//	go run ./bench -month                                                 # whether all analytics of a simulated month are what its rows say
//
// Streams are measured beside a plain relay, and both have the same upstream: Gemini, emulated in a process of its own.
//
// It builds the server from this source, starts a private PostgreSQL from the installed binaries, makes people with
// bots, conversations and messages, checks that both sides give the same data, and then measures. The result is a
// page of Markdown; docs/performance.md says what its figures mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kyrochat/ingest/extract"
)

// baselineArgument makes this program the hand-written server.
const baselineArgument = "baseline"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == baselineArgument:
		err = serveByHand(ctx, os.Stdin, os.Stdout)
	case len(os.Args) == 2 && os.Args[1] == relayArgument:
		err = serveRelay(ctx, os.Stdin, os.Stdout)
	case len(os.Args) == 2 && os.Args[1] == upstreamArgument:
		err = serveUpstream(ctx, os.Stdin, os.Stdout)
	case len(os.Args) == 2 && os.Args[1] == extractArgument:
		err = extract.Main(os.Stdin, os.Stdout)
	default:
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what can be asked for on the command line.
type options struct {
	streams     []scenario   // instead of queries
	secretives  []secretive  // instead of queries
	ingest      bool         // instead of queries
	month       monthOptions // instead of queries
	pairs       int          // of known and unknown addresses, for each of them
	queries     []query
	connections []int
	duration    time.Duration // of a round, for each side
	rounds      int
	output      string // a file; empty: standard output
	profiles    string // a folder; empty: none are made
	database    string // a URL; empty: a private server
	pool        int
	gogc        int
	people      int
	redis       string        // an address; empty: the server runs without
	latency     time.Duration // of the emulated model
}

func readOptions(args []string, errOut io.Writer) (options, error) {
	o := options{queries: queries, connections: []int{1, 16, 64}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.Func("queries", "`names` to measure, separated by commas: "+strings.Join(queryNames(), ", ")+" (default all)", func(s string) (err error) {
		o.queries, err = chosenQueries(s)
		return err
	})
	flags.BoolFunc("streams", "measure streams instead of queries; as in -streams=100x20,100x20+documents,2000x20-100,5000x0, `those` of so many streams, tokens a second, and those that never read; +documents: of bots that have some, +once: all begin at once", func(s string) (err error) {
		o.streams, err = chosenScenarios(s)
		return err
	})
	flags.BoolFunc("signin", "measure instead whether times tell if an address has an account; as in -signin=sign-in,reset, `those` of sign-in, sign-up, reset, verification", func(s string) (err error) {
		o.secretives, err = chosenSecretives(s)
		return err
	})
	flags.BoolVar(&o.ingest, "ingest", false, "measure the reading of PDFs beside pdftotext, and the cutting of texts beside @langchain/textsplitters instead (poppler-utils, node and npm required)")
	flags.BoolVar(&o.month.wanted, "month", false, "fill SQLite and PostgreSQL with a simulated month instead, compare every figure of analytics with counts over its rows, and measure how long charts take")
	flags.IntVar(&o.month.messages, "messages", 100_000, "`how many` messages a simulated month has")
	flags.IntVar(&o.month.months, "months", 1, "`how many` months are simulated")
	flags.IntVar(&o.month.seed, "seed", 1, "the `seed` of simulated months")
	flags.StringVar(&o.month.only, "only", "", "the one `database` to simulate months on, sqlite or postgresql (default both)")
	flags.BoolVar(&o.month.compare, "compare", true, "compare analytics of simulated months with counts over their rows; else only how long they take is measured")
	flags.BoolVar(&o.month.plans, "plans", false, "tell how PostgreSQL reads what a chart of simulated months is made of")
	flags.IntVar(&o.pairs, "pairs", 1000, "`how many` known and as many unknown addresses -signin takes the times of")
	flags.StringVar(&o.redis, "redis", "", "the `address` of a running Redis that the server shall use for streams")
	flags.DurationVar(&o.latency, "latency", 200*time.Millisecond, "how `long` the emulated model takes to the first byte of an answer, and four times as long as to embed a question")
	flags.Func("connections", "`numbers` of connections, separated by commas (default 1,16,64)", func(s string) (err error) {
		o.connections, err = numbers(s)
		return err
	})
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "how `long` each side is measured in a round, after a fifth of it to warm up")
	flags.IntVar(&o.rounds, "rounds", 5, "`how often` both sides are measured, in turns; the medians count")
	flags.StringVar(&o.output, "o", "", "the `file` to write the result to (default standard output)")
	flags.StringVar(&o.profiles, "profile", "", "a `folder` for CPU profiles of both sides, of one more run of each cell that is not measured")
	flags.StringVar(&o.database, "database", "", "the `URL` of a running PostgreSQL to make a database on for the time (default: a private server)")
	flags.IntVar(&o.pool, "pool", max(4, 2*runtime.NumCPU()), "database `connections` of each side")
	flags.IntVar(&o.gogc, "gogc", 400, "the `GOGC` of both sides, but of the server's where it has streams: that chooses its own")
	flags.IntVar(&o.people, "people", 64, "`how many` people the data belongs to; each has 20 bots and some 1,000 messages")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("there is no argument %q", flags.Arg(0))
	case o.month.messages < 1 || o.month.months < 1 || o.month.months > 60:
		return o, fmt.Errorf("-messages must be positive, and -months 1 to 60")
	case o.month.only != "" && o.month.only != "sqlite" && o.month.only != "postgresql":
		return o, fmt.Errorf("-only is sqlite or postgresql")
	case o.pairs < 10:
		return o, fmt.Errorf("-pairs must be at least 10")
	case o.latency < 0:
		return o, fmt.Errorf("-latency cannot be negative")
	case o.duration <= 0 || o.rounds < 1 || o.pool < 4 || o.gogc < 1 || o.people < 1:
		return o, fmt.Errorf("-duration, -rounds, -gogc and -people must be positive, and -pool at least 4")
	}
	return o, nil
}

func numbers(s string) ([]int, error) {
	var list []int
	for each := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(each))
		if err != nil || n < 1 || n > 10_000 {
			return nil, fmt.Errorf("%q is not a number from 1 to 10000", each)
		}
		list = append(list, n)
	}
	return list, nil
}

func chosenQueries(s string) ([]query, error) {
	var list []query
	for name := range strings.SplitSeq(s, ",") {
		i := slices.IndexFunc(queries, func(q query) bool { return q.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("there is no query %q", name)
		}
		list = append(list, queries[i])
	}
	return list, nil
}

// run measures what the arguments ask for and writes the result.
func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	o, err := readOptions(args, errOut)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(errOut, format+"\n", args...) }
	if o.ingest {
		page, err := measureIngest(ctx, o, args, say)
		if err != nil {
			return err
		}
		return o.save(page, out)
	}
	if o.month.wanted {
		page, err := measureMonths(ctx, o, args, say)
		if page == nil {
			return err
		}
		return errors.Join(err, o.save(page, out))
	}
	say("building the server, starting PostgreSQL, making the data ...")
	if o.secretives != nil {
		busy := loadAverage()
		list, err := measureSecrets(ctx, o, say)
		if err != nil {
			return err
		}
		return o.save(reportSecrets(ctx, args, busy, list), out)
	}
	if o.streams != nil {
		page, err := measureStreams(ctx, o, errOut)
		if err != nil {
			return err
		}
		return o.save(page(args), out)
	}
	l, err := openLab(ctx, o, errOut)
	if err != nil {
		return err
	}
	defer l.close()
	for _, q := range o.queries {
		if err := l.agree(q); err != nil {
			return err
		}
	}
	say("both sides give the same data")
	var cells []cell
	for _, q := range o.queries {
		for _, n := range o.connections {
			c, err := l.measure(ctx, q, n)
			if err != nil {
				return fmt.Errorf("measure %s with %d connections: %w", q.name, n, err)
			}
			say("%-8s %3d connections: %.0f requests/s, by hand %.0f, ratio %.2f", q.name, n,
				c.median(0, throughput), c.median(1, throughput), c.ratio(throughput))
			cells = append(cells, c)
		}
	}
	return o.save(report(l.facts(ctx, args), o, cells), out)
}

// save writes the page to where it was wanted.
func (o options) save(page []byte, out io.Writer) error {
	if o.output == "" {
		_, err := out.Write(page)
		return err
	}
	return os.WriteFile(o.output, page, 0o644)
}
