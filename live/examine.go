package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Examined is what a Redis says of itself.
type Examined struct {
	Version   string
	Took      time.Duration // of one command, there and back, the quickest of several
	Ahead     time.Duration // how far its clock is before that of this machine, within Took
	Replica   bool
	Cluster   bool
	Used      int64  // bytes
	MaxMemory int64  // bytes; 0: whatever the machine has
	Policy    string // what is thrown away where that is full
	Refused   error  // why it does not take what the nodes send
	Nodes     int    // processes of the installation that are there now; 0 where that is not known
}

// several times is Redis asked for how long it takes: one time may be an accident.
const several = 5

// Examine asks the Redis that NewRedis would use. It leaves nothing in it but a key that lasts a second. Errors show
// nothing of the URL's user and password. Without an Installation the nodes are not counted.
func Examine(ctx context.Context, cfg RedisConfig) (x Examined, err error) {
	options, err := parseURL(cfg.URL)
	if err != nil {
		return x, err
	}
	quieten.Do(func() { redis.SetLogger(clientLog{slog.New(slog.DiscardHandler)}) })
	options.MaxRetries, options.DialTimeout, options.DialerRetries = -1, dialTime, 1
	options.ContextTimeoutEnabled, options.DisableIdentity = true, true
	options.ClientName = "kyrochat-doctor"
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	if err := client.Ping(ctx).Err(); err != nil { // which also connects
		return x, err
	}
	var clock time.Time
	for range several {
		asked := time.Now()
		if clock, err = client.Time(ctx).Result(); err != nil {
			return x, err
		}
		if took := time.Since(asked); x.Took == 0 || took < x.Took {
			x.Took, x.Ahead = took, clock.Sub(asked.Add(took/2))
		}
	}
	said, err := client.Info(ctx).Result()
	if err != nil && !redis.HasErrorPrefix(err, "NOPERM") { // servers do without it
		return x, fmt.Errorf("ask it for INFO: %w", err)
	}
	x.read(said)
	prefix := cfg.Prefix + ":" + cfg.Installation + ":"
	if cfg.Installation != "" {
		since := strconv.FormatInt(clock.Add(-nodesForget).UnixMicro(), 10)
		n, err := client.ZCount(ctx, prefix+"nodes", since, "+inf").Result()
		if err == nil {
			x.Nodes = int(n)
		}
	}
	x.Refused = errors.Join(
		client.Set(ctx, cfg.Prefix+":doctor", "", time.Second).Err(),
		client.Eval(ctx, "return 1", nil).Err(),
	)
	return x, nil
}

// read reads the answer to INFO.
func (x *Examined) read(said string) {
	for line := range strings.Lines(said) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "redis_version":
			x.Version = value
		case "role":
			x.Replica = value != "master"
		case "cluster_enabled":
			x.Cluster = value == "1"
		case "used_memory":
			x.Used, _ = strconv.ParseInt(value, 10, 64)
		case "maxmemory":
			x.MaxMemory, _ = strconv.ParseInt(value, 10, 64)
		case "maxmemory_policy":
			x.Policy = value
		}
	}
}
