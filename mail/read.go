package mail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"strings"

	"kyrochat/kyro"
)

// maxFile is how much of a file in the outbox is read. No mail of ours comes near it.
const maxFile = 1 << 20

// List gives the mails that are kept, newest first, without their texts.
func (o *Outbox) List() ([]kyro.KeptMail, error) {
	list, err := o.names()
	if err != nil {
		return nil, err
	}
	kept := make([]kyro.KeptMail, 0, len(list))
	for _, name := range list {
		m, _, err := o.open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just gone
		}
		if err != nil {
			m.Subject = "(this file cannot be read)" // and the others can
		}
		kept = append(kept, m)
	}
	return kept, nil
}

// Read gives one mail with its texts; NOT_FOUND where there is none of the name.
func (o *Outbox) Read(name string) (kyro.KeptMail, error) {
	none := kyro.Errorf(kyro.CodeNotFound, "There is no such mail in the outbox.")
	if !names.MatchString(name) {
		return kyro.KeptMail{}, none
	}
	m, message, err := o.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return kyro.KeptMail{}, none
	}
	if err != nil {
		return kyro.KeptMail{}, err
	}
	_, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return kyro.KeptMail{}, fmt.Errorf("read a mail of the outbox: %w", err)
	}
	parts := multipart.NewReader(message.Body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return kyro.KeptMail{}, fmt.Errorf("read a mail of the outbox: %w", err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return kyro.KeptMail{}, fmt.Errorf("read a mail of the outbox: %w", err)
		}
		said := strings.ReplaceAll(string(text), "\r\n", "\n")
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			m.HTML = said
		} else {
			m.Text = said
		}
	}
}

// open reads a file. It is small enough to be read whole.
func (o *Outbox) open(name string) (kyro.KeptMail, *mail.Message, error) {
	m := kyro.KeptMail{Name: name}
	m.At, m.Kind, _ = parseName(name)
	f, err := os.Open(filepath.Join(o.folder, name))
	if err != nil {
		return m, nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return m, nil, err
	}
	message, err := mail.ReadMessage(strings.NewReader(string(content)))
	if err != nil {
		return m, nil, fmt.Errorf("read a mail of the outbox: %w", err)
	}
	words := mime.WordDecoder{}
	if m.Subject, err = words.DecodeHeader(message.Header.Get("Subject")); err != nil {
		m.Subject = message.Header.Get("Subject")
	}
	if to, err := message.Header.AddressList("To"); err == nil && len(to) > 0 {
		m.To = to[0].Address
	}
	return m, message, nil
}
