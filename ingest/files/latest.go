package files

import (
	"os"
	"path/filepath"
	"strconv"

	"kyrochat/kyro"
)

// Latest implements ingest.Files.
func (f *Files) Latest(document kyro.ID, version int) (path string, found bool) {
	entries, err := os.ReadDir(filepath.Dir(f.Path(document, version)))
	if err != nil {
		return "", false
	}
	latest := 0
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil && n <= version {
			latest = max(latest, n)
		}
	}
	return f.Path(document, latest), latest > 0
}
