package handler

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/handler/once"
	"github.com/gatehouse-auth/gatehouse/handler/pages"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// Limits are what a Server counts about requests, and the tickets that were
// used: in the memory of this process, bounded, whatever comes. The Servers of
// all configurations over one store share them, so that a reload gives nobody
// who guesses or floods a new allowance, and lets no ticket pass twice.
type Limits struct {
	logins        *login.Limits
	guesses       *login.Guesses // of user codes
	used          *once.Answers[formAnswer]
	arrived       *once.Answers[arrival] // flows whose answer was redeemed
	returns       *login.Returns
	devices       *budget
	registrars    *login.Guesses // of the registration token
	registrations *budget
}

// NewLimits makes Limits. Passwords are compared as the queue says; nil makes
// one of their own.
func NewLimits(hashes *clients.HashQueue) *Limits {
	return &Limits{
		logins:        login.NewLimits(hashes),
		guesses:       login.NewGuesses(),
		used:          once.New[formAnswer](repeatWindow, ticketLifetime),
		arrived:       once.New[arrival](repeatWindow, ticketLifetime),
		returns:       login.NewReturns(),
		devices:       newBudget(devicesPerPlace, placeBurst, devicesPerNode, nodeBurst),
		registrars:    login.NewGuesses(),
		registrations: newBudget(registrationsPerPlace, registrationBurst, registrationsPerNode, registrationsPerNode),
	}
}

// repeatWindow is how long after the answer to a form another click on it gets
// that answer once more. It is short: the application has redeemed the code of
// the first soon, and would take the second for stolen.
const repeatWindow = 3 * time.Second

// formAnswer is what answers a form whose ticket works once.
type formAnswer struct {
	fields  []pages.Field // of an authorization response
	message pages.Message // or else a page
	status  int
}
