package operator

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kyrochat/command"
	"kyrochat/host"
)

// partialName is how files begin and end whose writing was not ended. Those that a kill left go with a later backup.
const (
	partialName = ".kyrochat-*.partial"
	partialKept = 24 * time.Hour
)

// writeNew writes a file that was not there, whole or not at all, for its owner alone. - is out. Where the target is a folder the
// file has the name in it. now is what time it is.
func writeNew(target, name string, now time.Time, out io.Writer, write func(w io.Writer) error) (path string, err error) {
	if target == "-" {
		if _, is := host.Terminal(out); is {
			return "", errors.New("standard output is a terminal: send it to a file or to another program")
		}
		return "standard output", write(out)
	}
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		target = filepath.Join(target, name)
	}
	if _, err := os.Lstat(target); err == nil {
		return "", fmt.Errorf("%s is there already: give another name", target)
	}
	folder := filepath.Dir(target)
	left, _ := filepath.Glob(filepath.Join(folder, partialName))
	for _, name := range left {
		if info, err := os.Stat(name); err == nil && now.Sub(info.ModTime()) > partialKept {
			_ = os.Remove(name)
		}
	}
	file, err := os.CreateTemp(folder, partialName)
	if err != nil {
		return "", err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	if err := write(file); err != nil {
		return "", err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return "", err
	}
	// A link, unlike a rename, replaces nothing that came meanwhile.
	if err := os.Link(file.Name(), target); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("%s is there already: give another name", target)
		}
		if err := os.Rename(file.Name(), target); err != nil {
			return "", err
		}
	}
	if err := host.SyncFolder(folder); err != nil {
		return target, command.Found(fmt.Errorf("%s is complete, but whether its name is on the disk yet is not known: %w", target, err))
	}
	return target, nil
}
