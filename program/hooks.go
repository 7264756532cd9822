package program

import (
	"context"
	"time"

	"kyrochat/auth"
	"kyrochat/trace"
)

// hooks are what no setting says: the clock that a server goes by, and what tests put in the place of what takes long or is not
// seen. The zero ones are those of a server.
type hooks struct {
	now        func() time.Time                            // what time it is; nil: time.Now
	pages      pageClock                                   // of what is done about pages
	hasher     auth.HasherOptions                          // what a password costs
	onQuery    func(ctx context.Context, statement string) // is told each statement
	spans      trace.Exporter                              // where spans go
	unheard    time.Duration                               // how old what is remembered may be that other processes change unheard; 0: alone
	unmeasured bool                                        // there are no metrics
}

// pageClock is how fast the time goes in which pages are looked at again. Zeros are the defaults, which no setting changes.
type pageClock struct {
	hour  time.Duration // that intervals count in
	pause time.Duration // before a page is fetched again that could not be
	every time.Duration // between two looks for pages whose time has come; a minute
}
