package gitops

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// mark is what a packet line is, as gitprotocol-common(5) and gitprotocol-v2(5)
// define it: data, or one of the special lengths.
type mark int

const (
	markData        mark = iota
	markFlush            // 0000: end of a message
	markDelimiter        // 0001: end of a section
	markResponseEnd      // 0002
)

var errTruncated = errors.New("the host's answer ends in the middle")

// packets reads packet lines from an answer.
type packets struct{ rest []byte }

// next is the next packet. A packet "ERR …" is the host's error.
func (p *packets) next() (mark, []byte, error) {
	if len(p.rest) < 4 {
		return 0, nil, errTruncated
	}
	n, err := strconv.ParseUint(string(p.rest[:4]), 16, 16)
	if err != nil {
		return 0, nil, fmt.Errorf("not a packet line: %.20q", p.rest)
	}
	if n < 4 {
		p.rest = p.rest[4:]
		if n == 3 {
			return 0, nil, errors.New("a packet line of length 3")
		}
		return [...]mark{markFlush, markDelimiter, markResponseEnd}[n], nil, nil
	}
	if int(n) > len(p.rest) {
		return 0, nil, errTruncated
	}
	data := p.rest[4:n]
	p.rest = p.rest[n:]
	if text, found := bytes.CutPrefix(data, []byte("ERR ")); found {
		return 0, nil, &hostError{string(text)}
	}
	return markData, data, nil
}

// packetWriter writes packet lines.
type packetWriter struct{ bytes.Buffer }

func (w *packetWriter) line(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	fmt.Fprintf(w, "%04x%s", len(s)+4, s)
}

func (w *packetWriter) mark(m mark) {
	w.WriteString(map[mark]string{markFlush: "0000", markDelimiter: "0001"}[m])
}

// capabilities are what a v2 server says it can do.
type capabilities struct{ filter bool }

// parseCapabilities reads the answer of info/refs. Some servers put the v0
// greeting "# service=…" and a flush before it.
func parseCapabilities(body []byte) (capabilities, error) {
	var caps capabilities
	p := packets{body}
	v2 := false
	for len(p.rest) > 0 {
		m, data, err := p.next()
		if err != nil {
			return caps, err
		}
		line := strings.TrimSuffix(string(data), "\n")
		key, value, _ := strings.Cut(line, "=")
		switch {
		case m == markFlush && v2:
			return caps, nil
		case m == markFlush || strings.HasPrefix(line, "# service="):
		case line == "version 2":
			v2 = true
		case !v2:
			return caps, errors.New("the Git host does not speak protocol version 2, which this bot needs")
		case key == "fetch":
			caps.filter = strings.Contains(" "+value+" ", " filter ")
		case key == "object-format" && value != "sha1":
			return caps, fmt.Errorf("repositories with %.20q hashes are not supported yet", value)
		}
	}
	return caps, errTruncated
}

// lsRefs asks for one ref.
func lsRefs(ref string) []byte {
	var w packetWriter
	w.line("command=ls-refs\n")
	w.mark(markDelimiter)
	w.line("ref-prefix %s\n", ref)
	w.mark(markFlush)
	return w.Bytes()
}

// parseRefs finds the ref in an answer to ls-refs, the zero hash if it is not there.
func parseRefs(body []byte, ref string) (plumbing.Hash, error) {
	p := packets{body}
	var found plumbing.Hash
	for {
		m, data, err := p.next()
		if err != nil || m == markFlush {
			return found, err
		}
		// The prefix also matches longer names.
		hash, name, _ := strings.Cut(strings.TrimSuffix(string(data), "\n"), " ")
		if name == ref && plumbing.IsHash(hash) {
			found = plumbing.NewHash(hash)
		}
	}
}

// fetchRequest says which objects are wanted, and what need not be sent.
type fetchRequest struct {
	wants, haves []plumbing.Hash
	deepen       int
	filter       string
}

// encode asks without "thin-pack": the deltas of a thin pack are against
// objects that a partial store does not hold. Nor does it say "shallow": the
// host may think that we hold all that our haves reach, since what we turn out
// to lack is asked for by its hash; told the truth it would send every commit
// that a merged side branch reaches.
func (f fetchRequest) encode() []byte {
	var w packetWriter
	w.line("command=fetch\n")
	w.mark(markDelimiter)
	w.line("ofs-delta\n")
	w.line("no-progress\n")
	for _, h := range f.wants {
		w.line("want %s\n", h)
	}
	for _, h := range f.haves {
		w.line("have %s\n", h)
	}
	if f.deepen > 0 {
		w.line("deepen %d\n", f.deepen)
	}
	if f.filter != "" {
		w.line("filter %s\n", f.filter)
	}
	w.line("done\n")
	w.mark(markFlush)
	return w.Bytes()
}

// parseFetch takes the pack out of an answer to fetch.
func parseFetch(body []byte) ([]byte, error) {
	p := packets{body}
	for {
		m, data, err := p.next()
		switch {
		case err != nil:
			return nil, err
		case m == markFlush:
			return nil, errors.New("the host's answer has no pack")
		case m == markData && string(data) == "packfile\n":
			pack, _, err := demultiplex(&p)
			return pack, err
		}
	}
}

// demultiplex takes the bands of a side-band-64k stream apart, up to its flush:
// data, and what the host has to say to people. Band 3 is an error.
func demultiplex(p *packets) (data []byte, said string, err error) {
	for {
		m, packet, err := p.next()
		switch {
		case err != nil:
			return nil, said, err
		case m == markFlush:
			return data, said, nil
		case len(packet) == 0:
		case packet[0] == 1:
			data = append(data, packet[1:]...)
		case packet[0] == 2:
			said += string(packet[1:])
		case packet[0] == 3:
			return nil, said, &hostError{string(packet[1:])}
		default:
			return nil, said, fmt.Errorf("unknown band %d", packet[0])
		}
	}
}
