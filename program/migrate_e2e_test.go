package program

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kyrochat/command"
	"kyrochat/internal/envtest"
)

// TestMigrateTellsWhetherItWould: by its status, beside a server, and without making anything.
func TestMigrateTellsWhetherItWould(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	migrate := func(args ...string) int {
		t.Helper()
		err := run(t.Context(), append([]string{"migrate"}, args...), envtest.Of(map[string]string{"KYRO_DATA_DIR": dir}), nil, strings.NewReader(""), io.Discard, io.Discard)
		if err != nil {
			return command.Status(err)
		}
		return 0
	}
	if status := migrate("--dry-run"); status != 3 {
		t.Errorf("where there is no database it ends with %d", status)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it made the data folder")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if status := migrate(); status != 0 {
		t.Errorf("it ends with %d", status)
	}
	startServer(t, map[string]string{"KYRO_DATA_DIR": dir})
	if status := migrate("--dry-run"); status != 0 {
		t.Errorf("where nothing is to be done it ends with %d", status)
	}
	if status := migrate("now"); status != 2 {
		t.Errorf("one argument too many ends with %d", status)
	}
}
