// Package argocd is a stand-in for an Argo CD server with its controller and a
// small cluster behind it. It speaks the real gRPC API of Argo CD 2.14 and
// reads a real Git repository; what it simulates is time and pods.
//
// What it is for is the order of events: each step of the real controller (the
// refresh annotation, the comparison, the requested, running and finished
// sync, the comparison after it, pods coming ready one by one) is one write of
// the Application that a Watch can see, and takes one pace. The moments in
// which a real Argo CD says something misleading are there too: after a sync
// has succeeded, the Application is for one pace OutOfSync and still Healthy
// from its old pods (argo-cd#9070).
//
// One lock guards all of it; every method may be called from any goroutine.
package argocd
