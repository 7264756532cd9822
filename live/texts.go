package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	textSlots = 3             // hexadecimal digits of the hash: 4,096 places, so that texts of 32 KiB take 128 MiB at the most
	textTTL   = 6 * time.Hour // of one that is not added again
)

// SharedTexts keep texts by their SHA-256 (in hexadecimal) for all nodes, so that what a client has sent to one of them
// is known to the others. A text may make way for any other; a text that does not have its hash is not given.
type SharedTexts struct{ redis *Redis }

// NewSharedTexts keeps texts in Redis.
func NewSharedTexts(r *Redis) SharedTexts { return SharedTexts{r} }

// Get gives the text with the hash, where it is there and Redis answers.
func (s SharedTexts) Get(ctx context.Context, hash string) (string, bool) {
	if len(hash) != 2*sha256.Size {
		return "", false
	}
	limited, cancel := s.redis.limited(ctx)
	defer cancel()
	text, err := s.redis.commands.Get(limited, s.key(hash)).Result()
	sum := sha256.Sum256([]byte(text))
	return text, err == nil && hex.EncodeToString(sum[:]) == hash
}

// Add keeps a text, soon. It never waits.
func (s SharedTexts) Add(_ context.Context, hash, text string) {
	if len(hash) == 2*sha256.Size {
		s.redis.outbox.offer(&sharedText{key: s.key(hash), text: text})
	}
}

func (s SharedTexts) key(hash string) string { return s.redis.key("text:" + hash[:textSlots]) }

// sharedText is a parcel with a text. It is sent once: it is worth no more.
type sharedText struct{ key, text string }

func (t *sharedText) write(ctx context.Context, p redis.Pipeliner) int {
	p.Set(ctx, t.key, t.text, textTTL)
	return len(t.text)
}

func (*sharedText) answered() parcelState { return parcelDone }

func (*sharedText) keeps() bool { return false }
