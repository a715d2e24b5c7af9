package storetest

import "testing"

// Run runs the suite. open is called once per case.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for _, group := range []struct {
		name  string
		cases []testCase
	}{
		{"Rotate", rotateCases},
		{"Expiry", expiryCases},
		{"CreateFamily", createCases},
		{"End", endCases},
		{"Codes", codeCases},
		{"Consents", consentCases},
		{"Devices", deviceCases},
		{"Sessions", sessionCases},
		{"People", personCases},
		{"Upstreams", upstreamCases},
		{"Rechecks", recheckCases},
		{"Index", indexCases},
		{"Outbox", outboxCases},
		{"Aliases", aliasCases},
		{"Denials", denialCases},
		{"Fold", foldCases},
		{"Everyone", everyoneCases},
		{"Unregistered", unregisteredCases},
		{"Feed", feedCases},
		{"Assertions", assertionCases},
		{"Open", openCases},
		{"Users", userCases},
		{"Transfer", transferCases},
		{"History", historyCases},
		{"Documents", documentCases},
		{"Pulse", pulseCases},
		{"Bounds", boundCases},
		{"Unanswered", unansweredCases},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, newFixture(t, open(t)))
				})
			}
		})
	}
}
