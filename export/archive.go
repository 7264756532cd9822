package export

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"kyrochat/kyro"
)

// archiveVersion is raised where what is in the archive changes its meaning. Fields and files may be added without.
const archiveVersion = 1

// manifest is the last file of an archive: what is in it.
type manifest struct {
	Version   int           `json:"version"`
	Server    string        `json:"server"`
	UserID    string        `json:"userId"`
	AskedAt   stamp         `json:"askedAt"`
	MadeAt    stamp         `json:"madeAt"`
	Note      string        `json:"note"`
	Files     []partOf      `json:"files"`
	Originals originalsPart `json:"originals"`
}

type partOf struct {
	Name  string `json:"name"`
	Holds string `json:"holds"`
	Count int    `json:"count"`
}

type originalsPart struct {
	Folder  string   `json:"folder"`
	Holds   string   `json:"holds"`
	Count   int      `json:"count"`
	Missing []string `json:"missing"` // documents that should have one, which is not kept any more
}

const archiveNote = "What is kept of your account, as the API shows it to you. What the server makes of it to search and to count, such as passages, " +
	"vectors and sums by hour, is not in it. Nor are passwords, the secrets of API keys and the tokens of sessions: " +
	"the server keeps none of them, only what they are checked by, which is of no use to you. Nor is what you deleted."

// archive writes everything that is kept of the owner: JSON for people, and the originals of documents.
func (m *making) archive(ctx context.Context, w io.Writer) error {
	conversations, err := m.countConversations(ctx)
	if err != nil {
		return err
	}
	documents := 0
	err = m.eachBot(ctx, func(b *kyro.Bot) error {
		p, err := m.documentPage(ctx, b, kyro.PageRequest{Order: kyro.DocumentsOrder, Limit: 1, Total: true, NoInfo: true})
		documents += p.Total
		return err
	})
	if err != nil {
		return err
	}
	if err := m.total(ctx, conversations+documents); err != nil {
		return err
	}
	z := &archive{zip: zip.NewWriter(w), at: m.e.CreatedAt}
	for _, part := range []struct {
		name, holds string
		write       func(context.Context, func(any) error) error
	}{
		{"profile.json", "Who you are to this server.", m.profile},
		{"sessions.json", "Where you are signed in.", m.sessions},
		{"api-keys.json", "Your API keys, without their secrets.", m.keys},
		{"usage.json", "What your answers and documents took, by month of UTC, kind and model.", m.usage},
		{"budgets.json", "Budgets of your account, bots and API keys, and what is used of them now.", m.budgets},
		{"audit-log.json", "What was done to and by your account, newest first.", m.auditLog},
		{"bots.json", "Your bots with all their settings.", m.bots},
		{"documents.json", "What your bots know: where it is from and what became of it. The originals are beside.", m.documents},
		{"knowledge-gaps.json", "What people asked your bots and did not get answered, by gap, and what became of that.", m.gaps},
		{"crawls.json", "Sites that were walked through.", m.crawls},
		{"conversations.json", "Your conversations, oldest first.", m.talks},
		{"messages.json", "All messages of these, with citations, ratings and what they took.", m.messages},
		{"exports.json", "Exports that were made for you, this one too.", m.exports},
	} {
		if err := z.list(part.name, part.holds, func(add func(any) error) error { return part.write(ctx, add) }); err != nil {
			return fmt.Errorf("write %s: %w", part.name, err)
		}
	}
	originals, err := m.originals(ctx, z)
	if err != nil {
		return err
	}
	err = z.write("manifest.json", func(to io.Writer) error {
		text, err := json.MarshalIndent(manifest{
			archiveVersion, m.Version, m.e.OwnerID.String(), stamp(m.e.CreatedAt), stamp(m.time()), archiveNote, z.parts, originals,
		}, "", "  ")
		if err == nil {
			_, err = to.Write(append(text, '\n'))
		}
		return err
	})
	if err != nil {
		return err
	}
	return z.zip.Close()
}

// archive is a zip that is being written, of which nothing is held but its directory.
type archive struct {
	zip   *zip.Writer
	at    time.Time
	parts []partOf
}

func (a *archive) write(name string, body func(io.Writer) error) error {
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.at})
	if err != nil {
		return err
	}
	return body(w)
}

// list writes a list in JSON, an element at a time.
func (a *archive) list(name, holds string, each func(add func(any) error) error) error {
	n := 0
	err := a.write(name, func(w io.Writer) error {
		err := each(func(element any) error {
			text, err := indented(element)
			if err != nil {
				return err
			}
			begin := "[\n  "
			if n > 0 {
				begin = ",\n  "
			}
			n++
			if _, err := io.WriteString(w, begin); err != nil {
				return err
			}
			_, err = w.Write(text)
			return err
		})
		if err != nil {
			return err
		}
		end := "\n]\n"
		if n == 0 {
			end = "[]\n"
		}
		_, err = io.WriteString(w, end)
		return err
	})
	a.parts = append(a.parts, partOf{name, holds, n})
	return err
}

// originals writes the files that documents were made from.
func (m *making) originals(ctx context.Context, z *archive) (originalsPart, error) {
	part := originalsPart{Folder: "files/", Holds: "The originals of documents, each in a folder with the document's id.", Missing: []string{}}
	err := m.eachDocument(ctx, func(d *kyro.Document) error {
		if d.SizeBytes == nil {
			return m.more(ctx, 1)
		}
		name, body, err := m.Originals.OpenOriginal(ctx, m.e.OwnerID, d.ID)
		if kyro.ErrorCode(err) == kyro.CodeNotFound { // deleted meanwhile, or lost
			part.Missing = append(part.Missing, d.ID.String())
			return m.more(ctx, 1)
		}
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		part.Count++
		err = z.write("files/"+d.ID.String()+"/"+entryName(name), func(w io.Writer) error {
			_, err := io.Copy(w, body)
			return err
		})
		if err != nil {
			return fmt.Errorf("write the original of %s: %w", d.ID, err)
		}
		return m.more(ctx, 1)
	})
	return part, err
}

// entryName is a file's name as one in an archive: never a path.
func entryName(name string) string {
	switch name = kyro.CleanFileName(name); name {
	case "", ".", "..":
		return "file"
	}
	return name
}
