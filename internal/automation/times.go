package automation

import "time"

// Times are how long automation waits, and for what.
type Times struct {
	Lease, Renew, Take time.Duration // automation is taken over Lease after its process has died, and tried for every Take

	Retry   time.Duration // after something could not be asked
	Odd     time.Duration // between looks while the cluster runs what it should not
	Soak    time.Duration // between looks while a release is being verified
	Recover time.Duration // until a failure is followed again
	Promote time.Duration // between attempts to promote what was verified

	Align     time.Duration // after a refusal to align that may pass
	AlignSoon time.Duration // after one that is about to pass

	Gather        time.Duration // others are added to a notice for this long after it was begun
	GatherSummary time.Duration // to a summary longer: what was missed is known by and by
	Post          time.Duration // Slack may still be at a post that was given up for this long
	Due           time.Duration // between looks at a schedule

	Away time.Duration // the bot may have been away for this long for what it missed to be told app by app
}

// DefaultTimes are the usual ones.
func DefaultTimes() Times {
	return Times{
		Lease: 15 * time.Second, Renew: 4 * time.Second, Take: 2 * time.Second,
		Retry: 5 * time.Second, Odd: 5 * time.Second, Soak: 10 * time.Second, Recover: 15 * time.Second, Promote: 30 * time.Second,
		Align: 30 * time.Second, AlignSoon: 2 * time.Second,
		Gather: 20 * time.Second, GatherSummary: 2 * time.Minute, Post: 15 * time.Second, Due: 15 * time.Second,
		Away: 24 * time.Hour,
	}
}
