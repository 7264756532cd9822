package auth_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/kyro"
)

func secretsOf(t *testing.T, path string) []string {
	t.Helper()
	list, err := auth.ReadSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func rotated(t *testing.T, path string, step auth.Rotation, now time.Time) auth.Rotated {
	t.Helper()
	did, err := auth.RotateSecretFile(path, step, now)
	if err != nil {
		t.Fatal(err)
	}
	return did
}

func TestRotateNow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "secret"), secretA+"\n", 0o640)
	now := start
	var made []string
	for i, want := range []struct{ kept, dropped int }{{1, 0}, {2, 0}, {3, 0}, {3, 1}, {3, 1}} {
		now = now.Add(time.Hour)
		did := rotated(t, path, auth.RotateNow, now)
		list := secretsOf(t, path)
		if did.Former != want.kept || did.Dropped != want.dropped || len(list) != 1+want.kept {
			t.Errorf("rotation %d: %+v, %d secrets", i, did, len(list))
		}
		if i > 0 && list[1] != made[i-1] || slices.Contains(made, list[0]) || list[0] == secretA {
			t.Errorf("rotation %d: %q after %q", i, list, made)
		}
		made = append(made, list[0])
		if kid := decode(t, strings.Split(access(t, newTokens(t, at(now), list...), now), ".")[0])["kid"]; kid != did.Signs {
			t.Errorf("rotation %d: tokens have the key id %v, and %q was told", i, kid, did.Signs)
		}
	}
	// What signed for the last time so long ago that nothing of it is good any more goes first.
	if did := rotated(t, path, auth.RotateNow, now.Add(32*24*time.Hour)); did.Former != 1 || did.Dropped != 3 {
		t.Errorf("a month later: %+v", did)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// What is announced takes the place of nothing that may still be needed.
func TestAnnouncingKeepsThoseOfBefore(t *testing.T) {
	t.Parallel()
	path := write(t, filepath.Join(t.TempDir(), "secret"), secretA, 0o600)
	for range 3 {
		rotated(t, path, auth.RotateNow, start)
	}
	before := secretsOf(t, path)
	did := rotated(t, path, auth.RotateAnnounce, start)
	if after := secretsOf(t, path); did.Former != 3 || did.Dropped != 0 || len(after) != 5 || !slices.Equal(after[2:], before[1:]) {
		t.Errorf("%+v, %d secrets", did, len(after))
	}
	if did := rotated(t, path, auth.RotatePromote, start); did.Former != 3 || did.Dropped != 1 {
		t.Errorf("promoted: %+v", did)
	}
}

func TestRotateInTwoSteps(t *testing.T) {
	t.Parallel()
	path := write(t, filepath.Join(t.TempDir(), "secret"), secretA+","+secretB, 0o600)
	before := newTokens(t, at(start), secretA)
	if _, err := auth.RotateSecretFile(path, auth.RotatePromote, start); err == nil || !strings.Contains(err.Error(), "announce") {
		t.Errorf("promoted without an announcement: %v", err)
	}
	announced := rotated(t, path, auth.RotateAnnounce, start)
	middle := secretsOf(t, path)
	if len(middle) != 3 || middle[0] != secretA || middle[2] != secretB || announced.Announced == "" || announced.Former != 1 || announced.Dropped != 0 {
		t.Fatalf("%+v, %q", announced, middle)
	}
	for _, step := range []auth.Rotation{auth.RotateNow, auth.RotateAnnounce} {
		if _, err := auth.RotateSecretFile(path, step, start); err == nil || !slices.Equal(secretsOf(t, path), middle) {
			t.Errorf("step %d after an announcement: %v", step, err)
		}
	}
	promoted := rotated(t, path, auth.RotatePromote, start)
	after := secretsOf(t, path)
	if !slices.Equal(after, []string{middle[1], secretA, secretB}) || promoted.Signs != announced.Announced || promoted.Announced != "" || promoted.Former != 2 {
		t.Fatalf("%+v, %q", promoted, after)
	}
	// Whichever of both lists a process has, it takes what the other signs.
	for _, list := range [][]string{middle, after} {
		for _, other := range [][]string{{secretA}, middle, after} {
			if slices.Equal(other, []string{secretA}) && slices.Equal(list, after) {
				continue // nobody has the first list any more when one promotes
			}
			if _, err := newTokens(t, at(start), list...).ParseAccess(access(t, newTokens(t, at(start), other...), start)); err != nil {
				t.Errorf("%q refuses what %q signs: %v", list, other, err)
			}
		}
	}
	if id, n, err := newTokens(t, at(start), after...).ParseRefresh(before.Refresh(kyro.SessionID(7), 3)); err != nil || id != kyro.SessionID(7) || n != 3 {
		t.Errorf("a refresh token from before: %v %d %v", id, n, err)
	}
}

func TestRotateLeavesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	weak := write(t, filepath.Join(dir, "weak"), "short", 0o600)
	open := write(t, filepath.Join(dir, "open"), secretA, 0o644)
	for _, path := range []string{weak, open, filepath.Join(dir, "missing")} {
		before, _ := os.ReadFile(path)
		if _, err := auth.RotateSecretFile(path, auth.RotateNow, start); err == nil {
			t.Errorf("%s was rotated", path)
		}
		if after, _ := os.ReadFile(path); string(after) != string(before) {
			t.Errorf("%s was changed", path)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(write(t, filepath.Join(dir, "real"), secretA, 0o600), link); err != nil {
		t.Skip(err)
	}
	rotated(t, link, auth.RotateNow, start)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 || len(secretsOf(t, filepath.Join(dir, "real"))) != 2 {
		t.Errorf("the link became a file of its own: %v, %v", info, err)
	}
}
