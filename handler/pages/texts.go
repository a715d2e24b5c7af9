package pages

import (
	"fmt"
	"strings"
	"time"
)

// Texts are the words of the pages in one language.
type Texts struct {
	Lang string

	SignInTitle, ToContinue, LoginWith, Username, Password, SignIn, Cancel     string
	WrongPassword, Busy, TookTooLong, SignInAgain, Disabled                    string
	Or, ContinueWith, YourAccount, AnotherAccount                              string // of providers
	Cancelled, NotForYou, OtherLogin, ProviderExpired, NotAllowed, Unreachable string
	Broken, GroupsUnknown, StrayTitle, Stray                                   string
	TryLater, OneSecond, Seconds, Minutes                                      string // of TryAfter

	ConsentTitle, WantsAccess, SignedInAs, AnswerGoesTo, Allow, Deny string
	// AnswerAgain is said on a page whose form was out of date.
	AnswerAgain string
	// Scopes says what a scope of the gateway itself allows.
	Scopes map[string]string
	// OtherScope stands before a scope of an API.
	OtherScope string

	ActivateTitle, ToActivate, EnterCode, UserCode, WrongCode string
	DeviceTitle, DeviceCode, DeviceWarning, TooLate           string
	ConnectedTitle, Connected, DeniedTitle, Denied            string
	NotSignedInTitle, NothingChanged                          string

	AccountTitle, ToAccount, NoDevices, DeviceUnknown, AppRemoved string
	Since, LastUsed, From, ThisBrowser, SignOutAll, SignedOutOne  string

	SignOutTitle, WantsSignOut, ConfirmSignOut, SignOut, StaySignedIn string
	SignedOutTitle, SignedOut, SignedOutStray, StillInTitle, StillIn  string

	ErrorTitle, ErrorText, UnavailableTitle, Unavailable, ForbiddenTitle, Forbidden string
	OptionIs                                                                        string // before an option of the configuration
	StartTitle, Start, NotFoundTitle, NotFound, NoLogin                             string

	// Of sites; each %s is the host.
	SiteStartTitle, SiteStart, SiteSignIn, SiteFrame, SiteOpenTab         string
	SitePosted, SiteSignInTab, SiteDenied, SiteAnother, SiteSignOut       string
	SiteDoneTitle, SiteDone, SiteGoOnTitle, SiteGoOn, SiteCookieTitle     string
	SiteCookie, SiteFailedTitle, SiteFailed, SiteRefused, SiteSignOutAsk  string
	SiteDown, SiteNotSignedOut, SiteOriginTitle, SiteOrigin, SiteTryAgain string

	ReturningTitle, ReturningTo, GoingOnTitle, GoingOn, Continue, DoneTitle, CloseWindow string
}

// locales is the fixed table in which ui_locales are looked up.
var locales = map[string]*Texts{"en": english}

// In returns the texts for a ui_locales parameter: the first language of it
// that the table knows, else English. See OpenID Connect Core §3.1.2.1.
func In(uiLocales string) *Texts {
	for tag := range strings.FieldsSeq(uiLocales) {
		language, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if t, ok := locales[language]; ok {
			return t
		}
	}
	return english
}

// TryAfter asks a person to wait, and says how long: rounded up, to seconds or,
// above two minutes, to minutes.
func (t *Texts) TryAfter(wait time.Duration) string {
	words := t.OneSecond
	switch {
	case wait > 2*time.Minute:
		words = fmt.Sprintf(t.Minutes, 1+(wait-1)/time.Minute)
	case wait > time.Second:
		words = fmt.Sprintf(t.Seconds, 1+(wait-1)/time.Second)
	}
	return fmt.Sprintf(t.TryLater, words)
}

// ProviderDown says that nobody can sign in at a provider just now.
func (t *Texts) ProviderDown(label string) string { return fmt.Sprintf(t.Unreachable, label) }

// ProviderBroken says that nobody can sign in at a provider until somebody acts.
func (t *Texts) ProviderBroken(label string) string { return fmt.Sprintf(t.Broken, label) }

// Languages returns the languages of the table, for discovery.
func Languages() []string {
	return []string{"en"}
}

var english = &Texts{
	Lang: "en",

	SignInTitle:     "Sign in",
	ToContinue:      "to continue to",
	LoginWith:       "Account",
	Username:        "Username",
	Password:        "Password",
	SignIn:          "Sign in",
	Cancel:          "Cancel",
	WrongPassword:   "Incorrect username or password.",
	TryLater:        "Too many attempts. Wait %s, then try again.",
	OneSecond:       "1 second",
	Seconds:         "%d seconds",
	Minutes:         "%d minutes",
	Busy:            "Many people are signing in right now. Try again shortly.",
	TookTooLong:     "This page was open for too long. Please sign in again.",
	SignInAgain:     "This page was out of date. Please sign in again. If you see this each time, allow cookies for this site in your browser.",
	Or:              "or",
	ContinueWith:    "Continue with",
	YourAccount:     "Your account",
	AnotherAccount:  "Use another account",
	Cancelled:       "The sign-in was canceled. Try again, or choose another way.",
	NotForYou:       "Your account may not use this application. Use another account, or ask the people who run this service for access.",
	OtherLogin:      "You are signed in with an account that this application does not accept. Sign in another way.",
	ProviderExpired: "The sign-in took too long or was already used. Please sign in again.",
	NotAllowed:      "This account cannot sign in here. Use another account, or ask the people who run this service to admit this one.",
	Unreachable:     "%s cannot be reached right now. Try again shortly, or choose another way to sign in.",
	Broken:          "%s cannot be used until the people who run this service have set it right. Choose another way to sign in, or tell them.",
	GroupsUnknown:   "The provider did not say which groups this account is in, so it cannot be admitted right now. Try again shortly, or contact the people who run this service.",
	StrayTitle:      "This sign-in cannot be continued",
	Stray:           "This page belongs to a sign-in that was finished, has expired, or began in another browser. Go back to the application and sign in again.",
	Disabled:        "This account is disabled. Contact the people who run this service.",

	ConsentTitle: "Allow access?",
	WantsAccess:  "asks for your permission to:",
	SignedInAs:   "Signed in as",
	AnswerGoesTo: "You will return to",
	Allow:        "Allow",
	Deny:         "Deny",
	AnswerAgain:  "This page was out of date. Please check it and answer again.",
	Scopes: map[string]string{
		"openid":         "Know who you are",
		"profile":        "See your name and profile",
		"email":          "See your email address",
		"groups":         "See the groups you are in",
		"offline_access": "Keep this access while you are away",
	},
	OtherScope: "Use",

	ActivateTitle:    "Connect a device",
	ToActivate:       "to connect a device",
	EnterCode:        "Enter the code shown on the device.",
	UserCode:         "Code",
	WrongCode:        "No device is waiting for this code. Check it against the code on the device; codes expire after 15 minutes.",
	DeviceTitle:      "Connect this device?",
	DeviceCode:       "Code on the device",
	DeviceWarning:    "Allow this only if the device in front of you shows this code. If somebody sent you the code or the link, they would get access to your account: choose Deny.",
	TooLate:          "This request is no longer valid: it was already answered, or it has expired. Start again on the device.",
	ConnectedTitle:   "The device is connected",
	Connected:        "Continue on the device; it may take a few seconds. You can close this window.",
	DeniedTitle:      "The device was not connected",
	Denied:           "It has no access to your account. You can close this window.",
	NotSignedInTitle: "You are not signed in",
	NothingChanged:   "Nothing was changed. You can close this window.",

	AccountTitle:  "Where you are signed in",
	ToAccount:     "to see where you are signed in",
	NoDevices:     "No application keeps you signed in.",
	DeviceUnknown: "Unknown device",
	AppRemoved:    "An application that is no longer in use",
	Since:         "Since",
	LastUsed:      "Last used",
	From:          "From",
	ThisBrowser:   "Signed in from this browser",
	SignOutAll:    "Sign out everywhere",
	SignedOutOne:  "Signed out. It can no longer act on your behalf.",

	SignOutTitle:   "Sign out?",
	WantsSignOut:   "asks to sign you out here and in the applications that you signed in to from this browser.",
	ConfirmSignOut: "You will be signed out here and in the applications that you signed in to from this browser.",
	SignOut:        "Sign out",
	StaySignedIn:   "Stay signed in",
	SignedOutTitle: "You are signed out",
	SignedOut:      "You can close this window, or go back to the application and sign in again.",
	SignedOutStray: "The application asked to send you to an address, but did not show that the address is its own, so you were not sent there. You can close this window.",
	StillInTitle:   "You are still signed in",
	StillIn:        "Nothing was changed. You can close this window or go back to the application.",

	OptionIs:         "If you run this server: its log says more. The option to change is",
	ErrorTitle:       "Something went wrong",
	ErrorText:        "The application's request cannot be answered. Go back to the application and try again; if that does not help, contact the application's developers.",
	UnavailableTitle: "Try again shortly",
	Unavailable:      "The sign-in service cannot be reached right now. Please try again shortly.",
	ForbiddenTitle:   "Please start again",
	Forbidden:        "This page is out of date, or was not opened in this browser. Go back to the application and start again. Your browser must accept cookies.",
	StartTitle:       "Start at the application",
	Start:            "There is nothing to sign in to here. Open the application that you want to use; it will bring you back.",
	NotFoundTitle:    "Page not found",
	NotFound:         "There is nothing at this address. Open the application that you want to use; it brings you here when you have to sign in.",
	NoLogin:          "Nobody can sign in yet: no login is configured.",

	SiteStartTitle:   "Sign in to %s",
	SiteStart:        "You have to sign in to see this page.",
	SiteSignIn:       "Sign in",
	SiteFrame:        "You are not signed in to %s. Nobody can sign in inside of another page.",
	SiteOpenTab:      "Open this page in a new tab",
	SitePosted:       "You are no longer signed in, so nothing was sent to the application. Sign in in a new tab, then come back here, reload this page and confirm that the form is sent again.",
	SiteSignInTab:    "Sign in in a new tab",
	SiteDenied:       "This account may not open this page of %s. Use another account, or ask the people who run this service for access.",
	SiteAnother:      "Sign in with another account",
	SiteSignOut:      "Sign out",
	SiteDoneTitle:    "You are signed in",
	SiteDone:         "You can close this tab and go on where you were.",
	SiteGoOnTitle:    "One moment",
	SiteGoOn:         "Continue",
	SiteCookieTitle:  "Your browser did not keep the cookie",
	SiteCookie:       "You cannot stay signed in to %s without it. Allow cookies for this site, check that the clock of this device is right, then try again.",
	SiteFailedTitle:  "You were not signed in",
	SiteFailed:       "The sign-in to %s did not succeed. Try again. If you see this each time, tell the people who run this service.",
	SiteRefused:      "The sign-in to %s was canceled, or this account may not use it.",
	SiteSignOutAsk:   "Do you want to sign out of %s, and of everything else that you opened with this sign-in?",
	SiteDown:         "%s cannot check right now whether you are signed in. Nothing is wrong with your account. Try again shortly.",
	SiteNotSignedOut: "You could not be signed out right now, and are still signed in. Try again shortly.",
	SiteOriginTitle:  "This request came from another site",
	SiteOrigin:       "Another site has sent your browser here with something to do in your name. It was not done.",
	SiteTryAgain:     "Try again",

	ReturningTitle: "Signed in",
	ReturningTo:    "Returning to",
	GoingOnTitle:   "One moment",
	GoingOn:        "This page goes on by itself. If it does not, press Continue.",
	Continue:       "Continue",
	DoneTitle:      "All done",
	CloseWindow:    "You can close this window.",
}
