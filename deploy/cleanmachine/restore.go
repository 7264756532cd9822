package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// theManual is the page whose blocks are run here as they stand there, so that what an operator pastes is what was tried.
const theManual = "docs/backup.md"

// told makes a backup fail, on a machine on which somebody is to be told of that. A program that only keeps what it was given
// stands in for mail.
func told(ctx context.Context, m *machine) error {
	setUp, err := blocks(theManual, "Have somebody told", 1)
	if err != nil {
		return err
	}
	if _, err := m.feed(ctx, "#!/bin/sh\n{ echo \"$@\"; cat; } >>/root/mail\n", "sh", "-c", "cat >/usr/bin/mail; chmod 755 /usr/bin/mail"); err != nil {
		return err
	}
	for _, block := range setUp {
		if _, err := m.sh(ctx, "set -e\n"+block); err != nil {
			return err
		}
	}
	mail := func(of ...string) error {
		return until(ctx, "the mail", func() bool {
			said, err := m.run(ctx, "cat", "/root/mail")
			for _, each := range of {
				err = errors.Join(err, missing(said, each))
			}
			return err == nil
		})
	}
	said, err := m.sh(ctx, "systemd-analyze verify --man=no kyrochat-backup.service kyrochat-backup-verify.service kyrochat-tell@x.service 2>&1")
	if err != nil || strings.Contains(said, "kyrochat") {
		return errors.Join(err, fmt.Errorf("systemd says of the units: %s", said))
	}
	if err := mail("kyrochat-backup failed"); err != nil { // the block ends with a try
		return err
	}
	for unit, reason := range map[string]string{"kyrochat-backup": "no public key of age", "kyrochat-backup-verify": "nothing was verified"} {
		if _, err := m.sh(ctx, "rm /root/mail; echo 'BACKUP_FLAGS=-to /nonexistent' >/etc/kyrochat/backup.env; systemctl start "+unit); err == nil {
			return fmt.Errorf("%s has not failed", unit)
		}
		if err := mail(unit+" failed", reason); err != nil {
			return err
		}
	}
	_, err = m.sh(ctx, "rm /etc/kyrochat/backup.env; systemctl reset-failed 'kyrochat-backup*'; systemctl start kyrochat-backup kyrochat-backup-verify")
	return err
}

func missing(text, part string) error {
	if !strings.Contains(text, part) {
		return fmt.Errorf("%q is not in %q", part, text)
	}
	return nil
}

// talk asks three things more, so that there is something to be lost.
func talk(ctx context.Context, m *machine) error {
	if err := m.logIn(ctx); err != nil {
		return err
	}
	var there struct {
		Viewer struct {
			Conversations struct{ Nodes []struct{ ID string } }
		}
	}
	if err := m.gql(ctx, `{ viewer { conversations(first: 1) { nodes { id } } } }`, nil, &there); err != nil {
		return err
	}
	for i, text := range []string{"What is the unit?", "Is it heavy? ¿Y cuánto?", "Who may open it — anybody?"} {
		var sent struct {
			SendMessage struct{ BotMessage struct{ ID string } }
		}
		if err := m.gql(ctx, `mutation($i: ID!, $t: String!, $c: String!) { sendMessage(input: {conversationId: $i, text: $t, clientMessageId: $c}) { botMessage { id } errors { code message } } }`,
			map[string]any{"i": there.Viewer.Conversations.Nodes[0].ID, "t": text, "c": fmt.Sprint("talk-", i)}, &sent); err != nil {
			return err
		}
		var got struct{ Message struct{ Status string } }
		err := until(ctx, "the answer", func() bool {
			err := m.gql(ctx, `query($m: ID!) { message(id: $m) { status } }`, map[string]any{"m": sent.SendMessage.BotMessage.ID}, &got)
			return err == nil && got.Message.Status == "COMPLETED"
		})
		if err != nil {
			return errors.Join(err, fmt.Errorf("the answer is %+v", got))
		}
	}
	return nil
}

// kept is all that the person can read, as JSON: whoever compares two of them compares every message, with its text.
func (m *machine) kept(ctx context.Context) (all string, messages int, err error) {
	var got json.RawMessage
	err = m.gql(ctx, `{ viewer { email
		bots(first: 2) { nodes { id name documents(first: 3) { nodes { id title status chunkCount text(length: 2000) } } } }
		conversations(first: 2) { nodes { id title messages(first: 20) { totalCount nodes {
			id role status text clientMessageId citations { quote documentTitle pageStart } } } } } } }`, nil, &got)
	return string(got), strings.Count(string(got), `"role":`), err
}

// restored backs up by the unit of each night, and gets all of it back as the page says below the heading: beside what serves, and in
// its place after somebody deleted what nobody should have. with are the flags of the backup's key.
func restored(heading, with string) func(ctx context.Context, m *machine) error {
	return func(ctx context.Context, m *machine) error {
		if err := talk(ctx, m); err != nil {
			return err
		}
		before, messages, err := m.kept(ctx)
		if err != nil || messages < 8 {
			return errors.Join(err, fmt.Errorf("there are %d messages to be kept: %s", messages, before))
		}
		atOnce, err := blocks(theManual, "Every day", 1)
		if err != nil {
			return err
		}
		if _, err := m.sh(ctx, atOnce[0]); err != nil {
			return err
		}
		if err := m.lose(ctx); err != nil {
			return err
		}
		former := m.token
		if err := m.tryBeside(ctx, with, before); err != nil {
			return err
		}
		getBack, err := blocks(theManual, heading, 1)
		if err != nil {
			return err
		}
		if _, err := m.sh(ctx, withKey(getBack[0], with)); err != nil {
			return err
		}
		// Who was signed in signs in again.
		m.token = former
		if _, _, err := m.kept(ctx); err == nil {
			return errors.New("a token of before the restore is taken")
		} else if err := missing(err.Error(), "UNAUTHENTICATED"); err != nil {
			return err
		}
		return m.stillHas(ctx, before)
	}
}

// withKey are commands that end with the first that fails, and open backups with a key.
func withKey(commands, flags string) string {
	return "set -e\n" + strings.ReplaceAll(commands, ` restore "$newest"`, ` restore `+flags+` "$newest"`)
}

// lose deletes the conversation with all of its messages, and the document.
func (m *machine) lose(ctx context.Context) error {
	var there struct {
		Viewer struct {
			Conversations struct{ Nodes []struct{ ID string } }
			Bots          struct {
				Nodes []struct {
					Documents struct{ Nodes []struct{ ID string } }
				}
			}
		}
	}
	if err := m.gql(ctx, `{ viewer { conversations { nodes { id } } bots { nodes { documents { nodes { id } } } } } }`, nil, &there); err != nil {
		return err
	}
	for _, c := range there.Viewer.Conversations.Nodes {
		if err := m.gql(ctx, `mutation($i: ID!) { deleteConversation(input: {conversationId: $i}) { errors { code message } } }`, map[string]any{"i": c.ID}, &struct{}{}); err != nil {
			return err
		}
	}
	for _, d := range there.Viewer.Bots.Nodes[0].Documents.Nodes {
		if err := m.gql(ctx, `mutation($i: ID!) { deleteDocument(input: {documentId: $i}) { errors { code message } } }`, map[string]any{"i": d.ID}, &struct{}{}); err != nil {
			return err
		}
	}
	after, messages, err := m.kept(ctx)
	if err == nil && messages > 0 {
		err = fmt.Errorf("what was deleted is there: %s", after)
	}
	return err
}

// stillHas signs in with the password of before, and compares all that is there.
func (m *machine) stillHas(ctx context.Context, before string) error {
	if err := m.logIn(ctx); err != nil {
		return err
	}
	after, _, err := m.kept(ctx)
	if err == nil && after != before {
		err = fmt.Errorf("there was\n%s\nand there is\n%s", before, after)
	}
	return err
}

// tryBeside restores into another folder while the server goes on, looks at what a server there has, and takes it away.
func (m *machine) tryBeside(ctx context.Context, with, before string) error {
	trial, err := blocks(theManual, "Beside the service", 3) // to restore, to serve, to remove
	if err != nil {
		return err
	}
	// A process group of its own, which is what Ctrl-C ends.
	said, err := m.run(ctx, "bash", "-c", "set -m\n"+withKey(trial[0], with)+"{ "+trial[1]+"} >/root/trial.log 2>&1 </dev/null &\necho; echo $trial $!")
	if err != nil {
		return err
	}
	folder, group, _ := strings.Cut(said[strings.LastIndexByte(said, '\n')+1:], " ")
	m.at = "http://127.0.0.1:8090"
	defer func() { m.at = "" }()
	err = until(ctx, "the server on the trial", func() bool {
		_, err := m.run(ctx, m.curl("-o", "/dev/null", m.at+"/schema.graphql")...)
		return err == nil
	})
	if err != nil {
		log, _ := m.run(ctx, "cat", "/root/trial.log")
		return errors.Join(err, errors.New(log))
	}
	if err := m.stillHas(ctx, before); err != nil {
		return err
	}
	_, err = m.sh(ctx, "set -e; kill -INT -"+group+"; while kill -0 -"+group+" 2>/dev/null; do sleep 0.1; done; trial="+folder+"\n"+trial[2]+"test ! -e "+folder)
	return err
}
