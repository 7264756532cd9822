package auth

import (
	"context"
	"log/slog"
	"time"
)

const (
	lookEvery   = 5 * time.Second // at the file of secrets
	settleLooks = 3               // until a new secret signs, after it was seen: the other processes look, too
)

// Follow looks at a file of secrets every five seconds until ctx ends, and takes what it holds into use: nobody is signed
// out, and nothing restarted. A secret that is new in front verifies at once and signs after fifteen seconds more, so
// that no process gets a token that it does not know the secret of; it signs at once where the former one is not in the
// file any more, since that may be in other hands. While the file cannot be used, the secrets in use stay, and the log
// says why, once.
func (t *Tokens) Follow(ctx context.Context, path string, log *slog.Logger) {
	f := follower{tokens: t, path: path, log: log.With("part", "auth", "file", path)}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look()
		}
	}
}

type follower struct {
	tokens  *Tokens
	path    string
	log     *slog.Logger
	trouble string // that was told
	coming  string // the key that is to sign
	looks   int    // since it was seen
}

func (f *follower) look() {
	var next *ring
	secrets, err := ReadSecrets(f.path)
	if err == nil {
		next, err = newRing(secrets)
	}
	if err != nil {
		if f.trouble != err.Error() {
			f.trouble = err.Error()
			f.log.Error("the secret's file cannot be used; the secrets in use stay", "error", err)
		}
		return
	}
	f.trouble = ""
	now := f.tokens.ring.Load()
	first, former := next.keys[0].id, next.find(now.keys[0].id)
	switch {
	case former <= 0: // the same, or gone
		f.coming, f.looks = "", 0
	case f.coming != first:
		f.coming, f.looks = first, 0
	default:
		f.looks++
	}
	if f.looks >= settleLooks {
		f.coming, f.looks = "", 0
	}
	if f.coming != "" {
		signs := next.keys[former]
		copy(next.keys[1:former+1], next.keys[:former])
		next.keys[0] = signs
	}
	if !next.equals(now) {
		f.tokens.ring.Store(next)
		f.log.Info("the secrets have changed", "signs", next.keys[0].id, "secrets", len(next.keys), "signs next", f.coming)
	}
}
