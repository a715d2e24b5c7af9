package handler

import (
	"github.com/gatehouse-auth/gatehouse/handler/login"
	"github.com/gatehouse-auth/gatehouse/tokens/clients"
)

// Limits are what a Server counts about requests, and the tickets that were
// used: in the memory of this process, bounded, whatever comes. The Servers of
// all configurations over one store share them, so that a reload gives nobody
// who guesses or floods a new allowance, and lets no ticket pass twice.
type Limits struct {
	logins        *login.Limits
	guesses       *login.Guesses // of user codes
	used          *usedTickets[formAnswer]
	arrived       *usedTickets[arrival] // flows whose answer was redeemed
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
		used:          newUsedTickets[formAnswer](),
		arrived:       newUsedTickets[arrival](),
		returns:       login.NewReturns(),
		devices:       newBudget(devicesPerPlace, placeBurst, devicesPerNode, nodeBurst),
		registrars:    login.NewGuesses(),
		registrations: newBudget(registrationsPerPlace, registrationBurst, registrationsPerNode, registrationsPerNode),
	}
}
