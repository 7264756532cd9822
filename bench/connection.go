package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// connection sends requests that are written out already, one after another, and reads the answers. It does what
// HTTP/1.1 asks of a client here and no more: whatever it used itself, the servers beside it would not have.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte // of the last answer
}

// connect opens a connection that is good until the deadline.
func connect(address string, until time.Time) (*connection, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(until); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// do sends a request and reads the whole answer, which must be 200. The body is good until the next call.
func (c *connection) do(request []byte) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return nil, fmt.Errorf("not an answer by HTTP/1.1: %.60q", line)
	}
	status := string(line[len("HTTP/1.1 "):])
	length, err := c.headers()
	if err != nil {
		return nil, err
	}
	c.body = c.body[:0]
	if length >= 0 {
		err = c.read(length)
	} else {
		err = c.chunks()
	}
	if err == nil && status[:min(3, len(status))] != "200" {
		err = fmt.Errorf("the answer is %s: %.300s", status, c.body)
	}
	return c.body, err
}

// line is the next line without its end, good until something else is read.
func (c *connection) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'}), nil
}

// headers reads to the end of the headers and gives the length of the body, -1 where it comes in chunks.
func (c *connection) headers() (int, error) {
	length := -2
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")) && bytes.EqualFold(value, []byte("chunked")):
			length = -1
		case bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close")):
			return 0, errors.New("the server closes the connection")
		}
	}
	if length < -1 {
		return 0, errors.New("the answer does not say how long it is")
	}
	return length, nil
}

// read adds n bytes to the body.
func (c *connection) read(n int) error {
	start := len(c.body)
	for cap(c.body)-start < n {
		c.body = append(c.body[:cap(c.body)], 0)
	}
	c.body = c.body[:start+n]
	_, err := io.ReadFull(c.in, c.body[start:])
	return err
}

// chunks reads a body that comes in chunks; trailers are left out.
func (c *connection) chunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := c.read(int(n)); err != nil {
				return err
			}
		}
		for {
			line, err := c.line()
			if err != nil {
				return err
			}
			if n > 0 || len(line) == 0 {
				break
			}
		}
		if n == 0 {
			return nil
		}
	}
}
