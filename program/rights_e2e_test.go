package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/auth"
	"kyrochat/graph"
	"kyrochat/kyro"
)

// TestEveryFieldHasItsRights: whoever adds something to the contract that can be asked for, that leads from one object to
// another, or that takes an id, says in the tables who may.
func TestEveryFieldHasItsRights(t *testing.T) {
	t.Parallel()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: graph.Contract()})
	if err != nil {
		t.Fatal(err)
	}
	roots, ids, edges := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for name, def := range schema.Types {
		switch {
		case def.BuiltIn:
		case def.Kind == ast.InputObject:
			for _, field := range def.Fields {
				if field.Type.Name() == "ID" {
					ids[name+"."+field.Name] = true
				}
			}
		case def.Kind != ast.Object:
		case def == schema.Query || def == schema.Mutation || def == schema.Subscription:
			for _, field := range def.Fields {
				if strings.HasPrefix(field.Name, "__") {
					continue
				}
				roots[name+"."+field.Name] = true
				for _, argument := range field.Arguments {
					if argument.Type.Name() == "ID" {
						ids[name+"."+field.Name+"("+argument.Name+")"] = true
					}
				}
			}
		case isWrapper(name):
		default:
			for _, field := range def.Fields {
				for _, argument := range field.Arguments {
					if argument.Type.Name() == "ID" {
						ids[name+"."+field.Name+"("+argument.Name+")"] = true
					}
				}
				if target := schema.Types[field.Type.Name()]; target.IsCompositeType() && target.Name != "PageInfo" {
					edges[name+"."+field.Name] = true
				}
			}
		}
	}
	compare(t, "who may ask for a field", roots, rightsOfRoots)
	compare(t, "with what an id of somebody else is tried", ids, idsOfRoots)
	compare(t, "who may follow an edge", edges, rightsOfEdges)
	for id, by := range idsOfRoots {
		_, root := rightsOfRoots[by]
		if _, beside := rightsBeside[by]; !root && !beside {
			t.Errorf("%s is tried by %q, which is nowhere", id, by)
		}
	}
}

// TestEveryAuditActionIsKnown: whoever runs the server can ask for each kind of line that there is in the contract.
func TestEveryAuditActionIsKnown(t *testing.T) {
	t.Parallel()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: graph.Contract()})
	if err != nil {
		t.Fatal(err)
	}
	var named []kyro.AuditAction
	for _, value := range schema.Types["AuditAction"].EnumValues {
		named = append(named, kyro.AuditAction(value.Name))
	}
	if !slices.Equal(named, kyro.AuditActions()) {
		t.Errorf("the contract has %v, the program %v", named, kyro.AuditActions())
	}
}

// isWrapper reports types that have no rights of their own: they come with what holds them, or are about the server.
func isWrapper(name string) bool {
	for _, end := range []string{"Payload", "Connection", "Edge"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return slices.Contains([]string{"PageInfo", "UserError", "ServerInfo", "RateLimit"}, name)
}

func compare[V any](t *testing.T, what string, there map[string]bool, table map[string]V) {
	t.Helper()
	for name := range there {
		if _, known := table[name]; !known {
			t.Errorf("the matrix of rights does not say %s: %s", what, name)
		}
	}
	for name := range table {
		if !there[name] {
			t.Errorf("the matrix of rights has %s, which is not in the contract", name)
		}
	}
}

// TestRights asks for everything as everybody: first as those who may not, of whom nobody changes anything, then as
// those who may.
func TestRights(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		const secret = "4Zk0aV1qS0a0tq7bW2xqJmZk3c8s9f0LrTgYhUjNmBv"
		env["KYRO_SECRET"] = secret
		s := startServer(t, env)
		owner, stranger, left := s.signUp(t), s.signUp(t), s.signUp(t)
		theirs := &belongings{person: owner}
		theirs.all()

		keys := map[string]*person{}
		for _, scope := range strings.Fields(everyKey) {
			keys[scope] = owner.withKey(scope)
		}
		everything := owner.withKey(strings.ReplaceAll(everyKey, " ", ", "))
		dead := map[string]*person{
			"an expired token":             owner.with(t, expiredToken(t, secret, theirs)),
			"a token of another secret":    owner.with(t, foreignToken(t, theirs)),
			"a refresh token":              owner.with(t, owner.logInAgain().text("logIn.refreshToken")),
			"a session that was left":      owner.leaving(),
			"an expired key":               owner.withKey("READ, CHAT, INGEST"),
			"a revoked key":                owner.withKey("READ, CHAT, INGEST"),
			"a key that is none":           owner.with(t, otherEnd(everything.token)),
			"a deactivated account":        left,
			"a key of one that is no more": left.withKey("READ, CHAT, INGEST"),
		}
		s.exec(t, fmt.Sprintf("UPDATE api_keys SET expires_at = '2026-01-01 00:00:00+00:00' WHERE id = %d", dead["an expired key"].keyNumber))
		owner.must(fmt.Sprintf(`mutation { revokeApiKey(input: {apiKeyId: "key_%d"}) { deletedId errors { code } } }`, dead["a revoked key"].keyNumber), nil)
		left.must(`mutation { deactivateAccount(input: {password: "`+password+`"}) { accepted errors { code } } }`, nil)

		tables := []map[string]right{rightsOfRoots, rightsBeside, rightsOfEdges}
		for _, kind := range []kyro.JobKind{kyro.JobSweepGaps, kyro.JobRefresh, kyro.JobFeed, kyro.JobSync, kyro.JobExpire, kyro.JobSweepMails, kyro.JobSweepUsers, kyro.JobSweepFiles} {
			waitUntil(t, "the turn of "+string(kind)+" with which a server begins is over", func() bool {
				return s.number(t, fmt.Sprintf("SELECT count(*) FROM river_job WHERE kind = '%s' AND finalized_at IS NOT NULL", kind)) > 0
			})
		}
		before := s.unmoved(t)
		for _, table := range tables {
			for name, r := range table {
				r.stranger = cmp.Or(r.stranger, string(kyro.CodeNotFound))
				operation := r.ask(theirs)
				as := func(who string, p *person, want string) {
					if got := p.outcome(operation); got != want {
						t.Errorf("%s as %s: %s, want %s", name, who, got, want)
					}
				}
				if r.public {
					want := cmp.Or(r.refuses, "ok")
					as("nobody", &person{t: t, s: s}, want)
					as("the owner", owner, want)
					for who, p := range dead {
						as(who, p, want)
					}
					as("a key", everything, want)
				} else {
					as("nobody", &person{t: t, s: s}, cmp.Or(r.nobody, string(kyro.CodeUnauthenticated)))
					for who, p := range dead {
						as(who, p, string(kyro.CodeUnauthenticated))
					}
					for scope, p := range keys {
						if !strings.Contains(r.keys, scope) {
							as("a key for "+scope, p, string(kyro.CodeForbidden))
						}
					}
					if r.keys == nobodysKeys {
						as("a key for all", everything, string(kyro.CodeForbidden))
					}
					if !strings.Contains(operation, "viewer") && r.stranger != "ok" && r.stranger != "skip" {
						as("somebody else", stranger, r.stranger)
					}
				}
				if after := s.dump(t); after != before {
					t.Errorf("%s as those who may not changed the database:\n%s", name, difference(before, after))
					before = after
				}
			}
		}

		for _, table := range tables {
			for name, r := range table {
				if r.public || name == "Mutation.logOut" {
					continue
				}
				want := "ok"
				if strings.HasPrefix(r.stranger, "payload ") {
					want = r.stranger // the arguments are refused, and not the person
				}
				mine := &belongings{person: owner}
				if got := owner.outcome(r.ask(mine)); got != want {
					t.Errorf("%s as the owner: %s", name, got)
				}
				for scope, p := range keys {
					if !strings.Contains(r.keys, scope) {
						continue
					}
					if !r.reads {
						mine = &belongings{person: owner}
					}
					if got := p.outcome(r.ask(mine)); got != "ok" {
						t.Errorf("%s as a key for %s: %s", name, scope, got)
					}
				}
			}
		}
		if got := owner.outcome(rightsOfRoots["Mutation.logOut"].ask(nil)); got != "ok" {
			t.Errorf("logOut: %s", got)
		}
	})
}

// outcome sums up what somebody got: "ok", "null", the code of an error, or "payload" and a code.
func (p *person) outcome(operation string) string {
	p.t.Helper()
	if strings.HasPrefix(operation, "subscription") {
		return p.firstEvent(operation)
	}
	var r *reply
	if bot, isUpload := strings.CutPrefix(operation, "upload "); isUpload {
		r = p.upload(bot, "a.txt", []byte("Some text "+newKey()))
	} else {
		r = p.ask(operation, nil)
	}
	if errs, _ := r.tree["errors"].([]any); len(errs) > 0 {
		code, _ := r.at("errors.0.extensions.code").(string)
		return code
	}
	for _, field := range r.at("data").(map[string]any) {
		switch v := field.(type) {
		case nil:
			return "null"
		case []any:
			if len(v) == 1 && v[0] == nil {
				return "null"
			}
		case map[string]any:
			if errs, _ := v["errors"].([]any); len(errs) > 0 {
				return "payload " + errs[0].(map[string]any)["code"].(string)
			}
		}
	}
	return "ok"
}

func (p *person) firstEvent(operation string) string {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for _, err := range p.api().Subscribe(ctx, operation, nil) {
		if err == nil {
			return "ok"
		}
		for _, code := range []kyro.Code{kyro.CodeUnauthenticated, kyro.CodeForbidden, kyro.CodeNotFound, kyro.CodeBadUserInput} {
			if strings.Contains(err.Error(), string(code)) {
				return string(code)
			}
		}
		if strings.Contains(err.Error(), "4403") || strings.Contains(err.Error(), "4401") {
			return string(kyro.CodeUnauthenticated) // the socket was not let in
		}
		return err.Error()
	}
	return "nothing"
}

// with is somebody who says to be the person, by another token.
func (p *person) with(t *testing.T, token string) *person {
	return &person{t: t, s: p.s, token: token, email: p.email}
}

func (p *person) logInAgain() *reply {
	p.t.Helper()
	return (&person{t: p.t, s: p.s}).must(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken refreshToken errors { code } } }`,
		vars{"e": p.email, "p": password})
}

// leaving is the person by a session that was logged out.
func (p *person) leaving() *person {
	again := p.with(p.t, p.logInAgain().text("logIn.accessToken"))
	again.must(`mutation { logOut { loggedOut errors { code } } }`, nil)
	return again
}

// withKey is the person by a new API key.
func (p *person) withKey(scopes string) *person {
	p.t.Helper()
	r := p.must(`mutation($p: String!) { createApiKey(input: {name: "k", scopes: [`+scopes+`], password: $p}) { secret apiKey { id } errors { code message } } }`, vars{"p": password})
	k := p.with(p.t, r.text("createApiKey.secret"))
	id, err := kyro.ParseID(r.text("createApiKey.apiKey.id"))
	if err != nil {
		p.t.Fatal(err)
	}
	k.keyNumber = id.Key
	return k
}

func expiredToken(t *testing.T, secret string, b *belongings) string {
	return accessToken(t, secret, b, time.Now().Add(-time.Hour))
}

func foreignToken(t *testing.T, b *belongings) string {
	return accessToken(t, "another secret, which is long enough, too: 8f3b", b, time.Now())
}

func accessToken(t *testing.T, secret string, b *belongings, now time.Time) string {
	t.Helper()
	tokens, err := auth.NewTokens([]string{secret}, auth.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	user, err1 := kyro.ParseID(b.user())
	session, err2 := kyro.ParseID(b.session())
	token, _, err3 := tokens.Access(user, session, now)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return token
}

// otherEnd is a token whose last character is another one.
func otherEnd(token string) string {
	if last := len(token) - 1; token[last] != 'x' {
		return token[:last] + "x"
	}
	return token[:len(token)-1] + "y"
}
