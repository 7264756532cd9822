package operator

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"kyrochat/command"
	"kyrochat/internal/envtest"
	"kyrochat/kyro"
)

// TestVerdict: what was not looked at, or not repaired, is told before what was found, and damage goes before both.
func TestVerdict(t *testing.T) {
	t.Parallel()
	cut, failed := errors.New("the disk is away"), errors.New("the database is away")
	some, none := verifiedLine{Damage: 1, Repaired: 2}, verifiedLine{Notes: 3, Repaired: 2}
	for _, test := range []struct {
		end         verifiedLine
		cut, failed error
		repair      bool
		status      int
		says        string
	}{
		{end: none},
		{end: none, repair: true},
		{end: some, status: 3, says: "admin verify: damage was found"},
		{end: some, repair: true, status: 3, says: "admin verify: damage was found that is not repaired yet"},
		{end: some, cut: cut, status: 3, says: "admin verify: damage was found, and the rest could not be looked at: the disk is away"},
		{end: some, cut: cut, repair: true, status: 3, says: "admin verify: damage was found, and the rest could not be looked at: the disk is away"},
		{end: none, cut: cut, status: 1, says: "the disk is away"},
		{end: none, failed: failed, repair: true, status: 3, says: "admin verify: not everything could be repaired: the database is away"},
		{end: some, failed: failed, repair: true, status: 3, says: "admin verify: not everything could be repaired: the database is away"},
	} {
		err := verdict(test.end, test.cut, test.failed, test.repair)
		switch {
		case test.status == 0 && err != nil:
			t.Errorf("%+v ends with %v", test, err)
		case test.status > 0 && (err == nil || command.Status(err) != test.status || err.Error() != test.says):
			t.Errorf("%+v ends with %v", test, err)
		}
	}
}

// TestVerifyWritesDownWhatItRepaired: also where another repair fails, and what is more than is repaired at once is not repaired.
func TestVerifyWritesDownWhatItRepaired(t *testing.T) {
	t.Parallel()
	o := &operator{Options: Options{Getenv: envtest.Of(map[string]string{"KYRO_DATA_DIR": t.TempDir()}), ErrOut: io.Discard}, founds: true}
	if err := o.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.close() }()
	works := func(context.Context) error { return nil }
	list := []inspected{
		{Finding: kyro.Finding{Check: "orphans", Count: 3}, repair: works},
		{Finding: kyro.Finding{Check: "counters", Count: 2}, repair: func(context.Context) error { return errors.New("the database is away") }},
		{Finding: kyro.Finding{Check: "word-index", Count: 12, Most: 10}, repair: works},
		{Finding: kyro.Finding{Check: "references", Count: 1}},
	}
	if err := o.repair(t.Context(), list); err == nil || !strings.Contains(err.Error(), "repair counters: the database is away") {
		t.Errorf("what failed is told by %v", err)
	}
	for i, want := range []bool{true, false, false, false} {
		if list[i].repaired() != want {
			t.Errorf("%s is repaired: %v", list[i].Check, !want)
		}
	}
	lines, err := o.admin.AuditLog(t.Context(), kyro.AuditQuery{Action: kyro.AuditDataRepaired, Limit: 10})
	if err != nil || len(lines) != 1 || !strings.Contains(lines[0].Detail, "orphans (3), word-index (10)") {
		t.Errorf("the audit log has %v, %v", lines, err)
	}
}
