package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"kyrochat/client"
	"kyrochat/kyro"
)

// How much belongs to each person. The lists are longer than what is asked of them, as lists are.
const (
	botsEach          = 24
	talkativeBots     = 10 // the newest: those the nested query asks for
	conversationsEach = 6  // of a talkative bot
	messagesEach      = 8  // of such a conversation
	longConversations = 3
	longMessages      = 200
)

// person has an account, and data that the queries ask for.
type person struct {
	id            kyro.ID
	token         string
	bots          []string
	conversations []string // the long ones
}

// seed makes the people and their bots by the API, and writes their conversations, which would take answers,
// into the database.
func seed(ctx context.Context, address string, d *database, n int) ([]person, error) {
	people := make([]person, n)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i := range people {
		group.Go(func() (err error) {
			people[i], err = signUp(groupCtx, "http://"+address, i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	t := talks{text: rand.New(rand.NewPCG(1, 2)), at: kyro.Moment(time.Now()).Add(-48 * time.Hour)}
	for i := range people {
		if err := t.of(&people[i]); err != nil {
			return nil, err
		}
	}
	return people, t.save(ctx, d.conn)
}

// signUp makes an account with its bots.
func signUp(ctx context.Context, url string, i int) (person, error) {
	c, err := client.New(url, client.Options{})
	if err != nil {
		return person{}, err
	}
	var made struct {
		RegisterUser struct {
			User        *struct{ ID string }
			AccessToken string
			Errors      []struct{ Message string }
		}
	}
	err = c.Do(ctx, `mutation($email: String!, $name: String!) { registerUser(input: {email: $email, name: $name, password: "plenty of random words"}) {
		user { id } accessToken errors { message } } }`,
		map[string]any{"email": fmt.Sprintf("person%d@example.com", i), "name": fmt.Sprintf("Zoë Example %d", i)}, &made)
	if err != nil {
		return person{}, err
	}
	if made.RegisterUser.User == nil {
		return person{}, fmt.Errorf("the account was not made: %v", made.RegisterUser.Errors)
	}
	p := person{token: made.RegisterUser.AccessToken}
	if p.id, err = kyro.ParseID(made.RegisterUser.User.ID); err != nil {
		return p, err
	}
	c.SetToken(p.token)
	text := rand.New(rand.NewPCG(uint64(i), 3))
	for range botsEach {
		id, err := createBot(ctx, c, title(text), prose(text, 120))
		if err != nil {
			return p, err
		}
		p.bots = append(p.bots, id)
	}
	return p, nil
}

func createBot(ctx context.Context, c *client.Client, name, description string) (string, error) {
	var made struct {
		CreateBot struct {
			Bot    *struct{ ID string }
			Errors []struct{ Message string }
		}
	}
	err := c.Do(ctx, `mutation($name: String!, $description: String!) { createBot(input: {name: $name, description: $description}) {
		bot { id } errors { message } } }`, map[string]any{"name": name, "description": description}, &made)
	if err == nil && made.CreateBot.Bot == nil {
		err = fmt.Errorf("the bot was not made: %v", made.CreateBot.Errors)
	}
	if err != nil {
		return "", err
	}
	return made.CreateBot.Bot.ID, nil
}

// talks are rows of conversations and messages, in the order of their columns below.
type talks struct {
	text                    *rand.Rand
	at                      time.Time
	conversations, messages [][]any
}

var (
	conversationColumns = []string{"id", "bot_id", "user_id", "title", "title_key", "archived", "message_count", "last_message_at", "created_at", "updated_at"}
	messageColumns      = []string{"id", "conversation_id", "turn", "parent_id", "sender_id", "role", "status", "text", "superseded", "attempt", "seq",
		"lease_owner", "stop_requested", "notices", "grounding", "finish_reason", "created_at", "completed_at"}
)

// of makes all conversations of a person.
func (t *talks) of(p *person) error {
	newest := slices.Clone(p.bots)
	slices.Reverse(newest)
	for i, id := range newest {
		bot, err := kyro.ParseID(id)
		if err != nil {
			return err
		}
		switch {
		case i < talkativeBots:
			for range conversationsEach {
				t.conversation(p, bot, messagesEach)
			}
		case i < talkativeBots+longConversations:
			p.conversations = append(p.conversations, t.conversation(p, bot, longMessages).String())
		}
	}
	return nil
}

// conversation makes one, of questions and their answers.
func (t *talks) conversation(p *person, bot kyro.ID, messages int) kyro.ID {
	id := kyro.ConversationID(int64(len(t.conversations) + 1))
	begun := t.at
	for range messages / 2 {
		question := int64(len(t.messages) + 1)
		t.message(id, p.id, question, nil, kyro.RoleUser, prose(t.text, 150), nil, nil)
		t.message(id, p.id, question, question, kyro.RoleBot, prose(t.text, 450), kyro.Grounded, kyro.FinishStop)
	}
	name := title(t.text)
	t.conversations = append(t.conversations, []any{id.Key, bot.Key, p.id.Key, name, name, false, messages, t.at, begun, t.at})
	return id
}

func (t *talks) message(conversation, sender kyro.ID, turn int64, parent any, role kyro.MessageRole, text string, grounding, finish any) {
	t.at = t.at.Add(1_234_567 * time.Microsecond)
	t.messages = append(t.messages, []any{int64(len(t.messages) + 1), conversation.Key, turn, parent, sender.Key, string(role), string(kyro.MessageCompleted),
		text, false, int64(1), int64(1), "", false, []string{}, asText(grounding), asText(finish), t.at, t.at})
}

func asText(v any) any {
	if v == nil {
		return nil
	}
	return fmt.Sprint(v)
}

// save writes the rows, and leaves the database as it is some time after: with statistics, and nothing to clean.
func (t *talks) save(ctx context.Context, conn *pgx.Conn) error {
	_, err1 := conn.CopyFrom(ctx, pgx.Identifier{"conversations"}, conversationColumns, pgx.CopyFromRows(t.conversations))
	_, err2 := conn.CopyFrom(ctx, pgx.Identifier{"messages"}, messageColumns, pgx.CopyFromRows(t.messages))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	for _, statement := range []string{
		"SELECT setval(pg_get_serial_sequence('conversations', 'id'), (SELECT max(id) FROM conversations)), setval(pg_get_serial_sequence('messages', 'id'), (SELECT max(id) FROM messages))",
		"VACUUM (FREEZE, ANALYZE)", "CHECKPOINT",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
