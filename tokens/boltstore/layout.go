package boltstore

import (
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// bucketID numbers the buckets of the file.
type bucketID uint8

// The buckets. Keys of the first eight begin with the UserTag, so that all of
// one user's things of a kind are adjacent: one seek finds them, and a
// decision about a user touches few pages. The denylist has a bucket of its
// own because guarded routes read it: it is usually almost empty.
const (
	families      bucketID = iota // user 16, family 16: storage.Family
	sessions                      // user 16, session 8: sessionRecord
	codes                         // user 16, code 16: codeRecord
	profiles                      // user 16: profileRecord
	people                        // user 16: personRecord
	upstreams                     // user 16, root 8: upstreamRecord
	consents                      // user 16, client 8: storage.Consent
	denials                       // user 16, kind 1, id (none for the marks): denialRecord or marksRecord
	grants                        // grant 12: grantRecord
	clients                       // client 8: clientRecord
	assertions                    // assertion 16: assertionRecord
	meta                          // the keys below
	devices                       // device 16: deviceRecord
	histories                     // family 16: historyRecord
	requests                      // request 16: requestRecord
	codeBodies                    // user 16, code 16: bodyRecord
	indexes                       // name 16: indexRecord
	aliases                       // user 16, of Alias.From: storage.Alias
	notes                         // user 16, root 8: noteRecord
	logouts                       // user 16, root 8, client 8: logoutRecord
	documents                     // document 16: documentRecord
	documentOrder                 // when 8, document 16: version 1
	bucketCount
)

var bucketNames = [bucketCount][]byte{
	families:   []byte("families"),
	sessions:   []byte("sessions"),
	codes:      []byte("codes"),
	profiles:   []byte("profiles"),
	people:     []byte("people"),
	upstreams:  []byte("upstreams"),
	consents:   []byte("consents"),
	denials:    []byte("denials"),
	grants:     []byte("grants"),
	clients:    []byte("clients"),
	assertions: []byte("assertions"),
	meta:       []byte("meta"),
	devices:    []byte("devices"),
	histories:  []byte("histories"),
	requests:   []byte("requests"),
	codeBodies: []byte("code_bodies"),
	indexes:    []byte("indexes"),
	aliases:    []byte("aliases"),
	notes:      []byte("notes"),
	logouts:    []byte("logouts"),
	documents:  []byte("documents"),

	documentOrder: []byte("document_order"),
}

// Keys of the meta bucket.
var (
	metaOpening = []byte("opening") // openingRecord
	metaKeys    = []byte("keys")    // keysRecord
	metaClock   = []byte("clock")   // clockRecord
)

// kindMarks is the key in the denials bucket of what holds for the whole user;
// it sorts first. The others are those of storage.DenialKind.
const kindMarks = 0

// userKey names one thing of a user in a bucket.
func userKey(user storage.UserTag, id []byte) []byte {
	k := make([]byte, 0, 32)
	k = append(k, user[:]...)
	return append(k, id...)
}

// denialKey names one entry of a user's denylist.
func denialKey(user storage.UserTag, kind byte, id []byte) []byte {
	k := make([]byte, 0, 33)
	k = append(k, user[:]...)
	k = append(k, kind)
	return append(k, id...)
}

// marksKey names the marks of a user.
func marksKey(user storage.UserTag) []byte {
	return append(user[:len(user):len(user)], kindMarks)
}
