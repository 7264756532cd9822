package ai

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/pinecone-io/go-pinecone/v5/pinecone"
)

// pineconeControl is where indexes are looked up. It is always said, because the SDK reads the environment otherwise.
const pineconeControl = "https://api.pinecone.io"

// findHost takes the host that was given, or looks the index up by its name; in that case it is known at once whether
// it fits.
func (p *Pinecone) findHost(ctx context.Context, c PineconeConfig) error {
	if c.Host != "" {
		host, err := pineconeURL("KYRO_PINECONE_HOST", c.Host)
		p.host = host
		return err
	}
	if c.Index == "" {
		return errors.New("with PINECONE_API_KEY, KYRO_PINECONE_INDEX must name an index; " + p.howToMakeOne(p.otherName()))
	}
	control, err := pineconeURL("KYRO_PINECONE_CONTROL_URL", cmp.Or(c.ControlURL, pineconeControl))
	if err != nil {
		return err
	}
	found, err := p.describe(ctx, control)
	if err != nil {
		return err
	}
	if found.Spec != nil && found.Spec.Pod != nil {
		return fmt.Errorf("KYRO_PINECONE_INDEX: the index %s runs on pods, which cannot list what is in them: name a serverless one; %s",
			c.Index, p.howToMakeOne(p.otherName()))
	}
	dims := 0
	if found.Dimension != nil {
		dims = int(*found.Dimension)
	}
	if misfit := p.misfit(dims, string(found.Metric)); misfit != "" {
		return errors.New(misfit)
	}
	p.fit.Store(&fitness{})
	if found.Status != nil && !found.Status.Ready {
		p.log.Warn("the index is not ready yet", "index", c.Index, "state", found.Status.State)
	}
	if p.host, err = pineconeURL("the host of "+c.Index, found.Host); err != nil {
		return fmt.Errorf("Pinecone gives no host for the index: %w", err)
	}
	return nil
}

// describe looks an index up.
func (p *Pinecone) describe(ctx context.Context, control string) (*pinecone.Index, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: pineconeCallTime}
	defer transport.CloseIdleConnections()
	client, err := pinecone.NewClient(pinecone.NewClientParams{
		ApiKey: p.key, Host: control,
		RestClient: &http.Client{
			Transport: transport, Timeout: pineconeCallTime,
			// The key is in a header that would go along to wherever a redirection leads.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	if err != nil {
		return nil, p.cause("client", err)
	}
	for tried := 1; ; tried++ {
		found, err := client.DescribeIndex(ctx, p.index)
		if err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var refused *pinecone.PineconeError
		if errors.As(err, &refused) {
			switch refused.Code {
			case http.StatusUnauthorized, http.StatusForbidden:
				return nil, fmt.Errorf("%w (it answers with status %d)", errPineconeKey, refused.Code)
			case http.StatusNotFound:
				return nil, fmt.Errorf("KYRO_PINECONE_INDEX: PINECONE_API_KEY's project has no index %q; %s", p.index, p.howToMakeOne(p.index))
			}
		}
		if tried == 3 {
			return nil, fmt.Errorf("the index %q cannot be looked up now: start again later, or set KYRO_PINECONE_HOST to its host, "+
				"with which the server starts without that (%w)", p.index, p.cause("DescribeIndex", err))
		}
		if err := p.pause(ctx, 0, p.writes.pause<<tried); err != nil {
			return nil, err
		}
	}
}

var errPineconeKey = errors.New("Pinecone refuses PINECONE_API_KEY: take a key of the project that the index is in, from app.pinecone.io")

// hostName is what a host may be called, IPv6 addresses aside.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// pineconeURL checks an address before the SDK sees it, which ends the process over one that it cannot use. Without a
// scheme it is https. It gives scheme and host, and the port where there is one.
func pineconeURL(setting, address string) (string, error) {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	wrong := fmt.Errorf("%s must be the name of a host as Pinecone shows it, such as kyrochat-a1b2c3d.svc.aped-4627-b74a.pinecone.io, "+
		"with https:// or http:// before it or nothing, and a port after it or nothing", setting)
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(u.Host, ":") {
		return "", wrong
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", wrong
		}
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && !hostName.MatchString(u.Hostname()) {
		return "", wrong
	}
	return u.Scheme + "://" + u.Host, nil
}

// loopback reports an address of this machine.
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback() || u.Hostname() == "localhost"
}
