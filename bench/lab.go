package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// lab is everything that a measurement needs, running: the database with its data, and both sides.
type lab struct {
	o        options
	dir      string
	binary   string // the server
	database *database
	sides    [2]side // the server, and the handlers written by hand
	people   []person
	busy     string // the machine's load average before
}

// side is one of the two servers that are compared.
type side struct {
	name    string
	address string // host and port where it answers
	admin   string // host and port of its /debug/pprof/
	process *child
}

// openLab starts and fills everything. What was started is stopped again when it fails.
func openLab(ctx context.Context, o options, errOut io.Writer) (_ *lab, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	l := &lab{o: o, busy: loadAverage()}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.dir, err = os.MkdirTemp("", "kyrobench"); err != nil {
		return nil, err
	}
	if l.database, err = openDatabase(ctx, o.database); err != nil {
		return nil, err
	}
	if err = l.build(ctx); err != nil {
		return nil, err
	}
	secret := rand.Text() + rand.Text()
	if l.sides[0], err = startServer(ctx, l, secret, errOut, fmt.Sprint("GOGC=", o.gogc)); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if l.sides[1], err = startByHand(ctx, l, baselineArgument, byHandConfig{l.database.with(o.pool), secret}, errOut); err != nil {
		return nil, fmt.Errorf("start the handlers written by hand: %w", err)
	}
	if l.people, err = seed(ctx, l.sides[0].address, l.database, o.people); err != nil {
		return nil, fmt.Errorf("make the data: %w", err)
	}
	return l, nil
}

func (l *lab) close() {
	for _, s := range l.sides {
		if s.process != nil {
			s.process.stop()
		}
	}
	var err error
	if l.database != nil {
		err = l.database.close()
	}
	if err = errors.Join(err, os.RemoveAll(l.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "bench: clear up:", err)
	}
}
