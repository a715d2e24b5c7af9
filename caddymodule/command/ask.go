package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

// ask calls the admin API.
func ask(cmd *cobra.Command, a *adminapi.Action, asked url.Values) (*http.Response, error) {
	flags := caddycmd.Flags{FlagSet: cmd.Flags()}
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return nil, fmt.Errorf("finding the admin API: %w", err)
	}
	uri, body := a.Request(asked)
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	resp, err := caddycmd.AdminAPIRequest(address, a.Method, uri, nil, content)
	if err != nil {
		return nil, explainCall(address, err)
	}
	return resp, nil
}

// refusal is how Caddy's client tells of an answer that is an error.
var refusal = regexp.MustCompile(`HTTP (\d+): (\{.*\})`)

// explainCall makes the error of a call to the admin API one for people. What
// the server calls a bad request was used incorrectly.
func explainCall(address string, err error) error {
	if found := refusal.FindStringSubmatch(err.Error()); found != nil {
		var answer struct {
			Error string `json:"error"`
		}
		if json.Unmarshal([]byte(found[2]), &answer) == nil && answer.Error != "" {
			if found[1] == "400" {
				return wrongUsef("%s", answer.Error)
			}
			text, forcible := strings.CutSuffix(answer.Error, adminapi.ForceHint)
			if forcible {
				text += "--force does it anyway"
			}
			return errors.New(text)
		}
	}
	hint := "" // Caddy's client wraps no error
	if strings.Contains(err.Error(), "refused") {
		hint = "; after a refused reload Caddy listens where the refused configuration has its `admin`: name that with --address"
	}
	return fmt.Errorf("asking the admin API at %s: %w%s", address, err, hint)
}
