//go:build !unix

package redis

import "errors"

type process struct{}

func start(string) (*process, error) {
	return nil, errors.New("a private Redis is started on Unix systems only")
}

func (*process) stop() error   { return nil }
func (*process) freeze() error { return nil }
func (*process) thaw() error   { return nil }
