package upstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/handler/fetch"
	"github.com/gatehouse-auth/gatehouse/handler/login"
)

// GitHub is a login at GitHub, which has OAuth without OpenID Connect; see login.Elsewhere.
type GitHub struct{ *OIDC }

var _ login.Elsewhere = (*GitHub)(nil)

// The addresses of GitHub. What is asked about a person lies below the one of the API.
const (
	gitHubHome  = "https://github.com"
	gitHubUser  = "https://api.github.com/user"
	gitHubOAuth = "/login/oauth"
)

// NewGitHub makes a login at GitHub, or at a GitHub Enterprise Server whose address is
// Config.Issuer. Endpoints.Userinfo is its `/user`, below which all else is asked. Groups
// are `organisation` and `organisation/team`. It does no I/O. Errors name the setting and the fix.
func NewGitHub(cfg Config) (*GitHub, error) {
	home := strings.TrimSuffix(strings.TrimSuffix(cmp.Or(cfg.Issuer, gitHubHome), "/"), gitHubOAuth)
	cfg.Issuer = home + gitHubOAuth
	cfg.NoNonce = true
	if cfg.Prompts == nil {
		cfg.Prompts, cfg.NoMaxAge = []string{"select_account"}, true
	}
	user := gitHubUser
	if home != gitHubHome {
		user = home + "/api/v3/user"
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if len(cfg.GroupsClaims) > 0 || slices.ContainsFunc(cfg.Allow, func(r Rule) bool { return r.Kind == AllowGroup }) {
		cfg.GroupsClaims = []string{"groups"}
	}
	if cfg.Scopes == nil {
		cfg.Scopes = []string{"read:user", "user:email"}
		if cfg.GroupsClaims != nil {
			cfg.Scopes = append(cfg.Scopes, "read:org")
		}
	}
	doc := &metadata{Issuer: cfg.Issuer, Authorization: cfg.Issuer + "/authorize", Token: cfg.Issuer + "/access_token", Userinfo: user}
	doc.override(cfg.Endpoints)
	doc.ClientAuths = []string{string(AuthPost)}
	o := newOIDC(cfg, doc)
	o.source = gitHub{o}
	return &GitHub{o}, nil
}

// gitHub is a source by GitHub's API.
type gitHub struct{ *OIDC }

// accessMark tells an access token from a refresh token where it is kept as one: without
// expiry, GitHub gives no other.
const accessMark = "access:"

func (g gitHub) keep(token *oauth2.Token) string {
	if token.RefreshToken != "" {
		return token.RefreshToken
	}
	return accessMark + token.AccessToken
}

func (g gitHub) renew(ctx context.Context, doc *metadata, kept string) (*oauth2.Token, error) {
	if access, ok := strings.CutPrefix(kept, accessMark); ok {
		return &oauth2.Token{AccessToken: access}, nil
	}
	return openID(g).renew(ctx, doc, kept)
}

// ask reads the person's user, addresses, organisations and teams.
func (g gitHub) ask(ctx context.Context, doc *metadata, token *oauth2.Token, d *login.Departure) (*facts, error) {
	var user struct {
		ID     json.Number `json:"id"`
		Login  string      `json:"login"`
		Name   string      `json:"name"`
		Avatar string      `json:"avatar_url"`
	}
	if err := g.get(ctx, doc.Userinfo, token, &user); err != nil {
		if status, ok := errors.AsType[*fetch.StatusError](err); ok && status.Code == http.StatusUnauthorized && d == nil && token.RefreshToken == "" {
			return nil, failed(login.FailedGone, reasonGrant, err)
		}
		return nil, failed(login.FailedDown, reasonUserinfo, err)
	}
	if id := user.ID.String(); id == "" || strings.Trim(id, "0123456789") != "" {
		return nil, failed(login.FailedDown, reasonSubject, errors.New("asking GitHub: the user has no numeric id"))
	}
	f := &facts{info: map[string]any{
		"sub": user.ID.String(), "name": cmp.Or(user.Name, user.Login), "preferred_username": user.Login, "nickname": user.Login, "picture": user.Avatar,
	}}
	address, err := g.address(ctx, doc, token)
	if f.infoErr = err; address != "" {
		f.info["email"], f.info["email_verified"] = address, true
	}
	if g.cfg.GroupsClaims == nil {
		return f, nil
	}
	groups, err := g.memberships(ctx, doc, token)
	if err != nil {
		g.cfg.Logger.WarnContext(ctx, "the groups of a person are not known", "login", g.cfg.Name, "error", err)
		f.groupsUnknown = true
		return f, nil
	}
	f.info["groups"] = groups
	return f, nil
}

// get reads one answer of the API.
func (g gitHub) get(ctx context.Context, address string, token *oauth2.Token, into any) error {
	text, _, err := g.getJSON(ctx, address, token.AccessToken, "application/vnd.github+json")
	if err != nil {
		return fmt.Errorf("asking GitHub: %w", err)
	}
	if json.Unmarshal(text, into) != nil {
		return errors.New("asking GitHub: the answer is not of the form of its API")
	}
	return nil
}

// address returns the person's first address, where it is verified.
func (g gitHub) address(ctx context.Context, doc *metadata, token *oauth2.Token) (string, error) {
	var list []struct {
		Email             string `json:"email"`
		Primary, Verified bool
	}
	if err := g.get(ctx, doc.Userinfo+"/emails?per_page=100", token, &list); err != nil {
		return "", err
	}
	for _, e := range list {
		if e.Primary && e.Verified {
			return e.Email, nil
		}
	}
	return "", nil
}

const pageSize = 100

// memberships returns the organisations of a person, and the teams as `organisation/team`.
func (g gitHub) memberships(ctx context.Context, doc *metadata, token *oauth2.Token) ([]any, error) {
	type organisation struct {
		Login string `json:"login"`
	}
	var all []any
	orgs, err := pagesOf[organisation](ctx, g, doc.Userinfo+"/orgs", token)
	if err != nil {
		return nil, err
	}
	for _, org := range orgs {
		all = append(all, org.Login)
	}
	teams, err := pagesOf[struct {
		Slug         string       `json:"slug"`
		Organization organisation `json:"organization"`
	}](ctx, g, doc.Userinfo+"/teams", token)
	if err != nil {
		return nil, err
	}
	for _, team := range teams {
		all = append(all, team.Organization.Login+"/"+team.Slug)
	}
	return all, nil
}

// pagesOf reads a list of the API, page by page. More than maxPages is an error: cut, it
// would be taken for the whole.
func pagesOf[T any](ctx context.Context, g gitHub, address string, token *oauth2.Token) ([]T, error) {
	var all []T
	for page := 1; page <= maxPages; page++ {
		var list []T
		q := url.Values{"per_page": {fmt.Sprint(pageSize)}, "page": {fmt.Sprint(page)}}
		if err := g.get(ctx, address+"?"+q.Encode(), token, &list); err != nil {
			return nil, err
		}
		if all = append(all, list...); len(list) < pageSize {
			return all, nil
		}
	}
	return nil, fmt.Errorf("asking GitHub: there are more than %d entries", maxPages*pageSize)
}
