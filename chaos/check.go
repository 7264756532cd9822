package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the drivers that the check reads with, past the product's code
	_ "modernc.org/sqlite"

	"kyrochat/kyro"
)

// data is the database as it is, read past everything of the product: the SQL here is the check's own.
type data struct{ db *sql.DB }

// openData opens it. On SQLite it is read beside the server.
func (w *world) openData(ctx context.Context) (*data, error) {
	driver, address := "pgx", ""
	if w.setup == onSQLite {
		driver, address = "sqlite", "file:"+filepath.Join(w.nodes[0].folder, "data", "kyro.db")+"?mode=ro&_pragma=busy_timeout(10000)"
	} else {
		address = w.databaseURL()
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("open the database to check it: %w", err)
	}
	return &data{db}, nil
}

func (d *data) close() { _ = d.db.Close() }

// number gives the one number of a statement.
func (d *data) number(ctx context.Context, statement string) (n int, err error) {
	err = d.db.QueryRowContext(ctx, statement).Scan(&n)
	return n, err
}

func (d *data) unfinishedAnswers(ctx context.Context) (int, error) {
	return d.number(ctx, `SELECT count(*) FROM messages WHERE status IN ('PENDING', 'RETRIEVING', 'STREAMING')`)
}

// storedMessage is a message as the database has it.
type storedMessage struct {
	id, conversation, turn int64
	role, status, text     string
	superseded             bool
}

// checkMessages compares what was acknowledged with what is stored: every one is there with its answer, once, under its
// conversation, and a conversation's are in the order in which they were acknowledged.
func (r *round) checkMessages(ctx context.Context, d *data, acked []sent) error {
	stored := map[string][]storedMessage{} // by the client's id
	answers := map[int64][]storedMessage{} // by the message that they answer
	rows, err := d.db.QueryContext(ctx, `SELECT id, conversation_id, turn, role, status, text, superseded, coalesce(client_message_id, ''), coalesce(parent_id, 0) FROM messages ORDER BY conversation_id, turn, id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var m storedMessage
		var key string
		var parent int64
		if err := rows.Scan(&m.id, &m.conversation, &m.turn, &m.role, &m.status, &m.text, &m.superseded, &key, &parent); err != nil {
			return err
		}
		switch m.role {
		case "USER":
			stored[key] = append(stored[key], m)
		case "BOT":
			answers[parent] = append(answers[parent], m)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	last := map[int64]int64{} // the turn of a conversation's last one so far
	for _, s := range acked {
		list := stored[s.Key]
		if len(list) != 1 {
			r.violated("the acknowledged message %s is stored %d times", s.Key, len(list))
			continue
		}
		m := list[0]
		if m.id != key(s.Message) || m.conversation != key(s.Conversation) || m.text != s.Text {
			r.violated("the acknowledged message %s is stored as another one: %+v", s.Key, m)
		}
		if m.turn <= last[m.conversation] {
			r.violated("the message %s stands before one that was acknowledged before", s.Key)
		}
		last[m.conversation] = m.turn
		want := []int64{key(s.Answer)}
		for _, id := range s.Anew {
			want = append(want, key(id))
		}
		got, live := []int64{}, 0
		for _, a := range answers[m.id] {
			got = append(got, a.id)
			if !a.superseded {
				live++
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || live != 1 {
			r.violated("the message %s has the answers %v, of which %d count, and acknowledged were %v", s.Key, got, live, want)
		}
	}
	for id, list := range answers {
		for _, a := range list {
			switch a.status {
			case "COMPLETED", "STOPPED", "FAILED", "INTERRUPTED":
				r.count("answers "+a.status, 1)
			default:
				r.violated("the answer %d to %d is %s", a.id, id, a.status)
			}
		}
	}
	for sender, list := range stored {
		if len(list) > 1 {
			r.violated("the message %s is stored %d times", sender, len(list))
		}
	}
	return nil
}

// key is the number of an id of the API; 0 where it is none.
func key(id string) int64 {
	parsed, err := kyro.ParseID(id)
	if err != nil {
		return 0
	}
	return parsed.Key
}
