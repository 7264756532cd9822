package extract

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// handover gives files to a child that may open none itself: the parent opens them and passes their descriptors over a
// socket. The parent never reads from it.
type handover struct {
	ours   *os.File // the parent's end, or the child's
	theirs *os.File // the child's end, until the child has started
}

// handoverFile is the descriptor of the child's end.
const handoverFile = 3

// newHandover makes the socket, and gives the child its end.
func newHandover(cmd *exec.Cmd) (*handover, error) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket for files: %w", err)
	}
	h := &handover{ours: os.NewFile(uintptr(ends[0]), "files"), theirs: os.NewFile(uintptr(ends[1]), "files")}
	cmd.ExtraFiles = []*os.File{h.theirs} // the first of them is handoverFile
	return h, nil
}

// started lets go of the child's end.
func (h *handover) started() { _ = h.theirs.Close() }

func (h *handover) close() { _ = h.ours.Close() }

// give opens a file to be read and passes it on. It never waits: a child takes each file before it answers, so that there is
// room.
func (h *handover) give(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return errors.Join(errReported, err)
	}
	defer func() { _ = f.Close() }()
	err = syscall.Sendmsg(int(h.ours.Fd()), []byte{0}, syscall.UnixRights(int(f.Fd())), nil, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	if err != nil {
		return errors.Join(errStopped, fmt.Errorf("passing the file on: %w", err))
	}
	return nil
}

// receiver is the child's end.
func receiver() *handover { return &handover{ours: os.NewFile(handoverFile, "files")} }

// open gives the file that was passed on before it was asked for. Without a socket the path is opened.
func (h *handover) open(path string) (*os.File, error) {
	if h == nil {
		return os.Open(path)
	}
	var one [1]byte
	rights := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := syscall.Recvmsg(int(h.ours.Fd()), one[:], rights, syscall.MSG_DONTWAIT|syscall.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("taking the file: %w", err)
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.Join(errors.New("no file was passed on"), err)
	}
	files, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(files) != 1 {
		return nil, errors.Join(errors.New("no file was passed on"), err)
	}
	return os.NewFile(uintptr(files[0]), path), nil
}
