package fetch_test

import (
	"net/netip"
	"testing"

	"kyrochat/ingest/fetch"
)

func TestExceptionsAreRead(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]fetch.Exception{
		"10.0.0.0/8:80-90":   {{Prefix: netip.MustParsePrefix("10.0.0.0/8"), First: 80, Last: 90}},
		"127.0.0.1:8080":     {{Prefix: netip.MustParsePrefix("127.0.0.1/32"), First: 8080, Last: 8080}},
		"10.1.2.3/8:1-65535": {{Prefix: netip.MustParsePrefix("10.0.0.0/8"), First: 1, Last: 65535}},
		"[::1]:8080":         {{Prefix: netip.MustParsePrefix("::1/128"), First: 8080, Last: 8080}},
		"fd00::/8:80":        {{Prefix: netip.MustParsePrefix("fd00::/8"), First: 80, Last: 80}},
		"[fd00::/8]:80":      {{Prefix: netip.MustParsePrefix("fd00::/8"), First: 80, Last: 80}},
		"192.168.0.0/16":     {{Prefix: netip.MustParsePrefix("192.168.0.0/16"), First: 80, Last: 80}, {Prefix: netip.MustParsePrefix("192.168.0.0/16"), First: 443, Last: 443}},
		"10.0.0.1":           {{Prefix: netip.MustParsePrefix("10.0.0.1/32"), First: 80, Last: 80}, {Prefix: netip.MustParsePrefix("10.0.0.1/32"), First: 443, Last: 443}},
		"::1":                {{Prefix: netip.MustParsePrefix("::1/128"), First: 80, Last: 80}, {Prefix: netip.MustParsePrefix("::1/128"), First: 443, Last: 443}},
		"::ffff:10.0.0.1":    {{Prefix: netip.MustParsePrefix("10.0.0.1/32"), First: 80, Last: 80}, {Prefix: netip.MustParsePrefix("10.0.0.1/32"), First: 443, Last: 443}},
	} {
		got, err := fetch.ParseException(in)
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %v, %v", in, got, err)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", in, got, want)
			}
		}
	}
	for _, in := range []string{
		"", ":80", "localhost:80", "10.0.0.0/33:80", "10.0.0.0/8:", "10.0.0.0/8:0", "10.0.0.0/8:90-80", "10.0.0.0/8:65536", "10.0.0.0/8:80-", "10.0.0.0/8:http", "[::1]:", "fe80::1%eth0", "::ffff:0:0/96:80",
		"10.0.0.1:",
	} {
		if got, err := fetch.ParseException(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

// TestThePublicInternet has neighbours of all that is not of it.
func TestThePublicInternet(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
		"203.0.114.0", "223.255.255.255", "168.63.129.15", "168.63.129.17", "8.8.8.8", "::ffff:8.8.8.8", "2000::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "2606:4700::1111", "3ffe::",
		"3fff:1000::", "2a00::1",
	} {
		if !fetch.Public(netip.MustParseAddr(s)) {
			t.Errorf("%s is of the public internet", s)
		}
	}
}
