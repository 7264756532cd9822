package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	site     = "https://chat.test"
	person   = "ada@example.com"
	password = "a harbour with nine lamps"
	question = "How much free space does the unit need behind it?"
)

// gql asks the API as a person does by curl, through the proxy, and fills into with the data.
func (m *machine) gql(ctx context.Context, query string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	said, err := m.feed(ctx, string(body), m.curl("-H", "content-type: application/json", "-d", "@-", m.address()+"/graphql")...)
	if err != nil {
		return err
	}
	return read([]byte(said), into)
}

// address is where the API is: behind the proxy, unless another one is asked.
func (m *machine) address() string {
	if m.at != "" {
		return m.at
	}
	return site
}

func (m *machine) curl(args ...string) []string {
	all := []string{"curl", "-sS", "--cacert", "/root/ca.crt", "-H", "apollo-require-preflight: true"}
	if m.token != "" {
		all = append(all, "-H", "authorization: Bearer "+m.token)
	}
	return append(all, args...)
}

// read decodes an answer without errors, neither at its top nor of a mutation.
func read(body []byte, into any) error {
	var answer struct {
		Data   json.RawMessage
		Errors []any
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Errors) > 0 {
		return fmt.Errorf("the API says: %s", body)
	}
	var payloads map[string]struct{ Errors []any }
	_ = json.Unmarshal(answer.Data, &payloads) // a query is no payload
	for _, p := range payloads {
		if len(p.Errors) > 0 {
			return fmt.Errorf("the API says: %s", body)
		}
	}
	return json.Unmarshal(answer.Data, into)
}

// logIn gets a token, which is good for ten minutes.
func (m *machine) logIn(ctx context.Context) error {
	m.token = ""
	var got struct{ LogIn struct{ AccessToken string } }
	err := m.gql(ctx, `mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken errors { code message } } }`,
		map[string]any{"e": person, "p": password}, &got)
	m.token = got.LogIn.AccessToken
	return err
}

// account makes the first account, as the manual says.
func account(ctx context.Context, m *machine) error {
	create, err := wayStep(2)
	if err != nil {
		return err
	}
	if _, err := m.feed(ctx, password+"\n", "sh", "-c", strings.TrimSpace(create)+" --password-stdin"); err != nil { // where nobody types
		return err
	}
	said, err := m.run(ctx, "kyrochat-run", "admin", "list")
	if err == nil && !strings.Contains(said, person) {
		err = fmt.Errorf("the list of accounts is %q", said)
	}
	return err
}

// learn uploads a PDF, and waits until it was read by a child that has locked itself in.
func learn(ctx context.Context, m *machine) error {
	if err := m.logIn(ctx); err != nil {
		return err
	}
	var made struct {
		CreateBot struct{ Bot struct{ ID string } }
	}
	if err := m.gql(ctx, `mutation { createBot(input: {name: "Helper"}) { bot { id } errors { code message } } }`, nil, &made); err != nil {
		return err
	}
	m.bot = made.CreateBot.Bot.ID
	operation, err := json.Marshal(map[string]any{
		"query":     `mutation($b: ID!, $f: Upload!) { uploadDocument(input: {botId: $b, file: $f}) { document { id } errors { code message } } }`,
		"variables": map[string]any{"b": m.bot, "f": nil},
	})
	if err != nil {
		return err
	}
	said, err := m.run(ctx, m.curl("-F", "operations="+string(operation), "-F", `map={"0": ["variables.f"]}`, "-F", "0=@/root/manual.pdf", site+"/graphql")...)
	if err != nil {
		return err
	}
	var sent struct {
		UploadDocument struct{ Document struct{ ID string } }
	}
	if err := read([]byte(said), &sent); err != nil {
		return err
	}
	return m.hasRead(ctx, sent.UploadDocument.Document.ID)
}

// hasRead waits until a document was read.
func (m *machine) hasRead(ctx context.Context, id string) error {
	var document struct {
		Document struct {
			Status     string
			ChunkCount int
		}
	}
	var err error
	waited := until(ctx, "the document", func() bool {
		err = m.gql(ctx, `query($d: ID!) { document(id: $d) { status chunkCount } }`, map[string]any{"d": id}, &document)
		return err != nil || document.Document.Status == "READY" || document.Document.Status == "FAILED"
	})
	if waited != nil || err != nil || document.Document.Status != "READY" || document.Document.ChunkCount == 0 {
		return errors.Join(waited, err, fmt.Errorf("the document is %+v", document.Document))
	}
	return m.enclosed(ctx)
}

// enclosed looks at the children that read files.
func (m *machine) enclosed(ctx context.Context) error {
	said, err := m.sh(ctx, `unit=kyrochat
systemctl is-enabled -q kyrochat || unit=kyrochat-worker@1
main=$(systemctl show --value -p MainPID $unit)
for status in $(grep -lx "PPid:	$main" /proc/[0-9]*/status); do
  echo "$(id -nu "$(sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' "$status")") $(sed -n 's/^Seccomp_filters:\t/filters /p; s/^NoNewPrivs:\t/sealed /p' "$status" | tr '\n' ' ')"
done
journalctl -u $unit -o cat | grep 'fewer walls' || true`)
	if err != nil {
		return err
	}
	// Those of the unit, and one of its own.
	if !strings.Contains(said, "kyrochat sealed 1 filters ") || strings.Contains(said, "fewer walls") {
		return fmt.Errorf("the children are: %s", said)
	}
	return nil
}

// chat asks, and hears the answer as it is written, with where it is from.
func chat(ctx context.Context, m *machine) error {
	var sent struct {
		SendMessage struct{ BotMessage struct{ ID string } }
	}
	err := m.gql(ctx, `mutation($b: ID!, $t: String!) { sendMessage(input: {botId: $b, text: $t, clientMessageId: "first"}) { botMessage { id } errors { code message } } }`,
		map[string]any{"b": m.bot, "t": question}, &sent)
	if err != nil {
		return err
	}
	m.answer = sent.SendMessage.BotMessage.ID
	body, err := json.Marshal(map[string]any{
		"query":     `subscription($m: ID!) { messageStream(messageId: $m) { __typename ... on MessageFinished { message { text status citations { documentTitle quote } } } } }`,
		"variables": map[string]any{"m": m.answer},
	})
	if err != nil {
		return err
	}
	said, err := m.feed(ctx, string(body), m.curl("-N", "-H", "content-type: application/json", "-H", "accept: text/event-stream", "-d", "@-", site+"/graphql")...)
	if err != nil {
		return err
	}
	text, citations, err := answered(said)
	if err != nil || text == "" || citations == 0 {
		return errors.Join(err, fmt.Errorf("the answer is %q, with %d citations", text, citations))
	}
	return nil
}

// answered is the end of an answer that was streamed.
func answered(stream string) (text string, citations int, err error) {
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok || !strings.Contains(data, `"citations"`) {
			continue
		}
		var event struct {
			MessageStream struct {
				Message struct {
					Text      string
					Citations []struct{ Quote string }
				}
			}
		}
		err := read(bytes.TrimSpace([]byte(data)), &event)
		return event.MessageStream.Message.Text, len(event.MessageStream.Message.Citations), err
	}
	return "", 0, fmt.Errorf("the stream has no end: %s", stream)
}

// remembers logs in anew and reads the first answer, at this version of the server.
func remembers(version string) func(ctx context.Context, m *machine) error {
	return func(ctx context.Context, m *machine) error {
		if err := m.logIn(ctx); err != nil {
			return err
		}
		var got struct {
			ServerInfo struct{ Version string }
			Message    *struct{ Text, Status string }
		}
		err := m.gql(ctx, `query($m: ID!) { serverInfo { version } message: node(id: $m) { ... on Message { text status } } }`, map[string]any{"m": m.answer}, &got)
		if err == nil && (got.ServerInfo.Version != version || got.Message == nil || got.Message.Status != "COMPLETED") {
			err = fmt.Errorf("the server %q has %+v", got.ServerInfo.Version, got.Message)
		}
		return err
	}
}
