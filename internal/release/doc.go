// Package release is the vocabulary of releasing by GitOps, and the decisions
// made in it: what a promotion would change, who may ask for it, and what an
// Argo CD snapshot proves about a rollout.
//
// It is pure. It does no I/O, reads no clock and uses no library but the
// standard one, so every decision is a table test. Times and ids come in as
// arguments.
package release
