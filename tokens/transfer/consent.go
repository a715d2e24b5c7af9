package transfer

import "github.com/gatehouse-auth/gatehouse/tokens/storage"

type (
	wireConsents struct {
		User     []byte        `json:"user"`
		Consents []wireConsent `json:"consents"`
	}
	wireConsent struct {
		Client []byte `json:"client"`
		Record []byte `json:"record"` // storage.Consent.MarshalBinary
	}
)

func wireOfConsents(all *storage.ConsentsRecord) (wireLine, error) {
	w := &wireConsents{User: all.User[:]}
	for _, c := range all.Consents {
		record, err := c.MarshalBinary()
		if err != nil {
			return wireLine{}, err
		}
		w.Consents = append(w.Consents, wireConsent{c.Client[:], record})
	}
	return wireLine{Consents: w}, nil
}

func (w *wireConsents) record(d *idReader) *storage.ConsentsRecord {
	all := &storage.ConsentsRecord{User: id16(d, w.User)}
	for _, c := range w.Consents {
		consent := storage.Consent{Client: id8(d, c.Client)}
		if err := consent.UnmarshalBinary(c.Record); err != nil {
			d.err = err
		}
		all.Consents = append(all.Consents, consent)
	}
	return all
}
