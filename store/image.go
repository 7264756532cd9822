package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Image says what a snapshot of a database holds, so that it can be made again, also in a database of the other kind.
type Image struct {
	Database   string   // "sqlite" or "postgresql"
	Migrations []string // that the schema was made by
	Tables     []ImageTable
}

// ImageTable is a table. They come in an order in which none refers to a later one.
type ImageTable struct {
	Name    string
	Columns []ImageColumn
	Last    int64 // the last number that was given to a row; 0 where rows have none
	order   string

	numbered bool // rows have numbers that the database gives
}

// ImageColumn is a column and what its values are, in words that both databases share.
type ImageColumn struct {
	Name string
	Type string
}

// What the values of a column can be.
const (
	imageInt   = "int"
	imageFloat = "float"
	imageBool  = "bool"
	imageText  = "text"
	imageBytes = "bytes"
	imageTime  = "time" // UTC, with microseconds
	imageJSON  = "json" // on PostgreSQL; a text on SQLite
)

// imageTypes are the types of columns of both databases.
var imageTypes = map[string]string{
	"bigint": imageInt, "integer": imageInt, "double precision": imageFloat, "real": imageFloat, "boolean": imageBool, "text": imageText,
	"bytea": imageBytes, "blob": imageBytes, "timestamp with time zone": imageTime, "timestamp": imageTime, "jsonb": imageJSON,
}

func imageType(table, column, declared string) (string, error) {
	if t := imageTypes[strings.ToLower(declared)]; t != "" {
		return t, nil
	}
	return "", fmt.Errorf("column %s of table %s has the type %s, which no backup can hold", column, table, declared)
}

// notImaged are the tables that belong to one database or to one moment. The queue's and the migrator's have prefixes.
var notImaged = map[string]bool{
	"installation":     true, // what is restored has a name of its own
	"holds":            true,
	"document_objects": true, // which say where originals are; a backup has the originals
	"indexings":        true, // how far something is on its way into an index outside
	"upload_parts":     true, // uploads that did not become documents are begun again by those who send them
	"export_parts":     true, // exports are no originals
}

// imagedRows says of which rows of a table a backup has some only.
var imagedRows = map[string]string{
	"upload_slots": "document_id IS NOT NULL",
	"exports":      "status <> 'READY' AND deleted_at IS NULL", // whose file would be missing
}

func imaged(table string) bool {
	for _, foreign := range []string{"river_", "bun_", "sqlite_"} {
		if strings.HasPrefix(table, foreign) {
			return false
		}
	}
	return !notImaged[table]
}

// sqliteTime is how bun writes times into SQLite, whose order is that of texts.
const sqliteTime = "2006-01-02 15:04:05.999999-07:00"

// Each value of a row is a byte that says what follows, and that.
const (
	valueNull = iota
	valueInt  // a varint
	valueTrue
	valueFalse
	valueFloat // 64 bits, little-endian
	valueText  // its length in bytes as a varint, and the bytes
	valueBytes // likewise
	valueTime  // microseconds since 1970, a varint
)

// appendValue appends a value as the database gave it. Times of SQLite that are not as bun writes them stay texts.
func appendValue(b []byte, column ImageColumn, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, valueNull), nil
	case bool:
		if v {
			return append(b, valueTrue), nil
		}
		return append(b, valueFalse), nil
	case int64:
		if column.Type == imageBool {
			return appendValue(b, column, v != 0)
		}
		return binary.AppendVarint(append(b, valueInt), v), nil
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, valueFloat), math.Float64bits(v)), nil
	case time.Time:
		return binary.AppendVarint(append(b, valueTime), v.UnixMicro()), nil
	case string:
		if column.Type == imageTime {
			if at, err := time.Parse(sqliteTime, v); err == nil && at.UTC().Format(sqliteTime) == v {
				return appendValue(b, column, at)
			}
		}
		return append(binary.AppendUvarint(append(b, valueText), uint64(len(v))), v...), nil
	case []byte:
		if column.Type != imageBytes { // drivers give some texts so
			return appendValue(b, column, string(v))
		}
		return append(binary.AppendUvarint(append(b, valueBytes), uint64(len(v))), v...), nil
	}
	return nil, fmt.Errorf("a value of column %s is a %T, which no backup can hold", column.Name, value)
}

var errBadRow = errors.New("a row of the backup is damaged")

// readValue reads a value and gives what is left. Bytes are a part of b.
func readValue(b []byte) (value any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errBadRow
	}
	kind, b := b[0], b[1:]
	switch kind {
	case valueNull:
		return nil, b, nil
	case valueTrue, valueFalse:
		return kind == valueTrue, b, nil
	case valueInt, valueTime:
		v, n := binary.Varint(b)
		if n <= 0 {
			return nil, nil, errBadRow
		}
		if kind == valueTime {
			return time.UnixMicro(v).UTC(), b[n:], nil
		}
		return v, b[n:], nil
	case valueFloat:
		if len(b) < 8 {
			return nil, nil, errBadRow
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), b[8:], nil
	case valueText, valueBytes:
		size, n := binary.Uvarint(b)
		if n <= 0 || uint64(len(b)-n) < size {
			return nil, nil, errBadRow
		}
		b, rest := b[n:n+int(size)], b[n+int(size):]
		if kind == valueText {
			return string(b), rest, nil
		}
		return b, rest, nil
	}
	return nil, nil, errBadRow
}

// forSQLite is a value as SQLite has it.
func forSQLite(value any) any {
	switch v := value.(type) {
	case time.Time:
		return v.Format(sqliteTime)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	}
	return value
}

// forPostgres is a value as a column of PostgreSQL takes it.
func forPostgres(value any, column ImageColumn) (any, error) {
	switch v := value.(type) {
	case string:
		if column.Type == imageTime {
			at, err := time.Parse("2006-01-02 15:04:05.999999999Z07:00", strings.Replace(v, "T", " ", 1))
			if err != nil {
				return nil, fmt.Errorf("%q in column %s is no time", v, column.Name)
			}
			return at, nil
		}
	case int64:
		switch column.Type {
		case imageBool:
			return v != 0, nil
		case imageFloat:
			return float64(v), nil
		}
	}
	return value, nil
}

// skipValue reads a value without a look at it.
func skipValue(b []byte) (rest []byte, err error) {
	if len(b) > 0 && (b[0] == valueText || b[0] == valueBytes) { // which need not be copied
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || uint64(len(b)-1-n) < size {
			return nil, errBadRow
		}
		return b[1+n+int(size):], nil
	}
	_, rest, err = readValue(b)
	return rest, err
}
