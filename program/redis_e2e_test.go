package program

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/racetest"
	"kyrochat/internal/redis"
)

// TestRedisGoesAndComesBack in the middle of many streams. Nothing is lost, nothing that is limited is open, and the
// nodes serve all the time.
func TestRedisGoesAndComesBack(t *testing.T) {
	t.Parallel()
	for name, hurt := range map[string]func(r *redis.Server) error{
		"killed, and back with nothing in it": func(r *redis.Server) error {
			if err := r.Stop(); err != nil {
				return err
			}
			time.Sleep(2 * time.Second)
			return r.Restart(t.Context())
		},
		"frozen": func(r *redis.Server) error {
			if err := r.Freeze(); err != nil {
				return err
			}
			time.Sleep(3 * time.Second)
			return r.Thaw()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startTown(t, true, map[string]string{"KYRO_OFFLINE_PACE": "60ms", "KYRO_WS_MAX_SOCKETS": "1000", "KYRO_REDIS_TIMEOUT": "250ms"}) // as it is where nothing is set
			p := w.servers[0].signUp(t)
			bot := p.wordyBot()
			streams := 50
			if racetest.On() {
				streams = 20
			}
			var readers sync.WaitGroup
			for i := range streams {
				answer := p.at(w.servers[i%2]).send(vars{"botId": bot, "text": "Anything?"}).text("sendMessage.botMessage.id")
				readers.Go(func() {
					l, _ := w.followTo(t, p, answer, i%5*2)
					if l.finished != nil && (l.text != wordy || l.finished.text("messageStream.message.status") != "COMPLETED") {
						t.Errorf("%s ended with %d bytes: %.200s", answer, len(l.text), l.finished.body)
					}
				})
			}
			ended := make(chan error, 1)
			go func() { ended <- hurt(w.redis) }()
			for hurting := true; hurting; {
				select {
				case err := <-ended:
					if err != nil {
						t.Error(err)
					}
					hurting = false
				default:
				}
				began := time.Now()
				sent := p.at(w.servers[rand.IntN(2)]).send(vars{"botId": bot, "text": "Still there?"})
				if sent.text("sendMessage.botMessage.id") == "" || time.Since(began) > 30*time.Second {
					t.Errorf("sending took %v: %s", time.Since(began), sent.body)
				}
				time.Sleep(100 * time.Millisecond)
			}
			readers.Wait()
		})
	}
}

// TestRatesHoldOnEveryNode together, and without their Redis.
func TestRatesHoldOnEveryNode(t *testing.T) {
	t.Parallel()
	w := startTown(t, true, map[string]string{"KYRO_RATE_SCALE": "1", "KYRO_RATE_OPERATIONS": "40", "KYRO_RATE_WINDOW": "40h"})
	p := w.servers[0].signUp(t)
	spend := func(times int) (allowed int) {
		for i := range times {
			if got := p.at(w.servers[i%2]).ask(`{ viewer { id } }`, nil); got.status == 200 {
				allowed++
			} else if got.status != 429 {
				t.Fatalf("%d: %s", got.status, got.body)
			}
		}
		return allowed
	}
	if n := spend(60); n != 40 {
		t.Errorf("%d operations were allowed on two nodes, want 40", n)
	}
	if err := w.redis.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := spend(60); n > 40 {
		t.Errorf("%d more were allowed without Redis", n)
	}
	if n := spend(60); n > 0 {
		t.Errorf("%d more were allowed after all was spent", n)
	}
}
