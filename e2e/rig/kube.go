package rig

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Kube talks to the Kubernetes API over plain REST, with the rights of a cluster administrator. Paths are those of the
// API ("/api/v1/namespaces/argocd/secrets/argocd-secret").
type Kube struct {
	base, token string
	client      *http.Client
}

// StatusError is an answer that is not a success.
type StatusError struct {
	Code    int    // HTTP status
	Message string // what the server said
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s (HTTP %d)", e.Message, e.Code) }

// StatusCode is the HTTP status that err carries, 0 if it carries none.
func StatusCode(err error) int {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Code
	}
	return 0
}

// IsNotFound tells whether err is the API's answer that there is no such object.
func IsNotFound(err error) bool { return StatusCode(err) == http.StatusNotFound }

func newKube(base, token string) *Kube {
	// The API server makes its own certificate, on loopback and for this run only.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	return &Kube{base: base, token: token, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// Get reads the object at path into the JSON target into.
func (k *Kube) Get(ctx context.Context, path string, into any) error {
	answer, err := k.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// Create posts object to the collection at path.
func (k *Kube) Create(ctx context.Context, path string, object any) error {
	return k.send(ctx, http.MethodPost, path, "application/json", object)
}

// Apply makes the object at path as the manifest (YAML or JSON) says, by server-side apply, taking over fields that
// others own.
func (k *Kube) Apply(ctx context.Context, path string, manifest []byte) error {
	_, err := k.do(ctx, http.MethodPatch, path+"?fieldManager=range&force=true", "application/apply-patch+yaml", manifest)
	return err
}

// Patch changes the object at path by a JSON merge patch: null removes a field, a list is replaced whole.
func (k *Kube) Patch(ctx context.Context, path string, patch any) error {
	return k.send(ctx, http.MethodPatch, path, "application/merge-patch+json", patch)
}

// PatchByKey changes a built-in object by a strategic merge patch: containers and their variables are merged by name.
func (k *Kube) PatchByKey(ctx context.Context, path string, patch any) error {
	return k.send(ctx, http.MethodPatch, path, "application/strategic-merge-patch+json", patch)
}

// Delete removes the object at path.
func (k *Kube) Delete(ctx context.Context, path string) error {
	_, err := k.do(ctx, http.MethodDelete, path, "", nil)
	return err
}

// watch calls event with the kind (ADDED, MODIFIED, DELETED) and the object of every change in the collection at path (with
// its query, "?" at least), first with what is there. It ends with ctx, with event's error, and when the server ends it.
func (k *Kube) watch(ctx context.Context, path string, event func(kind string, object json.RawMessage) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.base+path+"&watch=1", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+k.token)
	endless := &http.Client{Transport: k.client.Transport}
	resp, err := endless.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &StatusError{Code: resp.StatusCode, Message: "no watch"}
	}
	for stream := json.NewDecoder(resp.Body); ; {
		var change struct {
			Type   string
			Object json.RawMessage
		}
		if err := stream.Decode(&change); err != nil {
			return err
		}
		if change.Type == "ERROR" {
			return fmt.Errorf("the server says %s", change.Object)
		}
		if err := event(change.Type, change.Object); err != nil {
			return err
		}
	}
}

func (k *Kube) send(ctx context.Context, method, path, contentType string, body any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	_, err = k.do(ctx, method, path, contentType, encoded)
	return err
}

func (k *Kube) do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	answer, err := request(ctx, k.client, method, k.base+path, k.token, contentType, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return answer, nil
}

// request is one exchange with a server that takes a bearer token; an answer other than 2xx is a *StatusError.
func request(ctx context.Context, client *http.Client, method, url, token, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		var status struct{ Message string }
		if json.Unmarshal(answer, &status) != nil || status.Message == "" {
			status.Message = string(answer)
		}
		return nil, &StatusError{Code: resp.StatusCode, Message: status.Message}
	}
	return answer, nil
}
