package main

import (
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"kyrochat/kyro"
)

const botByID = `SELECT name, description, created_at, updated_at FROM bots
	WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL`

func (h *byHand) bot(r *http.Request, user int64, to []byte) ([]byte, error) {
	id, err := key(r, kyro.KindBot)
	if err != nil {
		return to, err
	}
	var name string
	var description *string
	var created, updated time.Time
	if err := h.pool.QueryRow(r.Context(), botByID, id, user).Scan(&name, &description, &created, &updated); err != nil {
		return to, err
	}
	to = appendID(append(to, `{"bot":{"id":`...), "bot_", id)
	to = appendString(append(to, `,"name":`...), name)
	to = appendOptional(append(to, `,"description":`...), description)
	to = appendTime(append(to, `,"createdAt":`...), created)
	to = appendTime(append(to, `,"updatedAt":`...), updated)
	return append(to, `}}`...), nil
}

const newestBots = `SELECT b.id, b.name, b.description, b.created_at, u.name
	FROM bots AS b JOIN users AS u ON u.id = b.owner_id
	WHERE b.owner_id = $1 AND b.deleted_at IS NULL ORDER BY b.created_at DESC, b.id DESC LIMIT 20`

func (h *byHand) bots(r *http.Request, user int64, to []byte) ([]byte, error) {
	rows, err := h.pool.Query(r.Context(), newestBots, user)
	if err != nil {
		return to, err
	}
	defer rows.Close()
	var id int64
	var name, owner string
	var description *string
	var created time.Time
	to = append(to, `{"viewer":{"bots":{"nodes":[`...)
	for first := true; rows.Next(); first = false {
		if err := rows.Scan(&id, &name, &description, &created, &owner); err != nil {
			return to, err
		}
		to = appendID(append(appendComma(to, first), `{"id":`...), "bot_", id)
		to = appendString(append(to, `,"name":`...), name)
		to = appendOptional(append(to, `,"description":`...), description)
		to = appendTime(append(to, `,"createdAt":`...), created)
		to = appendID(append(to, `,"owner":{"id":`...), "user_", user)
		to = append(appendString(append(to, `,"name":`...), owner), `}}`...)
	}
	return append(to, `]}}}`...), rows.Err()
}

const botsAndConversations = `SELECT b.id, b.name, u.name, coalesce(c.id, 0), coalesce(c.title, '')
	FROM users AS u
	CROSS JOIN LATERAL (SELECT id, name, created_at FROM bots WHERE owner_id = u.id AND deleted_at IS NULL
		ORDER BY created_at DESC, id DESC LIMIT 10) AS b
	LEFT JOIN LATERAL (SELECT id, title, last_message_at FROM conversations
		WHERE bot_id = b.id AND user_id = u.id AND deleted_at IS NULL
		ORDER BY last_message_at DESC, id DESC LIMIT 5) AS c ON true
	WHERE u.id = $1
	ORDER BY b.created_at DESC, b.id DESC, c.last_message_at DESC, c.id DESC`

const firstMessages = `SELECT c.id, m.id, m.role, m.text, m.created_at
	FROM unnest($1::bigint[]) WITH ORDINALITY AS c (id, place)
	CROSS JOIN LATERAL (SELECT id, turn, role, text, created_at FROM messages
		WHERE conversation_id = c.id AND NOT superseded ORDER BY turn, id LIMIT 5) AS m
	ORDER BY c.place, m.turn, m.id`

// branch is a conversation with its bot; 0 for a bot without one.
type branch struct {
	bot, conversation int64
	botName, title    string
}

func (h *byHand) tree(r *http.Request, user int64, to []byte) ([]byte, error) {
	rows, err := h.pool.Query(r.Context(), botsAndConversations, user)
	if err != nil {
		return to, err
	}
	var person string
	var b branch
	branches, conversations := make([]branch, 0, 50), make([]int64, 0, 50)
	_, err = pgx.ForEachRow(rows, []any{&b.bot, &b.botName, &person, &b.conversation, &b.title}, func() error {
		branches = append(branches, b)
		if b.conversation != 0 {
			conversations = append(conversations, b.conversation)
		}
		return nil
	})
	if err != nil {
		return to, err
	}
	if rows, err = h.pool.Query(r.Context(), firstMessages, conversations); err != nil {
		return to, err
	}
	defer rows.Close()
	var m message
	next := func() error { // m is the next message, with no conversation behind the last one
		m.conversation = 0
		if !rows.Next() {
			return rows.Err()
		}
		return rows.Scan(&m.conversation, &m.id, &m.role, &m.text, &m.created)
	}
	if err := next(); err != nil {
		return to, err
	}
	author := append(appendString(append(appendID([]byte(`{"id":`), "user_", user), `,"name":`...), person), '}')
	to = append(to, `{"viewer":{"bots":{"nodes":[`...)
	for i, b := range branches {
		newBot := i == 0 || b.bot != branches[i-1].bot
		if newBot {
			to = appendID(append(appendComma(to, i == 0), `{"id":`...), "bot_", b.bot)
			to = appendString(append(to, `,"name":`...), b.botName)
			to = append(to, `,"conversations":{"nodes":[`...)
		}
		if b.conversation != 0 {
			to = appendID(append(appendComma(to, newBot), `{"id":`...), "conv_", b.conversation)
			to = appendString(append(to, `,"title":`...), b.title)
			to = append(append(append(to, `,"user":`...), author...), `,"messages":{"nodes":[`...)
			for first := true; m.conversation == b.conversation; first = false {
				to = m.append(appendComma(to, first), false)
				to = appendID(append(to, `,"conversation":{"id":`...), "conv_", b.conversation)
				to = appendID(append(to, `,"bot":{"id":`...), "bot_", b.bot)
				to = appendString(append(to, `,"name":`...), b.botName)
				to = append(append(append(to, `},"user":`...), author...), `}}`...)
				if err := next(); err != nil {
					return to, err
				}
			}
			to = append(to, `]}}`...)
		}
		if i == len(branches)-1 || branches[i+1].bot != b.bot {
			to = append(to, `]}}`...)
		}
	}
	return append(to, `]}}}`...), nil
}

const messagesOf = `SELECT m.id, m.role, m.status, m.text, m.created_at
	FROM conversations AS c JOIN messages AS m ON m.conversation_id = c.id AND NOT m.superseded
	WHERE c.id = $1 AND c.user_id = $2 AND c.deleted_at IS NULL ORDER BY m.turn, m.id LIMIT 200`

// conversation gives the first and the last hundred messages of a conversation of two hundred.
func (h *byHand) conversation(r *http.Request, user int64, to []byte) ([]byte, error) {
	id, err := key(r, kyro.KindConversation)
	if err != nil {
		return to, err
	}
	rows, err := h.pool.Query(r.Context(), messagesOf, id, user)
	if err != nil {
		return to, err
	}
	defer rows.Close()
	var m message
	to = append(appendID(append(to, `{"conversation":{"id":`...), "conv_", id), `,"a":{"nodes":[`...)
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(&m.id, &m.role, &m.status, &m.text, &m.created); err != nil {
			return to, err
		}
		if n == 100 {
			to = append(to, `]},"b":{"nodes":[`...)
		}
		to = append(m.append(appendComma(to, n%100 == 0), true), '}')
	}
	if err := rows.Err(); err != nil || n == 0 {
		return to, pgx.ErrNoRows
	}
	return append(to, `]}}}`...), nil
}

type message struct {
	conversation, id   int64
	role, status, text string
	created            time.Time
}

// append writes all but the end.
func (m *message) append(to []byte, status bool) []byte {
	to = appendID(append(to, `{"id":`...), "msg_", m.id)
	to = append(append(append(to, `,"role":"`...), m.role...), '"')
	if status {
		to = append(append(append(to, `,"status":"`...), m.status...), '"')
	}
	to = appendString(append(to, `,"text":`...), m.text)
	return appendTime(append(to, `,"createdAt":`...), m.created)
}
