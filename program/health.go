package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"kyrochat/command"
	"kyrochat/config"
	"kyrochat/kyro"
)

const healthUsage = `usage: kyrochat health [--live] [--wait DURATION]

Asks the server that runs with these settings, at KYRO_ADMIN_ADDR, whether it is ready for use, and prints what it says.

  --live           ask only whether the process is alive, whatever else is away
  --wait DURATION  where it is not, ask again for so long, such as 30s

Exit status: 0 where it is, 1 where it is not.
`

const (
	healthTime  = 3 * time.Second        // of one question
	healthPause = 200 * time.Millisecond // between two of them
)

// health asks a server at its admin address how it is: for containers and scripts that have nothing to ask with.
func health(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	live := flags.Bool("live", false, "")
	wait := flags.Duration("wait", 0, "")
	if done, err := command.FlagsAlone(flags, args, healthUsage, out); done {
		return err
	}
	addr, err := config.ReadAdminAddr(getenv)
	if err != nil {
		return err
	}
	path, how := "/readyz", "ready"
	if *live {
		path, how = "/healthz", "alive"
	}
	for end := time.Now().Add(*wait); ; {
		limited, cancel := context.WithTimeout(ctx, healthTime)
		said, err := askHealth(limited, addr, path)
		cancel()
		if err == nil {
			_, err = fmt.Fprintln(out, said)
			return err
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("not %s: %w", how, err)
		}
		_ = kyro.Pause(ctx, healthPause) // whose end is seen above
	}
}

// askHealth asks at the admin address, and gives what is said there. An error says why that is not well.
func askHealth(ctx context.Context, addr, path string) (said string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy stands between a process and itself
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return "", err
	}
	said = strings.TrimSpace(string(body))
	if answer.StatusCode != http.StatusOK {
		return "", errors.New(said)
	}
	return said, nil
}
