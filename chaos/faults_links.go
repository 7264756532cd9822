package main

import (
	"context"
	"time"
)

// cutters refuse, freeze, reset and slow the ways to services: for a while of at most so long.
func (r *round) cutters(ways map[string]*link, names []string, longest time.Duration) (list []fault) {
	for _, name := range names {
		k := ways[name]
		for_ := func(ctx context.Context) error { return pause(ctx, r.dice.between(100*time.Millisecond, longest)) }
		list = append(list,
			fault{"refusing " + name, func(ctx context.Context) error {
				k.refuse()
				err := for_(ctx)
				if opened := k.accept(); err == nil {
					err = opened
				}
				return err
			}},
			fault{"freezing " + name, func(ctx context.Context) error {
				k.freeze()
				defer k.thaw()
				return for_(ctx)
			}},
			fault{"resetting " + name, func(context.Context) error { k.cut(); return nil }})
	}
	return list
}
