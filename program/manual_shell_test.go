package program

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"kyrochat/internal/port"
	"kyrochat/internal/testdb"
)

// shell runs the commands of a page, in a folder of its own that looks like the repository's, and remembers what is set from
// one block to the next. A command that fails is one of the page that does not work. What stands in for what is elsewhere:
//
//   - kyrochat, and `go run .`, are this test binary, which then is the program. A server goes to the background once it is
//     ready, as if it had a terminal of its own, and ends the one before at the same address.
//   - `go run ./internal/emulate` likewise, and what it prints is pasted into the shell, as the page says.
//   - nothing but these and a few harmless programs is found; what else a page needs runs elsewhere.
//   - addresses of this machine have other ports, the same for the same throughout the page.
//   - some.pdf is the handbook of an invented shop; the database and the Redis that a page connects to are the test's own.
//   - `name=…  # the FIELD of the answer` is filled in by hand: from the output so far.
type shell struct {
	r        *pageReader
	folder   string // the page's
	own      string // ours: shims, state, logs
	bash     string
	ports    map[string]string // as on the page, and as they are
	env      map[string]string
	emulator func() (string, error)
	names    []string // what a block may have set
	blocks   int
}

func newShell(r *pageReader, settings map[string]string, emulator func() (string, error)) *shell {
	r.t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		r.t.Skipf("there is no shell that reads what the pages say: %v", err)
	}
	s := &shell{r: r, bash: bash, folder: r.t.TempDir(), own: r.t.TempDir(), ports: map[string]string{}, emulator: emulator}
	r.sh = s
	root, err := filepath.Abs(".")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.Mkdir(s.path("deploy"), 0o700); err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{"examples", "deploy/prometheus", "docs", "internal", "ingest", "schema.graphqls"} {
		if err := os.Symlink(filepath.Join(root, name), s.path(name)); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, name := range harmless {
		if program, err := exec.LookPath(name); err == nil {
			if err := os.Symlink(program, filepath.Join(s.own, name)); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	s.write("some.pdf", string(pdf("/Kids [3 0 R] /Count 1", handbook)))
	if err := os.Symlink(filepath.Join(s.own, "kyrochat"), s.path("kyrochat")); err != nil { // as `go build` makes it
		r.t.Fatal(err)
	}
	for name, text := range map[string]string{"kyrochat": kyrochatShim, "go": goShim} {
		if err := os.WriteFile(filepath.Join(s.own, name), []byte("#!"+bash+"\n"+text), 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	s.env = map[string]string{
		"HOME": os.Getenv("HOME"), "PATH": s.own, "MANUAL_PATH": os.Getenv("PATH"), asProgram: "1", "MANUAL_BINARY": os.Args[0], "MANUAL_OWN": s.own,
		"MANUAL_ADDR": "127.0.0.1:" + s.port("8080"), "MANUAL_ADMIN_ADDR": "127.0.0.1:" + s.port("9090"), "GORACE": "atexit_sleep_ms=0",
		"MANUAL_PACE": pick(strings.HasPrefix(r.page.Path, "docs/guide"), "150ms", "20ms"), // streams are seen, and stopped in the middle by the guide
		"url":         s.server() + "/graphql",
	}
	maps.Copy(s.env, unhurried)
	maps.Copy(s.env, settings)
	r.t.Cleanup(s.end)
	return s
}

// harmless are the programs that a page may run here. Whatever else a block calls is not found, so that a page about installing
// changes nothing on the machine of who tests.
var harmless = []string{
	"cat", "curl", "cut", "date", "grep", "head", "ls", "mv", "node", "openssl", "sed", "seq", "sha256sum", "sleep", "sort", "tail", "tee", "tr", "uniq", "wc", "yes",
}

// handbook is what some.pdf has on its page.
const handbook = "BT /F1 24 Tf 72 700 Td (Korvali Lamps: handbook) Tj /F1 18 Tf 0 -40 Td (Returns) Tj /F1 11 Tf 0 -30 Td " +
	"(A lamp may be sent back within 45 days, if it has not been painted. We pay the parcel.) Tj 0 -15 Td " +
	"(The money is back on your account within a week after the lamp has reached us.) Tj /F1 18 Tf 0 -40 Td (Care) Tj /F1 11 Tf 0 -30 Td " +
	"(Wipe the wood with a dry cloth once a month, and oil it once a year.) Tj 0 -15 Td " +
	"(Never use a bulb of more than 11 watts.) Tj ET"

const kyrochatShim = `
PATH=$MANUAL_PATH
if [ $# -gt 0 ] && [ "$1" != serve ]; then exec "$MANUAL_BINARY" "$@"; fi
export KYRO_ADDR=${KYRO_ADDR:-$MANUAL_ADDR} KYRO_ADMIN_ADDR=${KYRO_ADMIN_ADDR:-$MANUAL_ADMIN_ADDR} KYRO_OFFLINE_PACE=$MANUAL_PACE
running=$MANUAL_OWN/$KYRO_ADMIN_ADDR.pid log=$MANUAL_OWN/$KYRO_ADMIN_ADDR.log
err=$(readlink /proc/self/fd/2 || true)
case $err in "$MANUAL_OWN"/*) ;; /*) log=$err ;; esac # where the page wants to have the log
if [ -e "$running" ]; then kill "$(cat "$running")"; while [ -e "$running" ]; do sleep 0.02; done; fi
: >"$log"
( "$MANUAL_BINARY" serve 2>>"$log" & echo $! >"$running"; wait $!; echo ended >>"$log"; rm -f "$running" ) >/dev/null 2>&1 &
until grep -qE 'msg"?[=:]"?ready|^ended' "$log"; do sleep 0.02; done
if grep -q ^ended "$log"; then cat "$log" >&2; exit 1; fi
`

const goShim = `
PATH=$MANUAL_PATH
case "$1 $2" in
"run .") shift 2; exec "$MANUAL_OWN/kyrochat" "$@" ;;
"build -o") ln -sf "$MANUAL_OWN/kyrochat" "$3" ;;
"run ./internal/emulate")
  running=$MANUAL_OWN/emulate.pid out=$MANUAL_OWN/emulate.out
  ( "$MANUAL_OWN/emulate" $MANUAL_EMULATE "${@:3}" >"$out" & echo $! >"$running"; wait $!; rm -f "$running" ) >/dev/null 2>&1 &
  last=KYRO_S3_SECRET_KEY; case "$*" in *-s3=*) last=KYRO_FETCH_ALLOW ;; esac
  until grep -q "$last=.*" "$out" 2>/dev/null; do sleep 0.02; done
  cp "$out" "$MANUAL_OWN/pasted"; cat "$out" ;;
*) echo "nothing stands in for go $*" >&2; exit 1 ;;
esac
`

// emulatorIn builds the program of internal/emulate in the folder, once, where a page runs it.
func emulatorIn(folder string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		program := filepath.Join(folder, "emulate")
		if out, err := exec.Command("go", "build", "-o", program, "./internal/emulate").CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		return program, nil
	})
}

// emulate lets the page start the emulators.
func (s *shell) emulate() {
	s.r.t.Helper()
	program, err := s.emulator()
	if err == nil {
		err = os.Link(program, filepath.Join(s.own, "emulate"))
	}
	if err != nil {
		s.r.failf("build the emulators: %v", err)
	}
	var flags []string
	for name, number := range map[string]string{"gemini": "8471", "pinecone": "8472", "smtp": "8473", "smtp-control": "8474", "website": "8475", "s3": "8476"} {
		flags = append(flags, "-"+name+"=127.0.0.1:"+s.port(number))
	}
	s.env["MANUAL_EMULATE"] = strings.Join(flags, " ")
}

func (s *shell) path(name string) string { return filepath.Join(s.folder, name) }

func (s *shell) write(name, text string) {
	s.r.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.r.failf("%v", err)
	}
}

// port is what a port of the page is here, which nobody else is given until the page was read.
func (s *shell) port(written string) string {
	if s.ports[written] == "" {
		address, leave, err := port.Keep()
		if err != nil {
			s.r.t.Fatal(err)
		}
		s.r.t.Cleanup(leave)
		s.ports[written] = address[strings.LastIndexByte(address, ':')+1:]
	}
	return s.ports[written]
}

// server is the address of the server of the page.
func (s *shell) server() string { return "http://127.0.0.1:" + s.port("8080") }

var addressInText = regexp.MustCompile(`127\.0\.0\.1:([0-9]{4,5})\b`)

// withAddresses is a text of the page with the addresses that are here.
func (s *shell) withAddresses(text string) string {
	const database, redis = "postgres://kyro@127.0.0.1/kyro", "redis://127.0.0.1:6379/0"
	if strings.Contains(text, database) {
		text = strings.ReplaceAll(text, database, testdb.PostgresURL(s.r.t))
	}
	if strings.Contains(text, redis) {
		text = strings.ReplaceAll(text, redis, testdb.Redis(s.r.t).URL)
	}
	actual := map[string]bool{}
	for _, number := range s.ports {
		actual[number] = true
	}
	return addressInText.ReplaceAllStringFunc(text, func(address string) string {
		number := address[strings.LastIndexByte(address, ':')+1:]
		if actual[number] || number[0] > '9' || len(number) > 4 {
			return address
		}
		return "127.0.0.1:" + s.port(number)
	})
}

// ensureServer starts a server where the page has none yet: it says somewhere that there is one.
func (s *shell) ensureServer() {
	s.r.t.Helper()
	if _, err := os.Stat(filepath.Join(s.own, s.env["MANUAL_ADMIN_ADDR"]+".pid")); err != nil {
		s.run("kyrochat")
	}
}

// ofTheMachine are paths that a page has no business with here.
var ofTheMachine = regexp.MustCompile(`(?:^|[\s>"'=])/(?:bin|boot|etc|home|lib|opt|root|run|sbin|srv|usr|var)\b`)

var filledIn = regexp.MustCompile(`^(\w+)=…\s*# the (\w+) of the answer`)

// do runs a block. Where the reader fills something in, that is done in between.
func (s *shell) do(block string) {
	s.r.t.Helper()
	if path := ofTheMachine.FindString(block); path != "" {
		s.r.failf("the block is about%s of this machine: say where it is run, or why it is not", path)
	}
	starts := strings.Contains(block, "go run .") || strings.Contains(block, "./kyrochat") || strings.Contains(block, "kyrochat ")
	if !starts && (strings.Contains(block, "http://127.0.0.1:") || strings.Contains(block, "$url")) {
		s.ensureServer()
	}
	if strings.Contains(block, "./internal/emulate") {
		s.emulate()
	}
	var all, part strings.Builder
	for line := range strings.Lines(block) {
		found := filledIn.FindStringSubmatch(line)
		if found == nil {
			part.WriteString(line)
			continue
		}
		all.WriteString(s.run(part.String()))
		part.Reset()
		values := regexp.MustCompile(`"`+found[2]+`": ?"([^"]+)"`).FindAllStringSubmatch(all.String(), -1)
		if values == nil {
			s.r.failf("there is no %s in the answers: %s", found[2], all.String())
		}
		fmt.Fprintf(&part, "%s='%s'\n", found[1], values[len(values)-1][1])
	}
	all.WriteString(s.run(part.String()))
	s.r.output = all.String()
}

var (
	setInBlock   = regexp.MustCompile(`(?:^|[\s;(])(\w+)=`)
	functionName = regexp.MustCompile(`(?m)^(\w+)\(\)`)
)

// run runs lines and gives what they print, without their errors.
func (s *shell) run(lines string) string {
	s.r.t.Helper()
	for _, found := range append(setInBlock.FindAllStringSubmatch(lines, -1), functionName.FindAllStringSubmatch(lines, -1)...) {
		if !slices.Contains(s.names, found[1]) {
			s.names = append(s.names, found[1])
		}
	}
	state := filepath.Join(s.own, "state")
	script := "set -eu\nfor f in '" + filepath.Join(s.own, "pasted") + "' '" + state + "'; do if [ -e $f ]; then . $f; fi; done\n" + lines + "\nwait\n{ :\n"
	for _, name := range s.names {
		script += "declare -pf " + name + " 2>/dev/null || declare -p " + name + " 2>/dev/null || true\n"
	}
	script += "} >'" + state + ".new'\nmv '" + state + ".new' '" + state + "'\n"
	s.blocks++
	out, errOut := s.logFile("out"), s.logFile("err")
	defer out.Close()
	defer errOut.Close()
	cmd := exec.Command(s.bash, "--noprofile", "--norc", "-c", script)
	cmd.Dir = s.folder
	cmd.Stdout, cmd.Stderr = out, errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	env := maps.Clone(s.env)
	if s.r.token != "" {
		env["token"] = s.r.token
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		s.r.failf("%v", err)
	}
	hangs := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	hangs.Stop()
	printed, _ := os.ReadFile(out.Name())
	if err != nil {
		complaints, _ := os.ReadFile(errOut.Name())
		s.r.failf("%v\n%s\nprinted: %s\nand said: %s", err, lines, printed, complaints)
	}
	return string(printed)
}

func (s *shell) logFile(kind string) *os.File {
	s.r.t.Helper()
	f, err := os.Create(filepath.Join(s.own, fmt.Sprintf("%d.%s", s.blocks, kind)))
	if err != nil {
		s.r.failf("%v", err)
	}
	return f
}

// variable is what a variable of the page's shell has.
func (s *shell) variable(name string) string {
	s.r.t.Helper()
	return strings.TrimSpace(s.run(`printf %s "$` + name + `"`))
}

// end stops what the page started, and shows what a server had to say where the test failed.
func (s *shell) end() {
	for _, running := range must(filepath.Glob(filepath.Join(s.own, "*.pid"))) {
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			pid, err := os.ReadFile(running)
			if err != nil {
				break
			}
			if time.Now().After(end) {
				s.r.t.Errorf("%s does not end", filepath.Base(running))
				break
			}
			_ = exec.Command("kill", strings.TrimSpace(string(pid))).Run()
		}
	}
	if s.r.t.Failed() {
		for _, log := range must(filepath.Glob(filepath.Join(s.own, "*.log"))) {
			text, _ := os.ReadFile(log)
			s.r.t.Logf("%s:\n%s", filepath.Base(log), text)
		}
	}
}

// must is for calls that only fail where the test is written wrongly.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
