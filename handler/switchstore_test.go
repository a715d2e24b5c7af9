package handler

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
)

// switchStore is a store that can be cut off, and that counts writes.
type switchStore struct {
	tokens.Store
	down   atomic.Bool
	writes atomic.Int64
}

var errDown = errors.New("calling the store: cut off by the test")

func (s *switchStore) write() error {
	s.writes.Add(1)
	return s.read()
}

func (s *switchStore) read() error {
	if s.down.Load() {
		return errDown
	}
	return nil
}

func (s *switchStore) Rotate(ctx context.Context, r tokens.RotateRequest) (tokens.RotateResult, error) {
	if err := s.write(); err != nil {
		return tokens.RotateResult{}, err
	}
	return s.Store.Rotate(ctx, r)
}

func (s *switchStore) CreateFamily(ctx context.Context, r tokens.CreateRequest) (tokens.CreateResult, error) {
	if err := s.write(); err != nil {
		return tokens.CreateResult{}, err
	}
	return s.Store.CreateFamily(ctx, r)
}

func (s *switchStore) End(ctx context.Context, r tokens.EndRequest) (tokens.EndResult, error) {
	if err := s.write(); err != nil {
		return tokens.EndResult{}, err
	}
	return s.Store.End(ctx, r)
}

func (s *switchStore) CreateSession(ctx context.Context, r tokens.SessionRequest) (tokens.Session, error) {
	if err := s.write(); err != nil {
		return tokens.Session{}, err
	}
	return s.Store.CreateSession(ctx, r)
}

func (s *switchStore) PutCode(ctx context.Context, r tokens.PutRequest) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.PutCode(ctx, r)
}

func (s *switchStore) TakeCode(ctx context.Context, r tokens.TakeRequest) (tokens.TakeResult, error) {
	if err := s.write(); err != nil {
		return tokens.TakeResult{}, err
	}
	return s.Store.TakeCode(ctx, r)
}

func (s *switchStore) UseAssertion(ctx context.Context, r tokens.AssertionRequest) (tokens.AssertionOutcome, error) {
	if err := s.write(); err != nil {
		return tokens.AssertionUsed, err
	}
	return s.Store.UseAssertion(ctx, r)
}

func (s *switchStore) Session(ctx context.Context, u tokens.UserTag, id tokens.SessionID, idle time.Duration) (tokens.Session, []byte, bool, error) {
	if err := s.read(); err != nil {
		return tokens.Session{}, nil, false, err
	}
	return s.Store.Session(ctx, u, id, idle)
}

func (s *switchStore) PutDevice(ctx context.Context, r tokens.DevicePut) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.PutDevice(ctx, r)
}

func (s *switchStore) PollDevice(ctx context.Context, r tokens.DevicePoll) (tokens.DeviceState, error) {
	if err := s.write(); err != nil {
		return tokens.DeviceState{}, err
	}
	return s.Store.PollDevice(ctx, r)
}

func (s *switchStore) DecideDevice(ctx context.Context, d tokens.DeviceDecision) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.DecideDevice(ctx, d)
}
