package redisstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// EndClient implements storage.Denials.
func (s *Store) EndClient(ctx context.Context, client storage.ClientTag, keep time.Duration) (end storage.ClientEnd, err error) {
	err = s.call(ctx, "end_client", func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts().endClient, s.markKeys(), client[:], wholeSeconds(keep))
		if !committed(err) {
			return err
		}
		before := a.int()
		if a.err != nil {
			return a.err
		}
		s.journal.add(s.scripts().endClient, s.markKeys(), client[:], wholeSeconds(keep), before)
		end = storage.ClientEnd{Before: time.Unix(before, 0), Late: c.options.late()}
		return err
	})
	if err != nil {
		return storage.ClientEnd{}, err
	}
	return end, nil
}

// BlockClient implements storage.Denials.
func (s *Store) BlockClient(ctx context.Context, client storage.ClientTag, blocked bool) error {
	flag := 0
	if blocked {
		flag = 1
	}
	return s.call(ctx, "block_client", func(ctx context.Context, c *connection) error {
		a, err := s.eval(ctx, c, s.scripts().blockClient, s.markKeys()[:1], client[:], flag)
		if !committed(err) {
			return err
		}
		if a.err != nil {
			return a.err
		}
		s.journal.add(s.scripts().blockClient, s.markKeys()[:1], client[:], flag)
		return err
	})
}

// watermarkVersion leads the record of a watermark (lua/watermark.lua).
const watermarkVersion = 3

// appendWatermark writes the record of a watermark.
func appendWatermark(m storage.ClientRecord) []byte {
	b := appendSeconds(appendSeconds([]byte{watermarkVersion}, m.Before), m.Until)
	if m.Blocked {
		return append(b, 1)
	}
	return append(b, 0)
}

// clocksApart is how far the clocks of a Cluster's servers may be apart.
const clocksApart = time.Second

// late is storage.ClientEnd.Late. In a Cluster the watermarks lie on another
// node than the user, and a decision asks no second one: it would have to spend
// first, and could not tell the caller if the other one is out of reach.
func (o *Options) late() time.Duration {
	if o.Mode != Cluster {
		return 0
	}
	return o.longestCall() + clocksApart
}

// ClientWatermarks implements storage.Denials.
func (s *Store) ClientWatermarks(ctx context.Context) (marks map[storage.ClientTag]storage.ClientMark, err error) {
	err = s.call(ctx, "client_watermarks", func(ctx context.Context, c *connection) error {
		all, err := s.watermarks(ctx, c)
		if err != nil {
			return err
		}
		marks = make(map[storage.ClientTag]storage.ClientMark, len(all))
		for _, m := range all {
			marks[m.Client] = storage.ClientMark{Before: m.Before, Blocked: m.Blocked}
		}
		return nil
	})
	return marks, err
}

// watermarks returns those that hold.
func (s *Store) watermarks(ctx context.Context, c *connection) ([]storage.ClientRecord, error) {
	a, err := s.eval(ctx, c, s.scripts().watermarks, []string{s.key("clients")})
	if err != nil {
		return nil, err
	}
	now := a.millis()
	var marks []storage.ClientRecord
	err = pairs(a.list(), func(client, record string) error {
		if err := checkRecord(record, watermarkVersion, 10); err != nil {
			return err
		}
		if len(client) != len(storage.ClientTag{}) {
			return errBadRecord
		}
		m := storage.ClientRecord{Client: storage.ClientTag([]byte(client)), Before: seconds(record[1:]), Until: seconds(record[5:]), Blocked: record[9] == 1}
		if m.Blocked || m.Until.IsZero() || now.Before(m.Until) {
			marks = append(marks, m)
		}
		return nil
	})
	if err == nil {
		err = a.err
	}
	return marks, err
}
