//go:build !unix

package testdb

import (
	"context"
	"errors"
	"os"
)

func startPostgres(context.Context) (string, *os.File, error) {
	return "", nil, errors.New("a private PostgreSQL is started on Unix systems only")
}
