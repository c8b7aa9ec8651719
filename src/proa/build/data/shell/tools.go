package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// own are the tools that are written here: what is asked of a container most often.
var own = map[string]func(context.Context, call) error{
	"env":      environment,
	"grep":     grep,
	"head":     head,
	"id":       identity,
	"netstat":  netstat,
	"nslookup": lookup,
	"ps":       processes,
	"sleep":    sleep,
	"tail":     tail,
	"wc":       count,
	"wget":     fetch,
}

func environment(_ context.Context, c call) error {
	found := c.environ()
	slices.Sort(found)
	for _, pair := range found {
		fmt.Fprintln(c.stdout, pair)
	}
	return nil
}

func identity(_ context.Context, c call) error {
	groups, err := os.Getgroups()
	fmt.Fprintf(c.stdout, "uid=%d gid=%d groups=%v\n", os.Getuid(), os.Getgid(), groups)
	return err
}

func sleep(ctx context.Context, c call) error {
	if len(c.words) != 1 {
		return fmt.Errorf("usage: sleep SECONDS")
	}
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(c.words[0], "s"), 64)
	if err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
	case <-ctx.Done():
	}
	return nil
}

// processes lists every process that may be seen: a debug container with --target sees the program's.
func processes(_ context.Context, c call) error {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	numbers := make([]int, 0, len(folders))
	for _, folder := range folders {
		number, _ := strconv.Atoi(filepath.Base(folder))
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	fmt.Fprintln(c.stdout, "  PID  UID   RSS kB  COMMAND")
	for _, number := range numbers {
		folder := fmt.Sprintf("/proc/%d", number)
		status, err := os.ReadFile(folder + "/status")
		if err != nil {
			continue
		}
		command, _ := os.ReadFile(folder + "/cmdline")
		words := strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
		if words == "" {
			words = "[" + field(string(status), "Name:") + "]"
		}
		resident := strings.TrimSuffix(field(string(status), "VmRSS:"), " kB")
		user, _, _ := strings.Cut(field(string(status), "Uid:"), "\t")
		fmt.Fprintf(c.stdout, "%5d %5s %8s  %s\n", number, user, resident, words)
	}
	return nil
}

func field(status, name string) string {
	for line := range strings.Lines(status) {
		if rest, found := strings.CutPrefix(line, name); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// netstat lists TCP sockets. Source: proc_net_tcp(5); addresses are words in the machine's own order.
func netstat(_ context.Context, c call) error {
	states := map[string]string{"01": "ESTABLISHED", "02": "SYN_SENT", "06": "TIME_WAIT", "08": "CLOSE_WAIT", "0A": "LISTEN"}
	fmt.Fprintln(c.stdout, "LOCAL                    REMOTE                   STATE        UID")
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			columns := strings.Fields(line)
			if len(columns) < 8 || columns[0] == "sl" {
				continue
			}
			state := states[columns[3]]
			if state == "" {
				state = columns[3]
			}
			fmt.Fprintf(c.stdout, "%-24s %-24s %-12s %s\n", address(columns[1]), address(columns[2]), state, columns[7])
		}
	}
	return nil
}

func address(text string) string {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	number, numberError := strconv.ParseUint(port, 16, 16)
	if err != nil || numberError != nil {
		return text
	}
	for at := 0; at+4 <= len(raw); at += 4 {
		slices.Reverse(raw[at : at+4])
	}
	return net.JoinHostPort(net.IP(raw).String(), strconv.FormatUint(number, 10))
}

func lookup(ctx context.Context, c call) error {
	if len(c.words) != 1 {
		return fmt.Errorf("usage: nslookup NAME")
	}
	found, err := net.DefaultResolver.LookupHost(ctx, c.words[0])
	for _, each := range found {
		fmt.Fprintln(c.stdout, each)
	}
	return err
}

// fetch asks by plain HTTP/1.0: enough for a health route or metrics, without the megabytes of TLS.
func fetch(ctx context.Context, c call) error {
	var target, output string
	for at := 0; at < len(c.words); at++ {
		switch word := c.words[at]; {
		case strings.HasPrefix(word, "-") && strings.HasSuffix(word, "O") && at+1 < len(c.words):
			at++
			output = c.words[at]
		case strings.HasPrefix(word, "-"):
			if _, rest, found := strings.Cut(word, "O"); found {
				output = rest
			}
		default:
			target = word
		}
	}
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	asked, err := url.Parse(target)
	if err != nil {
		return err
	}
	if asked.Scheme != "http" || asked.Host == "" {
		return fmt.Errorf("usage: wget [-O FILE] http://HOST[:PORT]/PATH (no https)")
	}
	place := asked.Host
	if asked.Port() == "" {
		place = net.JoinHostPort(asked.Hostname(), "80")
	}
	connection, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, "tcp", place)
	if err != nil {
		return err
	}
	defer connection.Close()
	fmt.Fprintf(connection, "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", asked.RequestURI(), asked.Host)
	answer := bufio.NewReader(connection)
	first, err := answer.ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stderr, strings.TrimSpace(first))
	for {
		line, err := answer.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	var sink io.Writer = c.stdout
	if output != "" && output != "-" {
		file, err := os.Create(c.path(output))
		if err != nil {
			return err
		}
		defer file.Close()
		sink = file
	}
	if _, err := io.Copy(sink, answer); err != nil {
		return err
	}
	if words := strings.Fields(first); len(words) < 2 || !strings.HasPrefix(words[1], "2") {
		return exitStatus(8)
	}
	return nil
}

func head(_ context.Context, c call) error {
	return ends(c, "head", func(lines *bufio.Scanner, most int) error {
		for ; most > 0 && lines.Scan(); most-- {
			fmt.Fprintln(c.stdout, lines.Text())
		}
		return lines.Err()
	})
}

func tail(_ context.Context, c call) error {
	return ends(c, "tail", func(lines *bufio.Scanner, most int) error {
		var kept []string
		for lines.Scan() {
			if kept = append(kept, lines.Text()); len(kept) > most {
				kept = kept[1:]
			}
		}
		for _, line := range kept {
			fmt.Fprintln(c.stdout, line)
		}
		return lines.Err()
	})
}

func ends(c call, name string, show func(*bufio.Scanner, int) error) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(c.stderr)
	most := flags.Int("n", 10, "how many lines")
	words := slices.Clone(c.words)
	if len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-' && words[0][1] >= '0' && words[0][1] <= '9' {
		words = append([]string{"-n", words[0][1:]}, words[1:]...)
	}
	if err := flags.Parse(words); err != nil {
		return exitStatus(2)
	}
	return each(c, flags.Args(), func(_ string, content io.Reader) error { return show(lines(content), *most) })
}

func count(_ context.Context, c call) error {
	isLines := slices.Contains(c.words, "-l")
	files := slices.DeleteFunc(slices.Clone(c.words), func(word string) bool { return strings.HasPrefix(word, "-") })
	return each(c, files, func(name string, content io.Reader) error {
		all, err := io.ReadAll(content)
		text := string(all)
		if isLines {
			fmt.Fprintln(c.stdout, strings.Count(text, "\n"), name)
		} else {
			fmt.Fprintln(c.stdout, strings.Count(text, "\n"), len(strings.Fields(text)), len(text), name)
		}
		return err
	})
}

func grep(_ context.Context, c call) error {
	var options string
	words := c.words
	for len(words) > 0 && strings.HasPrefix(words[0], "-") && words[0] != "-" {
		options += words[0][1:]
		words = words[1:]
	}
	if len(words) == 0 {
		return fmt.Errorf("usage: grep [-iEvcF] EXPRESSION [FILE]...")
	}
	expression := words[0]
	if strings.Contains(options, "F") {
		expression = regexp.QuoteMeta(expression)
	}
	if strings.Contains(options, "i") {
		expression = "(?i)" + expression
	}
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return err
	}
	found, total := false, 0
	err = each(c, words[1:], func(name string, content io.Reader) error {
		scanner := lines(content)
		for scanner.Scan() {
			if pattern.MatchString(scanner.Text()) == strings.Contains(options, "v") {
				continue
			}
			found = true
			total++
			switch {
			case strings.ContainsAny(options, "cq"):
			case len(words) > 2:
				fmt.Fprintf(c.stdout, "%s:%s\n", name, scanner.Text())
			default:
				fmt.Fprintln(c.stdout, scanner.Text())
			}
		}
		return scanner.Err()
	})
	if strings.Contains(options, "c") {
		fmt.Fprintln(c.stdout, total)
	}
	if err == nil && !found {
		return exitStatus(1)
	}
	return err
}

// each does the work for every file, for standard input where there is none.
func each(c call, files []string, work func(string, io.Reader) error) error {
	if len(files) == 0 {
		return work("", c.stdin)
	}
	for _, name := range files {
		file, err := os.Open(c.path(name))
		if err != nil {
			return err
		}
		err = work(name, file)
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func lines(content io.Reader) *bufio.Scanner {
	scanner := bufio.NewScanner(content)
	scanner.Buffer(nil, 16<<20)
	return scanner
}
