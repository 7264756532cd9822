package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Rotation is a step in the change of the secret that signs. Nobody is signed out by it: what a former secret signed is
// good for as long as it lives.
type Rotation int

// The steps. Where all processes read one file, RotateNow does everything: a server that runs lets a new secret verify
// at once and sign 15 seconds later, when the others have seen it too. Where each has a file of its own, the new secret
// has to be in all of them before it signs anywhere: RotateAnnounce, then copy the file to the others, then
// RotatePromote, and copy it again.
const (
	RotateNow      Rotation = iota // puts a new secret in front
	RotateAnnounce                 // puts a new secret second: it verifies, and signs nothing yet
	RotatePromote                  // puts the announced secret in front
)

const (
	maxFormer  = 3                   // secrets that signed before and are kept
	formerTime = 31 * 24 * time.Hour // how long they are: a day more than the longest life of a session or of a link in a mail
)

// Rotated is what a rotation did, by the ids that the header of an access token has as kid. They give nothing away.
type Rotated struct {
	Signs     string // the key that signs now
	Announced string // the key that is to sign next; "" for none
	Former    int    // secrets that verify what they signed before
	Dropped   int    // secrets that were taken out: beyond the three youngest, or not needed any more
}

// RotateSecretFile changes a file of secrets by one step: it writes another file beside it, through to the disk, and
// gives that the name. Owner and mode stay as they are. It takes out former secrets that signed for the last time more
// than 31 days ago, and those beyond three. A file that ReadSecrets refuses is left as it is, and so is one for which the
// step makes no sense: an error says why.
func RotateSecretFile(path string, step Rotation, now time.Time) (Rotated, error) {
	path, err := filepath.EvalSymlinks(path) // the name that a link leads to is what has to change
	if err != nil {
		return Rotated{}, fmt.Errorf("find the file of the secret: %w", err)
	}
	lines, err := readSecretLines(path)
	if err != nil {
		return Rotated{}, err
	}
	before := len(lines)
	if lines, err = rotate(lines, step, now); err != nil {
		return Rotated{}, err
	}
	if err := replaceFile(path, writeSecrets(lines)); err != nil {
		return Rotated{}, fmt.Errorf("write the secrets: %w", err)
	}
	return rotated(lines, before, step)
}

// rotate does one step, in memory.
func rotate(lines []secretLine, step Rotation, now time.Time) ([]secretLine, error) {
	signs, former := lines[0], lines[1:]
	var next *secretLine
	if i := slices.IndexFunc(former, func(line secretLine) bool { return !line.announced.IsZero() }); i >= 0 {
		next = &former[i]
		former = slices.Concat(former[:i], former[i+1:])
	}
	switch {
	case next != nil && step != RotatePromote:
		return nil, errors.New("a secret was announced before: promote it, or take it out of the file")
	case next == nil && step == RotatePromote:
		return nil, errors.New("no secret was announced: announce one, and promote it when every process has it")
	case next == nil:
		next = &secretLine{secret: newSecret(), announced: now}
	}
	head := []secretLine{signs, *next}
	if step != RotateAnnounce {
		head[0] = secretLine{secret: next.secret}
		head[1] = secretLine{secret: signs.secret, until: now}
	}
	former = slices.DeleteFunc(slices.Clone(former), func(line secretLine) bool {
		return !line.until.IsZero() && now.Sub(line.until) > formerTime
	})
	most := 1 + maxFormer
	if step == RotateAnnounce {
		most++
	}
	lines = append(head, former...)
	return lines[:min(len(lines), most)], nil
}

func rotated(lines []secretLine, before int, step Rotation) (Rotated, error) {
	did := Rotated{Former: len(lines) - 1, Dropped: before - len(lines)}
	if step != RotatePromote {
		did.Dropped++ // for the one that was added
	}
	for i, line := range lines {
		key, err := deriveKeys(line.secret)
		if err != nil {
			return did, err
		}
		if i == 0 {
			did.Signs = key.id
		}
		if !line.announced.IsZero() {
			did.Announced = key.id
			did.Former--
		}
	}
	return did, nil
}

// replaceFile puts a text in the place of a file, whole or not at all.
func replaceFile(path, text string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	made, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	if err = errors.Join(keepOwner(made, info), os.Chmod(made, info.Mode().Perm())); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(made))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // written it is; it is only not sure what a power cut would leave
	}
	defer folder.Close()
	_ = folder.Sync() // which some systems cannot do
	return nil
}
