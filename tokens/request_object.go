package tokens

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/clients"
	"github.com/gatehouse-auth/gatehouse/tokens/oauth"
)

// answerObject takes response_mode from a request object, where nothing beside the object
// says it: request objects are refused, and the refusal has to arrive where the application
// waits for it. A signature would add nothing, since the parameters beside an object have
// none. What cannot be read, or is not for this client, leaves the answer as it is. See
// OpenID Connect Core §3.1.2.6 and §6.1.
func (a *Authorization) answerObject(c *clients.Client, params url.Values) {
	object := params.Get("request")
	if object == "" || params.Has("response_mode") || len(object) > oauth.MaxTokenBytes {
		return
	}
	_, rest, _ := strings.Cut(object, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return
	}
	var said struct {
		Mode string `json:"response_mode"`
	}
	if json.Unmarshal(text, &said) == nil {
		_ = a.parseMode(c, said.Mode) // a mode that is not ours is not why the request is refused
	}
}
