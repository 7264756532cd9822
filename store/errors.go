package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"kyrochat/kyro"
)

// isUniqueViolation reports that a write was refused because another row has the same key.
func isUniqueViolation(err error) bool {
	if code, ok := postgresCode(err); ok {
		return code == "23505"
	}
	code, ok := sqliteCode(err)
	return ok && (code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// isRepeated reports that a message was refused because its sender has used its clientMessageId before: no other key of
// messages is unique beside their ids.
func isRepeated(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code == "23505" && e.ConstraintName == "messages_once"
	}
	code, ok := sqliteCode(err)
	return ok && code == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}

// passing reports that the database undid a transaction only because of others that ran beside it, so that the
// same transaction may well succeed when it is run again.
func passing(err error) bool {
	if code, ok := postgresCode(err); ok {
		return code == "40001" || code == "40P01"
	}
	code, ok := sqliteCode(err)
	return ok && code&0xff == sqlite3.SQLITE_BUSY
}

func postgresCode(err error) (string, bool) {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code, true
	}
	return "", false
}

func sqliteCode(err error) (int, bool) {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code(), true
	}
	return 0, false
}

// notFound answers NOT_FOUND of the kind where there was no row, and gives any other error back.
func notFound(err error, kind kyro.Kind) error {
	if errors.Is(err, sql.ErrNoRows) {
		return kyro.NotFound(kind)
	}
	return err
}

// failed says what was tried when err is not one for clients already, and tells a database that is away or
// overloaded (UNAVAILABLE, for which waiting helps) from one that is wrong.
func failed(tried string, err error) error {
	var known *kyro.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case full(err):
		return kyro.NoRoom(fmt.Errorf("%s: %w", tried, err))
	case away(err):
		e := kyro.Errorf(kyro.CodeUnavailable, "The database does not answer. Try again in a moment.")
		e.RetryAfter = time.Second
		return e.Because(fmt.Errorf("%s: %w", tried, err))
	default:
		return fmt.Errorf("%s: %w", tried, err)
	}
}

// full reports that the disk of the database is. SQLite tells so too where it cannot write one of the files beside its own.
func full(err error) bool {
	code, _ := sqliteCode(err)
	pg, _ := postgresCode(err)
	return errors.Is(err, syscall.ENOSPC) || code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_WRITE ||
		code == sqlite3.SQLITE_IOERR_SHMSIZE || code == sqlite3.SQLITE_IOERR_FSYNC || pg == "53100"
}

// lost are what a connection that broke off gives.
var lost = []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, pgconn.ErrConnClosed, context.DeadlineExceeded}

func away(err error) bool {
	for _, sign := range lost {
		if errors.Is(err, sign) {
			return true
		}
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || passing(err) {
		return true
	}
	code, ok := postgresCode(err)
	return ok && awayCode(code)
}

// awayCode holds for the classes 08 (connection), 53 (resources) and 57P (the server starts or stops), and for a
// transaction that the server gave up because nothing came for so long.
func awayCode(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P") || code == "25P03"
}

// orNotFound is for a write that changed no row: NOT_FOUND of the kind unless there was an error.
func orNotFound(err error, kind kyro.Kind) error {
	if err != nil {
		return err
	}
	return kyro.NotFound(kind)
}

// noToken is notFound for the token of a mail.
func noToken(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return kyro.BadMailToken()
	}
	return err
}
