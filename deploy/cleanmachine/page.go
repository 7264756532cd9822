package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kyrochat/internal/manual"
)

// Pages whose blocks are run here, as docs/backup.md is by restore.go: what an operator pastes is what was tried.
const (
	deploymentPage = "docs/deployment.md"
	doctorPage     = "docs/doctor.md"
)

// blocks are the commands of a page below a heading that are run here, in their order: as many as are known here.
func blocks(page, heading string, count int) (all []string, err error) {
	read, err := manual.Read(page)
	if err != nil {
		return nil, err
	}
	for _, b := range read.Blocks {
		if b.Heading == heading && strings.HasPrefix(b.Attributes["elsewhere"], "deploy/cleanmachine/") {
			all = append(all, b.Text)
		}
	}
	if len(all) != count {
		err = fmt.Errorf("%s has %d blocks below %q, and not %d", page, len(all), heading, count)
	}
	return all, err
}

// onPage is one of the blocks, with what this machine has in the place of what the page says: pairs of both.
func onPage(page, heading string, count, index int, inPlace ...string) (commands string, err error) {
	all, err := blocks(page, heading, count)
	if err != nil {
		return "", err
	}
	for i := 0; i < len(inPlace); i += 2 {
		if !strings.Contains(all[index], inPlace[i]) {
			return "", fmt.Errorf("%s has no %q below %q", page, inPlace[i], heading)
		}
	}
	return strings.NewReplacer(inPlace...).Replace(all[index]), nil
}

// theWay is what stands above the blocks that lead from nothing to a chat.
const theWay = "Ten minutes: from nothing to a chat over TLS"

// wayStep is one of them.
func wayStep(index int, inPlace ...string) (commands string, err error) {
	return onPage(deploymentPage, theWay, 4, index, inPlace...)
}

// in runs commands in a folder, and ends with the first that fails.
func (m *machine) in(ctx context.Context, folder, commands string) (said string, err error) {
	return m.sh(ctx, "set -e\ncd "+folder+"\n"+commands)
}

// asked are the commands of a block, each with the lines that it goes on in.
func asked(block string) (commands []string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(block, "\\\n", "\\\r"), "\n") {
		if strings.TrimSpace(line) != "" {
			commands = append(commands, strings.ReplaceAll(line, "\r", "\n"))
		}
	}
	return commands
}

// firstChat is a bot, a document and a question as the page has them: what it leaves open with … is put in, and it waits for the document, which the
// page leaves to the reader.
func firstChat(ctx context.Context, m *machine) error {
	block, err := wayStep(3, "https://chat.example.com", site, "password: \\\"…", "password: \\\""+password)
	if err != nil {
		return err
	}
	var got struct {
		LogIn          struct{ AccessToken string }
		CreateBot      struct{ Bot struct{ ID string } }
		UploadDocument struct{ Document struct{ ID string } }
		SendMessage    struct{ BotMessage struct{ ID string } }
	}
	known, done := "", 0
	for _, command := range asked(block) {
		if strings.HasPrefix(command, "url=") || strings.HasPrefix(command, "gql()") {
			known += command + "\n"
			continue
		}
		if strings.HasPrefix(command, "token=…") {
			m.token = got.LogIn.AccessToken
			known += "token=" + m.token + "\n"
			continue
		}
		said, err := m.in(ctx, "/root", known+command) // where manual.pdf is
		if err != nil {
			return err
		}
		if strings.Contains(command, "subscription") {
			text, citations, err := answered(said)
			if err != nil || text == "" || citations == 0 {
				return errors.Join(err, fmt.Errorf("the answer is %q, with %d citations", text, citations))
			}
		} else if err := read([]byte(said), &got); err != nil {
			return err
		}
		if strings.Contains(command, "uploadDocument") {
			if err := m.hasRead(ctx, got.UploadDocument.Document.ID); err != nil {
				return err
			}
		}
		done++
	}
	m.bot, m.answer = got.CreateBot.Bot.ID, got.SendMessage.BotMessage.ID
	if done != 5 || m.answer == "" {
		return fmt.Errorf("%d commands were run: %+v", done, got)
	}
	return nil
}
