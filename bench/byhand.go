package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"kyrochat/auth"
	"kyrochat/kyro"
)

// byHand gives the data of the queries as one would write it without GraphQL: a handler for each, statements made
// for it, prepared once and read in binary, and the answer written as it is read. Tokens are checked as the server
// does, but not whether their session still lives, and nothing is logged.
type byHand struct {
	pool   *pgxpool.Pool
	tokens *auth.Tokens
}

// serveByHand is the process of the handlers: see serveChild.
func serveByHand(ctx context.Context, in io.Reader, out io.Writer) error {
	var config byHandConfig
	return serveChild(ctx, in, out, &config, func(ctx context.Context) (http.Handler, func(), error) {
		pool, err := pgxpool.New(ctx, config.DatabaseURL)
		if err != nil {
			return nil, nil, err
		}
		h := &byHand{pool: pool}
		if h.tokens, err = auth.NewTokens([]string{config.Secret}, auth.TokenOptions{}); err != nil {
			pool.Close()
			return nil, nil, err
		}
		return h.routes(), pool.Close, nil
	})
}

// serveChild reads what it is told, serves what is made of that, and ends with its input: it must not outlive whoever
// started it.
func serveChild(ctx context.Context, in io.Reader, out io.Writer, told any, prepare func(context.Context) (http.Handler, func(), error)) error {
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, told); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = input.ReadByte()
		cancel()
	}()
	handler, release, err := prepare(ctx)
	if err != nil {
		return err
	}
	defer release()
	ready, failed := byHandReady{}, make(chan error, 2)
	for _, s := range []struct {
		address *string
		handler http.Handler
	}{{&ready.Address, handler}, {&ready.Admin, profiles()}} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*s.address = listener.Addr().String()
		server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 5 * time.Second}
		go func() { failed <- server.Serve(listener) }()
	}
	if err := json.NewEncoder(out).Encode(ready); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	return mux
}

func (h *byHand) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bots/{id}", h.signedIn(h.bot))
	mux.HandleFunc("GET /bots", h.signedIn(h.bots))
	mux.HandleFunc("GET /tree", h.signedIn(h.tree))
	mux.HandleFunc("GET /conversations/{id}", h.signedIn(h.conversation))
	return mux
}

// buffers are for answers that are being written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 128<<10); return &b }}

// signedIn serves whoever has a token, by a function that appends the answer for that user to a buffer.
func (h *byHand) signedIn(answer func(r *http.Request, user int64, to []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		claims, err := h.tokens.ParseAccess(token)
		if !found || err != nil {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		buffer := buffers.Get().(*[]byte)
		defer buffers.Put(buffer)
		*buffer, err = answer(r, claims.UserID.Key, (*buffer)[:0])
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			http.Error(w, "not found", http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(*buffer)))
			_, _ = w.Write(*buffer)
		}
	}
}

// key reads the id in the path.
func key(r *http.Request, kind kyro.Kind) (int64, error) {
	id, err := kyro.ParseID(r.PathValue("id"))
	if err == nil {
		err = id.Expect(kind)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", pgx.ErrNoRows, err)
	}
	return id.Key, nil
}
