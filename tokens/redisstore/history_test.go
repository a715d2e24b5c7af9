package redisstore

import (
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens"
	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
)

// A history is kept for HistoryAge after its last note.
func TestHistoryIsForgotten(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	id, request := tokens.FamilyID{1}, tokens.TagRequest("request")
	mustDo(t, s.AppendHistory(t.Context(), []tokens.Note{{Family: id, Request: request, Text: []byte("note")}}))
	server.Do("PEXPIRE", s.historyKey(id), "1000")
	mustDo(t, s.AppendHistory(t.Context(), []tokens.Note{{Family: id}})) // is prolonged
	for _, key := range []string{s.historyKey(id), s.requestKey(request)} {
		ms, err := strconv.Atoi(server.Do("PTTL", key))
		mustDo(t, err)
		if left := time.Duration(ms) * time.Millisecond; left > tokens.HistoryAge || left < tokens.HistoryAge-time.Minute {
			t.Errorf("%s lives for %v, want %v", key, left, tokens.HistoryAge)
		}
	}
}
