package program

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// farewellTime is how long the end waits at the most for the service manager to be told of it.
const farewellTime = time.Second

// closeTime is what is left to do after the drain at the most: searches, spans, and closing what is open.
const closeTime = searchesTime + spansTime + 5*time.Second

// runReported is run for a process that a service manager may have started (systemd, by a unit of Type=notify). It is told
// once the server serves, and when it begins to end; where it wants to hear again and again that the process is alive, it
// does for as long as the process answers at its admin address.
func (a *app) runReported(ctx context.Context) error {
	alive, over := context.WithCancel(context.WithoutCancel(ctx))
	var watch sync.WaitGroup
	defer func() {
		over()
		watch.Wait()
	}()
	stopping := make(chan struct{})
	quiet := context.AfterFunc(ctx, func() {
		defer close(stopping)
		// However long answers may take: the unit need not know of KYRO_DRAIN_TIMEOUT.
		a.tell(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, (a.longestDrain() + closeTime).Microseconds()))
	})
	defer func() {
		if quiet() {
			return
		}
		select { // it is told, also where there was nothing to drain
		case <-stopping:
		case <-time.After(farewellTime):
		}
	}()
	return a.run(ctx, func() {
		a.logReady(a.log)
		a.tell(daemon.SdNotifyReady)
		watch.Go(func() { a.tellAlive(alive) })
	})
}

// tell tells the service manager; where there is none, nobody.
func (a *app) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.log.Warn("the service manager could not be told", "state", state, "error", err)
	}
}

// tellAlive tells the service manager that the process is alive, as often as it wants to hear so, until ctx ends. Nothing is
// told while the process does not answer. That services are away is not its fault, and does not count.
func (a *app) tellAlive(ctx context.Context) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		a.log.Warn("the service manager's watchdog is set up wrong", "error", err)
	}
	if within <= 0 {
		return
	}
	tick := time.NewTicker(within / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, within/3)
		if _, err := askHealth(limited, a.adminListener.Addr().String(), "/healthz"); err == nil {
			a.tell(daemon.SdNotifyWatchdog)
		}
		cancel()
	}
}
