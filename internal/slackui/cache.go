package slackui

import (
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// lookUpAge is for how long what Slack says of people and channels is believed.
// Within it a right that was taken away still counts.
const lookUpAge = time.Minute

// cache keeps answers of Slack for [lookUpAge]. Who asks for something that is
// being asked for waits for that answer. Errors are not kept. The zero value is
// ready.
type cache[T any] struct {
	mu      sync.Mutex
	entries map[string]entry[T]
	asking  singleflight.Group
}

type entry[T any] struct {
	value T
	until time.Time
}

func (c *cache[T]) read(key string, ask func() (T, error)) (T, error) {
	c.mu.Lock()
	e, found := c.entries[key]
	c.mu.Unlock()
	if found && time.Now().Before(e.until) {
		return e.value, nil
	}
	v, err, _ := c.asking.Do(key, func() (any, error) {
		value, err := ask()
		if err == nil {
			c.keep(key, value)
		}
		return value, err
	})
	value, _ := v.(T)
	return value, err
}

func (c *cache[T]) keep(key string, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for k, e := range c.entries {
		if now.After(e.until) {
			delete(c.entries, k)
		}
	}
	if c.entries == nil {
		c.entries = map[string]entry[T]{}
	}
	c.entries[key] = entry[T]{value, now.Add(lookUpAge)}
}
