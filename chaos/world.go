package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/postgres"
	"kyrochat/internal/redis"
	"kyrochat/internal/smtp"
)

// world is what a scenario runs against: the servers, what they need, and the links between them, which can be cut. Each
// service is reached through its link by every server; a killed upstream is a link that refuses, since the real one
// keeps what it was told, too.
type world struct {
	setup  setup
	folder string
	nodes  []*node

	postgres *postgres.Server // nil on SQLite, as redis is
	redis    *redis.Server
	gemini   *gemini.Emulator
	pinecone *pinecone.Emulator
	smtp     *smtp.Emulator

	database, cache, model, vectors, mails *link // database and cache are nil on SQLite
	closers                                []func() error
}

// openWorld starts everything, and the servers last.
func openWorld(ctx context.Context, where setup, binary, folder string, settings map[string]string) (_ *world, err error) {
	w := &world{setup: where, folder: folder}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	env := map[string]string{"KYRO_RATE_SCALE": "0", "KYRO_SECRET": secret()}
	if err := w.openUpstreams(env); err != nil {
		return nil, err
	}
	if where != onSQLite {
		if err := w.openServices(ctx, env); err != nil {
			return nil, err
		}
	}
	maps.Copy(env, settings)
	count := 1
	if where == onNodes {
		count = 2
	}
	for i := range count {
		n, err := newNode(fmt.Sprintf("node%d", i+1), binary, filepath.Join(folder, fmt.Sprintf("node%d", i+1)), maps.Clone(env))
		if err != nil {
			return nil, err
		}
		w.nodes = append(w.nodes, n)
		if err := n.start(ctx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// openUpstreams starts the emulators of Gemini, Pinecone and a mail server.
func (w *world) openUpstreams(env map[string]string) error {
	w.gemini = gemini.New(gemini.Options{Keep: 1_000, Pace: time.Millisecond})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	serving := &http.Server{Handler: w.gemini, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = serving.Serve(listener)
	}()
	w.closers = append(w.closers, func() error {
		w.gemini.Close()
		err := serving.Close()
		<-ended
		return err
	})
	if w.model, err = w.link(listener.Addr().String()); err != nil {
		return err
	}
	if w.pinecone, err = pinecone.Start(pinecone.Options{}); err != nil {
		return err
	}
	w.closers = append(w.closers, w.pinecone.Close)
	if w.vectors, err = w.link(strings.TrimPrefix(w.pinecone.Host, "http://")); err != nil {
		return err
	}
	if w.smtp, err = smtp.New(smtp.Options{Keep: 100_000}); err != nil {
		return err
	}
	w.closers = append(w.closers, w.smtp.Close)
	if w.mails, err = w.link(w.smtp.Address); err != nil {
		return err
	}
	maps.Copy(env, map[string]string{
		"GEMINI_API_KEY": w.gemini.Key, "KYRO_GEMINI_URL": "http://" + w.model.address,
		"PINECONE_API_KEY": w.pinecone.APIKey, "KYRO_PINECONE_INDEX": w.pinecone.Index,
		"KYRO_PINECONE_CONTROL_URL": w.pinecone.ControlURL, "KYRO_PINECONE_HOST": "http://" + w.vectors.address,
		"SMTP_URL": "smtp://" + w.mails.address + "?tls=none", "KYRO_MAIL_FROM": "kyrochat@example.com", "KYRO_MAIL_RATE": "100000",
	})
	return nil
}

// openServices starts PostgreSQL, which writes what it commits to the disk, and Redis.
func (w *world) openServices(ctx context.Context, env map[string]string) (err error) {
	starting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if w.postgres, err = postgres.Start(starting, "max_connections=200"); err != nil {
		return err
	}
	w.closers = append(w.closers, w.postgres.Stop)
	conn, err := pgx.Connect(starting, w.postgres.URL)
	if err != nil {
		return err
	}
	_, err = conn.Exec(starting, "CREATE DATABASE chaos")
	if err := errors.Join(err, conn.Close(starting)); err != nil {
		return err
	}
	if w.database, err = w.link("unix:" + filepath.Join(filepath.Dir(w.postgres.DataDir), ".s.PGSQL.5432")); err != nil {
		return err
	}
	if w.redis, err = redis.Start(starting); err != nil {
		return err
	}
	w.closers = append(w.closers, w.redis.Stop)
	if w.cache, err = w.link(strings.TrimPrefix(w.redis.URL, "redis://")); err != nil {
		return err
	}
	env["DATABASE_URL"] = "postgres://kyro@" + w.database.address + "/chaos?sslmode=disable"
	env["REDIS_URL"] = "redis://" + w.cache.address
	return nil
}

func (w *world) link(target string) (*link, error) {
	k, err := newLink(target)
	if err == nil {
		w.closers = append(w.closers, func() error { k.close(); return nil })
	}
	return k, err
}

// databaseURL is the database's own, past the link.
func (w *world) databaseURL() string {
	u, err := url.Parse(w.postgres.URL)
	if err != nil {
		panic(err) // it was used before
	}
	u.Path = "/chaos"
	return u.String()
}

// addresses are the servers', in their order.
func (w *world) addresses() (urls []string) {
	for _, n := range w.nodes {
		urls = append(urls, n.url())
	}
	return urls
}

// close ends everything, and gives what the servers wrote that no server may write.
func (w *world) close() (wrong []string) {
	for _, n := range w.nodes {
		_ = n.thaw()
		n.kill()
		wrong = append(wrong, n.wrong()...)
	}
	for i := len(w.closers) - 1; i >= 0; i-- {
		if err := w.closers[i](); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return wrong
}
