package live

import (
	"encoding/json"
	"slices"
	"testing"

	"kyrochat/kyro"
)

func FuzzPacks(f *testing.F) {
	for _, text := range []string{"", "token ", "日本 🙂", "a\nb\t\"c\" \\ </script> \u2028", "\x00\x1f\x7f"} {
		f.Add(text, "STREAMING", int64(3), true)
	}
	f.Fuzz(func(t *testing.T, text, status string, seq int64, final bool) {
		if again, err := json.Marshal(text + status); err != nil || !json.Valid(again) {
			t.Skip()
		}
		text, status = clean(text), clean(status)
		want := []kyro.LogEntry{
			{Attempt: 2, Seq: seq, Text: text}, {Attempt: 2, Seq: seq, Status: kyro.MessageStatus(status), Final: final}, {Text: status, Final: true},
		}
		var got []kyro.LogEntry
		if err := json.Unmarshal(appendPack(nil, want), &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q became %+v, %v", appendPack(nil, want), got, err)
		}
	})
}

// clean is what a text is once it went through JSON, which holds nothing but Unicode.
func clean(text string) (clean string) {
	data, _ := json.Marshal(text)
	_ = json.Unmarshal(data, &clean)
	return clean
}
