package gitops

import (
	"bytes"
	"container/list"
	"fmt"
	"io"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// cacheBytes bounds the objects that are kept, inflated.
const cacheBytes = 8 << 20

// object is a Git object. It never changes, as its hash is made of its content.
type object struct {
	hash plumbing.Hash
	kind plumbing.ObjectType
	data []byte
}

func newObject(kind plumbing.ObjectType, data []byte) object {
	return object{plumbing.ComputeHash(kind, data), kind, data}
}

// cache keeps the objects used last, up to a number of bytes.
type cache struct {
	limit int

	mu    sync.Mutex
	bytes int
	order *list.List // of object, the one used last in front
	at    map[plumbing.Hash]*list.Element
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), at: map[plumbing.Hash]*list.Element{}}
}

func (c *cache) get(h plumbing.Hash) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.at[h]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(object).data, true
}

// put keeps an object and lets go of those not used for longest. One that
// would fill the cache alone is not kept.
func (c *cache) put(o object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.at[o.hash]; ok || len(o.data) > c.limit/2 {
		return
	}
	c.at[o.hash] = c.order.PushFront(o)
	c.bytes += len(o.data)
	for c.bytes > c.limit {
		last := c.order.Back()
		old := c.order.Remove(last).(object)
		delete(c.at, old.hash)
		c.bytes -= len(old.data)
	}
}

// unpack reads the objects of a pack.
func unpack(pack []byte) ([]object, error) {
	packed, err := openPack(pack)
	if err != nil {
		return nil, err
	}
	found := make([]object, 0, len(packed))
	for hash, o := range packed {
		data, err := readObject(o)
		if err != nil {
			return nil, err
		}
		found = append(found, object{hash, o.Type(), data})
	}
	return found, nil
}

// openPack reads a pack without copying what is in it. Each object's hash is
// computed from its content.
func openPack(pack []byte) (map[plumbing.Hash]plumbing.EncodedObject, error) {
	store := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(pack)), store)
	if err != nil {
		return nil, err
	}
	if _, err := parser.Parse(); err != nil {
		return nil, fmt.Errorf("reading the host's pack: %w", err)
	}
	return store.Objects, nil
}

func readObject(o plumbing.EncodedObject) ([]byte, error) {
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data := make([]byte, o.Size())
	_, err = io.ReadFull(r, data)
	return data, err
}

// packUp makes a pack of objects, without deltas: there are six to an edit.
func packUp(objects []object) ([]byte, error) {
	store := memory.NewStorage()
	hashes := make([]plumbing.Hash, 0, len(objects))
	for _, o := range objects {
		m := &plumbing.MemoryObject{}
		m.SetType(o.kind)
		if _, err := m.Write(o.data); err != nil {
			return nil, err
		}
		if _, err := store.SetEncodedObject(m); err != nil {
			return nil, err
		}
		hashes = append(hashes, o.hash)
	}
	var b bytes.Buffer
	_, err := packfile.NewEncoder(&b, store, false).Encode(hashes, 0)
	return b.Bytes(), err
}
