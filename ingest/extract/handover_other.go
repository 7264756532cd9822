//go:build !linux

package extract

import (
	"os"
	"os/exec"
)

// handover leaves it to the child to open files by their paths.
type handover struct{}

func newHandover(*exec.Cmd) (*handover, error) { return nil, nil }

func (*handover) started() {}

func (*handover) close() {}

func (*handover) give(string) error { return nil }

func receiver() *handover { return nil }

func (*handover) open(path string) (*os.File, error) { return os.Open(path) }
