package command

import (
	"bufio"
	"bytes"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/caddymodule"
)

//go:embed init.caddyfile
var firstCaddyfile string

// beginning is what `caddy oauth init` asks for.
type beginning struct {
	Issuer, API, Upstream, App, Provider, Redis string

	Hash string // of the one user's password, where there is no provider
}

// question is one of the five, which a flag answers as well.
type question struct {
	flag, ask, usual string
	answer           *string
	check            func(string) error
}

func (b *beginning) questions() []question {
	return []question{
		{"issuer", "URL at which people sign in", "https://auth.example.com/", &b.Issuer, isURL},
		{"api", "URL of the API to guard", "https://api.example.com", &b.API, isURL},
		{"upstream", "Where that API listens", "localhost:9000", &b.Upstream, isOneWord},
		{"app", "Callback URL of your single-page app", "https://app.example.com/callback", &b.App, isURL},
		{"provider", "Issuer URL of your company's OpenID provider, or - for one user named alice", "-", &b.Provider, func(text string) error {
			if text == "-" {
				return nil
			}
			return isURL(text)
		}},
	}
}

func initCommand() *cobra.Command {
	var b beginning
	cmd := command("init", "Asks five questions and writes a Caddyfile to start with", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error { return b.run(cmd) })
	for _, q := range b.questions() {
		cmd.Flags().StringVar(q.answer, q.flag, "", q.ask)
	}
	cmd.Flags().StringVar(&b.Redis, "redis", "", "host:port of the Redis that several gateways share (default: an embedded store)")
	cmd.Flags().String("to", "Caddyfile", "File to write; an existing file is not overwritten")
	cmd.Flags().Bool("yes", false, "Ask nothing, and use the default answers where no flag has one")
	return cmd
}

func (b *beginning) run(cmd *cobra.Command) error {
	to, _ := cmd.Flags().GetString("to")
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is already there: move it away, or name another file with --to", to)
	}
	usual, _ := cmd.Flags().GetBool("yes")
	if err := b.ask(cmd.InOrStdin(), cmd.ErrOrStderr(), usual); err != nil {
		return err
	}
	password := ""
	if b.Provider == "-" {
		b.Provider, password = "", rand.Text()[:16]
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
		if err != nil {
			return err
		}
		b.Hash = string(hash)
	}
	text, err := b.caddyfile()
	if err != nil {
		return err
	}
	// The hash of a password is nobody else's business.
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	b.printNext(cmd.OutOrStdout(), to, password)
	return nil
}

// ask asks for what no flag has answered, and again after a wrong answer.
func (b *beginning) ask(in io.Reader, out io.Writer, usual bool) error {
	lines := bufio.NewScanner(in)
	for _, q := range b.questions() {
		for *q.answer == "" {
			answer := q.usual
			if !usual {
				_, _ = fmt.Fprintf(out, "%s [%s]: ", q.ask, q.usual)
				if !lines.Scan() {
					return wrongUsef("no answer to %q: use --%s, or --yes for the usual answers", q.ask, q.flag)
				}
				if text := strings.TrimSpace(lines.Text()); text != "" {
					answer = text
				}
			}
			if err := q.check(answer); err != nil {
				_, _ = fmt.Fprintf(out, "%v\n", err)
				continue
			}
			*q.answer = answer
		}
		if err := q.check(*q.answer); err != nil {
			return wrongUsef("--%s: %w", q.flag, err)
		}
	}
	return nil
}

// origin returns the scheme and the host of a URL.
func origin(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return u.Scheme + "://" + u.Host
}

// caddyfile is the configuration, formatted; its text is right as far as that shows.
func (b *beginning) caddyfile() ([]byte, error) {
	host := func(text string) string {
		if u, err := url.Parse(text); err == nil {
			text = u.Host
			if u.Scheme == "http" {
				text = "http://" + text
			}
		}
		return text
	}
	tmpl, err := template.New("init").Funcs(template.FuncMap{"host": host, "origin": origin}).Parse(firstCaddyfile)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := tmpl.Execute(&text, b); err != nil {
		return nil, err
	}
	formatted := caddyfile.Format(text.Bytes())
	if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(formatted, map[string]any{"filename": "Caddyfile"}); err != nil {
		return nil, fmt.Errorf("these answers make no configuration: %w", err)
	}
	return formatted, nil
}

func (b *beginning) printNext(out io.Writer, file, password string) {
	_, _ = fmt.Fprintf(out, "%s is written. Next:\n", file)
	if b.Redis != "" {
		_, _ = fmt.Fprintf(out, "  export GATEHOUSE_SECRET=%s   # the same on every gateway; keep it\n", caddymodule.NewGatewaySecret())
	}
	if b.Provider != "" {
		u, _ := url.Parse(b.Issuer)
		_, _ = fmt.Fprintf(out, "  at the provider, register the redirect URI %s\n", u.JoinPath("callback", "company"))
		_, _ = fmt.Fprintf(out, "  write the client_id that it gives you into %s, and export COMPANY_SECRET=…\n", file)
	} else {
		_, _ = fmt.Fprintf(out, "  sign in as alice with the password %s   # shown only here\n", password)
	}
	if !strings.HasPrefix(filepath.Base(file), "Caddyfile") {
		file += " --adapter caddyfile"
	}
	_, _ = fmt.Fprintf(out, "  caddy oauth check --offline --config %s\n  caddy run --config %s\n", file, file)
}

func isURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is not a URL such as https://auth.example.com/", text)
	}
	return isOneWord(text)
}

// isOneWord refuses what would end the word in a Caddyfile.
func isOneWord(text string) error {
	if strings.ContainsAny(text, " \t\r\n\"`{}#") {
		return fmt.Errorf("%q has a character that an address does not have", text)
	}
	return nil
}
