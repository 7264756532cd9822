// Chaos breaks a running KyroChat and checks that it lost nothing. It starts real servers, PostgreSQL, Redis and the
// emulated upstreams, lets clients work that note every acknowledgement and every event, kills, freezes and cuts off
// whatever the scenario says, at random moments, and then compares what the clients noted with what is stored.
//
//	go run ./chaos                                  # every scenario, shortly
//	go run ./chaos -long -o result.md               # as docs/reliability.md has them; hours
//	go run ./chaos -scenario messages -setup sqlite -seed 7
//
// What is random follows from the seed, which is printed; the moments of the machine do not, so a seed repeats the plan
// of a run and not each of its accidents. It ends with 1 where a promise was broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// options are the flags.
type options struct {
	scenarios []scenario
	setups    []setup // of these alone
	once      bool    // each scenario on the last of its setups alone
	atOnce    int     // how many are played at once
	seed      uint64
	long      bool
	scale     float64 // of the sizes of a scenario
	output    string  // where the page goes
	plot      string  // where the plot of a soak goes
	keep      bool    // the folder with logs, after a run without violations too
	binary    string  // the server; built where empty
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func readOptions(args []string, errOut io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(errOut)
	names := flags.String("scenario", "", "which scenarios, separated by commas; all where empty: "+strings.Join(scenarioNames(), ", "))
	setups := flags.String("setup", "", "sqlite, one or nodes; separated by commas; all that a scenario is for where empty")
	flags.BoolVar(&o.once, "once", false, "each scenario on one setup: nodes where it is for them, else one, else sqlite")
	flags.IntVar(&o.atOnce, "at-once", 1, "how many are played at once, each with an installation of its own")
	flags.Uint64Var(&o.seed, "seed", 0, "what is random follows from it; 0 for another one each time")
	flags.BoolVar(&o.long, "long", false, "the sizes of docs/reliability.md instead of short ones")
	flags.Float64Var(&o.scale, "scale", 1, "multiplies the sizes")
	flags.StringVar(&o.output, "o", "", "a file for the page of results; standard output where empty")
	flags.StringVar(&o.plot, "plot", "", "a file for the plot of a soak, an SVG")
	flags.BoolVar(&o.keep, "keep", false, "keep the folders with logs and data")
	flags.StringVar(&o.binary, "server", "", "a server that is built already")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	if o.scale <= 0 || o.atOnce < 1 {
		return o, errors.New("-scale and -at-once must be more than 0")
	}
	if o.scenarios, err = chosenScenarios(*names); err != nil {
		return o, err
	}
	for name := range strings.SplitSeq(*setups, ",") {
		switch s := setup(strings.TrimSpace(name)); {
		case s == "":
		case slices.Contains(allSetups, s):
			o.setups = append(o.setups, s)
		default:
			return o, fmt.Errorf("%q is no setup: sqlite, one or nodes", name)
		}
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	return o, nil
}

// turn is a scenario on one of its setups, and the server for it.
type turn struct {
	scenario
	where  setup
	binary string
}

// turns are what is to be played, in order. Servers are built for them where none is given.
func (o options) turns(ctx context.Context, folder string) (list []turn, err error) {
	built := map[string]string{} // by the tags
	for _, s := range o.scenarios {
		wanted := slices.DeleteFunc(slices.Clone(s.setups), func(where setup) bool {
			return len(o.setups) > 0 && !slices.Contains(o.setups, where)
		})
		if o.once && len(wanted) > 0 {
			wanted = wanted[len(wanted)-1:]
		}
		for _, where := range wanted {
			binary := o.binary
			if binary == "" || s.tags != "" { // one that is given was built without tags
				if built[s.tags] == "" {
					if built[s.tags], err = build(ctx, folder, s.tags); err != nil {
						return nil, err
					}
				}
				binary = built[s.tags]
			}
			list = append(list, turn{s, where, binary})
		}
	}
	return list, nil
}

// run plays the scenarios, and fails where one found something.
func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	o, err := readOptions(args, errOut)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return err
	}
	defer func() {
		if err == nil && !o.keep {
			err = os.RemoveAll(folder)
			return
		}
		fmt.Fprintln(errOut, "logs and data are kept in", folder)
	}()
	fmt.Fprintf(errOut, "seed %d\n", o.seed)
	began, at := time.Now(), revision(ctx)
	turns, err := o.turns(ctx, folder)
	if err != nil {
		return err
	}
	results := make([]*result, len(turns))
	var playing errgroup.Group
	playing.SetLimit(o.atOnce)
	for i, t := range turns {
		playing.Go(func() error {
			if ctx.Err() == nil { // what was found so far is told all the same
				results[i] = play(ctx, o, t, folder, errOut)
			}
			return nil
		})
	}
	_ = playing.Wait() // none fails: what went wrong is in its result
	results = slices.DeleteFunc(results, func(r *result) bool { return r == nil })
	page := report(args, o, at, time.Since(began), results)
	if o.output == "" {
		if _, err := out.Write(page); err != nil {
			return err
		}
	} else if err := os.WriteFile(o.output, page, 0o644); err != nil {
		return err
	}
	broken := 0
	for _, r := range results {
		broken += len(r.violations)
	}
	if broken > 0 {
		return fmt.Errorf("%d promises were broken; again with -seed %d", broken, o.seed)
	}
	return nil
}
