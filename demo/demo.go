// Package demo plays the whole product on files of somebody's own, at a terminal.
package demo

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kyrochat/client"
	"kyrochat/text"
)

// Options are what is shown.
type Options struct {
	Files     []string // to answer from
	Questions []string // none: they come from whoever sits at the keyboard
}

// Run plays the whole product as an ordinary client of the public API, against a server that start runs in a
// folder which is removed at the end.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer,
	start func(ctx context.Context, dataDir string) (baseURL string, stop func() error, err error)) (err error) {
	dataDir, err := os.MkdirTemp("", "kyrochat-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() {
		if e := os.RemoveAll(dataDir); e != nil {
			err = errors.Join(err, fmt.Errorf("remove the demo's folder: %w", e))
		}
	}()
	baseURL, stop, err := start(ctx, dataDir)
	if err != nil {
		return fmt.Errorf("start the demo's server: %w", err)
	}
	defer func() {
		if e := stop(); e != nil {
			err = errors.Join(err, fmt.Errorf("stop the demo's server: %w", e))
		}
	}()
	api, err := client.New(baseURL, client.Options{})
	if err != nil {
		return err
	}
	d := &run{api: api, screen: newScreen(out)}
	err = d.play(ctx, o.Files, o.Questions, in)
	if ctx.Err() != nil {
		d.screen.line("")
		if len(o.Questions) == 0 {
			return nil // Ctrl-C is how one leaves a chat
		}
		return errors.New("interrupted")
	}
	return err
}

// run is one demo in progress.
type run struct {
	api          *client.Client
	screen       *screen
	bot          string
	conversation string // "" until the first question
	saidOffline  bool
}

func (d *run) play(ctx context.Context, files, questions []string, in io.Reader) error {
	if err := d.setUp(ctx); err != nil {
		return err
	}
	ready := 0
	for _, name := range files {
		ok, err := d.feed(ctx, name)
		if err != nil {
			return err
		}
		if ok {
			ready++
		}
	}
	if ready == 0 {
		return errors.New("no document could be read, so there is nothing to answer from")
	}
	if len(questions) == 0 {
		return d.chat(ctx, in)
	}
	for _, question := range questions {
		d.screen.line("")
		d.screen.line(d.screen.bold("> " + text.Printable(question)))
		if err := d.ask(ctx, question); err != nil {
			return err
		}
	}
	return nil
}

// chat answers lines from in until it ends, /quit or the end of ctx.
func (d *run) chat(ctx context.Context, in io.Reader) error {
	d.screen.line("")
	d.screen.line("Ask a question about your documents. /quit or Ctrl-D ends.")
	lines, failed := make(chan string), make(chan error, 1)
	left := make(chan struct{})
	defer close(left)
	// A read from a terminal cannot be interrupted, so nobody waits for this goroutine: it ends with the input, with
	// its next line, or with the process.
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-left:
				return
			}
		}
		failed <- scanner.Err()
	}()
	for {
		d.screen.print(d.screen.bold("\n> "))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, more := <-lines:
			question := strings.TrimSpace(line)
			switch {
			case !more:
				d.screen.line("")
				return <-failed
			case question == "/quit" || question == "/exit":
				return nil
			case question == "":
				continue
			}
			err := d.ask(ctx, question)
			if client.Code(err) != "" || isUserErrors(err) { // one question failed, not the chat
				d.screen.line(d.screen.red(err.Error()))
			} else if err != nil {
				return err
			}
		}
	}
}

// setUp signs up and makes a bot.
func (d *run) setUp(ctx context.Context) error {
	var signedUp struct {
		RegisterUser struct {
			AccessToken string
			Errors      userErrors
		}
	}
	err := d.api.Do(ctx, `mutation($input: RegisterUserInput!) { registerUser(input: $input) { accessToken errors { code message } } }`,
		input("email", "demo@example.com", "password", rand.Text(), "name", "Demo"), &signedUp)
	if err = firstError("sign up", err, signedUp.RegisterUser.Errors); err != nil {
		return err
	}
	if signedUp.RegisterUser.AccessToken == "" {
		return errors.New("sign up: the server wants the e-mail address confirmed first")
	}
	d.api.SetToken(signedUp.RegisterUser.AccessToken)
	if err := d.introduce(ctx); err != nil {
		return err
	}
	var made struct {
		CreateBot struct {
			Bot    struct{ ID string }
			Errors userErrors
		}
	}
	err = d.api.Do(ctx, `mutation($input: CreateBotInput!) { createBot(input: $input) { bot { id } errors { code message } } }`,
		input("name", "Demo"), &made)
	d.bot = made.CreateBot.Bot.ID
	return firstError("make a bot", err, made.CreateBot.Errors)
}

// introduce names a provider that gets what is in the files.
func (d *run) introduce(ctx context.Context) error {
	var who struct {
		ServerInfo struct {
			Answers struct{ Provider, Model string }
		}
	}
	if err := d.api.Do(ctx, `{ serverInfo { answers { provider model } } }`, nil, &who); err != nil {
		return fmt.Errorf("ask who answers: %w", err)
	}
	if a := who.ServerInfo.Answers; a.Provider != "offline" {
		d.screen.line(d.screen.dim(fmt.Sprintf("Answers come from %s (%s), which gets the text of the files.", a.Provider, a.Model)))
	}
	return nil
}

type document struct {
	ID, Status, StatusReason string
	PageCount                *int
	ChunkCount               int
	Warnings                 []struct{ Message string }
}

func (d document) ready() bool { return d.Status == "READY" || d.Status == "READY_WITH_WARNINGS" }

// feed uploads one file and follows it until it is ready or not; ok is false where it can't be used.
func (d *run) feed(ctx context.Context, name string) (ok bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return false, fmt.Errorf("open the file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("look at the file: %w", err)
	}
	title := shortened(text.Printable(filepath.Base(name)))
	bar := d.screen.bar(title)
	var uploaded struct {
		UploadDocument struct {
			Document document
			Errors   userErrors
		}
	}
	err = d.api.Upload(ctx, `mutation($input: UploadDocumentInput!) { uploadDocument(input: $input) { document { id status } errors { code message } } }`,
		input("botId", d.bot, "file", nil),
		client.File{Variable: "input.file", Name: filepath.Base(name), Size: info.Size(), Reader: f, Progress: func(sent int64) {
			bar.show("uploading", 100*float64(sent)/float64(max(info.Size(), 1)))
		}}, &uploaded)
	err = firstError("upload "+title, err, uploaded.UploadDocument.Errors)
	if isUserErrors(err) { // of this file; others may do
		bar.end(d.screen.red("refused: " + err.Error()))
		return false, nil
	}
	if err != nil {
		bar.end("")
		return false, err
	}
	if err := d.follow(ctx, uploaded.UploadDocument.Document.ID, bar); err != nil {
		bar.end("")
		return false, err
	}
	var now struct{ Document document }
	err = d.api.Do(ctx, `query($id: ID!) { document(id: $id) { id status statusReason pageCount chunkCount warnings { message } } }`,
		map[string]any{"id": uploaded.UploadDocument.Document.ID}, &now)
	if err != nil {
		bar.end("")
		return false, fmt.Errorf("look at the document: %w", err)
	}
	bar.end(d.screen.outcome(now.Document))
	for _, w := range now.Document.Warnings {
		d.screen.line("  " + text.Printable(w.Message))
	}
	return now.Document.ready(), nil
}

// final are the states after which nothing more happens to a document.
var final = []string{"READY", "READY_WITH_WARNINGS", "NEEDS_OCR", "FAILED", "CANCELED"}

// follow shows a document's progress until it is final, and what it waits for.
func (d *run) follow(ctx context.Context, id string, bar *bar) error {
	events := d.api.Subscribe(ctx, `subscription($id: ID!) { documentProgress(documentId: $id) { status percent retryAt document { statusReason } } }`, map[string]any{"id": id})
	for data, err := range events {
		if err != nil {
			return fmt.Errorf("follow the document: %w", err)
		}
		var event struct {
			DocumentProgress struct {
				Status   string
				Percent  float64
				RetryAt  *string
				Document *struct{ StatusReason string }
			}
		}
		if err := json.Unmarshal(data, &event); err != nil {
			return fmt.Errorf("follow the document: %w", err)
		}
		switch now := event.DocumentProgress; {
		case slices.Contains(final, now.Status): // the outcome says more
		case now.RetryAt != nil && now.Document != nil && now.Document.StatusReason != "":
			bar.show("waiting: "+text.Printable(now.Document.StatusReason), now.Percent)
		default:
			bar.show(strings.ToLower(strings.ReplaceAll(now.Status, "_", " ")), now.Percent)
		}
	}
	return nil
}

// userErrors are the errors of a payload.
type userErrors []struct{ Code, Message string }

func (e userErrors) Error() string {
	messages := make([]string, len(e))
	for i, one := range e {
		messages[i] = text.Printable(one.Message)
	}
	return strings.Join(messages, " ")
}

func isUserErrors(err error) bool {
	var payload userErrors
	return errors.As(err, &payload)
}

func firstError(what string, err error, payload userErrors) error {
	if err == nil && len(payload) > 0 {
		return payload
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// input makes the variables of a mutation out of names and values.
func input(pairs ...any) map[string]any {
	fields := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i].(string)] = pairs[i+1] //nolint:gosec // pairs
	}
	return map[string]any{"input": fields}
}
