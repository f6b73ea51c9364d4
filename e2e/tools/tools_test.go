package tools

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// writeModule makes a tool module that has its program in itself, so that building it needs no network.
func writeModule(t *testing.T, modules, source string) {
	t.Helper()
	dir := filepath.Join(modules, "hello")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": "module hello\n\ngo 1.24\n", "go.sum": "", "main.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBuildOnceAndAgainWhenAPinChanges(t *testing.T) {
	modules, cache := t.TempDir(), t.TempDir()
	tools := []tool{{module: "hello", pkg: "hello", name: "hello"}}
	writeModule(t, modules, "package main\n\nfunc main() { println(\"hello\") }\n")

	first, err := build(t.Context(), tools, modules, cache, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(first["hello"]).CombinedOutput(); err != nil || string(out) != "hello\n" {
		t.Fatalf("the built program said %q, %v", out, err)
	}

	// A source that no longer compiles proves that the second call builds nothing.
	writeModule(t, modules, "package main\n\nbroken\n")
	var progress strings.Builder
	second, err := build(t.Context(), tools, modules, cache, &progress)
	if err != nil {
		t.Fatalf("with the program in the cache: %v", err)
	}
	if second["hello"] != first["hello"] || !strings.Contains(progress.String(), "in the cache") {
		t.Errorf("not taken from the cache: %v, %q", second, progress.String())
	}

	if err := os.WriteFile(filepath.Join(modules, "hello", "go.sum"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = build(t.Context(), tools, modules, cache, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "building hello") {
		t.Errorf("after a pin changed: got %v, want the build's error", err)
	}
}

func TestAFailedBuildLeavesNothing(t *testing.T) {
	modules, cache := t.TempDir(), t.TempDir()
	writeModule(t, modules, "package main\n\nbroken\n")
	if _, err := build(t.Context(), []tool{{module: "hello", pkg: "hello", name: "hello"}}, modules, cache, io.Discard); err == nil {
		t.Fatal("broken source was built")
	}
	left, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Every pin must be complete: a go.sum that lacks an entry would only show after minutes of a cold build.
func TestPinsAreComplete(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	version, err := ArgoCDVersion()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := all(version)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range tools {
		if _, err := goCommandOf(t.Context(), tool.toolchain, filepath.Join(root, "tools", tool.module), "list", "-mod=readonly", "-deps", tool.pkg); err != nil {
			t.Errorf("%s: %v", tool.name, err)
		}
	}
}

func TestArgoCDVersion(t *testing.T) {
	for _, row := range []struct {
		set  string
		want ArgoCD // "" for an error
	}{
		{"", ArgoCD2},
		{"2.14", ArgoCD2},
		{"3.6", ArgoCD3},
		{"v3.6.1", ""},
	} {
		t.Setenv(VersionVariable, row.set)
		if got, err := ArgoCDVersion(); got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%q: %q, %v, want %q", row.set, got, err, row.want)
		}
	}
}
