package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"kyrochat/config"
	"kyrochat/ingest/bucket"
	"kyrochat/kyro"
	"kyrochat/mail"
	"kyrochat/trace"
)

// lookAtMail looks whether mails can be sent, and sends one where that is asked for.
func lookAtMail(p *patient) []Finding {
	if p.cfg.Mail.SMTPURL == "" {
		kept := ok("Not set: mails are kept in the outbox of the data folder.")
		if p.mailTo != "" {
			return []Finding{kept, fail("No mail was sent to "+p.mailTo+", since SMTP_URL is not set.", "  SMTP_URL=smtp://user:password@mail.example.com\n  KYRO_MAIL_FROM=\"KyroChat <kyrochat@example.com>\"")}
		}
		return []Finding{kept}
	}
	o := p.cfg.MailOptions()
	o.Log = slog.New(slog.DiscardHandler)
	post, err := mail.New(o)
	if err != nil {
		return []Finding{fail("Mails cannot be sent: "+plainly(err)+".", "See SMTP_URL and KYRO_MAIL_FROM in docs/configuration.md.")}
	}
	ctx, cancel := p.within(slow)
	defer cancel()
	x, err := post.Examine(ctx)
	found := mailVerdict(x, err, p.cfg.Mail)
	if p.mailTo == "" || worst(found) == Failed {
		return found
	}
	if err := post.SendTest(ctx, p.mailTo); err != nil {
		what, why := mailTrouble(err)
		return append(found, fail("The test mail to "+p.mailTo+" was not sent: "+what+why, "See that the address is right, and that the mail server lets KYRO_MAIL_FROM ("+p.cfg.Mail.From+") send."))
	}
	return append(found, ok("A test mail to %s was taken by the mail server; see whether it arrives.", p.mailTo))
}

// mailTrouble is an error of the post in words.
func mailTrouble(err error) (what, why string) {
	known, isKnown := errors.AsType[*kyro.Error](err)
	if !isKnown {
		return plainly(err) + ".", ""
	}
	if cause := known.Unwrap(); cause != nil {
		why = " (" + plainly(cause) + ")"
	}
	return known.Message, why
}

func mailVerdict(x mail.Examined, err error, c config.Mail) []Finding {
	if err == nil {
		return []Finding{ok("The mail server %s can be spoken to, %s, %s. Mails are from %s.", x.Address,
			pick(x.Encrypted != "", "encrypted by "+x.Encrypted, "not encrypted"), pick(x.SignedIn, "and lets us sign in", "without signing in"), c.From)}
	}
	what, why := mailTrouble(err)
	if strings.Contains(what, "took too long") {
		why = ""
	}
	what = strings.ToLower(what[:1]) + what[1:]
	mend := "See that it runs, and that this machine may reach it:\n  nc -vz " + strings.ReplaceAll(x.Address, ":", " ")
	switch {
	case strings.Contains(what, "password"):
		mend = "Set those that the server knows, with special characters written as in URLs (@ as %40):\n  SMTP_URL=smtp://user:password@host"
	case strings.Contains(what, "certificate"):
		mend = "Name the host in SMTP_URL as its certificate does, or have the system trust who signed it:\n  SSL_CERT_FILE=/etc/ssl/certs/our-own.pem"
	case strings.Contains(what, "does not encrypt"):
		mend = "Use the port that encrypts from the start, if it has one, and only in a network of your own none at all:\n  SMTP_URL=smtps://user:password@host:465\nor\n  SMTP_URL=smtp://host:25?tls=none"
	case strings.Contains(what, "does not fit"), strings.Contains(what, "does not speak TLS"):
		mend = "smtp:// begins in the clear and is encrypted then (587), smtps:// is encrypted from the start (465): set the one that the server speaks."
	case strings.Contains(what, "took too long"):
		mend = "Many networks let nobody out to the ports of mail. Take the port that your mail provider names for programs:\n  SMTP_URL=smtps://user:password@host:465"
	}
	return []Finding{fail("No mail can be sent: "+strings.TrimRight(what, ".")+why+".", mend)}
}

// lookAtStorage looks whether files can be kept in the bucket.
func lookAtStorage(p *patient) []Finding {
	o := p.cfg.Storage.Bucket
	if o.Endpoint == "" {
		return []Finding{ok("Not set: files are in %s.", pick(p.cfg.DatabaseURL == "", "the data folder", "the database"))}
	}
	ctx, cancel := p.within(slow)
	defer cancel()
	o.Installation = "doctor"
	b, err := bucket.Open(ctx, o)
	if err == nil {
		err = b.Try(ctx)
	}
	return storageVerdict(o, err)
}

func storageVerdict(o bucket.Options, err error) []Finding {
	if err == nil {
		return []Finding{ok("The bucket %s at %s is there; an object was put, read and removed again.", o.Bucket, o.Endpoint)}
	}
	why := plainly(err)
	if known, isKnown := errors.AsType[*kyro.Error](err); isKnown && known.Unwrap() != nil {
		why = plainly(known.Unwrap())
	}
	mend := "See that the storage runs, that this machine reaches it, and that KYRO_S3_ENDPOINT is right:\n  curl -sS -o /dev/null -w '%{http_code}\\n' " + quoted(o.Endpoint)
	switch {
	case strings.Contains(why, "there is no bucket"):
		why, _ = parted(why)
		mend = "Make it, or name another one in KYRO_S3_BUCKET:\n  aws --endpoint-url " + quoted(o.Endpoint) + " s3 mb s3://" + o.Bucket
	case strings.Contains(why, "AccessDenied"), strings.Contains(why, "HTTP 403"), strings.Contains(why, "SignatureDoesNotMatch"), strings.Contains(why, "InvalidAccessKeyId"):
		mend = "See KYRO_S3_ACCESS_KEY, KYRO_S3_SECRET_KEY and KYRO_S3_REGION. The key must be allowed s3:ListBucket on the bucket and s3:GetObject, s3:PutObject and s3:DeleteObject on what is in it."
	}
	return []Finding{fail(fmt.Sprintf("Files cannot be kept in the bucket %s at %s: %s.", o.Bucket, o.Endpoint, strings.TrimRight(why, ".")), mend)}
}

// askedName is looked up to find out whether names can be.
const askedName = "example.com."

// lookAtNameServer looks whether the names of pages can be looked up.
func lookAtNameServer(p *patient) []Finding {
	if !p.cfg.Role.Works() {
		return nil // which fetches none
	}
	resolver := &net.Resolver{PreferGo: true}
	if at := p.cfg.Fetch.DNS; at != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		}
	}
	ctx, cancel := p.within(quick)
	defer cancel()
	_, err := resolver.LookupNetIP(ctx, "ip", askedName)
	return nameServerVerdict(p.cfg.Fetch.DNS, err)
}

func nameServerVerdict(server string, err error) []Finding {
	var unknown *net.DNSError
	answered := err == nil
	if errors.As(err, &unknown) {
		answered, err = unknown.IsNotFound, errors.New(unknown.Err) // which else names the system's server
	}
	switch {
	case answered && server == "":
		return []Finding{ok("Names of pages are looked up by the system's name servers, which answer.")}
	case answered:
		return []Finding{ok("Names of pages are looked up by %s, which answers.", server)}
	case server == "":
		return []Finding{note("Names cannot be looked up here ("+plainly(err)+"): pages of the internet are not fetched.", "Without the internet nothing is to be done. Else see /etc/resolv.conf, or name a server:\n  KYRO_FETCH_DNS=192.0.2.53:53")}
	}
	return []Finding{fail("The name server of KYRO_FETCH_DNS does not answer ("+plainly(err)+"): no page can be fetched by its name.", "Name one that does, or use those of the system:\n  unset KYRO_FETCH_DNS")}
}

// lookAtTraces looks whether the collector takes spans.
func lookAtTraces(p *patient) []Finding {
	t := p.cfg.Traces
	if t.Endpoint == "" {
		return nil
	}
	ctx, cancel := p.within(quick)
	defer cancel()
	status, err := trace.Reach(ctx, trace.Config{Endpoint: t.Endpoint, Headers: t.Headers})
	return tracesVerdict(t.Endpoint, status, err)
}

func tracesVerdict(endpoint string, status int, err error) []Finding {
	switch {
	case err != nil:
		return []Finding{warn("The collector of traces at "+endpoint+" cannot be reached: "+plainly(err)+". Traces are lost; all else works.", "Start it, or name another one, or none:\n  unset OTEL_EXPORTER_OTLP_ENDPOINT")}
	case status == 401 || status == 403:
		return []Finding{warn(fmt.Sprintf("The collector of traces at %s refuses us (%d). Traces are lost; all else works.", endpoint, status), "Give it the header that it wants, its value as in URLs:\n  OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20…")}
	case status >= 300:
		return []Finding{warn(fmt.Sprintf("What is at %s does not take traces by OTLP over HTTP: it answers %d to /v1/traces.", endpoint, status), "Name the port for HTTP, mostly 4318, and nothing behind it:\n  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318")}
	}
	return []Finding{ok("The collector of traces at %s takes what is sent.", endpoint)}
}
