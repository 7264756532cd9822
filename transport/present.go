package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
)

// maxErrorMessage is how many bytes of a message reach a client: validation messages quote the document.
const maxErrorMessage = 1000

// internalMessage is all that anyone is told about an error nobody foresaw.
const internalMessage = "Something went wrong on our side. If it happens again, report it with the request id."

const timeoutMessage = "The request took too long. Try again, or ask for less at once."

// Presenter turns errors into what clients see: a message for a person and extensions with code, requestId and,
// where waiting helps, retryAfterMs. It is the only place that does.
type Presenter struct {
	// Denied hears of everything that was FORBIDDEN, before it is answered; nil: nobody does.
	Denied func(ctx context.Context, viewer kyro.Viewer)
	log    *slog.Logger
	// Limited is told of everything that was refused for being done too often, by the viewer in ctx. It must not wait.
	Limited func(ctx context.Context, refused *kyro.Error)
	// LimitedHint is what whoever is refused for that is told besides; nothing where it is empty.
	LimitedHint string
}

// NewPresenter makes a presenter that logs what was not foreseen, once, with the request id.
func NewPresenter(log *slog.Logger) *Presenter {
	return &Presenter{log: log.With("part", "transport"), Limited: func(context.Context, *kyro.Error) {}}
}

// Present is the executor's graphql.ErrorPresenterFunc. It changes no error that it is given: gqlgen keeps and
// shares them.
func (p *Presenter) Present(ctx context.Context, err error) *gqlerror.Error {
	shown := &gqlerror.Error{Err: err, Path: graphql.GetPath(ctx)}
	var from *gqlerror.Error
	if errors.As(err, &from) {
		shown.Path, shown.Locations = from.Path, from.Locations
	}
	reading, argument := argumentsOf(ctx), ""
	if reading != nil {
		// The path must name a place in the response; what goes on into the arguments is told in the message.
		base := reading.Path()
		argument = "Argument " + shown.Path[min(len(base), len(shown.Path)):].String() + ": "
		shown.Path = base
	}
	var known *kyro.Error
	switch {
	case errors.As(err, &known):
		p.logCause(ctx, known, shown.Path)
		if known.Code == kyro.CodeForbidden && p.Denied != nil {
			p.Denied(ctx, kyro.ViewerFrom(ctx))
		}
		text := argument + known.Message
		if known.Code == kyro.CodeRateLimited {
			p.Limited(ctx, known)
			text += p.LimitedHint
		}
		p.fill(ctx, shown, string(known.Code), text)
		if known.RetryAfter > 0 {
			shown.Extensions["retryAfterMs"] = known.RetryAfter.Milliseconds()
		}
	case from != nil && codeOf(from) != "": // of a document that does not parse or validate, or that was refused before it ran
		message := from.Message
		if codeOf(from) == errcode.ParseFailed {
			message = withoutTexts(message)
		}
		p.fill(ctx, shown, codeOf(from), message)
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		// Whoever asked is gone: what failed because of it is no fault of the server.
		p.fill(ctx, shown, string(kyro.CodeInterrupted), "The request ended before it was answered.")
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		p.log.WarnContext(ctx, "request timed out", p.facts(ctx, err, shown.Path)...)
		p.fill(ctx, shown, string(kyro.CodeTimeout), timeoutMessage)
	case reading != nil:
		p.fill(ctx, shown, string(kyro.CodeBadUserInput), argument+message(from, err)+".")
	default:
		p.log.ErrorContext(ctx, "request failed", p.facts(ctx, err, shown.Path)...)
		p.fill(ctx, shown, string(kyro.CodeInternal), internalMessage)
	}
	return shown
}

// Recover is the executor's graphql.RecoverFunc: it logs a panic with its stack and gives the error to show.
func (p *Presenter) Recover(ctx context.Context, panicked any) error {
	p.log.ErrorContext(ctx, "panic", "requestId", RequestIDFrom(ctx), "panic", fmt.Sprint(panicked), "stack", string(debug.Stack()))
	// With its code it is shown as it is wherever gqlgen sends it, and is not logged again.
	shown := &gqlerror.Error{}
	p.fill(ctx, shown, string(kyro.CodeInternal), internalMessage)
	return shown
}

func (p *Presenter) fill(ctx context.Context, shown *gqlerror.Error, code, text string) {
	if len(text) > maxErrorMessage {
		text = text[:maxErrorMessage]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
		text += "…"
	}
	shown.Message = text
	shown.Extensions = map[string]any{"code": code, "requestId": RequestIDFrom(ctx)}
}

// logCause logs what a client is not told about an error that it is told of.
func (p *Presenter) logCause(ctx context.Context, known *kyro.Error, path ast.Path) {
	cause := known.Unwrap()
	switch {
	case cause == nil || errors.Is(cause, context.Canceled):
	case known.Code == kyro.CodeInternal:
		p.log.ErrorContext(ctx, "request failed", p.facts(ctx, known, path)...)
	case !known.InPayload() && known.Code != kyro.CodeUnauthenticated && known.Code != kyro.CodeNotFound && known.Code != kyro.CodeBadUserInput:
		p.log.WarnContext(ctx, "request refused", p.facts(ctx, known, path)...)
	}
}

func (p *Presenter) facts(ctx context.Context, err error, path ast.Path) []any {
	return []any{"requestId", RequestIDFrom(ctx), "user", kyro.ViewerFrom(ctx).UserID.String(), "path", path.String(), "error", err}
}

// argumentsOf is the field whose arguments are being read, where an error arose from that: it has some, and has not
// got their values yet.
func argumentsOf(ctx context.Context) *graphql.FieldContext {
	field := graphql.GetFieldContext(ctx)
	if field == nil || field.Args != nil || field.Field.Field == nil || field.Field.Definition == nil || len(field.Field.Definition.Arguments) == 0 {
		return nil
	}
	return field
}

func message(from *gqlerror.Error, err error) string {
	if from != nil {
		return strings.TrimSuffix(from.Message, ".")
	}
	return strings.TrimSuffix(err.Error(), ".")
}

// withoutTexts cuts a parser's message before a text of the document, which may be a password that is not where it
// should be.
func withoutTexts(message string) string {
	if before, _, found := strings.Cut(message, `String "`); found {
		return before + "String."
	}
	return message
}

func codeOf(err *gqlerror.Error) string {
	code, _ := err.Extensions["code"].(string)
	return code
}
