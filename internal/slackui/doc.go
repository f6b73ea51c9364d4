// Package slackui is who asks in Slack, what they typed, and what they see.
//
// A [UI] owns everything Slack: it takes commands and clicks in, over Socket
// Mode or HTTP, has each stored before it is acknowledged and worked off exactly
// once, keeps one message per operation up to date, and knows whose right it is
// to be heard. It decides nothing about releases.
//
// A UI may be used from several goroutines. [UI.Run] takes requests in and is
// only needed for that; messages can be shown without it. [UI.Flush] ends it.
package slackui
