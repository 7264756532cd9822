package program

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// trySend sends a message once, as a client does that expects nothing: "" where it was not acknowledged.
func (p *person) trySend(conversation, key string) (answer string) {
	body, _ := json.Marshal(vars{"query": sendMessage, "variables": vars{"c": conversation, "b": nil, "t": "Say " + key, "k": key}})
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.s.url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		return ""
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+p.token)
	client := http.Client{Timeout: 10 * time.Second}
	got, err := client.Do(r)
	if err != nil {
		return ""
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return ""
	}
	var sent struct {
		Data struct {
			SendMessage struct{ BotMessage struct{ ID string } }
		}
	}
	_ = json.Unmarshal(text, &sent)
	return sent.Data.SendMessage.BotMessage.ID
}

// TestRollingRestart replaces both servers, one after the other, while people send and follow answers. Whoever tries
// again at the other server, with the same clientMessageId, has every message stored once and answered to its end.
func TestRollingRestart(t *testing.T) {
	withAndWithoutRedis(t, map[string]string{"KYRO_OFFLINE_PACE": "10ms", "KYRO_WS_MAX_SOCKETS": "1000"}, func(t *testing.T, w *town) {
		p := w.servers[0].signUp(t)
		bot := p.wordyBot()
		var conversations []string
		for range 6 {
			made := p.must(`mutation($b: ID!) { createConversation(input: {botId: $b}) { conversation { id } errors { message } } }`, vars{"b": bot})
			conversations = append(conversations, made.text("createConversation.conversation.id"))
		}
		var mu sync.RWMutex
		anyone := func() *person {
			mu.RLock()
			defer mu.RUnlock()
			return p.at(w.servers[rand.IntN(2)])
		}
		var over atomic.Bool
		var clients sync.WaitGroup
		var retries atomic.Int64
		for client := range conversations {
			clients.Go(func() {
				conversation := conversations[client]
				sent := 0
				for ; !over.Load() && !t.Failed(); sent++ {
					key, answer := fmt.Sprintf("client%d-%d", client, sent), ""
					for end := time.Now().Add(patience); answer == ""; {
						if answer = anyone().trySend(conversation, key); answer != "" {
							break
						}
						if time.Now().After(end) {
							t.Errorf("%s was not taken", key)
							return
						}
						retries.Add(1)
						time.Sleep(20 * time.Millisecond)
					}
					l := &listener{t: t}
					for end := time.Now().Add(patience); l.finished == nil; {
						_ = anyone().follow(messageStream, vars{"m": answer, "a": l.cursor}, l.handle)
						if time.Now().After(end) {
							t.Errorf("the answer to %s does not end", key)
							return
						}
					}
					if l.text != l.finished.text("messageStream.message.text") {
						t.Errorf("%s: shown are %d bytes of %d", key, len(l.text), len(l.finished.text("messageStream.message.text")))
					}
				}
				list := anyone().must(`query($c: ID!) { conversation(id: $c) { messages { totalCount } } }`, vars{"c": conversation})
				if n := list.number("conversation.messages.totalCount"); n != float64(2*sent) {
					t.Errorf("client %d had %d messages acknowledged, and the conversation has %g", client, sent, n)
				}
			})
		}
		for i := range w.servers {
			next := w.start(t)
			old := w.servers[i]
			if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-old.done // people still come to it, as through a balancer that has not noticed
			mu.Lock()
			w.servers[i] = next
			mu.Unlock()
			if code := old.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("a server ended with %d", code)
			}
		}
		over.Store(true)
		clients.Wait()
		t.Logf("%d sends were tried again", retries.Load())
	})
}
