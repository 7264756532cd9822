package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"kyrochat/command"
	"kyrochat/config"
	"kyrochat/demo"
	"kyrochat/setup"
)

const demoUsage = `usage: kyrochat demo FILE... [-ask QUESTION]...

Starts a server of its own on a free port, makes a bot, feeds it the files and answers the questions from them.
PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV, JSON and plain text are read.
Without -ask it takes questions from the keyboard. Nothing is kept. Where GEMINI_API_KEY is set,
Gemini answers, and gets the text of the files; else all is done on this machine.
`

// showDemo reads the arguments, and plays the demo.
func showDemo(ctx context.Context, args []string, getenv func(string) string, in io.Reader, out, errOut io.Writer) error {
	o, err := parseDemo(args)
	if errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(out, demoUsage)
		return err
	}
	if err != nil {
		return command.OrUsage("demo", err, demoUsage)
	}
	return demo.Run(ctx, o, in, out, demoServer(getenv, errOut))
}

// parseDemo reads the arguments, and looks whether the files can be read.
func parseDemo(args []string) (o demo.Options, err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("ask", "", func(q string) error {
		if strings.TrimSpace(q) == "" {
			return errors.New("the question is empty")
		}
		o.Questions = append(o.Questions, q)
		return nil
	})
	switch o.Files, err = command.Mixed(flags, args); {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, command.Wrong(err)
	case len(o.Files) == 0:
		return o, command.Wrong(errors.New("name at least one file to answer from"))
	}
	for _, name := range o.Files {
		if err := checkReadable(name); err != nil {
			return o, err
		}
	}
	return o, nil
}

func checkReadable(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no file %s", name)
	case err != nil:
		return fmt.Errorf("look at the file: %w", err)
	case info.IsDir():
		return fmt.Errorf("%s is a folder; name the files in it", name)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not an ordinary file", name)
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%s may not be read by you", name)
	}
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	return f.Close()
}

// demoSettings are what a demo takes from the environment: who answers, and who makes embeddings.
var demoSettings = []string{
	"GEMINI_API_KEY", "KYRO_GEMINI_URL", "KYRO_GEMINI_MODEL", "KYRO_EMBEDDING_MODEL", "KYRO_EMBEDDING_DIMS", "KYRO_OFFLINE_FALLBACK",
}

// demoServer gives what runs a server of its own on free ports, in a folder, with Gemini where its key is set, and every
// other setting at its default but for the rates, which whoever shows it many files would meet.
func demoServer(
	getenv func(string) string, errOut io.Writer,
) func(ctx context.Context, dataDir string) (baseURL string, stop func() error, err error) {
	return func(ctx context.Context, dataDir string) (string, func() error, error) {
		own := map[string]string{
			"KYRO_DATA_DIR": dataDir, "KYRO_ADDR": "127.0.0.1:0", "KYRO_ADMIN_ADDR": "127.0.0.1:0", "KYRO_LOG_LEVEL": "error",
			"KYRO_RATE_SCALE": "0", "GEMINI_API_KEY_FILE": keyFile(getenv, "GEMINI_API_KEY_FILE"),
		}
		for _, name := range demoSettings {
			own[name] = getenv(name)
		}
		cfg, err := config.Read(func(name string) string { return own[name] })
		if err != nil {
			return "", nil, err
		}
		app, err := build(ctx, cfg, hooks{}, setup.NewLogger(cfg, errOut))
		if err != nil {
			return "", nil, err
		}
		return app.runInBackground(ctx)
	}
}
