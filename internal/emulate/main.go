// Emulate runs the emulated upstreams by hand, for development without keys and without the internet:
//
//	go run ./internal/emulate
//
// It prints the settings by which KyroChat uses them, and serves until it is interrupted. How they misbehave is said over
// HTTP while they run; see their packages. The mail server keeps what it is sent, to be looked at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/smtp"
	"kyrochat/internal/website"
)

// settings are the flags.
type settings struct {
	latency, pace time.Duration
	quota         int
	control       string
}

// upstream is one that can be emulated.
type upstream struct {
	name, address string
	start         func(address string, s settings) (running, error)
}

// running is an upstream that is served.
type running struct {
	environment []string     // the lines by which KyroChat uses it
	serve       func() error // until stop; nil where it is served from the start
	stop        func()
}

var upstreams = []upstream{
	{"gemini", "127.0.0.1:8471", startGemini},
	{"pinecone", "127.0.0.1:8472", startPinecone},
	{"smtp", "127.0.0.1:8473", startSMTP},
	{"website", "127.0.0.1:8475", startWebsite},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "emulate:", err)
		os.Exit(1)
	}
}

// run serves all upstreams until ctx is done.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("emulate", flag.ContinueOnError)
	var s settings
	flags.DurationVar(&s.latency, "latency", 0, "before the first byte of every answer")
	flags.DurationVar(&s.pace, "pace", 20*time.Millisecond, "before every further piece of a streamed answer")
	flags.IntVar(&s.quota, "quota", 0, "how many texts are embedded in a minute; 0 for any number")
	flags.StringVar(&s.control, "smtp-control", "127.0.0.1:8474", "where the mail server is told what to do, and shows the mails")
	addresses := map[string]*string{}
	for _, u := range upstreams {
		addresses[u.name] = flags.String(u.name, u.address, "where to serve "+u.name+`; "" for not at all`)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	ended := make(chan error, len(upstreams))
	var serving sync.WaitGroup
	defer serving.Wait()
	count := 0
	fmt.Fprintln(out, "# KyroChat uses these with")
	for _, u := range upstreams {
		if *addresses[u.name] == "" {
			continue
		}
		r, err := u.start(*addresses[u.name], s)
		if err != nil {
			return fmt.Errorf("serve %s: %w", u.name, err)
		}
		defer r.stop()
		for _, line := range r.environment {
			fmt.Fprintln(out, "export "+line)
		}
		count++
		if r.serve != nil {
			serving.Go(func() { ended <- r.serve() })
		}
	}
	if count == 0 {
		return errors.New("there is nothing to serve")
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// keepByHand is how many requests and mails are kept to be looked at.
const keepByHand = 1_000

func startGemini(address string, s settings) (running, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return running{}, err
	}
	e := gemini.New(gemini.Options{Latency: s.latency, Pace: s.pace, Quota: s.quota, Keep: keepByHand})
	server := &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second}
	return running{
		environment: []string{"GEMINI_API_KEY=" + e.Key, "KYRO_GEMINI_URL=http://" + l.Addr().String()},
		serve:       func() error { return server.Serve(l) },
		stop: func() {
			e.Close()
			_ = server.Close()
		},
	}, nil
}

// startPinecone serves the control plane at the address, and an index of 768 dimensions on another port.
func startPinecone(address string, _ settings) (running, error) {
	e, err := pinecone.Start(pinecone.Options{Control: address})
	if err != nil {
		return running{}, err
	}
	return running{
		environment: []string{"PINECONE_API_KEY=" + e.APIKey, "KYRO_PINECONE_INDEX=" + e.Index, "KYRO_PINECONE_CONTROL_URL=" + e.ControlURL},
		stop:        func() { _ = e.Close() },
	}, nil
}

// startSMTP serves a mail server at the address, which is told what to do at another one.
func startSMTP(address string, s settings) (running, error) {
	e, err := smtp.New(smtp.Options{Address: address, Control: s.control, Keep: keepByHand})
	if err != nil {
		return running{}, err
	}
	return running{
		environment: []string{"SMTP_URL=" + e.URL(), "KYRO_MAIL_FROM=kyrochat@example.com"},
		stop:        func() { _ = e.Close() },
	}, nil
}

// startWebsite serves the site of an invented shop: a few pages, a sitemap, and a robots.txt that keeps one of them back.
func startWebsite(address string, _ settings) (running, error) {
	w, err := website.Start(website.Options{Address: address})
	if err != nil {
		return running{}, err
	}
	w.Example()
	return running{environment: []string{"KYRO_FETCH_ALLOW=" + w.Address.String()}, stop: w.Close}, nil
}
