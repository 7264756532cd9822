package insight_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"kyrochat/insight"
	"kyrochat/kyro"
)

// shelf is a store in which answers of bot 1 cite three documents and a passage of each.
type shelf struct {
	counter

	except []int64 // which unused documents are asked for
}

func (s *shelf) Cited(_ context.Context, bot kyro.ID, span kyro.Span) (*kyro.Cited, error) {
	if bot != kyro.BotID(1) || !span.From.Before(span.To) {
		return nil, errors.New("counts what nobody may see")
	}
	c := kyro.NewCited()
	for key, answers := range map[int64]int64{4: 2, 5: 7, 6: 7} {
		c.Documents[key], c.Passages[10*key] = kyro.Uses{Answers: answers, Last: 90 + key}, kyro.Uses{Answers: 8 - answers, Last: 90 + key}
	}
	return c, nil
}

func (*shelf) CitedDocuments(_ context.Context, used []kyro.Used) (list []kyro.CitedDocument, err error) {
	for _, u := range used {
		list = append(list, kyro.CitedDocument{DocumentID: kyro.DocumentID(u.Key), Answers: u.Answers})
	}
	return list, nil
}

func (*shelf) CitedPassages(_ context.Context, used []kyro.Used) (list []kyro.CitedPassage, err error) {
	for _, u := range used {
		list = append(list, kyro.CitedPassage{ChunkID: kyro.ChunkID(u.Key), Answers: u.Answers})
	}
	return list, nil
}

func (s *shelf) UnusedDocuments(_ context.Context, owner, bot kyro.ID, cited []int64, req kyro.PageRequest) (kyro.Page[kyro.Document], error) {
	if owner != kyro.UserID(1) || bot != kyro.BotID(1) || req.Limit != 7 {
		return kyro.Page[kyro.Document]{}, errors.New("lists what nobody asked for")
	}
	s.except = cited
	return kyro.Page[kyro.Document]{Nodes: []kyro.Document{{ID: kyro.DocumentID(9)}}}, nil
}

func TestMostCitedAndUnused(t *testing.T) {
	ada := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	span := kyro.Span{From: now, To: now.Add(time.Hour)}
	for _, tt := range []struct {
		name  string
		v     kyro.Viewer
		bot   kyro.ID
		first int
		code  kyro.Code
		want  string
	}{
		{"the owner", ada, kyro.BotID(1), 2, "", "[doc_5 doc_6] [chunk_40 chunk_50] 1"},
		{"all of them", ada, kyro.BotID(1), 100, "", "[doc_5 doc_6 doc_4] [chunk_40 chunk_50 chunk_60] 1"},
		{"none", ada, kyro.BotID(1), 0, kyro.CodeBadUserInput, ""},
		{"too many", ada, kyro.BotID(1), 101, kyro.CodeBadUserInput, ""},
		{"nobody", kyro.Viewer{}, kyro.BotID(1), 2, kyro.CodeUnauthenticated, ""},
		{"a key that may only chat", kyro.Viewer{UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(3), Scopes: []kyro.Scope{kyro.ScopeChat}}, kyro.BotID(1), 2, kyro.CodeForbidden, ""},
		{"another one's bot", kyro.Viewer{UserID: kyro.UserID(2), SessionID: kyro.SessionID(2)}, kyro.BotID(1), 2, kyro.CodeNotFound, ""},
		{"an id of something else", ada, kyro.UserID(1), 2, kyro.CodeBadUserInput, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := &shelf{}
			s := insight.New(st, "EUR", nil)
			documents, err1 := s.TopDocuments(t.Context(), tt.v, tt.bot, span, tt.first)
			passages, err2 := s.TopPassages(t.Context(), tt.v, tt.bot, span, tt.first)
			unused, err3 := s.UnusedDocuments(t.Context(), tt.v, tt.bot, span, kyro.PageRequest{Limit: 7})
			if tt.code != "" {
				for i, err := range []error{err1, err2, err3} {
					if kyro.ErrorCode(err) != tt.code && (i < 2 || tt.code != kyro.CodeBadUserInput || tt.bot != kyro.BotID(1)) {
						t.Errorf("%d: %v, want %s", i, err, tt.code)
					}
				}
				return
			}
			var keys, chunks []kyro.ID
			for _, d := range documents {
				keys = append(keys, d.DocumentID)
			}
			for _, p := range passages {
				chunks = append(chunks, p.ChunkID)
			}
			if got := fmt.Sprint(keys, chunks, len(unused.Nodes)); err1 != nil || err2 != nil || err3 != nil || got != tt.want {
				t.Errorf("%s, %v, %v, %v; want %s", got, err1, err2, err3, tt.want)
			}
			if fmt.Sprint(st.except) != "[4 5 6]" {
				t.Errorf("unused but %v", st.except)
			}
		})
	}
}

// What is not wanted is not counted.
func TestAnalyticsWithoutFigures(t *testing.T) {
	ada := kyro.Viewer{UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)}
	asked := insight.Asked{Span: kyro.Span{From: now, To: now.Add(time.Hour)}, Interval: kyro.IntervalDay, TimeZone: "UTC", NoFigures: true}
	told, err := insight.New(&counter{}, "EUR", nil).Analytics(t.Context(), ada, kyro.BotID(1), asked)
	if err != nil || told.Total != nil || told.Series != nil || told.BotID != kyro.BotID(1) {
		t.Errorf("%+v, %v", told, err)
	}
	asked.NoFigures = false
	told, err = insight.New(&counter{}, "EUR", nil).Analytics(t.Context(), ada, kyro.BotID(1), asked)
	if err != nil || told.Total.Currency != "EUR" || told.Series[0].Currency != "EUR" {
		t.Errorf("%+v, %v", told, err)
	}
}
