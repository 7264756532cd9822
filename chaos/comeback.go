package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// over says whether the process is gone.
func (n *node) over() bool {
	_, ended := n.process()
	select {
	case <-ended:
		return true
	default:
		return false
	}
}

// killed ends the process as a power cut does. One that is gone already has ended by itself, which none may.
func (n *node) killed() error {
	if n.over() {
		return fmt.Errorf("%s had ended by itself: %s", n.name, n.last())
	}
	n.kill()
	return nil
}

// comeBack starts the process, and starts it again for as long as it ends because something that it cannot start without is
// away, as whoever looks after services does. That it says why it ends is no fault.
func (n *node) comeBack(ctx context.Context) error {
	for until := time.Now().Add(startPatience); ; {
		err := n.start(ctx)
		if err == nil || !n.over() || time.Now().After(until) {
			return err
		}
		n.mu.Lock()
		n.faults = slices.DeleteFunc(n.faults, func(line string) bool { return strings.HasPrefix(line, n.name+" wrote kyrochat: ") })
		n.mu.Unlock()
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}
