// Package gitops reads release layers from a Git branch and writes a change of
// one as compare-and-set: the one scalar, one commit, one push that the host
// takes only where the branch is still what the commit was built on.
//
// There is no work tree and no clone. The objects on the way to a layer are
// fetched by protocol v2 over HTTP with a filter, kept in a bounded cache, and
// put together again as blob, trees and commit. One goroutine of each [Repo]
// does all the writing, so that edits which arrive while a push is under way
// go out together in the next one.
package gitops
