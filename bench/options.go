package main

import "time"

// options are the command line.
type options struct {
	caddy   string
	only    string
	seconds int
	rounds  int
	dir     string
	abuse   abuse
}

// abuse are the flags of benchAbuse.
type abuse struct {
	rows    string        // which rows, by the begin of their names; "" for all
	rate    int           // bob's requests a second, where the row has no rate of its own
	last    time.Duration // of one measurement
	settles time.Duration // between two
	rounds  int           // of which the samples are put together
	quiet   int           // harmless requests a second while it is quiet; 0 for as many as bob's
}
