package account

import (
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// NormalizeEmail is kyro.NormalizeEmail with the domain as the DNS has it (IDNA, UTS 46), so that an address has one
// spelling: bücher.example and xn--bcher-kva.example are the same. It is here, since the rules of IDNA are tables that kyro,
// which imports the standard library only, cannot have. Everything that takes an address of somebody goes through it, and
// mails go to what it gives, never to what was typed: so nobody gets a mail for an address that only looks alike.
func NormalizeEmail(email string) (string, error) {
	address, err := kyro.NormalizeEmail(email) // first: IDNA would leave out some of what it refuses
	if err != nil {
		return "", err
	}
	at := strings.LastIndexByte(address, '@')
	domain, err := text.Domain(address[at+1:])
	if err != nil {
		return "", kyro.Invalid("email", "The part of the email address behind the @ is no domain.")
	}
	address = text.Composed(address[:at]) + "@" + domain
	if len(address) > kyro.MaxEmailBytes { // other letters and digits may take more bytes than what was typed
		return "", kyro.Invalid("email", "The email address is too long: it may have %d bytes.", kyro.MaxEmailBytes)
	}
	return address, nil
}
