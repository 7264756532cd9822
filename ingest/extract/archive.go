package extract

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// The limits of a zip archive, by rule 53 of the security notes. What entries declare of themselves is no limit: bytes
// are counted while they are inflated.
const (
	maxEntries   = 2_000
	maxUnpacked  = 100 << 20 // bytes of all entries that are read, together
	maxRatio     = 100       // bytes out for each byte in, of what an entry unpacks to beyond freeRatio
	freeRatio    = 1 << 20
	maxDirectory = 1 << 20 // bytes of the directory: long before that there are too many entries
)

// archive is a zip archive from a stranger. Entries are found by name and read as streams: nothing is written to disk,
// no name is used as a path, and an archive inside of one stays a closed entry.
type archive struct {
	entries  map[string]*zipEntry // by name, in small letters, for the names of parts do not differ in case
	file     io.ReaderAt
	unpacked int64 // bytes so far
}

// zipEntry is where an entry of the archive lies in the file.
type zipEntry struct {
	name       string
	start, end int64 // with the header in front of the data
	data       int64
	method     uint16
	crc        uint32
}

// openArchive opens an archive and checks its directory. What is wrong with it is a VALIDATION, or a LIMIT_REACHED where
// there is too much of it, and says what to do.
func openArchive(file io.ReaderAt, size int64) (*archive, error) {
	seen := &watched{ReaderAt: file, budget: maxDirectory}
	z, err := zip.NewReader(seen, size)
	switch {
	case errors.Is(err, errDirectory), err == nil && len(z.File) > maxEntries:
		return nil, kyro.Errorf(kyro.CodeLimitReached,
			"The file is an archive of more than %d entries. Remove embedded files and pictures, or split it, and upload it again.", maxEntries)
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return nil, brokenFile("its directory cannot be read").Because(err)
	}
	a := &archive{entries: make(map[string]*zipEntry, len(z.File)), file: file}
	all := make([]*zipEntry, 0, len(z.File))
	for _, f := range z.File {
		e, err := seen.locate(f, size)
		if err != nil {
			return nil, err
		}
		key := partKey(e.name)
		if a.entries[key] != nil {
			return nil, brokenFile("two of its entries have the same name")
		}
		a.entries[key] = e
		all = append(all, e)
	}
	// One stretch of data that several entries share unpacks once for each of them: that is how small archives become
	// endless.
	slices.SortFunc(all, func(a, b *zipEntry) int { return int(min(max(a.start-b.start, -1), 1)) })
	for i := 1; i < len(all); i++ {
		if all[i].start < all[i-1].end {
			return nil, brokenFile("its entries overlap")
		}
	}
	return a, nil
}

// openArchiveFile opens an archive on disk.
func openArchiveFile(f *os.File) (*archive, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening the file: %w", err)
	}
	if info.Size() == 0 {
		return nil, kyro.Errorf(kyro.CodeFileEmpty, "The file is empty.")
	}
	return openArchive(f, info.Size())
}

// watched is a file that notes where it is read, and ends after a budget of bytes while the directory is read.
type watched struct {
	io.ReaderAt
	budget int // bytes that may still be read; no limit below zero
	last   int64
}

var errDirectory = errors.New("the directory of the archive is too long")

func (w *watched) ReadAt(p []byte, at int64) (int, error) {
	w.last = at
	if w.budget >= 0 {
		if w.budget -= len(p); w.budget < 0 {
			w.budget = 0
			return 0, errDirectory
		}
	}
	return w.ReaderAt.ReadAt(p, at)
}

// locate finds an entry in the file and refuses what no office program writes.
func (w *watched) locate(f *zip.File, size int64) (*zipEntry, error) {
	switch {
	case f.Flags&(1<<0|1<<6|1<<13) != 0:
		return nil, kyro.Errorf(kyro.CodeValidation, "The file is encrypted. Remove its password and upload it again.")
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return nil, brokenFile("it is compressed in a way that office programs do not use")
	case f.Mode()&(fs.ModeType&^fs.ModeDir) != 0:
		return nil, brokenFile("it holds links")
	}
	w.budget = -1
	// The local header is all that this reads, and it lies where the entry begins.
	data, err := f.DataOffset()
	if err != nil || f.CompressedSize64 > uint64(size) || data+int64(f.CompressedSize64) > size {
		return nil, brokenFile("an entry lies outside of it").Because(err)
	}
	return &zipEntry{name: f.Name, start: w.last, data: data, end: data + int64(f.CompressedSize64), method: f.Method, crc: f.CRC32}, nil
}

// partKey is a name as entries are looked up by it. Some programs write backslashes.
func partKey(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(name, `\`, "/"), "/"))
}

// has reports that there is a part.
func (a *archive) has(name string) bool { return a.entries[partKey(name)] != nil }

// open begins to read a part; nil where there is none. What is read counts against the limits of the archive. The
// checksum is compared at the end.
func (a *archive) open(name string) io.Reader {
	e := a.entries[partKey(name)]
	if e == nil {
		return nil
	}
	var r io.Reader = io.NewSectionReader(a.file, e.data, e.end-e.data)
	if e.method == zip.Deflate {
		r = flate.NewReader(r)
	}
	return &unpacking{archive: a, entry: e, from: r}
}

// unpacking is an entry that is being read.
type unpacking struct {
	archive *archive
	entry   *zipEntry
	from    io.Reader
	size    int64
	crc     uint32
}

func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.from.Read(p)
	u.size += int64(n)
	u.archive.unpacked += int64(n)
	u.crc = crc32.Update(u.crc, crc32.IEEETable, p[:n])
	switch {
	case u.archive.unpacked > maxUnpacked:
		return 0, kyro.Errorf(kyro.CodeLimitReached, "The file unpacks to more than %s. Split it into several files.", text.Bytes(maxUnpacked))
	case u.size-freeRatio > maxRatio*(u.entry.end-u.entry.data):
		return 0, kyro.Errorf(kyro.CodeLimitReached,
			"The file is compressed to less than a %dth of what it holds, as only harmful files are. Open it, save it under a new name and upload that.", maxRatio)
	case err == io.EOF && u.crc != u.entry.crc:
		return n, brokenFile("a checksum is wrong")
	case err != nil && err != io.EOF:
		return n, brokenFile("a part of it cannot be unpacked").Because(err)
	}
	return n, err
}

// brokenFile is the error of a file that is not what its format says. Programs that made such a file often read it still.
func brokenFile(how string) *kyro.Error {
	return kyro.Errorf(kyro.CodeValidation, "The file is damaged: %s. Open it in the program that made it, save it under a new name and upload that.", how)
}
