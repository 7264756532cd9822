package kyro_test

import (
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestExportsAreChecked(t *testing.T) {
	t.Parallel()
	at := func(hour int) *time.Time { t := time.Date(2026, 11, 29, hour, 0, 0, 0, time.UTC); return &t }
	talks := func(f kyro.ExportFormat, from, to *time.Time) kyro.Export {
		return kyro.Export{OwnerID: kyro.UserID(1), BotID: kyro.BotID(7), Kind: kyro.ExportConversations, Format: f, From: from, To: to, CreatedAt: *at(12)}
	}
	mine := kyro.Export{OwnerID: kyro.UserID(1), Kind: kyro.ExportMyData, Format: kyro.ExportZIP, CreatedAt: *at(12)}
	for _, good := range []kyro.Export{mine, talks(kyro.ExportCSV, nil, nil), talks(kyro.ExportJSONL, at(1), nil), talks(kyro.ExportCSV, at(1), at(2))} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	wrong := mine
	wrong.Format = kyro.ExportCSV
	for _, bad := range []kyro.Export{wrong, talks(kyro.ExportZIP, nil, nil), talks(kyro.ExportCSV, at(2), at(2)), talks(kyro.ExportCSV, at(3), at(2))} {
		if err := bad.Check(); kyro.ErrorCode(err) != kyro.CodeValidation {
			t.Errorf("%+v: %v", bad, err)
		}
	}

	spanned := talks(kyro.ExportCSV, at(2), at(4))
	for hour, want := range map[int]bool{1: false, 2: true, 3: true, 4: false} {
		if spanned.Holds(*at(hour)) != want {
			t.Errorf("a message of hour %d is in it: %t", hour, !want)
		}
	}
	if all := talks(kyro.ExportCSV, nil, nil); !all.Holds(*at(12)) || all.Holds(at(12).Add(time.Microsecond)) {
		t.Error("what it holds does not end with the moment it was asked for")
	}

	theirs, ofAnother := talks(kyro.ExportCSV, at(2), at(4)), talks(kyro.ExportCSV, at(2), at(4))
	theirs.OwnerID, ofAnother.BotID = kyro.UserID(2), kyro.BotID(8)
	for name, other := range map[string]kyro.Export{
		"owner": theirs, "bot": ofAnother,
		"format": talks(kyro.ExportJSONL, at(2), at(4)), "from": talks(kyro.ExportCSV, nil, at(4)), "to": talks(kyro.ExportCSV, at(2), at(5)), "kind": mine,
	} {
		if spanned.Same(&other) {
			t.Errorf("another %s is the same", name)
		}
	}
	if again := talks(kyro.ExportCSV, at(2), at(4)); !spanned.Same(&again) {
		t.Error("the same is another")
	}
	if all, again := talks(kyro.ExportCSV, nil, nil), talks(kyro.ExportCSV, nil, nil); !all.Same(&again) || all.Same(&spanned) {
		t.Error("a span is the same as none, or none is not")
	}
	for status, final := range map[kyro.ExportStatus]bool{kyro.ExportQueued: false, kyro.ExportRunning: false, kyro.ExportReady: true, kyro.ExportFailed: true} {
		if status.Final() != final {
			t.Errorf("%s: %t", status, status.Final())
		}
	}
	if got := spanned.FileName() + " " + mine.FileName(); got != "kyrochat-bot-7-conversations-2026-11-29.csv kyrochat-my-data-2026-11-29.zip" {
		t.Errorf("they are called %s", got)
	}
	if !mine.ReadableBy(kyro.Viewer{UserID: kyro.UserID(1)}) || mine.ReadableBy(kyro.Viewer{UserID: kyro.UserID(2)}) || mine.ReadableBy(kyro.Viewer{}) {
		t.Error("somebody else may read it, or the owner may not")
	}
}
