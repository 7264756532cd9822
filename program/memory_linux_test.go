package program

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"kyrochat/host"
)

// init lets the test binary stand in for a process that only tells whether it is dumpable, for TestMemoryIsNotWrittenOut.
func init() {
	if len(os.Args) > 1 && os.Args[1] == "dumpable" {
		host.KeepMemory()
		dumpable, _, _ := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0)
		fmt.Print(dumpable)
		os.Exit(0)
	}
}

// TestMemoryIsNotWrittenOut: the memory of a server, where its keys are, gets to no disk when it crashes.
func TestMemoryIsNotWrittenOut(t *testing.T) {
	t.Parallel()
	p := startProcess(t, map[string]string{"KYRO_DATA_DIR": t.TempDir()})
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if rest, found := strings.CutPrefix(line, "Max core file size"); found && strings.Join(strings.Fields(rest)[:2], " ") != "0 0" {
			t.Errorf("an image of it may be written: %s", line)
		}
	}
	out, err := exec.Command(os.Args[0], "dumpable").Output()
	if err != nil || string(out) != "0" {
		t.Errorf("others may look into it: %q, %v", out, err)
	}
}
