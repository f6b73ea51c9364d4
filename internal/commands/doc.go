// Package commands is what people can ask: one file a command, each a straight
// line of steps over small interfaces.
//
// A command decides; [Operations] carries out. The steps that follow a decision
// (remember, write, follow, tell) are the same for every command and for
// everything that happens unasked.
package commands
