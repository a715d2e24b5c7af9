package handler

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// switchStore is a store that can be cut off, and that counts writes.
type switchStore struct {
	storage.Store
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

func (s *switchStore) Rotate(ctx context.Context, r storage.RotateRequest) (storage.RotateResult, error) {
	if err := s.write(); err != nil {
		return storage.RotateResult{}, err
	}
	return s.Store.Rotate(ctx, r)
}

func (s *switchStore) CreateFamily(ctx context.Context, r storage.CreateRequest) (storage.CreateResult, error) {
	if err := s.write(); err != nil {
		return storage.CreateResult{}, err
	}
	return s.Store.CreateFamily(ctx, r)
}

func (s *switchStore) End(ctx context.Context, r storage.EndRequest) (storage.EndResult, error) {
	if err := s.write(); err != nil {
		return storage.EndResult{}, err
	}
	return s.Store.End(ctx, r)
}

func (s *switchStore) CreateSession(ctx context.Context, r storage.SessionRequest) (storage.Session, error) {
	if err := s.write(); err != nil {
		return storage.Session{}, err
	}
	return s.Store.CreateSession(ctx, r)
}

func (s *switchStore) PutCode(ctx context.Context, r storage.PutRequest) (storage.PutOutcome, error) {
	if err := s.write(); err != nil {
		return storage.PutNothing, err
	}
	return s.Store.PutCode(ctx, r)
}

func (s *switchStore) TakeCode(ctx context.Context, r storage.TakeRequest) (storage.TakeResult, error) {
	if err := s.write(); err != nil {
		return storage.TakeResult{}, err
	}
	return s.Store.TakeCode(ctx, r)
}

func (s *switchStore) UseAssertion(ctx context.Context, r storage.AssertionRequest) (storage.AssertionOutcome, error) {
	if err := s.write(); err != nil {
		return storage.AssertionUsed, err
	}
	return s.Store.UseAssertion(ctx, r)
}

func (s *switchStore) Session(ctx context.Context, u storage.UserTag, id storage.SessionID, idle time.Duration, client storage.ClientTag) (storage.Session, storage.Profile, bool, error) {
	if err := s.read(); err != nil {
		return storage.Session{}, storage.Profile{}, false, err
	}
	return s.Store.Session(ctx, u, id, idle, client)
}

func (s *switchStore) PutDevice(ctx context.Context, r storage.DevicePut) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.PutDevice(ctx, r)
}

func (s *switchStore) PollDevice(ctx context.Context, r storage.DevicePoll) (storage.DeviceState, error) {
	if err := s.write(); err != nil {
		return storage.DeviceState{}, err
	}
	return s.Store.PollDevice(ctx, r)
}

func (s *switchStore) DecideDevice(ctx context.Context, d storage.DeviceDecision) (bool, error) {
	if err := s.write(); err != nil {
		return false, err
	}
	return s.Store.DecideDevice(ctx, d)
}
