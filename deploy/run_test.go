package deploy_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kyrochat/internal/required"
)

// ran runs kyrochat-run in a folder of the test, with a service manager that tells what it is to do and what the secret is, and ends with 3.
func ran(t *testing.T, dir string, args ...string) (said string) {
	t.Helper()
	required.Program(t, "sh")
	script, err := os.ReadFile("kyrochat-run")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"kyrochat-run":                          strings.NewReplacer("=/etc/", "="+dir+"/etc/", " /run/", " "+dir+"/run/").Replace(string(script)),
		"bin/id":                                "#!/bin/sh\necho 0\n",
		"bin/systemctl":                         "#!/bin/sh\necho /srv/more\n",
		"bin/systemd-run":                       "#!/bin/sh\necho \"$@\"\nfor each; do case $each in LoadCredential=*) cat \"${each#*:}/DATABASE_URL\" \"${each#*:}/SMTP_URL\" ;; esac; done\nexit 3\n",
		"etc/kyrochat/credentials/DATABASE_URL": "of the service\n",
		"etc/kyrochat/credentials/SMTP_URL":     "of mails\n",
		"run/other":                             "",
		"owner":                                 "of the owner\n",
	} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", append([]string{filepath.Join(dir, "kyrochat-run")}, args...)...)
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 3 {
		t.Fatalf("%v\n%s", err, out)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "run")); len(left) != 1 {
		t.Errorf("%d are left in /run", len(left))
	}
	return string(out)
}

// TestTheOwnerIsForOneCommand: with the other secrets of the service, and gone after it, however it ended.
func TestTheOwnerIsForOneCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for owner, args := range map[string][]string{
		"of the service": {"restore", "-"},
		"of the owner":   {"--owner", filepath.Join(dir, "owner"), "restore", "-"},
	} {
		if said := ran(t, dir, args...); !strings.Contains(said, "/kyrochat restore -\n"+owner+"\nof mails\n") {
			t.Errorf("%v runs\n%s", args, said)
		}
	}
}

// TestTheDoctorIsWalledInAsTheService: what it finds of folders is what the service will find.
func TestTheDoctorIsWalledInAsTheService(t *testing.T) {
	t.Parallel()
	const walls = "-p ProtectSystem=strict -p PrivateTmp=yes -p ReadWritePaths=/var/lib/kyrochat -/var/cache/kyrochat /srv/more /usr/lib/kyrochat/current/kyrochat doctor -json\n"
	if said := ran(t, t.TempDir(), "doctor", "-json"); !strings.Contains(said, walls) {
		t.Errorf("it runs\n%s", said)
	}
	if said := ran(t, t.TempDir(), "admin", "list"); strings.Contains(said, "ProtectSystem") {
		t.Errorf("what writes where it is told to runs\n%s", said)
	}
}
