package operator

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/backup"
	"kyrochat/kyro"
	"kyrochat/store"
)

// TestVerifyRefusesAFileTwice: which backups of former versions may have.
func TestVerifyRefusesAFileTwice(t *testing.T) {
	t.Parallel()
	r := &restoring{progress: newHowFar(io.Discard), into: nowhere{}}
	for i, name := range []string{"6/1", "7/1", "7/2", "7/1"} {
		if err := r.file(t.Context(), name, 1, strings.NewReader("x")); (err == nil) != (i < 3) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHeldAgainIsNotHeldAllTheTime(t *testing.T) {
	t.Parallel()
	h, at := &holding{}, time.Now()
	for _, test := range []struct {
		after   time.Duration
		renewed bool
		good    bool
	}{{0, true, true}, {50 * time.Second, false, true}, {0, true, true}, {59 * time.Second, false, true}, {2 * time.Second, true, false}, {0, false, false}} {
		at = at.Add(test.after)
		if test.renewed {
			h.renewed(at)
		}
		if err := h.lapsed(at); (err == nil) != test.good {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestVerifyRefusesATableWithoutColumns: of whose rows nobody could find the end.
func TestVerifyRefusesATableWithoutColumns(t *testing.T) {
	t.Parallel()
	manifest := backupManifest{Format: backupFormat, Product: "KyroChat", Image: store.Image{Tables: []store.ImageTable{{Name: "users"}}}}
	var made bytes.Buffer
	w, err := backup.NewWriter(&made, manifest, time.Now(), backup.Keys{})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := readBackup(&made, backup.Keys{}); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("it is read: %v", err)
	}
}

// TestRestoredJobsAreDueAsTheyWere: what was to be done an hour after the backup is late in one that is restored a day later, and
// waits for the rest of the hour in one that is restored at once.
func TestRestoredJobsAreDueAsTheyWere(t *testing.T) {
	t.Parallel()
	list := []kyro.Job{{Kind: kyro.JobMail, Key: 1, After: time.Hour}, {Kind: kyro.JobEmbed, Key: 2}, {Kind: kyro.JobPurge, Key: 3}}
	for later, want := range map[time.Duration]time.Duration{24 * time.Hour: 0, 20 * time.Minute: 40 * time.Minute, 0: time.Hour, -time.Minute: time.Hour} {
		got := jobsLeft(list, later)
		if want := []kyro.Job{{Kind: kyro.JobMail, Key: 1, After: want}, {Kind: kyro.JobPurge, Key: 3}}; !slices.Equal(got, want) {
			t.Errorf("%s later %v are left, want %v", later, got, want)
		}
	}
}
