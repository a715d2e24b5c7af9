package pages

import "html/template"

// Site is a page of a site that people sign in to, on its own origin.
type Site struct {
	Title, Text string
	Account     string // of the person that it is about; "" for none
	Failed      bool   // it is bad news
	Actions     []SiteAction
	Script      template.JS // "" for none: one of those below
	Nonce       string      // of the script
}

// SiteAction is what a person can do on a page of a site.
type SiteAction struct {
	URL, Text string
	Post      bool // a button, and no link
	NewTab    bool
	ID, Data  string // for the script
}

// Site renders a page of a site.
func (s *Set) Site(t *Texts, p Site) (Page, error) {
	return s.render("site", t, struct {
		frame
		Site

		Title string // both have one
	}{s.frame(t, p.Title), p, p.Title})
}

// StartID and GoOnID are the links that the scripts look for.
const (
	StartID = "sign-in"
	GoOnID  = "go-on"
)

// SiteStart goes to the sign-in from a page that somebody has opened, and keeps what no
// server hears (the fragment of the address), or hears in part (a long address), for the way
// back. A tab that nobody looks at waits, so that of twenty restored tabs one signs in; the
// others find themselves signed in when they are looked at.
const SiteStart template.JS = `(function(){var d=document,l=location;
function go(){var a=d.getElementById("sign-in").dataset.of,u=l.pathname+l.search,long=u.length>2000,keep=l.hash||long;
if(keep)try{sessionStorage.setItem("gatehouse",u+l.hash)}catch(e){keep=""}
l.replace(a+"to="+encodeURIComponent(long?l.pathname:u)+(keep?"&keep=1":""))}
function seen(){return d.visibilityState==="visible"&&!d.prerendering}
if(seen())go();else d.addEventListener("visibilitychange",function(){if(seen())l.reload()})})();`

// SiteGoOn goes to where somebody wanted to go before they signed in.
const SiteGoOn template.JS = `(function(){var u=null;
try{u=sessionStorage.getItem("gatehouse");sessionStorage.removeItem("gatehouse")}catch(e){}
location.replace(u?location.origin+"/"+u.replace(/^[\/\\]+/,""):document.getElementById("go-on").href)})();`

// SiteClose closes a tab that was opened to sign in.
const SiteClose template.JS = `window.close();`
