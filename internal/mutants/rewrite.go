package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/astutil"
	"golang.org/x/tools/go/packages"
)

// mutant is one change.
type mutant struct {
	at     string // file:line:column
	change string
}

// rewritten is a package that can make each of its changes.
type rewritten struct {
	path, folder string
	overlay      string // the file that says to the compiler what is in the place of what
	mutants      []mutant
}

//go:embed choose.go.txt
var choose string

// rewrite writes the files of a package anew into a folder, so that each change is made where its number is asked for. Generated
// files, and those that only does not match, stay as they are.
func rewrite(name, folder string, only *regexp.Regexp) (*rewritten, error) {
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps,
	}, name)
	if err != nil {
		return nil, err
	}
	if len(loaded) != 1 || len(loaded[0].Errors) > 0 || len(loaded[0].GoFiles) == 0 {
		return nil, fmt.Errorf("%s is not one package that compiles", name)
	}
	p := loaded[0]
	r := &rewritten{path: p.PkgPath, folder: filepath.Dir(p.GoFiles[0]), overlay: filepath.Join(folder, "overlay.json")}
	replace := map[string]string{}
	put := func(path, text string) error {
		replace[path] = filepath.Join(folder, filepath.Base(path))
		return os.WriteFile(replace[path], []byte(text), 0o600)
	}
	for _, file := range p.Syntax {
		path := p.Fset.Position(file.Pos()).Filename
		if ast.IsGenerated(file) || !only.MatchString(filepath.Base(path)) {
			continue
		}
		(&rewriter{fset: p.Fset, info: p.TypesInfo, into: r}).file(file)
		file.Comments = before(file.Comments, file.Package) // what stands elsewhere would stand elsewhere
		var text bytes.Buffer
		if err := format.Node(&text, p.Fset, file); err != nil {
			return nil, err
		}
		if err := put(path, text.String()); err != nil {
			return nil, err
		}
	}
	if len(r.mutants) == 0 {
		return nil, fmt.Errorf("there is nothing to change in %s", name)
	}
	if err := put(filepath.Join(r.folder, "mutants_choose.go"), strings.Replace(choose, "package main", "package "+p.Name, 1)); err != nil {
		return nil, err
	}
	said, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	return r, os.WriteFile(r.overlay, said, 0o600)
}

// before are the comments above a place.
func before(all []*ast.CommentGroup, at token.Pos) (kept []*ast.CommentGroup) {
	for _, group := range all {
		if group.Pos() < at {
			kept = append(kept, group)
		}
	}
	return kept
}

// rewriter puts calls in the place of what can be changed. Their first arguments are the numbers of the changes; mutants_choose.go
// has the functions.
type rewriter struct {
	fset  *token.FileSet
	info  *types.Info
	into  *rewritten
	loops []loop // around what is looked at, with functions in between
}

// loop is one around a statement, or a function, which ends what is around it.
type loop struct{ function, endless bool }

// number makes a change known.
func (r *rewriter) number(at token.Pos, change string) ast.Expr {
	place := r.fset.Position(at)
	r.into.mutants = append(r.into.mutants, mutant{fmt.Sprintf("%s:%d:%d", filepath.Base(place.Filename), place.Line, place.Column), change})
	return &ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(len(r.into.mutants))}
}

func call(name string, args ...ast.Expr) *ast.CallExpr {
	return &ast.CallExpr{Fun: ast.NewIdent(name), Args: args}
}

func (r *rewriter) file(f *ast.File) {
	astutil.Apply(f, r.enter, r.leave)
}

// enter passes by what has to be a constant.
func (r *rewriter) enter(c *astutil.Cursor) bool {
	switch n := c.Node().(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.ArrayType:
		return false
	case *ast.ForStmt:
		r.loops = append(r.loops, loop{endless: n.Cond == nil})
	case *ast.RangeStmt:
		r.loops = append(r.loops, loop{})
	case *ast.FuncLit, *ast.FuncDecl:
		r.loops = append(r.loops, loop{function: true})
	case ast.Expr:
		return r.info.Types[n].Value == nil
	}
	return true
}

func (r *rewriter) leave(c *astutil.Cursor) bool {
	switch n := c.Node().(type) {
	case *ast.ForStmt, *ast.RangeStmt, *ast.FuncLit, *ast.FuncDecl:
		r.loops = r.loops[:len(r.loops)-1]
	case *ast.BinaryExpr:
		if by := r.binary(n); by != nil {
			r.info.Types[by] = r.info.Types[n]
			c.Replace(by)
		}
	case *ast.UnaryExpr:
		if n.Op == token.SUB && r.info.Types[n].Value == nil {
			by := call("mutantNegative", r.number(n.OpPos, "without the -"), n.X)
			r.info.Types[by] = r.info.Types[n]
			c.Replace(by)
		}
	case *ast.IncDecStmt:
		op, other := token.ADD_ASSIGN, "--"
		if n.Tok == token.DEC {
			op, other = token.SUB_ASSIGN, "++"
		}
		c.Replace(&ast.AssignStmt{
			Lhs: []ast.Expr{n.X}, Tok: op, TokPos: n.TokPos, Rhs: []ast.Expr{call("mutantOne", r.number(n.TokPos, n.Tok.String()+" is "+other), n.X)},
		})
	case *ast.AssignStmt:
		r.assign(n)
	case *ast.BranchStmt:
		if by := r.branch(n); by != nil {
			c.Replace(by)
		}
	}
	return true
}

// comparisons have a function each, which makes two changes.
var comparisons = map[token.Token][3]string{
	token.LSS: {"mutantLess", "<=", ">="}, token.LEQ: {"mutantAtMost", "<", ">"}, token.GTR: {"mutantMore", ">=", "<="}, token.GEQ: {"mutantAtLeast", ">", "<"},
}

// arithmetic has a function each.
var arithmetic = map[token.Token][2]string{
	token.ADD: {"mutantSum", "-"}, token.SUB: {"mutantDifference", "+"}, token.MUL: {"mutantProduct", "/"}, token.QUO: {"mutantQuotient", "*"},
}

// binary is what stands for an expression of two; nil: it stays.
func (r *rewriter) binary(n *ast.BinaryExpr) ast.Expr {
	if r.info.Types[n].Value != nil {
		return nil
	}
	said := n.Op.String()
	switch n.Op {
	case token.EQL, token.NEQ:
		return call("mutantNot", r.number(n.OpPos, said+" is turned round"), &ast.ParenExpr{X: n})
	case token.LAND, token.LOR:
		name, other := "mutantAnd", "||"
		if n.Op == token.LOR {
			name, other = "mutantOr", "&&"
		}
		later := &ast.FuncLit{
			Type: &ast.FuncType{Params: &ast.FieldList{}, Results: &ast.FieldList{List: []*ast.Field{{Type: ast.NewIdent("bool")}}}},
			Body: &ast.BlockStmt{List: []ast.Stmt{&ast.ReturnStmt{Results: []ast.Expr{n.Y}}}},
		}
		return call(name, r.number(n.OpPos, said+" is "+other), n.X, later)
	}
	if c, ok := comparisons[n.Op]; ok && r.is(n.X, types.IsOrdered) && r.is(n.Y, types.IsOrdered) {
		moved := r.number(n.OpPos, said+" is "+c[1])
		return call(c[0], moved, r.number(n.OpPos, said+" is "+c[2]), n.X, n.Y)
	}
	if a, ok := arithmetic[n.Op]; ok && r.is(n, types.IsInteger|types.IsFloat) {
		return call(a[0], r.number(n.OpPos, said+" is "+a[1]), n.X, n.Y)
	}
	if n.Op == token.REM {
		return call("mutantRest", r.number(n.OpPos, "% is *"), n.X, n.Y)
	}
	return nil
}

// is reports whether an expression is of one of these kinds.
func (r *rewriter) is(e ast.Expr, kinds types.BasicInfo) bool {
	of := r.info.TypeOf(e)
	if of == nil {
		return false
	}
	basic, ok := of.Underlying().(*types.Basic)
	return ok && basic.Info()&kinds != 0
}

// assign turns += and -= round.
func (r *rewriter) assign(n *ast.AssignStmt) {
	if n.Tok != token.ADD_ASSIGN && n.Tok != token.SUB_ASSIGN || !r.is(n.Lhs[0], types.IsInteger|types.IsFloat) {
		return
	}
	if by, ok := n.Rhs[0].(*ast.CallExpr); ok {
		if name, ok := by.Fun.(*ast.Ident); ok && name.Name == "mutantOne" {
			return
		}
	}
	n.Rhs[0] = call("mutantAdded", r.number(n.TokPos, n.Tok.String()+" is turned round"), n.Lhs[0], n.Rhs[0])
}

// branch is what stands for a break or a continue of a loop; nil: it stays. A break in a loop that has no other end would make a
// function that needs a return.
func (r *rewriter) branch(n *ast.BranchStmt) ast.Stmt {
	if n.Tok != token.BREAK && n.Tok != token.CONTINUE || n.Label != nil || len(r.loops) == 0 {
		return nil
	}
	around := r.loops[len(r.loops)-1]
	other := token.CONTINUE
	if n.Tok == token.CONTINUE {
		other = token.BREAK
	}
	if around.function || around.endless && other == token.BREAK {
		return nil
	}
	return &ast.BlockStmt{List: []ast.Stmt{
		&ast.IfStmt{
			Cond: call("mutantIs", r.number(n.Pos(), n.Tok.String()+" is "+other.String())),
			Body: &ast.BlockStmt{List: []ast.Stmt{&ast.BranchStmt{Tok: other}}},
		},
		&ast.BranchStmt{Tok: n.Tok},
	}}
}
