package pages

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"
)

//go:embed texts/*.json
var textFiles embed.FS

// Texts are the words of the pages in one language: a file of texts has a member of
// the same name for each field. %s and %d stand for what the page puts there.
type Texts struct {
	// Lang is the language tag, of the file's name (RFC 5646).
	Lang string `json:"-"`

	SignInTitle, ToContinue, LoginWith, Username, Password, ShowPassword, HidePassword, SignIn, Cancel string
	WrongPassword                                                                                      string
	TryLater                                                                                           string // with one of the next two
	Seconds, Minutes                                                                                   Plural
	Busy, TookTooLong, SignInAgain, Disabled                                                           string
	Or, ContinueWith, YourAccount, AnotherAccount, Cancelled, NotForYou, OtherLogin, ProviderExpired   string // of providers
	NotAllowed, Unreachable, Broken, GroupsUnknown, StrayTitle, Stray                                  string

	ConsentTitle, WantsAccess, SignedInAs, NotYou, AnswerGoesTo, Allow, Deny string
	// Of an application that nobody registered.
	StrangerGoesTo, StrangerHere, StrangerHereBy, StrangerFrom, StrangerCalls, StrangerAPI, StrangerWarning string
	// AnswerAgain is said on a page whose form was out of date.
	AnswerAgain string
	// Scopes says what a scope allows, by its name: those of the gateway itself, and
	// in an operator's file those of APIs.
	Scopes map[string]string
	// OtherScope is what is said of a scope that has no text.
	OtherScope string

	ActivateTitle, ToActivate, EnterCode, UserCode, WrongCode string
	DeviceTitle, DeviceCode, DeviceWarning, TooLate           string
	ConnectedTitle, Connected, DeniedTitle, Denied            string
	NotSignedInTitle, NothingChanged                          string

	AccountTitle, ToAccount                                                        string
	SessionTitle, SignedInBy, SignedInSince, SessionNote                           string
	DevicesTitle, NoDevices, DeviceUnknown, DeviceOn, AppRemoved                   string
	Since, LastUsed, From, ThisBrowser, SignedOutOne, SignOutAll, SignOutAllNote   string
	ConsentsTitle, NoConsents, Agreed, Withdraw, WithdrawNote, Withdrawn           string
	PageOf, PreviousPage, NextPage                                                 string
	SignOutTitle, WantsSignOut, ConfirmSignOut, NotYouSignOut, SignOut             string
	StaySignedIn, SignedOutTitle, SignedOut, SignedOutStray, StillInTitle, StillIn string
	StillInAt                                                                      string

	ErrorTitle, ErrorText, OptionIs, Reference, ReferenceNote, Time                      string
	UnavailableTitle, Unavailable, AppUnavailable, NotCertain, ForbiddenTitle, Forbidden string
	StartTitle, Start, NotFoundTitle, NotFound, NoLogin                                  string
	ReturningTitle, ReturningTo, GoingOnTitle, GoingOn, Continue, DoneTitle              string
	CloseWindow, Help, Privacy                                                           string

	// Of app keys.
	KeysTitle, ToKeys, KeysLead, KeysNone, KeySite, KeyName, KeyMake, KeyMade, KeyProblem string

	// Of sites; each %s is the host.
	SiteStartTitle, SiteStart, SiteSignIn, SiteFrame, SiteOpenTab         string
	SitePosted, SiteSignInTab, SiteDenied, SiteAnother, SiteSignOut       string
	SiteDoneTitle, SiteDone, SiteGoOnTitle, SiteGoOn, SiteCookieTitle     string
	SiteCookie, SiteFailedTitle, SiteFailed, SiteRefused, SiteSignOutAsk  string
	SiteDown, SiteNotSignedOut, SiteOriginTitle, SiteOrigin, SiteTryAgain string
	SiteHostTitle, SiteHost, SiteDeniedTitle                              string
	SiteAgain                                                             string

	// Date is a moment to the minute, with {day} {month} {year} {hour} {minute}.
	Date   string
	Months [12]string
}

// clone returns a copy that can be changed.
func (t *Texts) clone() *Texts {
	c := *t
	c.Scopes, c.Seconds, c.Minutes = maps.Clone(t.Scopes), maps.Clone(t.Seconds), maps.Clone(t.Minutes)
	return &c
}

// read takes the texts of a file in place of the present ones.
func (t *Texts) read(file io.Reader) error {
	dec := json.NewDecoder(file)
	dec.DisallowUnknownFields()
	if err := dec.Decode(t); err != nil {
		return fmt.Errorf("reading texts: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("reading texts: there is something behind the object")
	}
	return nil
}

// each calls do with every text and where it stands in the file, such as Seconds.one.
func (t *Texts) each(do func(key, text string)) {
	v := reflect.ValueOf(t).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Lang" {
			continue
		}
		switch value := v.Field(i).Interface().(type) {
		case string:
			do(name, value)
		case [12]string:
			for n, month := range value {
				do(fmt.Sprintf("%s.%d", name, n), month)
			}
		case Plural:
			for form, text := range value {
				do(name+"."+form, text)
			}
		case map[string]string:
			for key, text := range value {
				do(name+"."+key, text)
			}
		}
	}
}

// english is the language of who asks for none that there is.
const english = "en"

// embedded reads the texts that come with the gateway, by their languages.
func embedded() (locales, error) {
	files, err := textFiles.ReadDir("texts")
	if err != nil {
		return nil, fmt.Errorf("reading texts: %w", err)
	}
	all := make(locales, len(files))
	for _, f := range files {
		file, err := textFiles.Open("texts/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("reading texts: %w", err)
		}
		t := &Texts{Lang: strings.TrimSuffix(f.Name(), ".json")}
		if err := t.read(file); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		all.add(t)
	}
	return all, nil
}
