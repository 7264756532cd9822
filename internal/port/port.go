// Package port keeps ports of the loopback for tests and for what stands in for servers: of one that goes away and comes back
// at the same address, and of one that is told its address before it listens there.
package port

import "sync"

// Keep gives a free address of the loopback, of which nobody is given the port by the system until it is released: neither who
// listens at any port nor who connects. It can be listened at, left, and listened at again, by any process whose server sets
// SO_REUSEADDR, as those of Go do, and Redis, nginx and PgBouncer; meanwhile connections are refused. Else a port that was just
// left would sooner or later be the near end of somebody else's connection. Where the system has no such thing the address is
// only one that was free.
func Keep() (address string, release func(), err error) {
	address, free, err := keep()
	if err != nil {
		return "", nil, err
	}
	return address, sync.OnceFunc(free), nil
}
