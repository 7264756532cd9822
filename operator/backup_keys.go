package operator

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"kyrochat/backup"
	"kyrochat/command"
)

// keyFlags are the flags that say who opens a backup.
type keyFlags struct {
	to         []string
	identity   string
	passphrase string
}

func (k *keyFlags) opening(flags *flag.FlagSet) {
	flags.StringVar(&k.identity, "identity", "", "")
	flags.StringVar(&k.passphrase, "passphrase-file", "", "")
}

// keys reads the files that the flags name.
func (k *keyFlags) keys() (backup.Keys, error) {
	given := 0
	for _, set := range []bool{len(k.to) > 0, k.identity != "", k.passphrase != ""} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return backup.Keys{}, command.Wrong(errors.New("use a key or a passphrase, not both"))
	case k.passphrase != "":
		content, err := os.ReadFile(k.passphrase)
		if err != nil {
			return backup.Keys{}, err
		}
		keys, err := backup.Passphrase(strings.TrimRight(string(content), "\r\n"))
		if err != nil {
			return backup.Keys{}, fmt.Errorf("%s: %w", k.passphrase, err)
		}
		return keys, nil
	case k.identity != "":
		file, err := os.Open(k.identity)
		if err != nil {
			return backup.Keys{}, err
		}
		defer func() { _ = file.Close() }()
		keys, err := backup.Identities(file)
		if err != nil {
			return backup.Keys{}, fmt.Errorf("%s: %w", k.identity, err)
		}
		return keys, nil
	}
	recipients := make([]string, len(k.to))
	for i, to := range k.to {
		name := "-to"
		recipients[i] = to
		if content, err := os.ReadFile(to); err == nil {
			name, recipients[i] = "-to "+to, string(content)
		}
		if _, err := backup.Recipients(recipients[i : i+1]); err != nil {
			return backup.Keys{}, command.Wrong(fmt.Errorf("%s: %w", name, err))
		}
	}
	return backup.Recipients(recipients)
}
