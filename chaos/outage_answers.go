package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"kyrochat/client"
)

// answers is what came of what was asked. It is safe for use by many at once.
type answers struct {
	mu     sync.Mutex
	took   []time.Duration
	codes  map[string]int
	ends   map[string]int
	last   time.Duration // the longest that an answer of a bot took
	broken map[string]int
}

// add notes how a request was answered. helpless: UNAVAILABLE is all right.
func (s *answers) add(name string, took time.Duration, err error, helpless bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.codes == nil {
		s.codes, s.ends, s.broken = map[string]int{}, map[string]int{}, map[string]int{}
	}
	s.took = append(s.took, took)
	code := client.Code(err)
	if closed, ok := errors.AsType[*client.CloseError](err); ok && closed.Code == 1013 {
		code = "UNAVAILABLE" // as a websocket says it, on which nobody could be signed in
	}
	switch {
	case err == nil:
		s.codes["normally"]++
	case code == "UNAVAILABLE" && helpless:
		s.codes[code]++
	default:
		s.codes["otherwise"]++
		s.broken[fmt.Sprintf("%s was answered with %v", name, err)]++
	}
	if took > answeredWithin {
		s.broken[fmt.Sprintf("%s took %s", name, took.Round(100*time.Millisecond))]++
	}
}

func (s *answers) ended(how string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends[how]++
	s.last = max(s.last, took)
}

func (s *answers) amiss(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[fmt.Sprintf(format, args...)]++
}

// wrong gives what was not as promised.
func (s *answers) wrong(during string) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(s.broken)) {
		list = append(list, fmt.Sprintf("%s: %d times %s", during, s.broken[what], what))
	}
	return list
}

// figures are what was measured, in words.
func (s *answers) figures() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.took) == 0 {
		return "nothing was asked"
	}
	slices.Sort(s.took)
	at := func(share float64) time.Duration {
		return s.took[min(len(s.took)-1, int(share*float64(len(s.took))))].Round(time.Millisecond)
	}
	text := fmt.Sprintf("%d requests, p50 %s, p99 %s, max %s", len(s.took), at(0.5), at(0.99), at(1))
	for _, code := range slices.Sorted(maps.Keys(s.codes)) {
		text += fmt.Sprintf(", %d %s", s.codes[code], code)
	}
	for _, how := range slices.Sorted(maps.Keys(s.ends)) {
		text += fmt.Sprintf(", %d answers %s", s.ends[how], how)
	}
	if s.last > 0 {
		text += fmt.Sprintf(" within %s", s.last.Round(time.Millisecond))
	}
	return text
}
