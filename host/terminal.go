package host

import (
	"os"

	"golang.org/x/term"
)

// Terminal gives the file of a stream at whose other end is a terminal, where somebody looks or types. Files, pipes and /dev/null are none.
func Terminal(stream any) (terminal *os.File, is bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil, false
	}
	return file, true
}
