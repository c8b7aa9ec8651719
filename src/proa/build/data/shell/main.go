// A shell and the small tools one wants in a container that has neither, in one static program.
//
// It is called by the name of a tool (a link to it, as busybox is), or as sh. proa builds it with the user's own
// go command for the image's platform; the modules are pinned by go.sum.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strings"

	"github.com/u-root/u-root/pkg/core"
	"github.com/u-root/u-root/pkg/core/base64"
	"github.com/u-root/u-root/pkg/core/cat"
	"github.com/u-root/u-root/pkg/core/chmod"
	"github.com/u-root/u-root/pkg/core/cp"
	"github.com/u-root/u-root/pkg/core/find"
	"github.com/u-root/u-root/pkg/core/ls"
	"github.com/u-root/u-root/pkg/core/mkdir"
	"github.com/u-root/u-root/pkg/core/mktemp"
	"github.com/u-root/u-root/pkg/core/mv"
	"github.com/u-root/u-root/pkg/core/rm"
	"github.com/u-root/u-root/pkg/core/shasum"
	"github.com/u-root/u-root/pkg/core/tar"
	"github.com/u-root/u-root/pkg/core/touch"
	"github.com/u-root/u-root/pkg/core/xargs"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

var borrowed = map[string]func() core.Command{
	"base64": func() core.Command { return base64.New() },
	"cat":    func() core.Command { return cat.New() },
	"chmod":  func() core.Command { return chmod.New() },
	"cp":     func() core.Command { return cp.New() },
	"find":   func() core.Command { return find.New() },
	"ls":     func() core.Command { return ls.New() },
	"mkdir":  func() core.Command { return mkdir.New() },
	"mktemp": func() core.Command { return mktemp.New() },
	"mv":     func() core.Command { return mv.New() },
	"rm":     func() core.Command { return rm.New() },
	"shasum": func() core.Command { return shasum.New() },
	"tar":    func() core.Command { return tar.New() },
	"touch":  func() core.Command { return touch.New() },
	"xargs":  func() core.Command { return xargs.New() },
}

// call is one call of a tool: its words and streams, and where it runs.
type call struct {
	words          []string
	stdin          io.Reader
	stdout, stderr io.Writer
	directory      string
	lookup         func(string) (string, bool)
	environ        func() []string
}

// path returns a name as the tool's own working directory has it.
func (c call) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.directory, name)
}

func main() {
	name := filepath.Base(os.Args[0])
	switch {
	case name == "sh" || name == "bash":
		os.Exit(shell(os.Args[1:]))
	case isTool(name):
		directory, _ := os.Getwd()
		os.Exit(run(context.Background(), name, call{
			words: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, directory: directory,
			lookup: os.LookupEnv, environ: os.Environ,
		}))
	case len(os.Args) == 2 && os.Args[1] == "--list":
		fmt.Println(strings.Join(names(), "\n"))
	default:
		os.Exit(shell(os.Args[1:]))
	}
}

func names() []string {
	found := []string{"sh"}
	for name := range borrowed {
		found = append(found, name)
	}
	for name := range own {
		found = append(found, name)
	}
	sort.Strings(found)
	return found
}

func isTool(name string) bool {
	return borrowed[name] != nil || own[name] != nil
}

// run runs a tool and returns its exit status.
func run(ctx context.Context, name string, c call) int {
	var err error
	if tool := own[name]; tool != nil {
		err = tool(ctx, c)
	} else {
		tool := borrowed[name]()
		tool.SetIO(c.stdin, c.stdout, c.stderr)
		tool.SetWorkingDir(c.directory)
		tool.SetLookupEnv(c.lookup)
		err = tool.RunContext(ctx, c.words...)
	}
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	if err != nil {
		fmt.Fprintf(c.stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// exitStatus ends a tool without a message.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// tools answers the shell's calls of tools within this process; anything else is looked for on PATH.
func tools(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, words []string) error {
		if !isTool(words[0]) {
			return next(ctx, words)
		}
		here := interp.HandlerCtx(ctx)
		status := run(ctx, words[0], call{
			words: words[1:], stdin: here.Stdin, stdout: here.Stdout, stderr: here.Stderr, directory: here.Dir,
			lookup: func(name string) (string, bool) {
				value := here.Env.Get(name)
				return value.Str, value.Set
			},
			environ: func() []string {
				var found []string
				for name, value := range here.Env.Each {
					if value.Exported {
						found = append(found, name+"="+value.Str)
					}
				}
				return found
			},
		})
		if status != 0 {
			return interp.ExitStatus(status)
		}
		return nil
	}
}

func shell(words []string) int {
	isInteractive := isTerminal(os.Stdin)
	var command string
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		if strings.HasSuffix(words[0], "c") && len(words) > 1 {
			command, words = words[1], words[2:]
			isInteractive = false
			break
		}
		words = words[1:]
	}
	var arguments []string
	if command != "" && len(words) > 1 {
		arguments = words[1:]
	} else if command == "" && len(words) > 0 {
		arguments = words[1:]
	}
	runner, err := interp.New(
		interp.Interactive(isInteractive),
		interp.StdIO(os.Stdin, os.Stdout, os.Stderr),
		interp.ExecHandlers(tools),
		interp.Params(append([]string{"--"}, arguments...)...),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sh:", err)
		return 2
	}
	switch {
	case command != "":
		return script(runner, strings.NewReader(command), "-c")
	case len(words) > 0:
		file, err := os.Open(words[0])
		if err != nil {
			fmt.Fprintln(os.Stderr, "sh:", err)
			return 127
		}
		defer file.Close()
		return script(runner, file, words[0])
	case !isInteractive:
		return script(runner, os.Stdin, "")
	}
	return dialogue(runner)
}

func script(runner *interp.Runner, text io.Reader, name string) int {
	program, err := syntax.NewParser().Parse(text, name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sh:", err)
		return 2
	}
	return status(runner.Run(context.Background(), program))
}

// dialogue reads commands from the terminal until its end or exit; Ctrl-C ends the command that runs.
func dialogue(runner *interp.Runner) int {
	prompt := func() { fmt.Fprint(os.Stdout, runner.Dir, " $ ") }
	last := 0
	prompt()
	err := syntax.NewParser().Interactive(os.Stdin, func(statements []*syntax.Stmt) bool {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		for _, statement := range statements {
			last = status(runner.Run(ctx, statement))
			if runner.Exited() {
				return false
			}
		}
		prompt()
		return true
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "sh:", err)
		return 2
	}
	return last
}

func status(err error) int {
	var code interp.ExitStatus
	if errors.As(err, &code) {
		return int(code)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sh:", err)
		return 1
	}
	return 0
}

func isTerminal(file *os.File) bool {
	state, err := file.Stat()
	return err == nil && state.Mode()&os.ModeCharDevice != 0 && file.Name() != os.DevNull
}
