package main

import (
	"context"
	"fmt"
)

// storedAnswer gives the status and the text that are stored of an answer.
func (r *round) storedAnswer(ctx context.Context, answer string) (status, text string, err error) {
	for range 50 {
		var d *data
		if d, err = r.openData(ctx); err == nil {
			err = d.db.QueryRowContext(ctx, fmt.Sprintf(`SELECT status, text FROM messages WHERE id = %d`, key(answer))).Scan(&status, &text)
			d.close()
		}
		if err == nil {
			return status, text, nil
		}
		if err := pause(ctx, retryTo); err != nil { // the database may be one of those that were killed
			return "", "", err
		}
	}
	return "", "", fmt.Errorf("read what is stored of %s: %w", answer, err)
}

// regenerate asks for another answer, and does not rest before it is acknowledged.
func (p *person) regenerate(ctx context.Context, answer, key string) (string, error) {
	var made struct {
		RegenerateMessage struct {
			BotMessage *struct{ ID string }
			Errors     []problem
		}
	}
	err := p.ask(ctx, `mutation($i: RegenerateMessageInput!) { regenerateMessage(input: $i) { botMessage { id } errors { code message } } }`,
		map[string]any{"i": map[string]any{"messageId": answer, "clientMessageId": key}}, &made)
	if err != nil {
		return "", err
	}
	if made.RegenerateMessage.BotMessage == nil {
		return "", fmt.Errorf("no other answer than %s: %v", answer, made.RegenerateMessage.Errors)
	}
	return made.RegenerateMessage.BotMessage.ID, nil
}
