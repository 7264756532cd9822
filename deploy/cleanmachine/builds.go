package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What is built: two versions, one that changes the schema and then ends, and one that only looks like the program.
const (
	first  = "1.0.0"
	second = "1.1.0"
	broken = "1.2.0"
	idle   = "1.3.0"
)

// breaking is put beside the program's sources for the version that changes the schema and does not serve.
const breaking = `package main

import (
	"os"
	"os/exec"
)

func init() {
	if len(os.Args) > 1 {
		return
	}
	self, _ := os.Executable()
	migrate := exec.Command(self, "migrate")
	migrate.Stderr = os.Stderr
	_ = migrate.Run()
	println("this version does not serve")
	os.Exit(1)
}
`

const idling = `package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	switch {
	case len(os.Args) < 2:
		println("this version never gets ready")
		time.Sleep(time.Hour)
	case os.Args[1] == "version":
		fmt.Println("1.3.0")
	}
}
`

// buildAll builds all versions into a folder each, as a release is unpacked: the binary, its sum, the scripts and units.
func buildAll(ctx context.Context, folder string) error {
	source, err := os.Getwd()
	if err != nil {
		return err
	}
	overlay, err := breakingOverlay(folder, source)
	if err != nil {
		return err
	}
	for _, version := range []string{first, second, broken, idle} {
		release := filepath.Join(folder, version)
		if err := os.MkdirAll(release, 0o755); err != nil {
			return err
		}
		args := []string{"go", "build", "-trimpath", "-ldflags", "-X main.release=" + version, "-o", filepath.Join(release, "kyrochat")}
		from := "."
		switch version {
		case broken:
			args = append(args, "-overlay", overlay)
		case idle:
			from = filepath.Join(folder, "idle.go")
			if err := os.WriteFile(from, []byte(idling), 0o600); err != nil {
				return err
			}
		}
		if err := command(ctx, source, "env", append(append([]string{"CGO_ENABLED=0"}, args...), from)...); err != nil {
			return err
		}
		for _, each := range []string{
			"cp -r deploy docs " + release,
			"cd " + release + " && sha256sum kyrochat >SHA256SUMS",
		} {
			if err := command(ctx, source, "sh", "-c", each); err != nil {
				return err
			}
		}
	}
	return packAll(ctx, folder, source)
}

// packAll makes the packages, one of them twice: they have to be the same.
func packAll(ctx context.Context, folder, source string) error {
	for _, each := range []struct{ version, to string }{{first, "packages"}, {second, "packages"}, {first, "again"}} {
		err := command(ctx, source, "sh", "deploy/package/build.sh", filepath.Join(folder, each.version, "kyrochat"), filepath.Join(folder, each.to))
		if err != nil {
			return err
		}
	}
	return command(ctx, folder, "sh", "-c", "for each in again/*; do cmp $each packages/${each#again/} || exit 1; done && rm -r again")
}

// breakingOverlay says to the compiler what to put beside the sources.
func breakingOverlay(folder, source string) (path string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, text := range map[string]string{
		"breaking.go": breaking,
		"migrations/29990101000001_later.tx.up.sql":   "CREATE TABLE later (id bigint PRIMARY KEY);\n",
		"migrations/29990101000001_later.tx.down.sql": "DROP TABLE later;\n",
	} {
		at := filepath.Join(folder, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(source, name)] = at
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	path = filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}
