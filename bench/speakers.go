//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"kyrochat/client"
)

// What bots with documents have.
const (
	documentsEach = 3
	documentChars = 60_000
)

// botOf is the bot that a stream talks to.
func (l *streamLab) botOf(number int, documents bool) string {
	with := 0
	if documents {
		with = 1
	}
	return l.bots[with][number%followers]
}

// openBots makes the bots that speak: one of each person, and one more with documents where some scenario wants those.
func (l *streamLab) openBots(ctx context.Context, url string) error {
	documents := false
	for _, s := range l.o.streams {
		documents = documents || s.documents
	}
	for i, p := range l.people {
		c, err := client.New(url, client.Options{Token: p.token})
		if err != nil {
			return err
		}
		bot, err := createSpeaker(ctx, c)
		if err != nil {
			return err
		}
		l.bots[0] = append(l.bots[0], bot)
		if !documents {
			continue
		}
		if bot, err = createSpeaker(ctx, c); err != nil {
			return err
		}
		if err := teach(ctx, c, bot, rand.New(rand.NewPCG(uint64(i), 4))); err != nil {
			return err
		}
		l.bots[1] = append(l.bots[1], bot)
	}
	return nil
}

// createSpeaker makes a bot that asks the model also where its documents hold nothing.
func createSpeaker(ctx context.Context, c *client.Client) (string, error) {
	var made struct {
		CreateBot struct {
			Bot    *struct{ ID string }
			Errors []struct{ Message string }
		}
	}
	err := c.Do(ctx, `mutation { createBot(input: {name: "Speaker", strict: false}) { bot { id } errors { message } } }`, nil, &made)
	if err == nil && made.CreateBot.Bot == nil {
		err = fmt.Errorf("the bot was not made: %v", made.CreateBot.Errors)
	}
	if err != nil {
		return "", err
	}
	return made.CreateBot.Bot.ID, nil
}

// teach gives a bot its documents, and waits until it has read them.
func teach(ctx context.Context, c *client.Client, bot string, text *rand.Rand) error {
	for i := range documentsEach {
		var made struct {
			AddTextDocument struct {
				Document *struct{ ID string }
				Errors   []struct{ Message string }
			}
		}
		input := map[string]any{"botId": bot, "title": fmt.Sprintf("Terms %d", i), "text": prose(text, documentChars)}
		err := c.Do(ctx, `mutation($i: AddTextDocumentInput!) { addTextDocument(input: $i) { document { id } errors { message } } }`,
			map[string]any{"i": input}, &made)
		if err == nil && made.AddTextDocument.Document == nil {
			err = fmt.Errorf("a document was not taken: %v", made.AddTextDocument.Errors)
		}
		if err == nil {
			err = learned(ctx, c, made.AddTextDocument.Document.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// learned waits until a document can be searched.
func learned(ctx context.Context, c *client.Client, document string) error {
	for {
		var is struct{ Document struct{ Status string } }
		if err := c.Do(ctx, `query($id: ID!) { document(id: $id) { status } }`, map[string]any{"id": document}, &is); err != nil {
			return err
		}
		switch is.Document.Status {
		case "READY", "READY_WITH_WARNINGS":
			return nil
		case "FAILED", "NEEDS_OCR", "CANCELED":
			return errors.New("a document is " + is.Document.Status)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
