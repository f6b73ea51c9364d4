package slack

import (
	"slices"
	"time"
)

// limit is how often a method may be called: calls in any span of per, for the
// workspace or for each channel. The zero limit is none.
//
// See https://docs.slack.dev/apis/web-api/rate-limits. Posting is "one message
// per second per channel, short bursts tolerated", which is four in four
// seconds here.
type limit struct {
	calls   int
	per     time.Duration
	channel bool
}

// limits remembers the calls that counted, by method or by method and channel.
// Guarded by Server.mu.
type limits map[string][]time.Time

// tooFast is an answer with HTTP status 429.
type tooFast struct{ retryAfter time.Duration }

func (e *tooFast) Error() string { return codeRateLimited }

// throttle counts a call, or refuses it. The caller holds mu.
func (s *Server) throttle(name string, l limit, channel string) error {
	if !s.opt.StrictLimits || l.calls == 0 {
		return nil
	}
	if name == "chat.update" {
		l.calls = s.opt.UpdatesPerMinute
	}
	key := name
	if l.channel {
		key += " " + channel
	}
	now := s.opt.Now()
	recent := slices.DeleteFunc(s.limits[key], func(t time.Time) bool { return now.Sub(t) >= l.per })
	if len(recent) >= l.calls {
		s.limits[key] = recent
		return &tooFast{retryAfter: recent[len(recent)-l.calls].Add(l.per).Sub(now)}
	}
	s.limits[key] = append(recent, now)
	return nil
}
