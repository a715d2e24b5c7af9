package caddymodule

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/gatehouse-auth/gatehouse/caddymodule/grammar"
	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/tokens/clientdoc"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// ClientDocuments lets in clients whose client_id is the https URL of their own metadata, as
// MCP clients use it (Client ID Metadata Documents). You do not register anything: the metadata
// is fetched when somebody signs in. Such a client can only sign people in, who are asked each
// time, and refresh.
type ClientDocuments struct {
	// Which clients are let in: whole URLs, URL prefixes that end in a slash, or `any` for all
	// on the standard https port. With `any`, metadata is fetched only for people who are
	// signed in. Default: none; it or `document` is required
	Allow []string `json:"allow,omitempty"`

	// Files with the metadata of clients, by client_id, to use instead of fetching it, for a
	// host that blocks requests from servers. These clients need no `allow`. Default: none
	Documents map[string]string `json:"documents,omitempty"`

	// Whether the metadata, and the keys that it refers to, may be at private, loopback, or
	// link-local addresses. With `any`, everybody who is signed in can then find out which
	// servers exist there. Default: off
	AllowPrivate bool `json:"allow_private,omitempty"`

	// A PEM file of the CA certificates to trust for these servers. Default: those that the
	// system trusts
	CA string `json:"ca,omitempty"`

	StrangerOptions

	pinned map[string]*clientdoc.Document
}

const allowAny = "any"

func (c *ClientDocuments) options() grammar.Options {
	options := c.StrangerOptions.options()
	options["allow"] = grammar.List(&c.Allow)
	options["document"] = grammar.Args("<url> <file>", c.pin).Repeated()
	options["allow_private"] = grammar.Flag(&c.AllowPrivate)
	options["ca"] = grammar.String(&c.CA)
	return options
}

// pin reads `document <url> <file>`.
func (c *ClientDocuments) pin(args []string) error {
	if _, twice := c.Documents[args[0]]; twice {
		return fmt.Errorf("%q is a duplicate: leave one out", args[0])
	}
	if c.Documents == nil {
		c.Documents = make(map[string]string)
	}
	c.Documents[args[0]] = args[1]
	return nil
}

// Check finds what the text shows to be wrong.
func (c *ClientDocuments) Check(apis []*API) error {
	if len(c.Allow) == 0 && len(c.Documents) == 0 {
		return grammar.Wrong("", "it does not say which clients there are: write `allow https://claude.ai/`, or `allow any`")
	}
	if err := checkEach("allow", c.Allow, checkAllowed); err != nil {
		return err
	}
	for _, url := range slices.Sorted(maps.Keys(c.Documents)) {
		if !oauth.IsDocumentURL(url) {
			return grammar.WrongValue("document", url, "%s", errNoDocumentURL)
		}
		if err := checkPath("document", c.Documents[url]); err != nil {
			return err
		}
	}
	if err := checkPath("ca", c.CA); err != nil {
		return err
	}
	return c.StrangerOptions.check(apis)
}

var errNoDocumentURL = errors.New("is not the URL of a client's metadata: write it as the client sends it, such as https://vscode.dev/oauth/client-metadata.json")

var errNotAllowed = errors.New("is neither the URL of a client's metadata nor a prefix of such: write an https URL with its host in small letters and without dot segments, such as https://vscode.dev/oauth/client-metadata.json, or a prefix that ends in a slash, such as https://claude.ai/, or any")

func checkAllowed(allowed string) error {
	switch {
	case allowed == allowAny || oauth.IsDocumentPrefix(allowed) || oauth.IsDocumentURL(allowed):
		return nil
	case oauth.IsDocumentPrefix(allowed + "/"): // a host alone
		return fmt.Errorf("is neither the URL of a client's metadata nor a prefix of such: write %s/ for all of that host", allowed)
	}
	if err := writtenOut(allowed); err != nil {
		return err
	}
	return errNotAllowed
}

// resolve reads the files.
func (c *ClientDocuments) resolve() error {
	if c == nil {
		return nil
	}
	if c.CA != "" {
		if _, err := fetch.ReadRoots(c.CA); err != nil {
			return err
		}
	}
	c.pinned = make(map[string]*clientdoc.Document, len(c.Documents))
	for url, file := range c.Documents {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("document %s: %w", url, err)
		}
		if c.pinned[url], err = clientdoc.Parse(url, text); err != nil {
			return fmt.Errorf("document %s: reading %s: %w", url, file, err)
		}
	}
	return nil
}

// core returns the policy as the core has it; nil where there are no such clients.
func (c *ClientDocuments) core() *clients.DocumentPolicy {
	if c == nil {
		return nil
	}
	var roots func() (*x509.CertPool, error)
	if c.CA != "" {
		roots = func() (*x509.CertPool, error) { return fetch.ReadRoots(c.CA) }
	}
	return &clients.DocumentPolicy{
		Policy: c.StrangerOptions.core(),
		Rules: clientdoc.Rules{
			Allow:  slices.DeleteFunc(slices.Clone(c.Allow), func(a string) bool { return a == allowAny }),
			Any:    slices.Contains(c.Allow, allowAny),
			Pinned: c.pinned, Fetch: fetch.ClientDocuments(c.AllowPrivate, roots),
		},
	}
}
