//go:build linux

package main

import (
	"bufio"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figures are what came of the run.
func (w *streamLoad) figures(s *streamSample) {
	var firsts, before, delays []time.Duration
	wrong := 0
	for _, f := range w.followers {
		if f.silent {
			continue
		}
		if f.finished != 1 || f.wrong != "" {
			if wrong++; wrong <= 3 {
				fmt.Fprintf(w.lab.errOut, "%s, stream %d: %d ends; %s\n", sideNames[w.number], f.number, f.finished, f.wrong)
			}
		}
		if len(f.at) == 0 {
			continue
		}
		noted := w.noted[f.number]
		if noted.Model[1] == 0 {
			f.note("the upstream was not asked")
			wrong++
			continue
		}
		sent := w.begun.Add(f.asked).UnixNano()
		firsts = append(firsts, f.at[0]-f.asked-noted.own())
		before = append(before, time.Duration(noted.Model[0]-sent-noted.Embedding[1]+noted.Embedding[0]))
		// Tokens are due at fixed times. The one that came soonest after its time, of all of a stream, tells when
		// that was, but for the way that even it took.
		soonest := time.Duration(math.MaxInt64)
		for i, at := range f.at {
			soonest = min(soonest, at-time.Duration(i)*w.pace())
		}
		for i, at := range f.at {
			if at >= w.from.at && at <= w.to.at {
				delays = append(delays, at-time.Duration(i)*w.pace()-soonest)
			}
		}
	}
	slices.Sort(firsts)
	slices.Sort(before)
	slices.Sort(delays)
	tokens := float64(w.window[1] - w.window[0])
	million := tokens / 1e6
	due := float64(w.streams-w.silent) * (w.to.at - w.from.at).Seconds() * float64(w.rate)
	s[delivered] = 100 * tokens / due
	s[firstP50], s[firstP99] = milliseconds(part(firsts, 50)), milliseconds(part(firsts, 99))
	s[askedP50] = milliseconds(part(before, 50))
	s[delayP50], s[delayP95], s[delayP99] = milliseconds(part(delays, 50)), milliseconds(part(delays, 95)), milliseconds(part(delays, 99))
	s[streamCPU] = (w.to.side - w.from.side).Seconds() / million
	s[loadCPU] = (w.to.ours - w.from.ours).Seconds() / million
	s[upstreamCPU] = (w.to.upstream - w.from.upstream).Seconds() / million
	if w.to.postgresKnown && w.number == 0 {
		s[postgresCPU] = (w.to.postgres - w.from.postgres).Seconds() / million
	}
	if w.to.redisMeasured && w.number == 0 {
		s[redisCPU] = (w.to.redis - w.from.redis).Seconds() / million
	}
	s[inexact] = float64(wrong)
}

// part is that of sorted times which so many percent of them do not exceed.
func part(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

// redisUsed asks Redis for the CPU that it has used.
func redisUsed(address string) (time.Duration, bool) {
	if address == "" {
		return 0, false
	}
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return 0, false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("INFO cpu\r\nQUIT\r\n")); err != nil {
		return 0, false
	}
	var used time.Duration
	found := 0
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, _ := strconv.ParseFloat(value, 64)
			used += time.Duration(seconds * float64(time.Second))
			found++
		}
	}
	return used, found == 2
}
