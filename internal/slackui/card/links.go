package card

import (
	"net/url"
	"strings"

	"github.com/synestra/promoter/internal/release"
)

// Links says where the things that a card speaks of are shown. An empty address
// is a link that is left out.
type Links struct {
	Repository string // web page of the Git repository
	ArgoCD     string // web address of Argo CD
	Namespace  string // the namespace the Applications are in
}

// The hosts do not agree on the paths of their pages.
func (l Links) page(github, gitlab, bitbucket string) string {
	u, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(l.Repository, "/"), ".git"))
	if err != nil || !isWeb(l.Repository) {
		return ""
	}
	path := github
	switch host := u.Hostname(); {
	case strings.Contains(host, "gitlab"):
		path = gitlab
	case host == "bitbucket.org":
		path = bitbucket
	}
	if path == "" {
		return ""
	}
	return u.String() + path
}

func (l Links) commit(r release.Revision) string {
	if !r.IsCommit() {
		return ""
	}
	c := string(r)
	return l.page("/commit/"+c, "/-/commit/"+c, "/commits/"+c)
}

func (l Links) compare(from, to release.Revision) string {
	if !from.IsCommit() || !to.IsCommit() || from == to {
		return ""
	}
	span := string(from) + "..." + string(to)
	return l.page("/compare/"+span, "/-/compare/"+span, "")
}

func (l Links) application(name string) string {
	if name == "" || !isWeb(l.ArgoCD) {
		return ""
	}
	path := "/applications/"
	if l.Namespace != "" {
		path += url.PathEscape(l.Namespace) + "/"
	}
	return strings.TrimSuffix(l.ArgoCD, "/") + path + url.PathEscape(name)
}
