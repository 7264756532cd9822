package live

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"kyrochat/kyro"
)

// Measure is told of every command to Redis, or pipeline of commands, when it has ended: "command" or "pipeline"; "OK",
// UNAVAILABLE where Redis did not answer or takes nothing, or ERROR; and how long it took. The reader, whose commands wait,
// is not among them, nor is what was refused at once while Redis is away. It is called from many goroutines, and must not
// wait.
type Measure func(call, code string, took time.Duration)

// tell tells of a call, also to the trace of whoever asked, which has the name of a command.
func (m Measure) tell(trace kyro.Trace, call, name string, began time.Time, err error) {
	code := "OK"
	switch {
	case errors.Is(err, errAway):
		return
	case unreachable(err):
		code = "UNAVAILABLE"
	case err != nil && !errors.Is(err, redis.Nil):
		code = "ERROR"
	}
	if m != nil {
		m(call, code, time.Since(began))
	}
	trace.Called(kyro.Called{System: "redis", Name: name, Began: began, Code: code})
}

// measuring implements redis.Hook.
type measuring struct{ tell Measure }

func (measuring) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (h measuring) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmd)
		h.tell.tell(kyro.TraceFrom(ctx), "command", cmd.Name(), began, err)
		return err
	}
}

func (h measuring) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmds)
		h.tell.tell(kyro.TraceFrom(ctx), "pipeline", "pipeline", began, err)
		return err
	}
}

// Pool is how many connections for commands there are, and how often somebody waited for one.
type Pool struct {
	Max, InUse, Idle int
	Waits            int64
	Waited           time.Duration // all of them together
}

// Stats is how the connections for commands are used.
func (r *Redis) Stats() Pool {
	s := r.commands.PoolStats()
	return Pool{
		Max: r.commands.Options().PoolSize, InUse: int(s.TotalConns) - int(s.IdleConns), Idle: int(s.IdleConns),
		Waits: int64(s.WaitCount), Waited: time.Duration(s.WaitDurationNs),
	}
}
