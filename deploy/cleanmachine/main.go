// Cleanmachine shows that an operator who has a Debian machine and a binary gets to a chat, and through upgrades: it makes
// a Debian of nothing but what is in its smallest form, with Caddy, PostgreSQL, Redis and curl, boots it with a systemd of its own, and does
// there what docs/deployment.md says. It needs root, debootstrap and systemd-nspawn, and a mirror of Debian.
//
//	go run ./deploy/cleanmachine                # all of it
//	go run ./deploy/cleanmachine -base FOLDER -builds FOLDER   # with a Debian and builds that an earlier run left by -keep
//
// It ends with 1 where something did not go as it is documented.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	base := flag.String("base", "", "a Debian that debootstrap made, with all of `packages`; made anew where empty")
	builds := flag.String("builds", "", "what an earlier run built; built where empty")
	only := flag.String("only", "", "service, nodes, package or rpm: this one alone")
	keep := flag.Bool("keep", false, "leave the folder with the machines")
	flag.Parse()
	if err := show(ctx, *base, *builds, *only, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "cleanmachine:", err)
		os.Exit(1)
	}
}

// packages are what the machine has besides the smallest Debian: what boots it, what a person types, the proxy, what
// several processes share, and what installs a package of Red Hat's kind.
const packages = "systemd,systemd-sysv,dbus,ca-certificates,curl,caddy,postgresql,redis-server,rpm"

func show(ctx context.Context, base, builds, only string, keep bool) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("a machine is booted by root alone")
	}
	folder, err := os.MkdirTemp("/var/tmp", "kyrochat-machine-") // what is booted is larger than some memory
	if err != nil {
		return err
	}
	if !keep {
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	making, ended := errgroup.WithContext(ctx)
	if builds == "" {
		builds = filepath.Join(folder, "builds")
		making.Go(func() error { return buildAll(ended, builds) })
	}
	if base == "" {
		base = filepath.Join(folder, "debian")
		making.Go(func() error {
			return command(ended, "", "debootstrap", "--variant=minbase", "--include="+packages, "bookworm", base)
		})
	}
	begun := time.Now()
	if err := making.Wait(); err != nil {
		return err
	}
	fmt.Printf("ok    a Debian and four builds (%s)\n", time.Since(begun).Round(time.Second))
	for _, each := range []struct {
		name  string
		steps []step
	}{{"service", service}, {"nodes", nodes}, {"package", packaged}, {"rpm", rpms}} {
		if only != "" && only != each.name {
			continue
		}
		root := filepath.Join(folder, each.name)
		if err := command(ctx, "", "cp", "-a", "--reflink=auto", base, root); err != nil {
			return err
		}
		if err := play(ctx, each.name, root, builds, each.steps); err != nil {
			return err
		}
		if !keep {
			if err := os.RemoveAll(root); err != nil {
				return err
			}
		}
	}
	if keep {
		fmt.Println("kept in", folder)
	}
	return nil
}

// step is one thing that an operator does, and what has to be so afterwards.
type step struct {
	what string
	do   func(ctx context.Context, m *machine) error
}

const stepTime = 5 * time.Minute

// play boots a machine and does the steps, one after the other.
func play(ctx context.Context, name, root, builds string, steps []step) (err error) {
	m, err := boot(ctx, name, root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.halt()) }()
	if err := m.bring(ctx, builds); err != nil {
		return err
	}
	for _, s := range steps {
		limited, cancel := context.WithTimeout(ctx, stepTime)
		begun := time.Now()
		err := s.do(limited, m)
		cancel()
		switch {
		case errors.Is(err, errNotThere):
			fmt.Printf("--    %s: %s (%v)\n", name, s.what, err)
		case err != nil:
			fmt.Printf("FAIL  %s: %s\n", name, s.what)
			return errors.Join(err, m.lastWords())
		default:
			fmt.Printf("ok    %s: %s (%s)\n", name, s.what, time.Since(begun).Round(100*time.Millisecond))
		}
	}
	return nil
}

// errNotThere is what this build does not have.
var errNotThere = errors.New("not in this build")

// command runs a program of this machine, and tells what it said where it fails.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, said[max(0, len(said)-4000):])
	}
	return nil
}
