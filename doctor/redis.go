package doctor

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kyrochat/live"
	"kyrochat/text"
)

const redisTime = 4 * time.Second

func (p *patient) askRedis() examinedRedis {
	installation := ""
	if x := p.database(); x.err == nil {
		installation = x.Installation
	}
	ctx, cancel := p.within(redisTime - time.Second)
	defer cancel()
	x, err := live.Examine(ctx, live.RedisConfig{URL: string(p.cfg.RedisURL), Prefix: p.cfg.RedisPrefix, Installation: installation})
	return examinedRedis{x, err}
}

// lookAtRedis looks whether nodes can share what is live.
func lookAtRedis(p *patient) []Finding {
	if p.cfg.RedisURL == "" {
		return []Finding{ok("Not set: what is live stays in the process.")}
	}
	return redisVerdict(p.redis(), p.cfg.RedisTimeout)
}

func redisVerdict(x examinedRedis, timeout time.Duration) (found []Finding) {
	if x.err != nil {
		why, mend := plainly(x.err), "See that it runs, and that this machine may reach it. Servers go on without it meanwhile, and nodes see what others do by looking at the database:\n  redis-cli -u \"$REDIS_URL\" ping"
		if strings.Contains(why, "WRONGPASS") || strings.Contains(why, "NOAUTH") {
			mend = "Set the user and the password of REDIS_URL right:\n  REDIS_URL=redis://user:password@host:6379/0"
		}
		return []Finding{fail("Redis cannot be used: "+why+".", mend)}
	}
	if x.Cluster {
		found = append(found, fail("This is a Redis Cluster, which is not supported: one command reads the streams of all answers.", "Set REDIS_URL to a single server, or one with replicas behind one address."))
	}
	if x.Replica {
		found = append(found, fail("This Redis is a replica, which takes no writes.", "Set REDIS_URL to the primary."))
	} else if x.Refused != nil {
		first, _, _ := strings.Cut(x.Refused.Error(), "\n")
		mend := "Let the user of REDIS_URL do what servers do:\n  ACL SETUSER kyro on '>password' '~kyro*' '&*' +@all -@dangerous +info"
		switch {
		case strings.HasPrefix(first, "OOM"):
			mend = "Give it more memory:\n  redis-cli -u \"$REDIS_URL\" config set maxmemory 512mb"
		case strings.HasPrefix(first, "MISCONF"):
			mend = "It cannot save to its disk, and refuses writes. Nothing of it has to be saved for KyroChat:\n  redis-cli -u \"$REDIS_URL\" config set save ''"
		}
		found = append(found, fail("Redis does not take what servers send: "+strings.TrimRight(text.Printable(first), ".")+".", mend))
	}
	if before(x.Version, 6, 2) {
		found = append(found, fail("Redis "+x.Version+" is too old: 6.2 or newer is needed.", "Upgrade it. Nothing in it has to be kept."))
	}
	if x.MaxMemory > 0 && x.Policy != "" && x.Policy != "noeviction" {
		found = append(found, warn(fmt.Sprintf("Redis throws away what it holds when its memory is full (%s): streams of answers that people read, and counts of rates.", x.Policy),
			"Where somebody else runs it, in its parameters; else\n  redis-cli -u \"$REDIS_URL\" config set maxmemory-policy noeviction"))
	}
	if x.MaxMemory > 0 && x.Used > x.MaxMemory/10*9 {
		found = append(found, warn(fmt.Sprintf("Redis has used %s of the %s that it may.", text.Bytes(x.Used), text.Bytes(x.MaxMemory)),
			"  redis-cli -u \"$REDIS_URL\" config set maxmemory "+strconv.FormatInt(x.MaxMemory>>19, 10)+"mb"))
	}
	if x.Took > timeout {
		found = append(found, warn(fmt.Sprintf("Redis takes %s to answer, and after KYRO_REDIS_TIMEOUT (%s) servers go on without it.", tookOf(x.Took), timeout),
			"Put Redis into the network of the servers, or give it more time:\n  KYRO_REDIS_TIMEOUT="+(2*x.Took).Round(10*time.Millisecond).String()))
	}
	if len(found) == 0 {
		which := cmp.Or(x.Version, "(whose version this user may not see)")
		found = []Finding{ok("Redis %s answers in %s and takes what servers send. It need not save anything to its disk.", which, tookOf(x.Took))}
	}
	return found
}

// before reports whether a version is known and older.
func before(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	return errA == nil && errB == nil && (a < major || a == major && b < minor)
}
