package gitops

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/synestra/promoter/internal/release"
)

func TestTrailer(t *testing.T) {
	for _, row := range []struct{ name, message, want string }{
		{"last paragraph", "s\n\nbody\n\nOperation-Id: 01A\nFrom-Tag: a\n", "01A"},
		{"no body", "s\n\nOperation-Id: 01A", "01A"},
		{"blank lines after", "s\n\nOperation-Id: 01A\n\n\n", "01A"},
		{"continued", "s\n\nNote: a\n  b\nOperation-Id: 01A\n", "01A"},
		{"quoted in the body", "s\n\nOperation-Id: 01A\n\nbody\n", ""},
		{"within a paragraph", "s\n\nsee\nOperation-Id: 01A\n", ""},
		{"prose after it", "s\n\nOperation-Id: 01A\nwas wrong\n", ""},
		{"indented", "s\n\n    Operation-Id: 01A\n", ""},
		{"subject", "Operation-Id: 01A\n", ""},
		{"other key", "s\n\nX-Operation-Id: 01A\n", ""},
		{"nothing", "", ""},
	} {
		if got := trailer(row.message, operationTrailer); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestTheSameChangeIsTheSameCommit(t *testing.T) {
	c := change(prodPath, "a", "b", "", "01A")
	committer := release.Identity{Name: "promoter", Email: "p@x"}
	var tree, parent plumbing.Hash
	first := newCommit(c, committer, tree, parent)
	c.At = c.At.In(time.FixedZone("east", 3*3600))
	if again := newCommit(c, committer, tree, parent); again.hash != first.hash {
		t.Errorf("another commit in another time zone:\n%s\n%s", first.data, again.data)
	}
	got, err := parseCommit(bytes.Replace(first.data, []byte(parent.String()), []byte(strings.Repeat("1", 40)), 2))
	if err != nil || got.operation != "01A" || len(got.parents) != 1 {
		t.Errorf("reads back as %+v, %v", got, err)
	}
}

func TestTheFirstOfSeveralCommitsOfAnOperation(t *testing.T) {
	id := func(n byte) plumbing.Hash { return plumbing.Hash{n} }
	all := map[plumbing.Hash]commit{}
	for n := byte(1); n <= 9; n++ {
		c := commit{parents: []plumbing.Hash{id(n - 1)}}
		if n == 3 || n == 5 || n == 8 {
			c.operation = "01A"
		}
		all[id(n)] = c
	}
	for range 20 { // in whatever order the map gives
		if got := operation(all, "01A"); got != id(3) {
			t.Fatalf("found %v, want the first", got)
		}
	}
}

func TestCacheIsBoundedByBytes(t *testing.T) {
	c := newCache(1000)
	first := newObject(plumbing.BlobObject, bytes.Repeat([]byte("a"), 100))
	c.put(first)
	for i := range 50 {
		c.get(first.hash) // in use, so it stays
		c.put(newObject(plumbing.BlobObject, fmt.Appendf(nil, "%0100d", i)))
		if c.bytes > c.limit || c.bytes != 100*c.order.Len() || len(c.at) != c.order.Len() {
			t.Fatalf("holds %d objects of %d bytes, limit %d", len(c.at), c.bytes, c.limit)
		}
	}
	if _, ok := c.get(first.hash); !ok {
		t.Error("what is used all the time was let go")
	}
	if len(c.at) != 10 {
		t.Errorf("holds %d objects, want 10", len(c.at))
	}
	big := newObject(plumbing.BlobObject, make([]byte, 900))
	c.put(big)
	if _, ok := c.get(big.hash); ok || len(c.at) != 10 {
		t.Error("one object drove out the rest")
	}
}

func TestPackRoundTrip(t *testing.T) {
	objects := []object{newObject(plumbing.BlobObject, []byte("a")), newObject(plumbing.TreeObject, nil)}
	pack, err := packUp(objects)
	if err != nil {
		t.Fatal(err)
	}
	got, err := unpack(pack)
	if err != nil || len(got) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	for n := range len(pack) {
		if _, err := unpack(pack[:n]); err == nil && n < len(pack)-20 {
			t.Errorf("a pack cut after %d of %d bytes was read", n, len(pack))
		}
	}
}

func TestVerdicts(t *testing.T) {
	const ref = "refs/heads/main"
	pkt := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	band := func(n byte, s string) string { return pkt(string(n) + s) }
	good := pkt("unpack ok\n") + pkt("ok "+ref+"\n") + "0000"
	bad := pkt("unpack ok\n") + pkt("ng "+ref+" pre-receive hook declined\n") + "0000"
	for _, row := range []struct {
		name, body string
		ok         bool
		reason     string
		err        bool
	}{
		{"good", band(1, good) + "0000", true, "", false},
		{"good, in pieces", band(1, good[:9]) + band(2, "hi\n") + band(1, good[9:]) + "0000", true, "", false},
		{"good, without bands", good, true, "", false},
		{"refused", band(2, "GH006: \x1b[31mprotected\n") + band(1, bad) + "0000", false, "pre-receive hook declined: GH006: [31mprotected", false},
		{"refused, without bands", bad, false, "pre-receive hook declined", false},
		{"not unpacked", pkt("unpack missing necessary objects\n") + pkt("ng "+ref+" unpacker error\n") + "0000", false, "missing necessary objects: unpacker error", false},
		{"another ref", pkt("unpack ok\n") + pkt("ok refs/heads/other\n") + "0000", false, "did not mention", false},
		{"fatal", band(2, "no space\n") + band(3, "fatal: disk"), false, "fatal: disk: no space", false},
		{"error packet", pkt("ERR no"), false, "no", true},
		{"cut", band(1, good), false, "", true},
		{"cut in the report", band(1, good[:20]) + "0000", false, "", true},
		{"empty", "", false, "", true},
		{"not packets", "<html>", false, "", true},
	} {
		v, err := parseVerdict([]byte(row.body), ref)
		if row.name == "error packet" {
			if err == nil && v.ok {
				t.Errorf("%s: %+v", row.name, v)
			}
			continue
		}
		if (err != nil) != row.err || v.ok != row.ok || !strings.Contains(v.reason, row.reason) {
			t.Errorf("%s: %+v, %v, want %+v", row.name, v, err, row)
		}
	}
	long, err := parseVerdict([]byte(band(2, strings.Repeat("x", 5000))+band(1, bad)+"0000"), ref)
	if err != nil || len(long.reason) > 1000 {
		t.Errorf("a reason of %d bytes, %v", len(long.reason), err)
	}
}

// FuzzAnswers: whatever a host answers, it is read or refused, without a panic.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{"0000", "0001", "000eunpack ok\n0000", "000dpackfile\n0005\x010000", "0003", "ffff", "0009ERR x", "000eversion 2\n0000"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if v, err := parseVerdict(body, "refs/heads/main"); err == nil && v.ok && !bytes.Contains(body, []byte("ok refs/heads/main")) {
			t.Errorf("%q is a success", body)
		}
		if h, err := parseRefs(body, "refs/heads/main"); err == nil && !h.IsZero() && !bytes.Contains(body, []byte("refs/heads/main")) {
			t.Errorf("%q has the branch", body)
		}
		if pack, err := parseFetch(body); err == nil {
			_, _ = unpack(pack)
		}
		_, _ = parseCapabilities(body)
		_, _ = parseTree(body)
		_, _ = parseCommit(body)
	})
}

func TestErrorsNameWhatToCheck(t *testing.T) {
	for status, want := range map[int]error{401: release.ErrUnauthorized, 403: release.ErrUnauthorized, 404: ErrNotFound} {
		if err := error(&statusError{status: status}); !errors.Is(err, want) || !strings.Contains(err.Error(), "check") {
			t.Errorf("%d: %v", status, err)
		}
	}
}
