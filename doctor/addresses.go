package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"kyrochat/text"
)

// address is one that a server listens on.
type address struct {
	setting, addr string
	taken         bool
	ours          bool   // by a server of this project
	says          string // what that says of itself; "" where it cannot be asked
	problem       error  // why it could not be listened on
}

const addressTime = 2 * time.Second

// lookAtAddresses looks whether the addresses are free, or who has them.
func lookAtAddresses(p *patient) (found []Finding) {
	ctx, cancel := p.within(addressTime)
	defer cancel()
	admin := address{setting: "KYRO_ADMIN_ADDR", addr: p.cfg.AdminAddr}
	admin.look(ctx)
	if admin.taken {
		if body, err := pageAt(ctx, admin.addr, "/readyz"); err == nil {
			admin.says = text.Printable(string(body))
			alive, err := pageAt(ctx, admin.addr, "/healthz")
			admin.ours = err == nil && string(alive) == "ok\n"
		}
	}
	list := []address{admin}
	if p.cfg.Role.Serves() {
		public := address{setting: "KYRO_ADDR", addr: p.cfg.Addr}
		public.look(ctx)
		if public.taken {
			body, err := pageAt(ctx, public.addr, "/schema.graphql")
			public.ours = err == nil && bytes.Contains(body, []byte("messageStream"))
		}
		list = append([]address{public}, admin)
	}
	for _, a := range list {
		found = append(found, a.verdict())
	}
	return found
}

// look finds out whether this process could listen there, which it does for a moment, and else whether somebody does.
func (a *address) look(ctx context.Context) {
	host, port, err := net.SplitHostPort(a.addr)
	if err != nil || port == "0" {
		return
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.addr)
	if err == nil {
		err = listener.Close()
	}
	a.problem = err
	if !errors.Is(err, syscall.EADDRINUSE) {
		return
	}
	if conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(reached(host), port)); err == nil {
		a.taken = conn.Close() == nil
	}
}

// reached is where what listens on a host is reached from this machine.
func reached(host string) string {
	switch host {
	case "", "0.0.0.0":
		return "127.0.0.1"
	case "::":
		return "::1"
	}
	return host
}

// pageAt asks what listens at an address for a page.
func pageAt(ctx context.Context, addr, path string) ([]byte, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(reached(host), port)+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy stands between a machine and itself
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(io.LimitReader(answer.Body, 1<<20))
}

func (a address) verdict() Finding {
	_, port, _ := net.SplitHostPort(a.addr)
	elsewhere := "Stop it, or listen elsewhere:\n  ss -ltnp 'sport = :" + port + "'\n  " + a.setting + "=127.0.0.1:" + pick(a.setting == "KYRO_ADDR", "8081", "9091")
	switch {
	case a.ours && a.says == "":
		return ok("A KyroChat serves at %s (%s).", a.addr, a.setting)
	case a.ours && a.says == "ready":
		return ok("A KyroChat runs at %s (%s), and says that it is ready.", a.addr, a.setting)
	case a.ours && strings.HasPrefix(a.says, "ready"):
		return warn(fmt.Sprintf("A KyroChat runs at %s (%s), and says: %s.", a.addr, a.setting, a.says), "See above what is wrong with that service; the server goes on with it by itself once it is there.")
	case a.ours:
		return fail(fmt.Sprintf("A KyroChat runs at %s (%s), and is not ready: %s.", a.addr, a.setting, a.says), "See above, and the log of the server:\n  journalctl -u kyrochat -n 50")
	case a.taken:
		return fail(fmt.Sprintf("Something else than a KyroChat has %s (%s): a server cannot listen there.", a.addr, a.setting), elsewhere)
	case errors.Is(a.problem, syscall.EADDRINUSE):
		return fail(fmt.Sprintf("Something has %s (%s) and does not answer: a server cannot listen there.", a.addr, a.setting), elsewhere)
	case errors.Is(a.problem, os.ErrPermission):
		return fail(fmt.Sprintf("This user may not listen on %s (%s): ports below 1024 are for root.", a.addr, a.setting),
			"Listen on a higher port behind a proxy, or allow it in the unit of systemd:\n  "+a.setting+"=127.0.0.1:8080\nor\n  AmbientCapabilities=CAP_NET_BIND_SERVICE")
	case a.problem != nil:
		return fail(fmt.Sprintf("A server cannot listen on %s (%s): %s.", a.addr, a.setting, plainly(a.problem)), "Name an address that this machine has:\n  "+a.setting+"="+pick(a.setting == "KYRO_ADDR", "127.0.0.1:8080", "127.0.0.1:9090"))
	case port == "0":
		return note(fmt.Sprintf("%s is %s, which is another port at each start.", a.setting, a.addr), "  "+a.setting+"="+pick(a.setting == "KYRO_ADDR", "127.0.0.1:8080", "127.0.0.1:9090"))
	}
	return ok("%s (%s) is free.", a.addr, a.setting)
}
