package redisstore

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

type (
	callOf  = func(*Store) (any, error)
	checkOf = func(*testing.T, *Store)
)

// otherDecisions are those around a login, and the operators'.
var otherDecisions = []decision{
	{"create session", func(t *testing.T, s *Store) (callOf, checkOf) {
		newChain(t, s, "local|alice")
		// Another fingerprint than the chain's: all that was before ends, once.
		r := storage.SessionRequest{
			User: user, ID: storage.SessionID{8}, Lifetime: time.Hour, Profile: storage.Profile{Subject: "alice", Fingerprint: storage.Fingerprint{2}}, Replaces: storage.SessionID{1}, DenyFor: time.Hour,
		}
		call := func(s *Store) (any, error) { return s.CreateSession(t.Context(), r) }
		return call, func(t *testing.T, s *Store) {
			wantFamilies(t, s, 0)
			if h, err := s.Held(t.Context(), user); err != nil || len(h.Sessions) != 1 || h.Sessions[0].ID != r.ID {
				t.Errorf("held %+v, %v", h, err)
			}
		}
	}},
	{"put code", func(t *testing.T, s *Store) (callOf, checkOf) {
		putCode(t, s, 1)
		r := storage.PutRequest{User: user, ID: storage.CodeID{2}, Session: storage.SessionID{1, 1}, Body: []byte("body"), Lifetime: time.Minute}
		call := func(s *Store) (any, error) { return s.PutCode(t.Context(), r) }
		return call, func(t *testing.T, s *Store) {
			for _, want := range []storage.CodeOutcome{storage.CodeTaken, storage.CodeSpent} {
				res, err := s.TakeCode(t.Context(), storage.TakeRequest{User: user, ID: r.ID, DenyFor: time.Hour, Attempt: newAttempt()})
				if err != nil || res.Outcome != want {
					t.Errorf("taken: %+v, %v", res, err)
				}
				if kept, err := s.PutCode(t.Context(), r); err != nil || kept != storage.PutKept { // put late, it revives nothing
					t.Errorf("put again: %v, %v", kept, err)
				}
			}
		}
	}},
	{"deny token", func(t *testing.T, _ *Store) (callOf, checkOf) {
		until := time.Now().Add(time.Hour)
		call := func(s *Store) (any, error) { return nil, s.DenyToken(t.Context(), user, storage.TokenID{3}, until) }
		return call, func(t *testing.T, s *Store) { wantDenials(t, s, storage.DenyToken) }
	}},
	{"end client", func(t *testing.T, s *Store) (callOf, checkOf) {
		c := newChain(t, s, "local|alice")
		var first storage.ClientEnd
		call := func(s *Store) (any, error) {
			end, err := s.EndClient(t.Context(), c.request.Client, 0)
			if first.Before.IsZero() {
				first = end
			}
			// Sent again it may end what was begun in between, but no more than a second of it.
			return first.Before.IsZero() || end.Before.Sub(first.Before) > 2*time.Second, err
		}
		return call, func(t *testing.T, s *Store) {
			if res, err := s.Rotate(t.Context(), c.request); err != nil || res.Outcome != storage.RotateUnknown {
				t.Errorf("rotate: %+v, %v", res, err)
			}
		}
	}},
	{"enable", func(t *testing.T, s *Store) (callOf, checkOf) {
		_, err := s.End(t.Context(), storage.EndRequest{User: user, Scope: storage.DisableUser, DenyFor: time.Hour, Attempt: newAttempt()})
		mustDo(t, err)
		attempt := newAttempt()
		call := func(s *Store) (any, error) {
			was, err := s.Enable(t.Context(), user, attempt)
			if !was {
				t.Error("the user is said not to have been disabled")
			}
			return was, err
		}
		return call, func(t *testing.T, s *Store) {
			wantDenials(t, s)
			if was, err := s.Enable(t.Context(), user, newAttempt()); err != nil || was {
				t.Errorf("enabled once more: %v, %v", was, err)
			}
		}
	}},
	{"put alias", func(t *testing.T, _ *Store) (callOf, checkOf) {
		a := storage.Alias{From: "company|b", Subject: "company|a"}
		call := func(s *Store) (any, error) { return nil, s.PutAlias(t.Context(), a) }
		return call, func(t *testing.T, s *Store) {
			if got, err := s.Alias(t.Context(), storage.TagSubject(a.From)); err != nil || got != a {
				t.Errorf("alias %+v, %v", got, err)
			}
		}
	}},
	{"rebind", func(t *testing.T, s *Store) (callOf, checkOf) {
		before := storage.Profile{Subject: "company|a", Fingerprint: storage.Fingerprint{1}}
		_, err := s.CreateSession(t.Context(), storage.SessionRequest{User: user, ID: storage.SessionID{7}, Lifetime: time.Hour, Profile: before})
		mustDo(t, err)
		r := storage.RebindRequest{User: user, From: before.Fingerprint, To: storage.Fingerprint{9}}
		call := func(s *Store) (any, error) { return s.Rebind(t.Context(), r) }
		return call, func(t *testing.T, s *Store) {
			if p, err := s.Profile(t.Context(), user); err != nil || p.Fingerprint != r.To || p.Subject != before.Subject {
				t.Errorf("profile %+v, %v", p, err)
			}
		}
	}},
	{"put device", func(t *testing.T, _ *Store) (callOf, checkOf) {
		call := func(s *Store) (any, error) { return s.PutDevice(t.Context(), devicePut) }
		return call, func(t *testing.T, s *Store) {
			if body, found, err := s.Device(t.Context(), devicePut.ID); err != nil || !found || string(body) != "body" {
				t.Errorf("device %q, %v, %v", body, found, err)
			}
		}
	}},
	{"decide device", func(t *testing.T, s *Store) (callOf, checkOf) {
		putDevice(t, s)
		d := storage.DeviceDecision{ID: devicePut.ID, Code: devicePut.Code, User: user, Approved: true, Grace: time.Minute, Attempt: newAttempt()}
		call := func(s *Store) (any, error) { return s.DecideDevice(t.Context(), d) }
		return call, func(t *testing.T, s *Store) {
			d.Attempt, d.Approved = newAttempt(), false
			if decided, err := s.DecideDevice(t.Context(), d); err != nil || decided {
				t.Errorf("decided again: %v, %v", decided, err)
			}
			if state, err := s.PollDevice(t.Context(), devicePoll(newAttempt())); err != nil || state.Outcome != storage.DeviceApproved {
				t.Errorf("polled: %+v, %v", state, err)
			}
		}
	}},
	{"poll device", func(t *testing.T, s *Store) (callOf, checkOf) {
		putDevice(t, s)
		first, err := s.PollDevice(t.Context(), devicePoll(newAttempt()))
		if err != nil || first.Outcome != storage.DevicePending {
			t.Fatalf("polled: %+v, %v", first, err)
		}
		poll := devicePoll(newAttempt()) // too soon: the interval grows, once
		call := func(s *Store) (any, error) { return s.PollDevice(t.Context(), poll) }
		return call, func(t *testing.T, s *Store) {
			if again, err := s.PollDevice(t.Context(), poll); err != nil || again.Outcome != storage.DeviceTooFast || again.Interval != 10*time.Second {
				t.Errorf("polled: %+v, %v", again, err)
			}
		}
	}},
	{"use assertion", func(t *testing.T, _ *Store) (callOf, checkOf) {
		r := storage.AssertionRequest{ID: storage.AssertionID{4}, Until: time.Now().Add(time.Hour), Attempt: newAttempt()}
		call := func(s *Store) (any, error) {
			outcome, err := s.UseAssertion(t.Context(), r)
			if outcome != storage.AssertionFirst {
				t.Errorf("outcome %d", outcome)
			}
			return outcome, err
		}
		return call, func(t *testing.T, s *Store) {
			r.Attempt = newAttempt()
			if outcome, err := s.UseAssertion(t.Context(), r); err != nil || outcome != storage.AssertionUsed {
				t.Errorf("used again: %d, %v", outcome, err)
			}
		}
	}},
	{"begin recheck", func(t *testing.T, s *Store) (callOf, checkOf) {
		r := signInAtProvider(t, s)
		call := func(s *Store) (any, error) { return s.BeginRecheck(t.Context(), r) }
		return call, func(t *testing.T, s *Store) {
			r.Attempt = newAttempt()
			if lease, err := s.BeginRecheck(t.Context(), r); err != nil || lease.Leased {
				t.Errorf("leased again: %+v, %v", lease, err)
			}
		}
	}},
	{"end recheck", func(t *testing.T, s *Store) (callOf, checkOf) {
		r := signInAtProvider(t, s)
		lease, err := s.BeginRecheck(t.Context(), r)
		mustDo(t, err)
		a := storage.RecheckAnswer{User: user, Root: r.Root, Seq: lease.Seq, Attempt: r.Attempt, Answer: storage.ProviderKept, Sealed: []byte("another")}
		call := func(s *Store) (any, error) { return s.EndRecheck(t.Context(), a) }
		return call, func(t *testing.T, s *Store) {
			r.Attempt = newAttempt()
			if lease, err := s.BeginRecheck(t.Context(), r); err != nil || lease.Seq != 2 || string(lease.Sealed) != "another" || lease.Doubtful {
				t.Errorf("leased %+v, %v", lease, err)
			}
		}
	}},
	{"end recheck of a login that is gone", func(t *testing.T, s *Store) (callOf, checkOf) {
		r := signInAtProvider(t, s)
		lease, err := s.BeginRecheck(t.Context(), r)
		mustDo(t, err)
		a := storage.RecheckAnswer{User: user, Root: r.Root, Seq: lease.Seq, Attempt: r.Attempt, Answer: storage.ProviderGone, DenyFor: time.Hour}
		call := func(s *Store) (any, error) {
			res, err := s.EndRecheck(t.Context(), a)
			res.Ended.Now = time.Time{}
			return res, err
		}
		return call, func(t *testing.T, s *Store) { wantDenials(t, s, storage.DenySession) }
	}},
	{"put grant", func(t *testing.T, _ *Store) (callOf, checkOf) {
		call := func(s *Store) (any, error) {
			return nil, s.PutGrant(t.Context(), storage.GrantID{5}, []byte("text"), time.Hour)
		}
		return call, func(t *testing.T, s *Store) {
			if text, err := s.Grant(t.Context(), storage.GrantID{5}); err != nil || string(text) != "text" {
				t.Errorf("grant %q, %v", text, err)
			}
		}
	}},
}

// signInAtProvider makes a session that a provider gave something for, and returns a request
// for its check.
func signInAtProvider(t *testing.T, s *Store) storage.RecheckRequest {
	t.Helper()
	r := storage.SessionRequest{User: user, ID: storage.SessionID{7, 7}, Lifetime: time.Hour, Profile: alice, Upstream: []byte("sealed")}
	session, err := s.CreateSession(t.Context(), r)
	mustDo(t, err)
	return storage.RecheckRequest{User: user, Root: session.Root, Lease: time.Hour, Attempt: newAttempt()}
}

var devicePut = storage.DevicePut{ID: storage.DeviceID{6}, Code: storage.CodeID{6}, Interval: 5 * time.Second, Lifetime: time.Hour, Body: []byte("body")}

func putDevice(t *testing.T, s *Store) {
	t.Helper()
	if kept, err := s.PutDevice(t.Context(), devicePut); err != nil || !kept {
		t.Fatalf("PutDevice: kept %v, %v", kept, err)
	}
}

func devicePoll(attempt storage.Attempt) storage.DevicePoll {
	return storage.DevicePoll{ID: devicePut.ID, Code: devicePut.Code, Step: 5 * time.Second, Most: time.Minute, Attempt: attempt}
}

// wantDenials demands of which kinds the denylist of Alice is.
func wantDenials(t *testing.T, s *Store, want ...storage.DenialKind) {
	t.Helper()
	d, err := s.Denials(t.Context(), []storage.UserTag{user})
	mustDo(t, err)
	var got []storage.DenialKind
	for _, e := range d[0].Entries {
		got = append(got, e.Kind)
	}
	if !slices.Equal(got, want) {
		t.Errorf("denylist %+v, want kinds %v", d[0].Entries, want)
	}
}
