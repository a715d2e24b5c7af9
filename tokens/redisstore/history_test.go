package redisstore

import (
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/tokens/redisstore/redistest"
	"github.com/gatehouse-auth/gatehouse/tokens/storage"
)

// A history is kept for HistoryAge after its last note.
func TestHistoryIsForgotten(t *testing.T) {
	server := redistest.Start(t)
	s := openStore(t, server)
	id, request := storage.FamilyID{1}, storage.TagRequest("request")
	mustDo(t, s.AppendHistory(t.Context(), []storage.Note{{Family: id, Request: request, Text: []byte("note")}}))
	server.Do("PEXPIRE", s.historyKey(id), "1000")
	mustDo(t, s.AppendHistory(t.Context(), []storage.Note{{Family: id}})) // is prolonged
	for _, key := range []string{s.historyKey(id), s.requestKey(request)} {
		ms, err := strconv.Atoi(server.Do("PTTL", key))
		mustDo(t, err)
		if left := time.Duration(ms) * time.Millisecond; left > storage.HistoryAge || left < storage.HistoryAge-time.Minute {
			t.Errorf("%s lives for %v, want %v", key, left, storage.HistoryAge)
		}
	}
}
