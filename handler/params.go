package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/handler/wire"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// maxParams is how many parameters a body may have. No request needs a tenth of them.
const maxParams = 100

// formType is the media type of forms.
const formType = "application/x-www-form-urlencoded"

// params are the parameters of a request body. Each stands there once; only
// `resource` may repeat (RFC 8707 §2).
type params map[string][]string

// get returns a parameter. An empty one is as good as none (RFC 6749 §3.2).
func (p params) get(name string) string {
	if v := p[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// audiences returns what `audience` (Auth0) and `resource` (RFC 8707) name.
func (p params) audiences() []string {
	var out []string
	if a := p.get("audience"); a != "" {
		out = append(out, a)
	}
	for _, r := range p["resource"] {
		if r != "" {
			out = append(out, r)
		}
	}
	return out
}

// bodyOnly are the parameters that must not stand in a URL, where logs and
// histories keep them. See RFC 6749 §2.3.1 and §3.2.
var bodyOnly = func() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(`grant_type client_id client_secret client_assertion client_assertion_type
		code code_verifier device_code redirect_uri refresh_token scope audience resource token token_type_hint username password`) {
		m[name] = true
	}
	return m
}()

// readParams reads the body of a request to an endpoint for programs: a form,
// as the RFCs say, or a flat JSON object, as Auth0's SDKs send.
func readParams(r *http.Request) (params, error) {
	if r.URL.RawQuery != "" {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, wire.Malformed("The query string is malformed. Send parameters in the body.")
		}
		for name := range query {
			if bodyOnly[name] {
				return nil, wire.Malformed("Send parameters in the body, not in the URL.")
			}
		}
	}
	lines := r.Header["Content-Type"]
	if len(lines) != 1 {
		return nil, errContentType
	}
	kind, attributes, err := mime.ParseMediaType(lines[0])
	if err != nil {
		return nil, errContentType
	}
	ascii, ok := charset(attributes)
	if !ok {
		return nil, errContentType
	}
	var p params
	switch kind {
	case formType:
		p, err = readBody(r, ascii, parseForm)
	case "application/json":
		p, err = readBody(r, ascii, parseObject)
	default:
		err = errContentType
	}
	if err != nil {
		return nil, err
	}
	return p, oauth.CheckParams(p)
}

var errContentType = wire.Malformed("Send the parameters as application/x-www-form-urlencoded, or as a JSON object with the Content-Type application/json.")

// charset reports whether a body with the attributes of its media type can be read: as
// UTF-8, or as ASCII where a client names a charset that is the same up to there, as
// older HTTP libraries do on their own.
func charset(attributes map[string]string) (ascii, ok bool) {
	for name, value := range attributes {
		if name != "charset" {
			return false, false
		}
		switch strings.ToLower(value) {
		case "utf-8", "utf8":
		case "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252":
			ascii = true
		default:
			return false, false
		}
	}
	return ascii, true
}

var errCharset = wire.Malformed("The body has characters outside ASCII and names a charset other than UTF-8. Send it as UTF-8, with charset=utf-8 or none.")

// outsideASCII reports whether a body has a byte that is not ASCII, as it is or percent-encoded.
func outsideASCII(body []byte) bool {
	for i, c := range body {
		if c > 0x7f || c == '%' && i+1 < len(body) && strings.IndexByte("89ABCDEFabcdef", body[i+1]) >= 0 {
			return true
		}
	}
	return false
}

// readForm reads the body of a form that a page of ours posts.
func readForm(r *http.Request) (url.Values, error) {
	form, err := readAnyForm(r)
	if err != nil {
		return nil, err
	}
	return form, oauth.CheckParams(form)
}

// readAnyForm reads the body of a form that any page may post. Every parameter may
// repeat and be of any length; the caller decides.
func readAnyForm(r *http.Request) (url.Values, error) {
	kind, attributes, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	ascii, ok := charset(attributes)
	if err != nil || kind != formType || !ok {
		return nil, wire.Malformed("The form must be sent as application/x-www-form-urlencoded.")
	}
	return readBody(r, ascii, parseValues)
}

// readBody reads all of the body and parses it. A body over the limit is an
// *http.MaxBytesError, one that takes too long ErrSlowBody.
func readBody[T any](r *http.Request, ascii bool, parse func([]byte) (T, error)) (T, error) {
	var none T
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return none, fmt.Errorf("reading body: %w", err)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return none, wire.ErrSlowBody
		}
		return none, &oauth.Error{Code: oauth.InvalidRequest, Reason: oauth.ReasonMalformed, Description: "The body is incomplete.", Cause: err}
	}
	if ascii && outsideASCII(body) {
		return none, errCharset
	}
	return parse(body)
}

// maxQuery is how long the query of a URL may be, in bytes: two long ID token hints
// and all that stands beside them.
const maxQuery = 32 << 10

var errQuery = wire.Malformed("The query of the URL is longer than 32 KiB.")

// readQuery reads the parameters in a URL. Every one may repeat and be of any
// length; the caller decides.
func readQuery(r *http.Request) (url.Values, error) {
	if strings.Count(r.URL.RawQuery, "&") >= maxParams {
		return nil, wire.Malformed("The query has too many parameters.")
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, wire.Malformed("The query string is malformed.")
	}
	return q, nil
}

// parseValues reads a form.
func parseValues(body []byte) (url.Values, error) {
	if bytes.Count(body, []byte{'&'}) >= maxParams {
		return nil, wire.Malformed("The body has too many parameters.")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, wire.Malformed("The body is not a well-formed form.")
	}
	return values, nil
}

// parseForm reads a form in which nothing may repeat. See RFC 6749 §3.2.
func parseForm(body []byte) (params, error) {
	values, err := parseValues(body)
	if err != nil {
		return nil, err
	}
	for name, v := range values {
		if len(v) > 1 && name != "resource" {
			return nil, errRepeated
		}
	}
	return params(values), nil
}

var (
	errRepeated = wire.Malformed("A parameter is given more than once.")
	errObject   = wire.Malformed("The body is not one flat JSON object of strings, numbers and booleans.")
)

// parseObject reads a flat JSON object without repeated members. A number or a
// boolean is its text, and null is as good as no member: auth0-python sends
// "organization": null.
func parseObject(body []byte) (params, error) {
	if !utf8.Valid(body) {
		return nil, errObject
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errObject
	}
	p := make(params)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errObject
		}
		value, err := d.Token()
		if err != nil {
			return nil, errObject
		}
		text, present, ok := textOf(value)
		if !ok {
			return nil, errObject
		}
		key, _ := name.(string) // a member's name always is
		if _, repeated := p[key]; repeated {
			return nil, errRepeated
		}
		if len(p) == maxParams {
			return nil, wire.Malformed("The body has too many parameters.")
		}
		p[key] = nil // null is seen, too: a second member of that name is a repetition
		if present {
			p[key] = []string{text}
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, errObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return p, nil
}

// textOf returns the text of a member's value. Present is false for null, ok
// for a value that has no text: an object or a list.
func textOf(value json.Token) (text string, present, ok bool) {
	switch v := value.(type) {
	case nil:
		return "", false, true
	case string:
		return v, true, true
	case json.Number:
		return v.String(), true, true
	case bool:
		return strconv.FormatBool(v), true, true
	}
	return "", false, false
}

// authorizeParams reads the request's parameters from where the method puts
// them. See OpenID Connect Core §3.1.2.1: GET and POST work alike.
func authorizeParams(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return readAnyForm(r)
	}
	return readQuery(r)
}
