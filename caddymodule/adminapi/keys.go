package adminapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/tokens/keyring"
)

// KeyList answers what is about the signing keys.
type KeyList struct {
	Keys []keyring.KeyInfo `json:"keys"`
}

func (a *API) keys() KeyList { return KeyList{Keys: a.State.Keys.Keys()} }

func (a *API) listKeys(*call) (any, error) { return a.keys(), nil }

func (a *API) rotateKeys(c *call) (any, error) {
	immediate := false
	switch c.get("immediate") {
	case "", "false":
	case "true":
		immediate = true
	default:
		return nil, badRequest("immediate: write true or false")
	}
	err := a.Operator.RotateKeys(c.Context(), immediate)
	return a.keys(), err
}

func (a *API) dropKey(c *call) (any, error) {
	err := a.Operator.DropKey(c.Context(), c.name)
	if errors.Is(err, keyring.ErrNoKey) {
		ids := make([]string, 0, len(a.keys().Keys))
		for _, k := range a.keys().Keys {
			ids = append(ids, k.ID)
		}
		return nil, refusal(http.StatusNotFound, fmt.Errorf("%w; there are: %s", err, strings.Join(ids, ", ")))
	}
	return a.keys(), err
}

func showKeys(p *Printer, _ url.Values, list KeyList) {
	rows := make([][]string, 1, 1+len(list.Keys))
	rows[0] = []string{"KEY", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM"}
	for _, k := range list.Keys {
		rows = append(rows, []string{k.ID, string(k.Algorithm), string(k.State), stamp(k.Created), stamp(k.UseFrom)})
	}
	p.Table(rows)
}
