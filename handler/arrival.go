package handler

import "github.com/gatehouse-auth/gatehouse/tokens"

// arrival is what became of a flow whose answer came.
type arrival struct {
	login  *tokens.Login
	cookie string // of the session
	err    error  // why they do not come in
}
