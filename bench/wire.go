//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// wire is a websocket of a client, as little of one as is needed to have thousands in one thread: a file descriptor,
// text messages that fit into the socket's buffer, and pings.
type wire struct {
	fd    int
	rest  []byte // the beginning of a message whose end has not come
	sent  []byte
	ended bool // by the server
}

// dialWire opens a websocket and the protocol on it. receive is the buffer of the socket in bytes; 0: as the system has it.
func dialWire(address, token string, receive int) (_ *wire, err error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	w := &wire{fd: fd}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	patience := syscall.NsecToTimeval(int64(10 * time.Second))
	err = errors.Join(
		syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		// The end is a reset, so that thousands of ports are not kept for a minute.
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}),
	)
	if err == nil && receive > 0 {
		err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive)
	}
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	}
	if err == nil {
		err = w.upgrade(address, token)
	}
	if err != nil {
		return nil, err
	}
	return w, syscall.SetNonblock(fd, true)
}

// upgrade makes the connection a websocket and waits until the server takes it.
func (w *wire) upgrade(address, token string) error {
	request := "GET /graphql HTTP/1.1\r\nHost: " + address + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
	if _, err := syscall.Write(w.fd, []byte(request)); err != nil { // it fits into any buffer
		return err
	}
	buffer := make([]byte, 4<<10)
	n, err := readAgain(w.fd, buffer)
	if err != nil || !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 101")) || !bytes.HasSuffix(buffer[:n], []byte("\r\n\r\n")) {
		return fmt.Errorf("no websocket: %w %.200s", err, buffer[:max(n, 0)])
	}
	if err := w.say(`{"type":"connection_init","payload":{"authorization":"Bearer ` + token + `"}}`); err != nil {
		return err
	}
	if n, err = readAgain(w.fd, buffer); err != nil || !bytes.Contains(buffer[:max(n, 0)], []byte("connection_ack")) {
		return fmt.Errorf("the socket is not taken: %w %.200q", err, buffer[:max(n, 0)])
	}
	return nil
}

// readAgain reads, however often a signal of Go's own comes between.
func readAgain(fd int, buffer []byte) (n int, err error) {
	for n, err = syscall.Read(fd, buffer); err == syscall.EINTR; {
		n, err = syscall.Read(fd, buffer)
	}
	return n, err
}

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

func (w *wire) say(message string) error { return w.write(opText, message) }

// write sends one frame. The mask is zero: it changes nothing, and is there because the protocol wants one.
func (w *wire) write(code byte, payload string) error {
	w.sent = append(w.sent[:0], 0x80|code)
	switch n := len(payload); {
	case n < 126:
		w.sent = append(w.sent, 0x80|byte(n))
	default:
		w.sent = binary.BigEndian.AppendUint16(append(w.sent, 0x80|126), uint16(n))
	}
	w.sent = append(append(w.sent, 0, 0, 0, 0), payload...)
	n, err := syscall.Write(w.fd, w.sent)
	for err == syscall.EINTR {
		n, err = syscall.Write(w.fd, w.sent)
	}
	if err == nil && n < len(w.sent) {
		err = errors.New("the server does not read")
	}
	return err
}

// read takes what has come and gives every text message to do. The buffer is good for one call.
func (w *wire) read(buffer []byte, do func(message []byte)) error {
	kept := copy(buffer, w.rest)
	n, err := syscall.Read(w.fd, buffer[kept:])
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return nil
	case err != nil || n == 0:
		w.ended = true
		return fmt.Errorf("the server has closed the socket: %w", err)
	}
	data := buffer[:kept+n]
	for len(data) >= 2 {
		length, head := int(data[1]&0x7f), 2
		if length == 126 {
			if head = 4; len(data) < head {
				break
			}
			length = int(binary.BigEndian.Uint16(data[2:]))
		}
		if length == 127 || data[0]&0x80 == 0 {
			return errors.New("a message of the server is longer than any that is expected")
		}
		if len(data) < head+length {
			break
		}
		payload := data[head : head+length]
		switch data[0] & 0x0f {
		case opText:
			do(payload)
		case opPing:
			if err := w.write(opPong, string(payload)); err != nil {
				return err
			}
		case opClose:
			w.ended = true
			return fmt.Errorf("the server closes the socket: %q", payload)
		}
		data = data[head+length:]
	}
	w.rest = append(w.rest[:0], data...)
	return nil
}

func (w *wire) close() error { return syscall.Close(w.fd) }

// poll waits for any of many wires.
type poll struct {
	fd     int
	events []syscall.EpollEvent
}

func newPoll() (*poll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &poll{fd: fd, events: make([]syscall.EpollEvent, 512)}, err
}

func (p *poll) add(w *wire, number int) error {
	return syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, w.fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(number)})
}

func (p *poll) remove(w *wire) error { return syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_DEL, w.fd, nil) }

// wait calls do with the number of every wire that has something to read; none when the time is over.
func (p *poll) wait(patience time.Duration, do func(number int) error) error {
	n, err := syscall.EpollWait(p.fd, p.events, int(max(0, patience)/time.Millisecond))
	if err != nil && err != syscall.EINTR {
		return err
	}
	for i := range max(n, 0) {
		if err := do(int(p.events[i].Fd)); err != nil {
			return err
		}
	}
	return nil
}

func (p *poll) close() error { return syscall.Close(p.fd) }
