package account

import (
	"time"

	"kyrochat/kyro"
)

// NoteUses notes the uses of so many keys, and gives how many of them wait to be written.
func NoteUses(keys int) int {
	var u uses
	now := time.Now()
	for i := range keys {
		u.note(kyro.APIKeyID(int64(i+1)), now.Add(time.Duration(i)*time.Second))
	}
	return len(u.due)
}
