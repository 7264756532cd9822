package program

import (
	"errors"
	"testing"

	"kyrochat/command"
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
