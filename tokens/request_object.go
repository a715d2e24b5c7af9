package tokens

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// objectMode returns the response_mode in a request object, where nothing beside the object
// says it; "" for none. Request objects are refused, and the refusal has to arrive where the
// application waits for it. A signature would add nothing: the parameters beside an object
// have none. See OpenID Connect Core §3.1.2.6 and §6.1.
func objectMode(params url.Values) string {
	object := params.Get("request")
	if params.Has("response_mode") || len(object) > oauth.MaxTokenBytes {
		return ""
	}
	_, rest, _ := strings.Cut(object, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var said struct {
		Mode string `json:"response_mode"`
	}
	if json.Unmarshal(text, &said) != nil {
		return ""
	}
	return said.Mode
}
