// Gostub writes stubs of Go packages: what other packages name of them, and nothing that does any work.
//
// Standard input is one JSON object (type asked), standard output another (type answer). It is compiled and run by
// the tool chain that builds the program, so that it knows the language and the export data of that version.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"go/version"
	"io"
	"math/big"
	"os"
	"sort"
	"strconv"
	"strings"
)

type unit struct {
	Path      string            `json:"path"`
	Files     []string          `json:"files"`     // absolute, those that are compiled
	Importers [][]string        `json:"importers"` // the files of packages that import it
	Callers   []string          `json:"callers"`   // the files of all that import it by whatever way
	Methods   []string          `json:"methods"`   // that are kept, whoever names them
	ImportMap map[string]string `json:"import_map"`
	Version   string            `json:"version"` // of the language: go1.24
	KeepsAll  bool              `json:"keeps_all"`
}

type asked struct {
	Units   []unit            `json:"units"`   // importers before what they import
	Exports map[string]string `json:"exports"` // import path to file of export data
	Arch    string            `json:"arch"`
}

type answer struct {
	Files    map[string]string   `json:"files"`
	Imports  map[string][]string `json:"imports"` // what each stub still imports
	Problems map[string]string   `json:"problems"`
}

func main() {
	var question asked
	if err := json.NewDecoder(os.Stdin).Decode(&question); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	said := answer{Files: map[string]string{}, Imports: map[string][]string{}, Problems: map[string]string{}}
	for _, one := range question.Units {
		written, imported, err := stubbed(one, question, said.Files)
		if err != nil {
			said.Problems[one.Path] = err.Error()
			continue
		}
		for name, text := range written {
			said.Files[name] = text
		}
		said.Imports[one.Path] = imported
	}
	json.NewEncoder(os.Stdout).Encode(said)
}

// stub is one package being stubbed.
type stub struct {
	unit
	fset    *token.FileSet
	files   []*ast.File
	info    *types.Info
	pkg     *types.Package
	sizes   types.Sizes
	written map[string]string // what the import path is called in source, where it is called otherwise

	decls   map[types.Object]place
	methods map[types.Object][]place
	hidden  map[string]bool // unexported methods that an interface of the package asks for
	called  map[string]bool // methods that others name
	kept    map[ast.Node]string
	done    map[types.Object]bool
	imports map[*ast.File]map[imported]bool
	waiting []types.Object
}

type imported struct {
	path, local string
}

type place struct {
	file *ast.File
	decl ast.Decl
	spec ast.Spec
}

func stubbed(one unit, question asked, changed map[string]string) (
	text map[string]string, paths []string, err error,
) {
	defer func() {
		// A program go/types cannot read must not end in a trace.
		if caught := recover(); caught != nil {
			err = fmt.Errorf("go/types: %v", caught)
		}
	}()
	s := &stub{
		unit: one, fset: token.NewFileSet(), written: map[string]string{},
		decls: map[types.Object]place{}, methods: map[types.Object][]place{}, hidden: map[string]bool{}, called: map[string]bool{"Error": true},
		kept: map[ast.Node]string{}, done: map[types.Object]bool{}, imports: map[*ast.File]map[imported]bool{},
	}
	for from, to := range one.ImportMap {
		s.written[to] = from
	}
	if err := s.check(question); err != nil {
		return nil, nil, err
	}
	s.index()
	s.keepRoots(changed)
	for len(s.waiting) > 0 {
		next := s.waiting[len(s.waiting)-1]
		s.waiting = s.waiting[:len(s.waiting)-1]
		s.keep(next)
		if len(s.waiting) == 0 {
			s.keepMethods()
		}
	}
	return s.text(), s.allImported(), nil
}

func (s *stub) check(question asked) error {
	for _, name := range s.Files {
		file, err := parser.ParseFile(s.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.files = append(s.files, file)
		s.imports[file] = map[imported]bool{}
	}
	look := importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) {
		name, ok := question.Exports[path]
		if !ok {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(name)
	})
	s.sizes = types.SizesFor("gc", question.Arch)
	config := types.Config{
		Importer: mapped{look, s.ImportMap}, FakeImportC: true, GoVersion: s.Version, Sizes: s.sizes,
		// What cannot be read is kept as it is written.
		Error: func(error) {},
	}
	s.info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{},
	}
	s.pkg, _ = config.Check(s.Path, s.fset, s.files, s.info)
	if s.pkg == nil {
		return fmt.Errorf("go/types cannot read it")
	}
	return nil
}

type mapped struct {
	look types.Importer
	to   map[string]string
}

func (m mapped) Import(path string) (*types.Package, error) {
	if other, ok := m.to[path]; ok {
		path = other
	}
	return m.look.Import(path)
}

// index notes where every object of the package is declared.
func (s *stub) index() {
	for _, file := range s.files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				at := place{file: file, decl: decl}
				if decl.Recv == nil {
					if object := s.info.Defs[decl.Name]; object != nil {
						s.decls[object] = at
					}
				} else if owner := s.receiver(decl); owner != nil {
					s.methods[owner] = append(s.methods[owner], at)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					for _, name := range names(spec) {
						if object := s.info.Defs[name]; object != nil {
							s.decls[object] = place{file: file, decl: decl, spec: spec}
						}
					}
				}
			}
		}
	}
}

func names(spec ast.Spec) []*ast.Ident {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return []*ast.Ident{spec.Name}
	case *ast.ValueSpec:
		return spec.Names
	}
	return nil
}

func (s *stub) receiver(decl *ast.FuncDecl) types.Object {
	if len(decl.Recv.List) == 0 {
		return nil
	}
	expr := decl.Recv.List[0].Type
	for {
		switch at := expr.(type) {
		case *ast.StarExpr:
			expr = at.X
		case *ast.ParenExpr:
			expr = at.X
		case *ast.IndexExpr:
			expr = at.X
		case *ast.IndexListExpr:
			expr = at.X
		case *ast.Ident:
			return s.pkg.Scope().Lookup(at.Name)
		default:
			return nil
		}
	}
}

// keepRoots keeps what other packages name, and what the linker or C finds by name.
func (s *stub) keepRoots(changed map[string]string) {
	wanted, takesAll := map[string]bool{}, s.KeepsAll
	for _, files := range s.Importers {
		for _, name := range files {
			takesAll = s.mentioned(name, changed, wanted) || takesAll
		}
	}
	for _, name := range s.Methods {
		s.called[name] = true
	}
	for _, name := range s.Callers {
		s.noteCalls(name, changed)
	}
	scope := s.pkg.Scope()
	for _, name := range scope.Names() {
		isMain := s.pkg.Name() == "main" && name == "main"
		if wanted[name] || (takesAll && (ast.IsExported(name) || s.KeepsAll)) || isMain {
			s.need(scope.Lookup(name))
		}
	}
	for _, file := range s.files {
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if ok && function.Body != nil && function.Recv == nil && linkname(file, function.Name.Name) != "" {
				s.need(s.info.Defs[function.Name])
			}
		}
	}
}

// linkname returns the directive that gives a function another name for the linker.
func linkname(file *ast.File, name string) string {
	for _, group := range file.Comments {
		for _, one := range group.List {
			if words := strings.Fields(one.Text); len(words) > 1 && words[0] == "//go:linkname" && words[1] == name {
				return one.Text
			}
		}
	}
	return ""
}

// mentioned notes what a file names of the package; it says whether that may be anything.
func (s *stub) mentioned(name string, changed map[string]string, wanted map[string]bool) bool {
	var source any
	if text, ok := changed[name]; ok {
		source = text
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution|parser.ImportsOnly)
	if err != nil {
		return false
	}
	local := map[string]bool{}
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if path != s.Path && !strings.HasSuffix(s.Path, "vendor/"+path) {
			continue
		}
		switch {
		case spec.Name == nil:
			local[s.pkg.Name()] = true
		case spec.Name.Name == ".":
			return true
		case spec.Name.Name != "_":
			local[spec.Name.Name] = true
		}
	}
	if len(local) == 0 {
		return false
	}
	if file, err = parser.ParseFile(fset, name, source, parser.SkipObjectResolution); err != nil {
		return true
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if pair, ok := node.(*ast.SelectorExpr); ok {
			if owner, ok := pair.X.(*ast.Ident); ok && local[owner.Name] {
				wanted[pair.Sel.Name] = true
			}
		}
		return true
	})
	return false
}

// noteCalls notes the methods that a file calls, or asks for in an interface.
func (s *stub) noteCalls(name string, changed map[string]string) {
	var source any
	if text, ok := changed[name]; ok {
		source = text
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			s.called[node.Sel.Name] = true
		case *ast.InterfaceType:
			for _, method := range node.Methods.List {
				for _, name := range method.Names {
					s.called[name.Name] = true
				}
			}
		}
		return true
	})
}

func (s *stub) need(object types.Object) {
	if object == nil || object.Pkg() != s.pkg || s.done[object] {
		return
	}
	if _, isOfPackage := s.decls[object]; !isOfPackage {
		return
	}
	s.done[object] = true
	s.waiting = append(s.waiting, object)
}

// keep writes an object's declaration, and needs what that names.
func (s *stub) keep(object types.Object) {
	at := s.decls[object]
	switch object := object.(type) {
	case *types.Func:
		s.keepFunction(at)
	case *types.TypeName:
		s.keepType(object, at)
	case *types.Var:
		s.add(at, object, s.variable(object, at))
	case *types.Const:
		s.keepConstant(object, at)
	}
}

func (s *stub) add(at place, object types.Object, text string) {
	for _, name := range names(at.spec) {
		if s.info.Defs[name] == object {
			s.kept[name] = text
		}
	}
}

func (s *stub) keepFunction(at place) {
	function := at.decl.(*ast.FuncDecl)
	if _, isKept := s.kept[function]; isKept {
		return
	}
	if results := function.Type.Results; results != nil {
		for _, field := range results.List {
			if len(field.Names) == 0 {
				// Named results make an empty return one that sets nothing up.
				field.Names = []*ast.Ident{ast.NewIdent("_")}
			}
		}
	}
	s.mention(at.file, function.Type)
	if function.Recv != nil {
		s.mention(at.file, function.Recv)
	}
	head := &ast.FuncDecl{Recv: function.Recv, Name: function.Name, Type: function.Type}
	directive := ""
	if function.Body != nil && function.Recv == nil {
		if directive = linkname(at.file, function.Name.Name); directive != "" {
			s.imports[at.file][imported{"unsafe", "_"}] = true
			directive += "\n"
		}
	}
	body := " { return }"
	if function.Type.Results == nil {
		body = " {}"
	}
	// Inlined, what comes after a call would be simplified, and the caller would shrink as well.
	s.kept[function] = directive + "//go:noinline\n" + s.print(head) + body
}

func (s *stub) keepType(object *types.TypeName, at place) {
	spec := at.spec.(*ast.TypeSpec)
	if structure, ok := spec.Type.(*ast.StructType); ok && spec.TypeParams == nil {
		s.flatten(at.file, structure)
	}
	s.mention(at.file, spec)
	s.add(at, object, "type "+s.print(spec))
}

// keepMethods keeps what others can call of the kept types, directly or by way of a kept interface.
func (s *stub) keepMethods() {
	for object := range s.done {
		for _, method := range s.methods[object] {
			name := method.decl.(*ast.FuncDecl).Name.Name
			if (ast.IsExported(name) && (s.called[name] || s.KeepsAll)) || s.hidden[name] {
				s.keepFunction(method)
			}
		}
	}
}

// flatten gives unexported fields types of the same layout that name nothing. A field of a struct becomes several:
// an anonymous struct would be a type that the program did not have before.
func (s *stub) flatten(file *ast.File, structure *ast.StructType) {
	var fields []*ast.Field
	for _, field := range structure.Fields.List {
		isHidden := len(field.Names) > 0
		for _, name := range field.Names {
			isHidden = isHidden && !ast.IsExported(name.Name)
		}
		known := s.info.Types[field.Type].Type
		if !isHidden || known == nil || !s.isForeign(field.Type) {
			fields = append(fields, field)
			continue
		}
		for range field.Names {
			for _, text := range leaves(known, 0) {
				expr, err := parser.ParseExpr(text)
				if err != nil {
					continue
				}
				name := ast.NewIdent(fmt.Sprintf("proa%d", len(fields)))
				fields = append(fields, &ast.Field{Names: []*ast.Ident{name}, Type: expr})
				if strings.Contains(text, "unsafe.") {
					s.imports[file][imported{"unsafe", "unsafe"}] = true
				}
			}
		}
	}
	structure.Fields.List = fields
}

// leaves returns the layout of a type as that of fields one after the other; nothing for a type of C's.
func leaves(of types.Type, depth int) []string {
	structure, ok := of.Underlying().(*types.Struct)
	if !ok || depth > 16 {
		if text, ok := layout(of, depth); ok {
			return []string{text}
		}
		return nil
	}
	var found []string
	for number := range structure.NumFields() {
		found = append(found, leaves(structure.Field(number).Type(), depth+1)...)
	}
	return found
}

// isForeign says whether an expression names anything that could be spared: of this package or of another.
func (s *stub) isForeign(expr ast.Expr) bool {
	found := false
	ast.Inspect(expr, func(node ast.Node) bool {
		if name, ok := node.(*ast.Ident); ok {
			if object := s.info.Uses[name]; object != nil && object.Parent() != types.Universe {
				found = true
			}
		}
		return !found
	})
	return found
}

// layout returns a type of the same size, alignment, pointers and comparability made of predeclared ones alone.
func layout(of types.Type, depth int) (string, bool) {
	if depth > 16 {
		return "", false
	}
	switch at := of.Underlying().(type) {
	case *types.Basic:
		if at.Kind() == types.Invalid || at.Info()&types.IsUntyped != 0 {
			return "", false
		}
		if at.Kind() == types.UnsafePointer {
			return "unsafe.Pointer", true
		}
		return at.Name(), true
	case *types.Pointer, *types.Chan:
		return "unsafe.Pointer", true
	case *types.Map, *types.Signature:
		return "func()", true
	case *types.Slice:
		return "[]byte", true
	case *types.Interface:
		if _, isParameter := of.(*types.TypeParam); isParameter {
			return "", false
		}
		return "interface{}", true
	case *types.Array:
		element, ok := layout(at.Elem(), depth+1)
		return fmt.Sprintf("[%d]%s", at.Len(), element), ok
	case *types.Struct:
		fields := make([]string, at.NumFields())
		for number := range fields {
			element, ok := layout(at.Field(number).Type(), depth+1)
			if !ok {
				return "", false
			}
			name := fmt.Sprintf("f%d", number)
			if at.Field(number).Name() == "_" {
				name = "_"
			}
			fields[number] = name + " " + element
		}
		return "struct{" + strings.Join(fields, "; ") + "}", true
	}
	return "", false
}

// variable returns a declaration without a value; with it where its type cannot be written.
func (s *stub) variable(object *types.Var, at place) string {
	spec := at.spec.(*ast.ValueSpec)
	if spec.Type != nil {
		s.mention(at.file, spec.Type)
		return "var " + object.Name() + " " + s.print(spec.Type)
	}
	if s.canWrite(object.Type(), map[types.Type]bool{}) {
		return "var " + object.Name() + " " + s.write(at.file, object.Type())
	}
	s.mention(at.file, spec)
	for _, name := range spec.Names {
		if other := s.info.Defs[name]; other != nil {
			s.done[other] = true
			s.add(at, other, "")
		}
	}
	return "var " + s.print(spec)
}

// canWrite says whether a type can be named here: nothing unexported or internal of others.
func (s *stub) canWrite(of types.Type, seen map[types.Type]bool) bool {
	if seen[of] {
		return true
	}
	seen[of] = true
	switch at := of.(type) {
	case *types.Basic:
		return at.Kind() != types.Invalid && at.Info()&types.IsUntyped == 0
	case *types.Named:
		for number := range at.TypeArgs().Len() {
			if !s.canWrite(at.TypeArgs().At(number), seen) {
				return false
			}
		}
		return s.canName(at.Obj())
	case *types.Alias:
		return s.canName(at.Obj())
	case *types.Pointer:
		return s.canWrite(at.Elem(), seen)
	case *types.Slice:
		return s.canWrite(at.Elem(), seen)
	case *types.Array:
		return s.canWrite(at.Elem(), seen)
	case *types.Chan:
		return s.canWrite(at.Elem(), seen)
	case *types.Map:
		return s.canWrite(at.Key(), seen) && s.canWrite(at.Elem(), seen)
	case *types.Signature:
		return s.canWrite(at.Params(), seen) && s.canWrite(at.Results(), seen)
	case *types.Tuple:
		for number := range at.Len() {
			if !s.canWrite(at.At(number).Type(), seen) {
				return false
			}
		}
		return true
	case *types.Struct:
		for number := range at.NumFields() {
			field := at.Field(number)
			if (!field.Exported() && field.Pkg() != s.pkg) || !s.canWrite(field.Type(), seen) {
				return false
			}
		}
		return true
	case *types.Interface:
		for number := range at.NumMethods() {
			method := at.Method(number)
			if (!method.Exported() && method.Pkg() != s.pkg) || !s.canWrite(method.Type(), seen) {
				return false
			}
		}
		return at.IsMethodSet()
	}
	return false
}

func (s *stub) canName(object types.Object) bool {
	if object.Pkg() == nil {
		return true
	}
	if object.Parent() != object.Pkg().Scope() {
		return false
	}
	if object.Pkg() == s.pkg {
		return true
	}
	path := object.Pkg().Path()
	at := strings.LastIndex("/"+path+"/", "/internal/")
	if at >= 0 {
		above := strings.TrimSuffix(("/" + path)[:at], "/")
		if !strings.HasPrefix("/"+s.Path+"/", above+"/") {
			return false
		}
	}
	return object.Exported()
}

// write returns a type as source of a file, which gets the imports for it.
func (s *stub) write(file *ast.File, of types.Type) string {
	s.needTypes(of, map[types.Type]bool{})
	return types.TypeString(of, func(other *types.Package) string {
		if other == s.pkg {
			return ""
		}
		path := other.Path()
		if named, ok := s.written[path]; ok {
			path = named
		}
		for _, spec := range file.Imports {
			if own, _ := strconv.Unquote(spec.Path.Value); own == path && (spec.Name == nil || len(spec.Name.Name) > 1) {
				local := other.Name()
				if spec.Name != nil {
					local = spec.Name.Name
				}
				s.imports[file][imported{path, local}] = true
				return local
			}
		}
		local := "proa_" + other.Name()
		s.imports[file][imported{path, local}] = true
		return local
	})
}

func (s *stub) needTypes(of types.Type, seen map[types.Type]bool) {
	if of == nil || seen[of] {
		return
	}
	seen[of] = true
	switch at := of.(type) {
	case *types.Named:
		s.need(at.Obj())
		for number := range at.TypeArgs().Len() {
			s.needTypes(at.TypeArgs().At(number), seen)
		}
	case *types.Alias:
		s.need(at.Obj())
	case *types.Map:
		s.needTypes(at.Key(), seen)
		s.needTypes(at.Elem(), seen)
	case interface{ Elem() types.Type }:
		s.needTypes(at.Elem(), seen)
	case *types.Signature:
		s.needTypes(at.Params(), seen)
		s.needTypes(at.Results(), seen)
	case *types.Tuple:
		for number := range at.Len() {
			s.needTypes(at.At(number).Type(), seen)
		}
	case *types.Struct:
		for number := range at.NumFields() {
			s.needTypes(at.Field(number).Type(), seen)
		}
	case *types.Interface:
		for number := range at.NumExplicitMethods() {
			s.needTypes(at.ExplicitMethod(number).Type(), seen)
		}
		for number := range at.NumEmbeddeds() {
			s.needTypes(at.EmbeddedType(number), seen)
		}
	}
}

// keepConstant keeps the whole list, for iota's sake; where that names other packages, the value alone.
func (s *stub) keepConstant(object *types.Const, at place) {
	list := at.decl.(*ast.GenDecl)
	namesOthers := false
	ast.Inspect(list, func(node ast.Node) bool {
		if name, ok := node.(*ast.Ident); ok {
			_, isPackage := s.info.Uses[name].(*types.PkgName)
			namesOthers = namesOthers || isPackage
		}
		return true
	})
	text, ok := value(object)
	if namesOthers && ok {
		kind := ""
		if basic, isBasic := object.Type().(*types.Basic); !isBasic || basic.Info()&types.IsUntyped == 0 {
			if !s.canWrite(object.Type(), map[types.Type]bool{}) {
				ok = false
			} else {
				kind = " " + s.write(at.file, object.Type())
			}
		}
		if ok {
			s.add(at, object, "const "+object.Name()+kind+" = "+text)
			return
		}
	}
	for _, spec := range list.Specs {
		for _, name := range names(spec) {
			if other := s.info.Defs[name]; other != nil {
				s.done[other] = true
			}
		}
	}
	s.mention(at.file, list)
	s.kept[list] = s.print(list)
}

func value(object *types.Const) (string, bool) {
	of := object.Val()
	switch of.Kind() {
	case constant.Bool:
		return of.ExactString(), true
	case constant.String:
		return strconv.Quote(constant.StringVal(of)), true
	case constant.Int:
		basic, ok := object.Type().Underlying().(*types.Basic)
		if number, exact := constant.Int64Val(of); ok && basic.Kind() == types.UntypedRune && exact {
			return strconv.QuoteRuneToASCII(rune(number)), true
		}
		if ok && basic.Info()&types.IsFloat != 0 {
			return of.ExactString() + ".0", true
		}
		return of.ExactString(), true
	case constant.Float:
		if ratio, ok := constant.Val(of).(*big.Rat); ok {
			return "(" + ratio.Num().String() + ".0 / " + ratio.Denom().String() + ".0)", true
		}
	}
	return "", false
}

// mention needs all that a node names, and the imports for it.
func (s *stub) mention(file *ast.File, node ast.Node) {
	ast.Inspect(node, func(node ast.Node) bool {
		if asks, ok := node.(*ast.InterfaceType); ok {
			for _, method := range asks.Methods.List {
				for _, name := range method.Names {
					s.hidden[name.Name] = true
				}
			}
		}
		name, ok := node.(*ast.Ident)
		if !ok {
			return true
		}
		switch object := s.info.Uses[name].(type) {
		case nil:
		case *types.PkgName:
			for _, spec := range file.Imports {
				if s.info.Implicits[spec] == object || (spec.Name != nil && s.info.Defs[spec.Name] == object) {
					path, _ := strconv.Unquote(spec.Path.Value)
					s.imports[file][imported{path, name.Name}] = true
				}
			}
		default:
			s.need(object)
			if object.Pkg() != nil && object.Pkg() != s.pkg && object.Parent() == object.Pkg().Scope() {
				s.dotted(file, object.Pkg())
			}
		}
		return true
	})
}

// dotted keeps an import without a name of its own, where something of it is named.
func (s *stub) dotted(file *ast.File, other *types.Package) {
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if spec.Name != nil && spec.Name.Name == "." && (path == other.Path() || s.ImportMap[path] == other.Path()) {
			s.imports[file][imported{path, "."}] = true
		}
	}
}

func (s *stub) print(node any) string {
	var text bytes.Buffer
	switch at := node.(type) {
	case *ast.GenDecl:
		at.Doc = nil
	case *ast.TypeSpec:
		at.Doc, at.Comment = nil, nil
	case *ast.ValueSpec:
		at.Doc, at.Comment = nil, nil
	}
	if at, ok := node.(ast.Node); ok {
		ast.Inspect(at, func(node ast.Node) bool {
			switch at := node.(type) {
			case *ast.Field:
				at.Doc, at.Comment = nil, nil
			case *ast.ValueSpec:
				at.Doc, at.Comment = nil, nil
			}
			return true
		})
	}
	printer.Fprint(&text, s.fset, node)
	return text.String()
}

// text returns the stubbed files by name.
func (s *stub) text() map[string]string {
	found := map[string]string{}
	for number, file := range s.files {
		var text bytes.Buffer
		if version.Compare(s.Version, "go1.21") < 0 {
			// Types of newer packages may have to be written out. The file's own constraint was met already.
			text.WriteString("//go:build go1.21\n\n")
		}
		fmt.Fprintf(&text, "package %s\n", s.pkg.Name())
		var lines []string
		for one := range s.imports[file] {
			if one.path == "C" {
				for _, decl := range file.Decls {
					if list, ok := decl.(*ast.GenDecl); ok && list.Tok == token.IMPORT && len(list.Specs) == 1 &&
						list.Specs[0].(*ast.ImportSpec).Path.Value == `"C"` && list.Doc != nil {
						for _, one := range list.Doc.List {
							fmt.Fprintln(&text, one.Text)
						}
					}
				}
				fmt.Fprintf(&text, "import \"C\"\n\n")
				continue
			}
			lines = append(lines, fmt.Sprintf("import %s %q\n", one.local, one.path))
		}
		// The same text each time, or everything would be compiled again.
		sort.Strings(lines)
		text.WriteString(strings.Join(lines, ""))
		for _, decl := range file.Decls {
			if words, ok := s.kept[decl]; ok {
				fmt.Fprintf(&text, "\n%s\n", words)
			}
			list, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range list.Specs {
				for _, name := range names(spec) {
					if words := s.kept[name]; words != "" {
						fmt.Fprintf(&text, "\n%s\n", words)
					}
				}
			}
		}
		found[s.Files[number]] = text.String()
	}
	return found
}

func (s *stub) allImported() []string {
	all := map[string]bool{}
	for _, paths := range s.imports {
		for one := range paths {
			all[one.path] = true
		}
	}
	found := make([]string, 0, len(all))
	for one := range all {
		found = append(found, one)
	}
	sort.Strings(found)
	return found
}
