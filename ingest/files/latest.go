package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"kyrochat/kyro"
)

// Latest implements ingest.Files.
func (f *Files) Latest(document kyro.ID, version int) (path string, found bool) {
	versions, err := f.versions(document)
	if err != nil {
		return "", false
	}
	latest := latest(versions, version)
	return f.Path(document, latest), latest > 0
}

// Prune implements ingest.Files.
func (f *Files) Prune(document kyro.ID, inUse, before int) error {
	versions, err := f.versions(document)
	if err != nil {
		return fmt.Errorf("prune the files of %s: %w", document, err)
	}
	for _, version := range versions {
		if version >= before || version == latest(versions, inUse) {
			continue
		}
		if err := os.Remove(f.Path(document, version)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("prune the files of %s: %w", document, err)
		}
	}
	return nil
}

// Versions are those of a document that have an original here, from the first on.
func (f *Files) Versions(document kyro.ID) ([]int, error) {
	versions, err := f.versions(document)
	slices.Sort(versions)
	return versions, err
}

// versions are those of a document that have an original here, in any order.
func (f *Files) versions(document kyro.ID) (versions []int, err error) {
	entries, err := os.ReadDir(f.folder(document))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil && n > 0 {
			versions = append(versions, n)
		}
	}
	return versions, err
}

// latest is the last of the versions that is not behind one; 0 where there is none.
func latest(versions []int, version int) (last int) {
	for _, n := range versions {
		if n <= version {
			last = max(last, n)
		}
	}
	return last
}
