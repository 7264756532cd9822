package text

import (
	"errors"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// domains maps what people write as browsers do (UTS 46, not transitional: ß stays what it is), and takes only what can be
// a name of the DNS.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// Domain is a domain name as the DNS has it: in ASCII and lower case. An error for anything that is no domain name.
func Domain(s string) (string, error) {
	domain, err := domains.ToASCII(s)
	if err == nil && strings.HasSuffix(domain, ".") { // right in the DNS, and the same name as without
		err = errors.New("the domain ends in a dot")
	}
	return domain, err
}

// Composed is the text in the one form (NFC) in which equal characters are equal bytes.
func Composed(s string) string { return norm.NFC.String(s) }
