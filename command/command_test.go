package command_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"kyrochat/command"
)

const usage = "usage: kyrochat sing [-loud] SONG\n"

func sing() (flags *flag.FlagSet, loud *bool) {
	flags = flag.NewFlagSet("sing", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags, flags.Bool("loud", false, "")
}

func TestMixed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args, others string
		loud         bool
	}{
		{"", "", false}, {"-loud", "", true}, {"one two", "one two", false}, {"one -loud two", "one two", true}, {"-- -loud", "-loud", false},
		{"one -- -loud two", "one -loud two", false}, {"-loud one -- two --", "one two --", true}, {"-loud=false one", "one", false},
	} {
		flags, loud := sing()
		others, err := command.Mixed(flags, strings.Fields(test.args))
		if err != nil || !slices.Equal(others, strings.Fields(test.others)) || *loud != test.loud {
			t.Errorf("%q is %q, loud %v, %v", test.args, others, *loud, err)
		}
	}
	flags, _ := sing()
	if _, err := command.Mixed(flags, []string{"one", "-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("asking for help gives %v", err)
	}
	if _, err := command.Mixed(flags, []string{"one", "-soft"}); err == nil || !strings.Contains(err.Error(), "-soft") {
		t.Errorf("a flag that there is not gives %v", err)
	}
}

func TestFlagsAlone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args, out, says string
		done            bool
	}{
		{"", "", "", false}, {"-loud", "", "", false}, {"--help", usage, "", true}, {"-loud -h", usage, "", true},
		{"one", "", "sing: \"one\" is one too many\n\nusage: kyrochat sing [-loud] SONG", true},
		{"-soft", "", "sing: flag provided but not defined: -soft\n\nusage: kyrochat sing [-loud] SONG", true},
	} {
		var out bytes.Buffer
		flags, _ := sing()
		done, err := command.FlagsAlone(flags, strings.Fields(test.args), usage, &out)
		if done != test.done || out.String() != test.out || (err != nil) != (test.says != "") {
			t.Errorf("%q: done %v, %v, and prints %q", test.args, done, err, out.String())
		}
		if err != nil && (err.Error() != test.says || command.Status(err) != 2) {
			t.Errorf("%q ends with %d: %v", test.args, command.Status(err), err)
		}
	}
}

// TestStatus: what an error says of the status is heard through what is written around it.
func TestStatus(t *testing.T) {
	t.Parallel()
	cause := errors.New("away")
	for _, test := range []struct {
		err    error
		status int
		prints string
	}{
		{nil, 0, ""},
		{cause, 1, "kyrochat: away\n"},
		{command.Wrong(cause), 2, "kyrochat: away\n"},
		{command.Found(cause), 3, "kyrochat: away\n"},
		{fmt.Errorf("sing: %w", command.Found(cause)), 3, "kyrochat: sing: away\n"},
		{command.OrUsage("sing", cause, usage), 1, "kyrochat: sing: away\n"},
		{command.OrUsage("sing", command.Found(cause), usage), 3, "kyrochat: sing: away\n"},
		{command.OrUsage("sing", command.Wrong(cause), usage), 2, "kyrochat: sing: away\n\n" + usage},
		{command.Told(2), 2, ""},
	} {
		var out bytes.Buffer
		if status := command.End(&out, test.err); status != test.status || out.String() != test.prints {
			t.Errorf("%v ends with %d, and prints %q", test.err, status, out.String())
		}
	}
	if !errors.Is(command.Wrong(cause), cause) || !errors.Is(command.Found(cause), cause) {
		t.Error("the cause cannot be found")
	}
}
