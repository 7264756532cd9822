package export

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"kyrochat/kyro"
)

// What an archive holds of a person is written out here field by field, so that nothing comes into it by being added to a
// noun: hashes and tokens are not even read.

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("  ", "  ")
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

type told = map[string]any // of which JSON has the keys in alphabetical order

func (m *making) profile(ctx context.Context, add func(any) error) error {
	users, err := m.Store.Users(ctx, []kyro.ID{m.e.OwnerID})
	u, err := kyro.One(users, err, kyro.KindUser)
	if err != nil {
		return err
	}
	return add(told{"id": u.ID.String(), "email": u.Email, "emailVerified": u.EmailVerified, "name": u.Name, "createdAt": stamp(u.CreatedAt)})
}

func (m *making) sessions(ctx context.Context, add func(any) error) error {
	list, err := m.Store.SessionsOf(ctx, m.e.OwnerID, time.Time{}, m.time())
	return each(list, err, func(s *kyro.Session) error {
		return add(told{
			"id": s.ID.String(), "createdAt": stamp(s.CreatedAt), "lastUsedAt": stamp(s.LastUsedAt), "expiresAt": stamp(s.ExpiresAt),
			"userAgent": s.Device.UserAgent, "addressPrefix": s.Device.AddressPrefix,
		})
	})
}

func (m *making) keys(ctx context.Context, add func(any) error) error {
	list, err := m.Store.APIKeysOf(ctx, m.e.OwnerID)
	return each(list, err, func(k *kyro.APIKey) error {
		networks := make([]string, len(k.Networks))
		for i, network := range k.Networks {
			networks[i] = network.String()
		}
		return add(told{
			"id": k.ID.String(), "name": k.Name, "prefix": k.Prefix, "scopes": texts(k.Scopes), "allowedNetworks": networks,
			"createdAt": stamp(k.CreatedAt), "expiresAt": stamped(k.ExpiresAt), "lastUsedAt": stamped(k.LastUsedAt),
		})
	})
}

func (m *making) auditLog(ctx context.Context, add func(any) error) error {
	read := func(req kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error) {
		return m.Store.AuditPage(ctx, m.e.OwnerID, req)
	}
	return eachRow("AT.DESC", read, func(e *kyro.AuditEntry) error {
		return add(told{
			"id": e.ID.String(), "at": stamp(e.At), "action": e.Action, "succeeded": e.Succeeded, "actor": e.Actor, "by": idOrNull(e.By), "target": idOrNull(e.Target),
			"userAgent": e.Device.UserAgent, "addressPrefix": e.Device.AddressPrefix, "requestId": e.RequestID, "detail": e.Detail,
		})
	})
}

func (m *making) bots(ctx context.Context, add func(any) error) error {
	return m.eachBot(ctx, func(b *kyro.Bot) error {
		return add(told{
			"id": b.ID.String(), "name": b.Name, "description": b.Description, "instructions": b.Instructions, "welcomeMessage": b.WelcomeMessage,
			"suggestedQuestions": texts(b.SuggestedQuestions), "model": b.Model, "temperature": b.Temperature, "maxOutputTokens": b.MaxOutputTokens,
			"topK": b.TopK, "minScore": b.MinScore, "noAnswerText": b.NoAnswerText, "strict": b.Strict,
			"createdAt": stamp(b.CreatedAt), "updatedAt": stamp(b.UpdatedAt),
		})
	})
}

func (m *making) documents(ctx context.Context, add func(any) error) error {
	return m.eachDocument(ctx, func(d *kyro.Document) error {
		return add(told{
			"id": d.ID.String(), "botId": d.BotID.String(), "kind": d.Kind, "title": d.Title, "fileName": d.FileName, "url": d.URL, "askedUrl": d.PageURL,
			"mimeType": d.MimeType, "sizeBytes": d.SizeBytes, "contentHash": d.ContentHash, "version": d.Version, "status": d.Status, "statusReason": d.StatusReason,
			"pageCount": d.PageCount, "chunkCount": d.ChunkCount, "charCount": d.CharCount, "language": d.Language,
			"chunkTokens": d.ChunkTokens, "overlapTokens": d.OverlapTokens, "syncHours": d.SyncHours, "crawlId": idOrNull(d.CrawlID),
			"createdAt": stamp(d.CreatedAt), "updatedAt": stamp(d.UpdatedAt), "readyAt": stamped(d.ReadyAt), "checkedAt": stamped(d.CheckedAt),
		})
	})
}

func (m *making) crawls(ctx context.Context, add func(any) error) error {
	return m.eachBot(ctx, func(b *kyro.Bot) error {
		read := func(req kyro.PageRequest) (kyro.Page[kyro.Crawl], error) {
			pages, err := m.Store.CrawlsOfBots(ctx, m.e.OwnerID, []kyro.ID{b.ID}, req)
			return pages[b.ID], err
		}
		return eachRow(kyro.CrawlsOrder, read, func(c *kyro.Crawl) error {
			return add(told{
				"id": c.ID.String(), "botId": c.BotID.String(), "url": c.URL, "status": c.Status, "statusReason": c.StatusReason,
				"maxPages": c.MaxPages, "maxDepth": c.MaxDepth, "include": texts(c.Include), "exclude": texts(c.Exclude),
				"pagesFound": c.PagesFound, "pagesDone": c.PagesDone, "pagesAdded": c.PagesAdded, "pagesUnchanged": c.PagesUnchanged,
				"pagesSkipped": c.PagesSkipped, "pagesFailed": c.PagesFailed, "createdAt": stamp(c.CreatedAt), "finishedAt": stamped(c.FinishedAt),
			})
		})
	})
}

func (m *making) talks(ctx context.Context, add func(any) error) error {
	return m.eachConversation(ctx, func(some []kyro.Conversation) error {
		return each(some, nil, func(c *kyro.Conversation) error {
			return add(told{
				"id": c.ID.String(), "botId": c.BotID.String(), "title": c.ShownTitle(), "archived": c.Archived, "messageCount": c.MessageCount,
				"createdAt": stamp(c.CreatedAt), "updatedAt": stamp(c.UpdatedAt),
			})
		})
	})
}

func (m *making) messages(ctx context.Context, add func(any) error) error {
	return m.eachConversation(ctx, func(some []kyro.Conversation) error {
		if err := m.eachMessage(ctx, some, func(r row) error { return add(r) }); err != nil {
			return err
		}
		return m.more(ctx, len(some))
	})
}

func (m *making) exports(ctx context.Context, add func(any) error) error {
	list, err := m.Store.ExportsOf(ctx, m.e.OwnerID, m.time())
	return each(list, err, func(e *kyro.Export) error {
		return add(told{
			"id": e.ID.String(), "kind": e.Kind, "format": e.Format, "botId": idOrNull(e.BotID), "from": stamped(e.From), "to": stamped(e.To),
			"status": e.Status, "sizeBytes": e.SizeBytes, "createdAt": stamp(e.CreatedAt), "finishedAt": stamped(e.FinishedAt), "expiresAt": stamp(e.ExpiresAt),
		})
	})
}

func (m *making) eachBot(ctx context.Context, visit func(*kyro.Bot) error) error {
	order := kyro.BotOrder{By: kyro.BotsByCreation, Direction: kyro.Asc}
	read := func(req kyro.PageRequest) (kyro.Page[kyro.Bot], error) {
		return m.Store.BotPage(ctx, m.e.OwnerID, kyro.BotFilter{}, order, req)
	}
	return eachRow(order.Name(), read, func(b *kyro.Bot) error {
		if b.CreatedAt.After(m.e.CreatedAt) {
			return nil
		}
		return visit(b)
	})
}

func (m *making) documentPage(ctx context.Context, b *kyro.Bot, req kyro.PageRequest) (kyro.Page[kyro.Document], error) {
	pages, err := m.Store.DocumentPages(ctx, m.e.OwnerID, []kyro.ID{b.ID}, kyro.DocumentFilter{}, req)
	return pages[b.ID], err
}

func (m *making) eachDocument(ctx context.Context, visit func(*kyro.Document) error) error {
	return m.eachBot(ctx, func(b *kyro.Bot) error {
		read := func(req kyro.PageRequest) (kyro.Page[kyro.Document], error) { return m.documentPage(ctx, b, req) }
		return eachRow(kyro.DocumentsOrder, read, func(d *kyro.Document) error {
			if d.CreatedAt.After(m.e.CreatedAt) {
				return nil
			}
			return visit(d)
		})
	})
}

// eachRow visits the rows of a list.
func eachRow[N any](order string, read func(kyro.PageRequest) (kyro.Page[N], error), visit func(*N) error) error {
	return eachPage(order, kyro.MaxPageSize, read, func(rows []N) error { return each(rows, nil, visit) })
}

func each[N any](rows []N, err error, visit func(*N) error) error {
	for i := range rows {
		if err == nil {
			err = visit(&rows[i])
		}
	}
	return err
}
