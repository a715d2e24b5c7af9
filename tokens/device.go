package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
	"github.com/gatehouse-auth/gatehouse/tokens/secrets"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// How devices wait. See RFC 8628 §3.2 and §3.5.
const (
	deviceLifetime = 15 * time.Minute
	deviceInterval = 5 * time.Second
	deviceStep     = 5 * time.Second // longer after each poll that comes too soon
	deviceMost     = time.Minute
	// deviceSlack is how much a network may hurry one poll or delay the one before.
	deviceSlack = time.Second
	// deviceGrace is how long an approved request lives at least: the device
	// must come to ask once more.
	deviceGrace = 2 * deviceMost
)

// DeviceAuthorization is what a device gets, to show and to poll with. See RFC 8628 §3.2.
type DeviceAuthorization struct {
	DeviceCode string
	UserCode   string // as people read it, such as WDJB-MJHT
	Lifetime   time.Duration
	Interval   time.Duration
}

// DeviceRequest is the request of a device, as a person is asked about it. It
// is plain JSON, so that a page can carry it sealed.
type DeviceRequest struct {
	ID       storage.DeviceID `json:"id"`
	Code     storage.CodeID   `json:"code"`
	ClientID string           `json:"client_id"`
	Grant    storage.Grant    `json:"grant"`
}

// deviceBody is what the store keeps of a request.
type deviceBody struct {
	Client string        `json:"client"`
	Code   []byte        `json:"code"`
	Grant  storage.Grant `json:"grant"`
}

// deviceTries bounds the search for a user code that is not in use.
const deviceTries = 5

// AuthorizeDevice answers the request of a device that has no browser.
// See RFC 8628 §3.1 and §3.2.
func (i *Issuer) AuthorizeDevice(ctx context.Context, c *clients.Client, scope string, audiences []string) (*DeviceAuthorization, error) {
	if !c.MayUse(oauth.GrantDeviceCode) {
		return nil, oauth.Refuse(oauth.UnauthorizedClient, oauth.ReasonUnsupportedGrant, "The client is not registered for the device code grant.")
	}
	asked, ok := oauth.ParseScope(scope)
	if !ok {
		return nil, oauth.Refuse(oauth.InvalidScope, oauth.ReasonScope, "The scope parameter is malformed.").
			With(oauth.Mismatch{Sent: scope})
	}
	targets, err := i.targets(c, audiences)
	if err != nil {
		return nil, err
	}
	targets = i.orDefault(c, targets)
	code := deviceCode{client: c.Tag()}
	code.key, err = i.drawCode(func(key [16]byte) storage.CodeKey { return deviceCode{key: key}.codeKey() })
	if err != nil {
		return nil, err
	}
	codeID := code.codeKey().ID()
	body, err := json.Marshal(deviceBody{
		Client: c.ID, Code: codeID[:], Grant: storage.Grant{Scopes: i.grantable(c, i.withUsual(c, asked, targets), targets), Audiences: targets},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding device request: %w", err)
	}
	for range deviceTries {
		userCode, err := newUserCode(i.cfg.Rand)
		if err != nil {
			return nil, err
		}
		code.id = userCodeIDs(i.state.Secrets(), userCode)[0]
		kept, err := i.state.Store.PutDevice(ctx, storage.DevicePut{
			ID: code.id, Code: codeID, Interval: deviceInterval, Lifetime: deviceLifetime, Body: body,
		})
		if err != nil {
			return nil, oauth.Unavailable(err)
		}
		if kept {
			i.observe(ctx, oauth.Event{Kind: oauth.EventDevice, Outcome: oauth.OutcomeRequested, Client: c.ID})
			return &DeviceAuthorization{
				DeviceCode: code.text(i.state.Secrets()), UserCode: FormatUserCode(userCode), Lifetime: deviceLifetime, Interval: deviceInterval,
			}, nil
		}
	}
	return nil, oauth.Unavailable(errors.New("finding a free user code: all that were drawn are in use"))
}

// FindDevice returns the request that a typed user code names, or nil if no
// device is waiting for it. The caller bounds how often a person may try.
// See RFC 8628 §5.1.
func (i *Issuer) FindDevice(ctx context.Context, typed string) (*DeviceRequest, error) {
	userCode, ok := ParseUserCode(typed)
	if !ok {
		return nil, nil //nolint:nilnil // no request is no error
	}
	for _, id := range userCodeIDs(i.state.Secrets(), userCode) {
		text, found, err := i.state.Store.Device(ctx, id)
		if err != nil {
			return nil, oauth.Unavailable(err)
		}
		if !found {
			continue
		}
		var body deviceBody
		if err := json.Unmarshal(text, &body); err != nil || len(body.Code) != len(storage.CodeID{}) {
			return nil, oauth.Unavailable(fmt.Errorf("reading device request: %w", err))
		}
		if c, ok := i.Configured(body.Client); ok && c.MayUse(oauth.GrantDeviceCode) {
			return &DeviceRequest{ID: id, Code: storage.CodeID(body.Code), ClientID: c.ID, Grant: body.Grant}, nil
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// ApproveDevice grants a device what it asked for, in the name of the
// person who is signed in. That does not belong to the person's
// browser session: it begins one of its own, which goes on when they sign out
// here. See RFC 8628 §3.3.
func (i *Issuer) ApproveDevice(ctx context.Context, d *DeviceRequest, l *Login) error {
	session := d.Code.SessionID()
	client, ok := i.Configured(d.ClientID)
	if !ok {
		return oauth.Refuse(oauth.ExpiredToken, oauth.ReasonUnknownClient, "The application is no longer registered.")
	}
	if err := i.mayEnter(client, &l.Profile); err != nil {
		return err
	}
	grant := d.Grant
	grant.Scopes, grant.ACR = i.ScopesOf(l, grant.Scopes, grant.Audiences), l.Session.ACR
	if err := i.keepGrant(ctx, client, grant); err != nil {
		return err
	}
	body, err := json.Marshal(codeBody{
		Client: d.ClientID, Grant: grant, Begun: l.Session.Begun.Unix(), AuthTime: unixOrZero(l.Session.AuthTime), Session: session, Approved: i.cfg.Clock().Unix(),
	})
	if err != nil {
		return fmt.Errorf("encoding code: %w", err)
	}
	if err := i.noteDevice(ctx, l, session, client); err != nil {
		return err
	}
	// The code first: until the request is approved, nobody can ask for it.
	put := storage.PutRequest{ID: d.Code, Begins: session, Client: client.Tag(), Body: body, Lifetime: deviceLifetime + deviceGrace}
	if err := i.putDeviceCode(ctx, client, l, grant, put); err != nil {
		return err
	}
	return i.decideDevice(ctx, d, l, true)
}

// putDeviceCode keeps the code of an approval and, without a redirect URI, what was agreed to:
// the page of a device is never skipped for it, but the person sees it and can withdraw it.
func (i *Issuer) putDeviceCode(ctx context.Context, c *clients.Client, l *Login, grant storage.Grant, put storage.PutRequest) error {
	access := i.accessOf(c, grant.Scopes, grant.Audiences)
	err := ErrConsentChanged
	for range 2 { // they may answer another request of the client just now: this one shows all
		if err := i.agree(ctx, c, l, "", access, &put); err != nil {
			return err
		}
		if err := i.putCode(ctx, l, put); !errors.Is(err, ErrConsentChanged) {
			return err
		}
		l = l.WithoutConsent()
	}
	return err
}

// DenyDevice refuses a device's request.
func (i *Issuer) DenyDevice(ctx context.Context, d *DeviceRequest, l *Login) error {
	return i.decideDevice(ctx, d, l, false)
}

// decideDevice lets the store decide whose decision counts. oauth.ExpiredToken if
// another answer was first, or the device no longer waits.
func (i *Issuer) decideDevice(ctx context.Context, d *DeviceRequest, l *Login, approved bool) error {
	ctx, done := storage.Decisive(ctx)
	defer done()
	decided, err := i.state.Store.DecideDevice(ctx, storage.DeviceDecision{
		ID: d.ID, Code: d.Code, User: l.Session.User, Approved: approved, Grace: deviceGrace, Attempt: i.state.NewAttempt(),
	})
	if err != nil {
		return oauth.Unavailable(err)
	}
	if !decided {
		return oauth.Refuse(oauth.ExpiredToken, oauth.ReasonExpired, "The code has expired or was already answered.")
	}
	outcome := oauth.OutcomeDenied
	if approved {
		outcome = oauth.OutcomeApproved
	}
	i.observe(ctx, oauth.Event{Kind: oauth.EventDevice, Outcome: outcome, Client: d.ClientID, Subject: l.Profile.Subject, User: l.Session.User})
	return nil
}

const badDeviceCode = "The device code is unknown or already used, or does not belong to this client."

// exchangeDeviceCode is the device code grant: it tells the device to wait, or
// takes the code that the approval has put for it. See RFC 8628 §3.4 and §3.5.
func (i *Issuer) exchangeDeviceCode(ctx context.Context, c *clients.Client, r TokenRequest) (*TokenResponse, error) {
	if _, err := i.targets(c, r.Audiences); err != nil {
		return nil, err
	}
	if r.DeviceCode == "" {
		return nil, oauth.BadRequest("device_code is missing.")
	}
	code, secret, ok := parseDeviceCode(i.state.Secrets(), r.DeviceCode)
	if !ok {
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonBadMAC, badDeviceCode)
	}
	i.noteSecret(ctx, secret)
	if code.client != c.Tag() {
		return nil, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonClientMismatch, badDeviceCode)
	}
	keys, err := i.signers(c, true)
	if err != nil {
		return nil, err
	}
	state, err := i.pollDevice(ctx, code)
	if err != nil {
		return nil, err
	}
	switch state.Outcome {
	case storage.DevicePending:
		return nil, oauth.Refuse(oauth.AuthorizationPending, oauth.ReasonPending, "The person has not answered yet.")
	case storage.DeviceTooFast:
		return nil, oauth.Refuse(oauth.SlowDown, oauth.ReasonTooFast, fmt.Sprintf("Wait %d seconds before you ask again.", int(state.Interval.Seconds())))
	case storage.DeviceDenied:
		return nil, oauth.Refuse(oauth.AccessDenied, oauth.ReasonPersonDenied, "The person did not agree.")
	case storage.DeviceApproved:
		if err := i.checkDeviceTarget(c, state, r); err != nil {
			return nil, err
		}
		return i.takeDeviceCode(ctx, c, r, reference{user: state.User, key: code.codeKey()}, keys)
	case storage.DeviceUnknown:
	}
	// We made this code, so it is one that has ended.
	return nil, oauth.Refuse(oauth.ExpiredToken, oauth.ReasonExpired, "The device code has expired. Ask for a new one.")
}

func (i *Issuer) pollDevice(ctx context.Context, code deviceCode) (storage.DeviceState, error) {
	state, err := i.state.Store.PollDevice(ctx, storage.DevicePoll{
		ID: code.id, Code: code.codeKey().ID(), Slack: deviceSlack, Step: deviceStep, Most: deviceMost, Attempt: i.state.NewAttempt(),
	})
	if err != nil {
		return state, oauth.Unavailable(err)
	}
	return state, nil
}

// checkDeviceTarget refuses an API that was not granted before the person's
// approval is spent: the device may ask again with a better one.
func (i *Issuer) checkDeviceTarget(c *clients.Client, state storage.DeviceState, r TokenRequest) error {
	var body deviceBody
	if err := json.Unmarshal(state.Body, &body); err != nil {
		return oauth.Unavailable(fmt.Errorf("reading device request: %w", err))
	}
	_, err := i.codeAudience(c, body.Grant, r.Audiences)
	return deviceError(err)
}

// deviceError turns the description of a bad code into that of a bad device code.
func deviceError(err error) error {
	if e, ok := errors.AsType[*oauth.Error](err); ok && e.Description == badCode {
		e.Description = badDeviceCode
	}
	return err
}

// takeDeviceCode redeems what an approval has put, as any code is redeemed:
// once, and not after a sign-out everywhere or a change of password.
func (i *Issuer) takeDeviceCode(ctx context.Context, c *clients.Client, r TokenRequest, ref reference, keys signers) (*TokenResponse, error) {
	return tryCode(ctx, i, ref, func(ctx context.Context, attempt storage.Attempt) (*TokenResponse, error) {
		m, err := i.redeemDeviceCode(ctx, c, r, ref, attempt)
		if err != nil {
			return nil, deviceError(err)
		}
		m.keys = keys
		return i.mint(ctx, m)
	})
}

func (i *Issuer) redeemDeviceCode(ctx context.Context, c *clients.Client, r TokenRequest, ref reference, attempt storage.Attempt) (mint, error) {
	res, err := i.takeCode(ctx, c, ref, attempt)
	if err != nil {
		return mint{}, err
	}
	if res.Outcome == storage.CodeUnknown {
		return mint{}, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonRevoked, badCode)
	}
	if res.Outcome == storage.CodeSpent && res.Mine { // its exchange was not answered in time
		return mint{}, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonCodeSpent, badCode)
	}
	if res.Outcome == storage.CodeSpent { // the device code names its client
		return mint{}, i.codeReused(ctx, c, r.GrantType, ref, res.Now.Sub(res.TakenAt)-waitedFor(ctx) < retryWindow)
	}
	var body codeBody
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return mint{}, oauth.Unavailable(fmt.Errorf("reading code: %w", err))
	}
	// A device may come a quarter of an hour after the approval: when all of the
	// client was ended meanwhile, this was meant, too.
	if body.Approved <= i.state.Denylist.MarksSince(c.Tag()).Client.Unix() {
		return mint{}, oauth.Refuse(oauth.InvalidGrant, oauth.ReasonRevoked, badCode)
	}
	return i.redeem(ctx, c, r, ref, body, res, attempt)
}

// deviceCode is what a device polls with. It names the request and the client,
// and carries a key of which the store knows only a hash.
type deviceCode struct {
	id     storage.DeviceID
	key    [16]byte
	client storage.ClientTag
}

const deviceCodeSize = 16 + 16 + 8

// codeKey returns the key of the code that an approval puts. The approving side knows
// only its ID.
func (d deviceCode) codeKey() storage.CodeKey {
	return storage.CodeKey(storage.Hash16("device-code", d.key[:]))
}

// text writes the device code under the minting secret.
func (d deviceCode) text(s *secrets.Secrets) string {
	b := make([]byte, 0, deviceCodeSize+secrets.MACSize)
	b = append(b, d.id[:]...)
	b = append(b, d.key[:]...)
	b = append(b, d.client[:]...)
	mac := s.MAC(secrets.PurposeDevice, b)
	return storage.Encode(append(b, mac[:]...))
}

// parseDeviceCode reads a device code and checks its MAC, as parseReference does.
func parseDeviceCode(s *secrets.Secrets, text string) (d deviceCode, secret int, ok bool) {
	b, ok := storage.Decode(text, deviceCodeSize+secrets.MACSize)
	if !ok {
		return d, 0, false
	}
	secret, ok = s.CheckMAC(secrets.PurposeDevice, b[deviceCodeSize:], b[:deviceCodeSize])
	if !ok {
		return d, 0, false
	}
	return deviceCode{id: storage.DeviceID(b[:16]), key: [16]byte(b[16:32]), client: storage.ClientTag(b[32:40])}, secret, true
}
