package main

import (
	"context"
	"fmt"
	"time"
)

// fault is a way to break something. do breaks it and mends it again; both are over when it returns.
type fault struct {
	name string
	do   func(ctx context.Context) error
}

const killOfPostgres = "kill -9 of PostgreSQL"

// killers kill each server, PostgreSQL and Redis, as a power cut does, and start them again.
func (r *round) killers() (list []fault) {
	for _, n := range r.nodes {
		list = append(list, fault{"kill -9 of " + n.name, func(ctx context.Context) error {
			n.kill()
			if err := pause(ctx, r.dice.between(0, 500*time.Millisecond)); err != nil {
				return err
			}
			return n.start(ctx)
		}})
	}
	if r.setup == onSQLite {
		return list
	}
	power := func(name string, off func() error, on func(ctx context.Context) error) fault {
		return fault{name, func(ctx context.Context) error {
			if err := off(); err != nil {
				return err
			}
			if err := pause(ctx, r.dice.between(0, time.Second)); err != nil {
				return err
			}
			return starting(on)(ctx)
		}}
	}
	return append(list, power(killOfPostgres, r.postgres.Kill, r.postgres.Restart), power("kill -9 of Redis", r.redis.Stop, r.redis.Restart))
}

// starting bounds the start of a service.
func starting(start func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, startPatience)
		defer cancel()
		return start(ctx)
	}
}

// faults injects each so many times, one after another in random order, with a random pause before each.
func (r *round) faults(ctx context.Context, list []fault, each int, from, to time.Duration) error {
	var plan []fault
	for range each {
		plan = append(plan, list...)
	}
	for i := len(plan) - 1; i > 0; i-- {
		j := r.dice.n(i + 1)
		plan[i], plan[j] = plan[j], plan[i]
	}
	for i, f := range plan {
		if err := pause(ctx, r.dice.between(from, to)); err != nil {
			return err
		}
		if err := f.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		r.count(f.name, 1)
		if (i+1)%max(1, len(plan)/10) == 0 {
			r.say("%d of %d faults", i+1, len(plan))
		}
	}
	return nil
}
